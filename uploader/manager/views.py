"""The jobs page: both kinds of job, their numbers, their failures and their history, and what may be done to them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from jobs import pages
from jobs.errors import JobError, LostRace
from jobs.pages import Page, forbidden, framed, is_partial, page_query, staff, told, whole
from uploader.deciding import Refused
from uploader.manager import many, verbs
from uploader.manager.board import TAKES, JobsBoard
from uploader.manager.details import Details
from uploader.manager.kinds import KINDS, Kind, find

PARTS = {
    "jobs-alert": "uploader/jobs/_alert.html",
    "jobs-kinds": "uploader/jobs/_kinds.html",
    "jobs-tiles": "uploader/jobs/_tiles.html",
    "jobs-bar": "uploader/jobs/_bar.html",
    "jobs-causes": "uploader/jobs/_causes.html",
    "jobs-list": "uploader/jobs/_list.html",
    "jobs-charts": "uploader/jobs/_charts.html",
    "job": "uploader/jobs/_detail.html",
}
REFUSALS = (Refused, LostRace, JobError)
# Failures of a cause are retried so many a minute, when not all at once.
DOSES = (1, 6, 30)
LONGEST_REASONS = 3


def may(request: HttpRequest, kind: Kind, verb: str) -> bool:
    """Deleting and clearing need another permission than the rest."""
    action = "delete" if verb in ("delete", "clear") else "change"
    return bool(request.user.has_perm(f"uploader.{action}_{kind.model._meta.model_name}"))


def context_of(request: HttpRequest, query: QueryDict) -> dict[str, Any]:
    board = JobsBoard(query, now=timezone.now())
    return {
        "board": board,
        "doses": DOSES,
        "may_change": may(request, board.kind, "retry"),
        "may_delete": may(request, board.kind, "delete"),
    }


@require_safe
@staff
def jobs(request: HttpRequest) -> HttpResponse:
    """The page, or the partials of it that `?parts=` names."""
    context = context_of(request, request.GET)
    if is_partial(request):
        return pages.answer(request, context, parts=PARTS)
    return framed(request, "uploader/jobs.html", "Video jobs", context)


@require_safe
@staff
def job(request: HttpRequest, kind: str, job_id: int) -> HttpResponse:
    """One job: what it is about, its timeline, its log, and why it has not run."""
    found = one(kind, job_id)
    context = detail_context(request, found)
    if is_partial(request):
        return pages.answer(request, context, parts=PARTS)
    return framed(request, "uploader/job.html", found.card.title, context)


def detail_context(request: HttpRequest, found: Details) -> dict[str, Any]:
    return {
        "details": found,
        "card": found.card,
        "board": found,
        "on_page": True,
        "may_change": may(request, found.kind, "retry"),
        "may_delete": may(request, found.kind, "delete"),
    }


def one(kind: str, job_id: int) -> Details:
    if kind not in KINDS or not whole(str(job_id)):
        raise Http404
    row = find(KINDS[kind], job_id)
    if row is None:
        raise Http404
    return Details(KINDS[kind], row, now=timezone.now())


# -------------------------------------------------------------------- hands


def partials(request: HttpRequest, status: int) -> HttpResponse:
    """What the page that is open shows now: the list, or one job."""
    return pages.answer(request, context_of(request, page_query(request)), parts=PARTS, status=status)


JOBS = Page(partials, "jobs", REFUSALS)


@require_POST
@staff
def act(request: HttpRequest, kind: str, job_id: int, verb: str) -> HttpResponse:
    """Do `verb` to one job."""
    if verb not in verbs.VERBS:
        raise Http404
    found = one(kind, job_id)
    if not may(request, found.kind, verb):
        return forbidden(request)

    def shown(request: HttpRequest, status: int) -> HttpResponse:
        asked = request.POST.get("parts", "").split(",")
        if "job" not in asked:
            return partials(request, status)
        if verb == "delete" and status == 200:
            return HttpResponse(headers={"HX-Redirect": f"{reverse('jobs')}?kind={kind}"})
        fresh = find(found.kind, job_id)
        again = Details(found.kind, fresh, now=timezone.now()) if fresh else found
        return pages.answer(request, detail_context(request, again), parts=PARTS, status=status)

    page = Page(shown, "jobs", REFUSALS)
    name = f"{found.kind.title} {found.card.job.pk}"
    try:
        said = verbs.VERBS[verb](found.card.job, who=request.user.get_username(), now=timezone.now())
    except REFUSALS as error:
        return told(request, f"{name} stays as it is: {error}.", messages.ERROR, page, status=409)
    return told(request, f"{name} {said}.", messages.SUCCESS, page)


@require_POST
@staff
def act_on_all(request: HttpRequest, kind: str, verb: str) -> HttpResponse:
    """Do `verb` to every job that matches the filters the button carried."""
    if kind not in KINDS or verb not in TAKES:
        raise Http404
    of = KINDS[kind]
    if not may(request, of, verb):
        return forbidden(request)
    board = JobsBoard(QueryDict(f"kind={kind}&{request.POST.get('filters', '')}"), now=timezone.now())
    rows = board.wanted.find(of).filter(status__in=TAKES[verb])
    if verb == "handle":
        rows = rows.filter(handled_at=None)
    who, now = request.user.get_username(), timezone.now()
    if verb == "delete":
        cleared = many.clear(of, "all", who=who, now=now, rows=rows)
        said = f"{cleared:,} {of.one if cleared == 1 else of.many} deleted."
        return told(
            request, said if cleared else "Nothing was left to delete.", level_of(bool(cleared)), JOBS
        )
    report = many.decide(verb, rows, who=who, now=now, per_minute=dose(request.POST.get("per_minute", "")))
    return told(request, str(report), level_of(bool(report.done)), JOBS, status=200 if report.done else 409)


@require_POST
@staff
def fix_stuck(request: HttpRequest, kind: str) -> HttpResponse:
    if kind not in KINDS:
        raise Http404
    of = KINDS[kind]
    if not may(request, of, "sync"):
        return forbidden(request)
    fixed = many.fix_stuck(of, now=timezone.now())
    if not fixed:
        return told(request, "Nothing is stuck.", messages.SUCCESS, JOBS)
    reasons = "; ".join(f"{of.title} {row.pk} {said}" for row, said in fixed[:LONGEST_REASONS])
    more = f"; and {len(fixed) - LONGEST_REASONS} more" if len(fixed) > LONGEST_REASONS else ""
    return told(request, f"{len(fixed)} put right: {reasons}{more}.", messages.SUCCESS, JOBS)


def level_of(is_done: bool) -> int:
    return messages.SUCCESS if is_done else messages.ERROR


def dose(text: str) -> int:
    number = whole(text)
    return number if number in DOSES else 0
