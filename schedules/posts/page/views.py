"""The posts page: the calendar, one post, and everything that is done to one."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from schedules.pages import answer, forbidden, framed, hand, is_partial, partial, staff, who
from schedules.posts import deciding
from schedules.posts.models import ScheduledPost
from schedules.posts.page import dry_run, zones
from schedules.posts.page.dry_run import DryRun
from schedules.posts.page.hands import (
    MAY_ADD,
    MAY_POST,
    PARTS,
    POSTS,
    NotDone,
    board_of,
    details_of,
    found,
    name_of,
    refused_as,
)


@require_safe
@staff
def posts(request: HttpRequest) -> HttpResponse:
    """The page, or the partials of it that `?parts=` names."""
    context = {"board": board_of(request, request.GET)}
    if is_partial(request):
        return answer(request, context, parts=PARTS)
    return framed(request, "schedules/posts.html", "Posts", {**context, "zones": zones.names()})


@require_safe
@staff
def post(request: HttpRequest, post_id: int) -> HttpResponse:
    """One post: alone for the popover, its parts for its open page, else as a page."""
    board = board_of(request, request.GET)
    details = details_of(post_id, board)
    context = {"board": board, "details": details}
    if is_partial(request):
        if "parts" in request.GET:
            return answer(request, context, parts=PARTS)
        return partial(request, "schedules/posts/_popover.html", context)
    return framed(request, "schedules/post.html", details.card.title, {**context, "zones": zones.names()})


# -------------------------------------------------------------------- another moment, a copy


@staff
def move(request: HttpRequest, post_id: int) -> HttpResponse:
    """GET: the dialog with its dry run. POST: do it."""
    return (
        save_move(request, post_id) if request.method == "POST" else dialog(request, post_id, is_copy=False)
    )


@staff
def duplicate(request: HttpRequest, post_id: int) -> HttpResponse:
    """GET: the dialog with its dry run. POST: do it."""
    return save_copy(request, post_id) if request.method == "POST" else dialog(request, post_id, is_copy=True)


def dialog(request: HttpRequest, post_id: int, *, is_copy: bool) -> HttpResponse:
    if not request.user.has_perm(MAY_ADD if is_copy else MAY_POST):
        return forbidden(request)
    row, now, viewer = found(post_id), timezone.now(), zones.of_viewer(request)
    zone_name = request.GET.get("in", "") or viewer.key
    text = request.GET.get("at", "")
    if not text and "at" not in request.GET:
        text = zones.field(row.scheduled_for or now, viewer)
    is_tray = request.GET.get("tray") == "1"
    run, wall = dry(request, row, text, zone_name, viewer, now=now, is_tray=is_tray, is_copy=is_copy)
    context = {
        "details": details_of(post_id, board_of(request, request.GET)),
        "text": text, "zone_name": zone_name, "is_tray": is_tray, "is_copy": is_copy, "dry": run, "wall": wall,
        "is_second": request.GET.get("second") == "1", "zones": zones.names(),
        "utc": zones.spoken(run.at, zones.named("UTC"), with_seconds=True) if run.at else "",
        "local": zones.spoken(run.at, viewer, with_seconds=True) if run.at else "",
        "viewer": zones.shown(viewer),
    }  # fmt: skip
    if is_partial(request):
        return partial(request, "schedules/posts/_move.html", context)
    title = "Duplicate post" if is_copy else "Move post"
    return framed(request, "schedules/post_move.html", title, context)


def dry(
    request: HttpRequest,
    row: ScheduledPost,
    text: str,
    zone_name: str,
    viewer: ZoneInfo,
    *,
    now: datetime,
    is_tray: bool,
    is_copy: bool,
) -> tuple[DryRun, zones.Wall | None]:
    if is_tray and not is_copy:
        return dry_run.of_move(row, None, viewer=viewer, now=now), None
    try:
        wall = zones.resolve(text, zones.named(zone_name), is_second=request.GET.get("second") == "1")
    except zones.BadTime as error:
        run = DryRun(None)
        run.say("bad", str(error))
        return run, None
    of = dry_run.of_copy if is_copy else dry_run.of_move
    return of(row, wall, viewer=viewer, now=now), wall


def asked_moment(request: HttpRequest) -> tuple[datetime | None, str]:
    """(moment, zone name) of a dialog that was sent. Raises NotDone."""
    zone_name = request.POST.get("in", "") or "UTC"
    try:
        zone = zones.named(zone_name)
        if request.POST.get("tray") == "1":
            return None, zone.key
        wall = zones.resolve(request.POST.get("at", ""), zone, is_second=request.POST.get("second") == "1")
    except zones.BadTime as error:
        raise NotDone(str(error)) from error
    return wall.at, zone.key


@hand(MAY_POST, POSTS)
def save_move(request: HttpRequest, post_id: int) -> str:
    row = found(post_id)
    at, zone_name = asked_moment(request)
    with refused_as(row, "moved"):
        deciding.move(row, at, time_zone=zone_name, who=who(request), now=timezone.now())
    if at is None:
        return f"{name_of(row)} waits in the tray."
    return f"{name_of(row)} goes out {dry_run.both(at, zones.of_viewer(request))}."


@hand(MAY_ADD, POSTS)
def save_copy(request: HttpRequest, post_id: int) -> str:
    row = found(post_id)
    at, _ = asked_moment(request)
    with refused_as(row, "duplicated"):
        copy = deciding.duplicate(row, scheduled_for=at, who=who(request), now=timezone.now())
    when = f"goes out {dry_run.both(at, zones.of_viewer(request))}" if at else "waits in the tray"
    return f"Post {copy.pk}, a copy of {name_of(row)}, {when}."


# -------------------------------------------------------------------- at once


@hand(MAY_POST, POSTS)
def publish_now(request: HttpRequest, post_id: int) -> str:
    row = found(post_id)
    with refused_as(row, "published"):
        deciding.publish_now(row, who=who(request), now=timezone.now())
    if row.pre_uploaded:
        return f"{name_of(row)} is published now."
    return f"{name_of(row)}: its media go up now, then it is published."


@hand(MAY_POST, POSTS)
def retry(request: HttpRequest, post_id: int) -> str:
    row = found(post_id)
    with refused_as(row, "retried"):
        deciding.retry(row, who=who(request), now=timezone.now())
    return f"{name_of(row)} is tried again."


@hand(MAY_POST, POSTS)
def cancel(request: HttpRequest, post_id: int) -> str:
    row = found(post_id)
    with refused_as(row, "cancelled"):
        deciding.cancel(row, who=who(request), now=timezone.now())
    return f"{name_of(row)} is cancelled."
