"""The uploads page as its buttons find it: its partials, and hands that act on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from jobs import pages
from jobs.errors import JobError, LostRace
from jobs.pages import Page, forbidden, framed, is_partial, page_query, partial, staff
from schedules.boards import Board, Choice
from schedules.refusals import Refused
from schedules.upload_schedules import OnFailure

__all__ = [
    "PARTS", "UPLOADS", "Page", "answer", "decision_about", "forbidden", "framed", "hand", "is_partial", "page_query",
    "partial", "staff", "who",
]  # fmt: skip

P = ParamSpec("P")

# The partials a live page is made of; a page shows some of them, each under the id `part-<name>`.
PARTS = {
    "alert": "schedules/uploads/_alert.html",
    "tiles": "schedules/uploads/_tiles.html",
    "destinations": "schedules/uploads/_destinations.html",
    "now": "schedules/uploads/_now.html",
    "next": "schedules/uploads/_next.html",
    "trouble": "schedules/uploads/_trouble.html",
    "series": "schedules/uploads/_series.html",
}

pages.register_rights(
    may_schedule="schedules.change_uploadschedule",
    may_change_windows="schedules.change_uploadslot",
    may_change_line="schedules.change_slotvideo",
    may_change_blackouts="schedules.change_blackout",
    may_change_destination="uploader.change_destination",
    may_add_post="schedules.add_scheduledpost",
    may_post="schedules.change_scheduledpost",
)


def answer(
    request: HttpRequest, context: dict[str, Any], *, parts: dict[str, str] = PARTS, status: int = 200
) -> HttpResponse:
    """The partials that the request names in `parts`, each to take its place on the open page."""
    return pages.answer(request, context, parts=parts, status=status)


def uploads_partials(request: HttpRequest, status: int) -> HttpResponse:
    """What the open uploads page shows now."""
    board = Board(Choice.of(page_query(request)), now=timezone.now())
    return answer(request, {"board": board, "policies": OnFailure.choices}, status=status)


UPLOADS = Page(uploads_partials, "uploads", (Refused, LostRace, JobError))


def hand(
    permission: str, page: Page = UPLOADS
) -> Callable[[Callable[Concatenate[HttpRequest, P], str]], pages.View[P]]:
    """A POST that changes something on the uploads page, or on another one; see `jobs.pages.hand`."""
    return pages.hand(permission, page)


def decision_about(
    found: Callable[[int], Any],
    decide: Callable[..., object],
    said: str,
    *,
    permission: str,
    page: Page = UPLOADS,
) -> Callable[..., HttpResponse]:
    """A POST that decides about one row and needs to know no more; `said` is told of it afterwards."""

    @hand(permission, page)
    def view(request: HttpRequest, row_id: int) -> str:
        row = found(row_id)
        decide(row, who=who(request), now=timezone.now())
        return said.format(row)

    return view


def who(request: HttpRequest) -> str:
    return request.user.get_username()
