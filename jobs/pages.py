"""How staff pages are asked and answered: the frame, partials for a live page, and hands with their permission."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from json import dumps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlsplit

from django.contrib import admin, messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from jobs.errors import JobError, LostRace

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

# The largest id any database gives.
LARGEST_ID = 2**63 - 1

# What the templates ask about the person, and the permission that answers it; each app adds its own.
_rights: dict[str, str] = {}


def register_rights(**permissions: str) -> None:
    """Have every page know whether its reader holds these permissions: `may_post="schedules.change_…"`."""
    _rights.update(permissions)


def rights(request: HttpRequest) -> dict[str, bool]:
    return {name: request.user.has_perm(permission) for name, permission in _rights.items()}


def is_partial(request: HttpRequest) -> bool:
    """Asked for by a page that is open, not for a new one."""
    return request.headers.get("HX-Request") == "true" and "HX-Boosted" not in request.headers


def staff(view: View[P]) -> View[P]:
    """Only for the staff; everybody else is asked to sign in."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.user.is_active and request.user.is_staff:
            answer = view(request, *args, **kwargs)
            answer.headers.setdefault("Cache-Control", "private, no-store")
            return answer
        if is_partial(request):
            page = urlsplit(request.headers.get("HX-Current-URL", "")).path or "/"
            return HttpResponse(status=401, headers={"HX-Redirect": f"{reverse('admin:login')}?next={page}"})
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))

    return guarded


def framed(request: HttpRequest, template: str, title: str, context: dict[str, Any]) -> HttpResponse:
    """A whole page inside the admin's frame."""
    frame = {**admin.site.each_context(request), "title": title, "subtitle": None}
    return render(request, template, {**frame, **rights(request), **context})


def partial(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """One piece of a page, for the place that asked for it."""
    return render(request, template, {**rights(request), **context})


def answer(
    request: HttpRequest, context: dict[str, Any], *, parts: dict[str, str], status: int = 200
) -> HttpResponse:
    """The partials that the request names in `parts`, each to take its place on the open page."""
    asked = (request.POST if request.method == "POST" else request.GET).get("parts", "")
    named = [(name, parts[name]) for name in dict.fromkeys(asked.split(",")) if name in parts]
    return render(request, "jobs/parts.html", {**rights(request), **context, "named": named}, status=status)


@dataclass(frozen=True)
class Page:
    """Where hands act: the page's partials as they are now, its address, and what refuses in words."""

    partials: Callable[[HttpRequest, int], HttpResponse]
    home: str
    refusals: tuple[type[Exception], ...] = (LostRace, JobError)


def page_query(request: HttpRequest) -> QueryDict:
    """The query string of the page that is open."""
    return QueryDict(urlsplit(request.headers.get("HX-Current-URL", "")).query)


def hand(permission: str, page: Page) -> Callable[[Callable[Concatenate[HttpRequest, P], str]], View[P]]:
    """A POST that changes something, by those who may; the function says in a sentence what it did.

    An open page gets its partials back and the sentence as a toast, others a redirect and a message.
    What the domain refuses is answered with 409 and the refusal's own words.
    """

    def decorate(change: Callable[Concatenate[HttpRequest, P], str]) -> View[P]:
        @require_POST
        @staff
        @wraps(change)
        def view(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if not request.user.has_perm(permission):
                return forbidden(request)
            try:
                return told(request, change(request, *args, **kwargs), messages.SUCCESS, page)
            except page.refusals as error:
                return told(request, str(error), messages.ERROR, page, status=409)

        return view

    return decorate


def forbidden(request: HttpRequest) -> HttpResponse:
    sentence = "You may look here, but not change anything. Ask an administrator for the permission."
    if is_partial(request):
        return HttpResponse(sentence, status=403, headers=toast(sentence, messages.ERROR))
    raise PermissionDenied(sentence)


def told(request: HttpRequest, sentence: str, level: int, page: Page, *, status: int = 200) -> HttpResponse:
    if not is_partial(request):
        messages.add_message(request, level, sentence)
        return HttpResponseRedirect(came_from(request, page.home))
    shown = page.partials(request, status)
    for name, value in toast(sentence, level).items():
        shown.headers[name] = value
    return shown


def toast(sentence: str, level: int) -> dict[str, str]:
    """The header by which htmx tells the page to show a message."""
    return {"HX-Trigger": dumps({"toast": {"text": sentence, "level": messages.DEFAULT_TAGS[level]}})}


def came_from(request: HttpRequest, home: str) -> str:
    """The page of ours on which the button was."""
    for url in (request.POST.get("next", ""), request.headers.get("Referer", "")):
        if url and url_has_allowed_host_and_scheme(url, {request.get_host()}, request.is_secure()):
            return url
    return reverse(home)


def whole(text: str) -> int:
    """The number in `text`; 0 for anything that cannot be an id."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
    return number if number <= LARGEST_ID else 0
