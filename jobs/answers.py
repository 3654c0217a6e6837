"""The one shape of an error, `{"success": false, "error": "<sentence>", "code": "<slug>"}`, and what is a body."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import IO, Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404
from rest_framework import exceptions, serializers, status
from rest_framework.parsers import JSONParser
from rest_framework.response import Response
from rest_framework.views import exception_handler

log = logging.getLogger(__name__)

DJANGO_CODES: dict[type[Exception], str] = {Http404: "not_found", PermissionDenied: "permission_denied"}


class ErrorAnswer(serializers.Serializer[Any]):
    """Every refusal."""

    success = serializers.BooleanField()
    error = serializers.CharField(help_text="A sentence")
    code = serializers.CharField(help_text="A word for programs")


def replies(answer: Any, *refusals: int, success: int = 200) -> dict[int, Any]:
    """What an operation answers, and with which statuses it may refuse, for the OpenAPI document."""
    return {success: answer} | dict.fromkeys(sorted({401, 403, 429, *refusals}), ErrorAnswer)


def refusal(message: str, code: str, status_code: int = status.HTTP_400_BAD_REQUEST, **more: Any) -> Response:
    return Response({"success": False, "error": message, "code": code, **more}, status=status_code)


class BodyParser(JSONParser):
    """JSON as Python reads it; what is nested without end is malformed like any other."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise exceptions.ParseError("JSON parse error - nested too deeply") from error


def error_answer(error: Exception, context: dict[str, Any]) -> Response:
    """Every error of the API as a sentence with a code, an unexpected one included (500, logged)."""
    if isinstance(error, RequestDataTooBig):
        return refusal("The body of the request is too large.", "too_large", 413)
    if isinstance(error, OperationalError):
        log.error("%s: the database does not work: %s", context["request"].path, error)
        return refusal("The database does not answer. Try again in a while.", "unavailable", 503)
    answer = exception_handler(error, context)
    if answer is None:
        log.exception("%s failed", context["request"].path, exc_info=error)
        return refusal("Server error. The log has the details.", "server_error", 500)
    code = DJANGO_CODES.get(type(error)) or getattr(error, "default_code", "error")
    if isinstance(error, exceptions.APIException) and isinstance(error.get_codes(), str):
        code = error.get_codes()
    if isinstance(error, exceptions.ParseError):
        code = "malformed"
    answer.data = {"success": False, "error": sentence(answer.data), "code": code}
    return answer


def sentence(detail: Any) -> str:
    """A validation error's nested lists and maps as one line."""
    if isinstance(detail, dict):
        if set(detail) == {"detail"}:
            return sentence(detail["detail"])
        return " ".join(f"{field}: {sentence(value)}" for field, value in detail.items())
    if isinstance(detail, list):
        return " ".join(sentence(item) for item in detail)
    return str(detail)
