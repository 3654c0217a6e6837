"""Health, media, and the answers when something is not there."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.core.exceptions import PermissionDenied, SuspiciousFileOperation
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils import timezone
from django.utils._os import safe_join
from django.views import defaults
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from jobs import health
from jobs.metrics import JobCollector


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process is alive."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Database, workers and ticker are there; 503 says what is missing."""
    ready, found = health.readiness(timezone.now())
    return JsonResponse({"ready": ready, **found}, status=200 if ready else 503)


@require_safe
@staff_member_required
def media(request: HttpRequest, path: str) -> HttpResponseBase:
    """A poster or another file the product made, for the staff."""
    try:
        file = safe_join(str(settings.MEDIA_ROOT), path)
        answer = FileResponse(open(file, "rb"))  # noqa: SIM115 - the response closes it
    except (SuspiciousFileOperation, OSError, ValueError) as error:
        raise Http404 from error
    answer["Cache-Control"] = "private, max-age=86400"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


class AnyAnswer(BaseContentNegotiation):
    """Whatever the client accepts, it gets what there is."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class MetricsView(APIView):
    """`/metrics` for Prometheus, signed in like any program: `authorization: {credentials: <token>}`."""

    # Scrapers ask for text; the refusal alone is rendered.
    content_negotiation_class = AnyAnswer

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        registry = CollectorRegistry()
        registry.register(JobCollector())
        body = generate_latest(REGISTRY) + generate_latest(registry)
        return HttpResponse(body, content_type=CONTENT_TYPE_LATEST)


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith(("/api/", "/v1/"))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if is_api(request):
        return JsonResponse(
            {"success": False, "error": "The request makes no sense here.", "code": "bad_request"}, status=400
        )
    return defaults.bad_request(request, exception)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """A form whose token is missing or old, told in our own frame."""
    sentence = "This page was open for too long, or its cookies are blocked. Reload it, then try again."
    if is_api(request):
        return JsonResponse({"success": False, "error": sentence, "code": "csrf_failed"}, status=403)
    return defaults.permission_denied(request, PermissionDenied(sentence))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if is_api(request):
        return JsonResponse(
            {"success": False, "error": "There is nothing here.", "code": "not_found"}, status=404
        )
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    if is_api(request):
        return JsonResponse(
            {"success": False, "error": "Server error. The log has the details.", "code": "server_error"},
            status=500,
        )
    return defaults.server_error(request)
