"""The review page: which work is which series, which segment which episode; a person accepts or rejects."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from jobs import pages
from jobs.errors import LostRace
from jobs.pages import Page, framed, hand, is_partial, page_query, staff
from jobs.pipeline.starting import Refused, start
from uploader.pipeline.match_board import SURE, Board, Choice, chosen
from uploader.pipeline.matches import Match, MatchStatus

PARTS = {"counts": "uploader/matches/_counts.html", "matches": "uploader/matches/_matches.html"}
MAY_DECIDE = "uploader.change_match"
ACCEPTED_AT_ONCE = 500

pages.register_rights(may_match=MAY_DECIDE)


@require_safe
@staff
def matches(request: HttpRequest) -> HttpResponse:
    """The page, or the partials of it that `?parts=` names."""
    board = Board(Choice.of(request.GET))
    if is_partial(request):
        return pages.answer(request, {"board": board}, parts=PARTS)
    return framed(request, "uploader/matches.html", "Matches", {"board": board})


def _partials(request: HttpRequest, status: int) -> HttpResponse:
    board = Board(Choice.of(page_query(request)))
    return pages.answer(request, {"board": board}, parts=PARTS, status=status)


MATCHES = Page(_partials, "matches", (LostRace, Refused))


@hand(MAY_DECIDE, MATCHES)
def accept(request: HttpRequest, match_id: int) -> str:
    row = found(match_id)
    row.accept(who=request.user.get_username(), now=timezone.now())
    if row.segment_id is None:
        # Now it is known whose episodes its segments may be.
        start("match", {}, who=request.user.get_username(), now=timezone.now(), work=row.work_id)
        return f"{row} accepted; its segments are being matched."
    return f"{row} accepted."


@hand(MAY_DECIDE, MATCHES)
def reject(request: HttpRequest, match_id: int) -> str:
    row = found(match_id)
    row.reject(who=request.user.get_username(), now=timezone.now())
    return f"{row} rejected; it is not proposed again."


@hand(MAY_DECIDE, MATCHES)
def accept_sure(request: HttpRequest) -> str:
    """Accept the open proposals of the page's choice that are all but certain, the likeliest of each thing."""
    choice = Choice.of(request.POST if "status" in request.POST else page_query(request))
    if choice.status != MatchStatus.PROPOSED:
        raise LostRace("Only open proposals are accepted at once.")
    accepted = refused = 0
    works = set()
    for row in chosen(choice).filter(score__gte=SURE).select_related("work", "series")[:ACCEPTED_AT_ONCE]:
        try:
            row.accept(who=request.user.get_username(), now=timezone.now())
        except LostRace:
            refused += 1
            continue
        accepted += 1
        if row.segment_id is None:
            works.add(row.work_id)
    for work_id in works:
        start("match", {}, who=request.user.get_username(), now=timezone.now(), work=work_id)
    return f"{accepted} accepted" + (f", {refused} left: matched otherwise already." if refused else ".")


@hand("jobs.add_pipelinejob", MATCHES)
def look(request: HttpRequest) -> str:
    start("match", {}, who=request.user.get_username(), now=timezone.now())
    return "A run that looks for matches is on the line."


def found(match_id: int) -> Match:
    row = Match.objects.with_names().filter(pk=match_id).first()
    if row is None:
        raise Http404
    return row
