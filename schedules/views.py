"""The uploads page: what runs, what comes, what needs a hand, and the line of every destination."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_safe

from jobs.errors import LostRace
from schedules import chronicle, decisions, refusals, scheduling
from schedules.boards import LARGEST_ID, Board, Choice, whole
from schedules.pages import answer, decision_about, framed, hand, is_partial, partial, staff, who
from schedules.previews import preview, search
from schedules.upload_schedules import OPEN, OnFailure, ScheduledUpload, Status, UploadSchedule
from uploader.catalog import Series
from uploader.destinations import Destination

MAY_SCHEDULE = "schedules.change_uploadschedule"
# More than this in one request would keep the line locked for too long.
RETRY_AT_ONCE = 100


@require_safe
@staff
def uploads(request: HttpRequest) -> HttpResponse:
    """The page, or the partials of it that `?parts=` names."""
    board = Board(Choice.of(request.GET), now=timezone.now())
    context = {"board": board, "policies": OnFailure.choices}
    if is_partial(request):
        return answer(request, context)
    return framed(request, "schedules/uploads.html", "Uploads", context)


@require_safe
@staff
def episode(request: HttpRequest, row_id: int) -> HttpResponse:
    """One scheduled episode with its history; alone for the popover, else as a page."""
    row = scheduled(row_id)
    context = {"row": row, "history": chronicle.of_upload(row), "now": timezone.now()}
    if is_partial(request):
        return partial(request, "schedules/uploads/_episode.html", context)
    return framed(request, "schedules/episode.html", str(row.episode), context)


# -------------------------------------------------------------------- adding


@staff
def add(request: HttpRequest) -> HttpResponse:
    """GET: search, then a preview of one series on one destination. POST: schedule it."""
    if request.method == "POST":
        return schedule(request)
    now = timezone.now()
    text = request.GET.get("q", "").strip()[:100]
    destinations = list(Destination.objects.for_videos().filter(is_active=True))
    series = Series.objects.filter(pk=whole(request.GET.get("series", ""))).first()
    name = request.GET.get("destination", "")
    chosen = next((d for d in destinations if d.name == name), destinations[0] if destinations else None)
    context = {
        "query": text,
        "destinations": destinations,
        "chosen": chosen,
        "policies": OnFailure.choices,
        "found": [] if series else search(text),
        "preview": preview(series, chosen, now=now) if series and chosen else None,
        "has_series": Series.objects.exists(),
    }
    if is_partial(request):
        return partial(request, "schedules/uploads/_add.html", context)
    return framed(request, "schedules/add.html", "Add to upload schedule", context)


@hand(MAY_SCHEDULE)
def schedule(request: HttpRequest) -> str:
    series = Series.objects.filter(pk=whole(request.POST.get("series", ""))).first()
    if series is None:
        raise refusals.Refused("Choose a series first: search by its title or ID.")
    policy = request.POST.get("on_failure", OnFailure.SKIP)
    if policy not in OnFailure.values:
        raise refusals.Refused(f"“{policy}” is not a policy: skip or hold.")
    destination = scheduling.choose_destination(request.POST.get("destination", ""))
    rows = scheduling.schedule_series(
        series, destination, who=who(request), now=timezone.now(), on_failure=policy
    )
    count = f"{len(rows)} episode{'s' if len(rows) != 1 else ''}"
    return f"{series.title}: {count} scheduled to {destination}."


# -------------------------------------------------------------------- one episode


@hand(MAY_SCHEDULE)
def retry_all(request: HttpRequest) -> str:
    """Every failed or skipped episode, oldest first; counts and reasons."""
    rows = ScheduledUpload.objects.filter(status__in=(Status.FAILED, Status.SKIPPED)).select_related(
        "destination", "episode__series", "episode__season", "job"
    )
    retried, reasons = 0, []
    wanted = rows.order_by("schedule__position", "position")
    left = max(0, wanted.count() - RETRY_AT_ONCE)
    for row in wanted[:RETRY_AT_ONCE]:
        try:
            decisions.retry(row, who=who(request), now=timezone.now())
            retried += 1
        except (refusals.Refused, LostRace) as error:
            reasons.append(str(error))
    if not retried:
        raise refusals.Refused(reasons[0] if reasons else "Nothing has failed: there is nothing to retry.")
    said = f"{retried} episode{'s are' if retried != 1 else ' is'} tried again"
    refused = f", {len(reasons)} refused: {reasons[0]}" if reasons else "."
    return f"{said}{refused}" + (f" {left} more wait for another press." if left else "")


def scheduled(row_id: int) -> ScheduledUpload:
    rows = ScheduledUpload.objects.select_related(
        "episode__series", "episode__season", "destination", "job", "schedule__series"
    )
    return get_object_or_404(rows, pk=min(row_id, LARGEST_ID))


retry = decision_about(scheduled, decisions.retry, "{0.episode} is tried again.", permission=MAY_SCHEDULE)
upload_now = decision_about(
    scheduled, decisions.upload_now, "{0.episode} goes next.", permission=MAY_SCHEDULE
)
cancel = decision_about(
    scheduled, decisions.cancel_upload, "{0.episode} is being stopped.", permission=MAY_SCHEDULE
)


# -------------------------------------------------------------------- one series


def on_schedule(row_id: int) -> UploadSchedule:
    rows = UploadSchedule.objects.select_related("series", "destination")
    return get_object_or_404(rows, pk=min(row_id, LARGEST_ID))


resume_series = decision_about(
    on_schedule, decisions.resume_series, "{0.series.title} goes on.", permission=MAY_SCHEDULE
)


@hand(MAY_SCHEDULE)
def pause_series(request: HttpRequest, schedule_id: int) -> str:
    found = on_schedule(schedule_id)
    why = request.POST.get("reason", "").strip()[:200]
    decisions.pause_series(found, who=who(request), now=timezone.now(), why=why)
    return f"{found.series.title} is paused; the next series takes its hours."


@hand(MAY_SCHEDULE)
def remove_series(request: HttpRequest, schedule_id: int) -> str:
    found = on_schedule(schedule_id)
    removed = scheduling.unschedule_series(
        found.series, who=who(request), now=timezone.now(), destination=found.destination
    )
    return f"{found.series.title}: {removed} episode{'s' if removed != 1 else ''} removed; what was published stays."


@hand(MAY_SCHEDULE)
def set_policy(request: HttpRequest, schedule_id: int) -> str:
    found = on_schedule(schedule_id)
    policy = request.POST.get("policy", "")
    decisions.set_on_failure(found, policy, who=who(request), now=timezone.now())
    return f"{found.series.title}: {OnFailure(policy).label.lower()}."


@hand(MAY_SCHEDULE)
def move_series(request: HttpRequest, schedule_id: int) -> str:
    """To one place up or down (`direction`), or before the schedule `before` ("" = to the end)."""
    found = on_schedule(schedule_id)
    order = hourly_order(found.destination)
    if found.pk not in order:
        raise refusals.Refused(
            f"{found.series.title} has nothing left to upload: it has no place in the line."
        )
    place = order.index(found.pk)
    order.remove(found.pk)
    match request.POST.get("direction", ""):
        case "up":
            place = max(place - 1, 0)
        case "down":
            place = place + 1
        case _:
            before = whole(request.POST.get("before", ""))
            place = order.index(before) if before in order else len(order)
    order.insert(place, found.pk)
    decisions.reorder(found.destination, order, who=who(request), now=timezone.now())
    return f"{found.series.title} is number {order.index(found.pk) + 1} in the line of {found.destination}."


def hourly_order(destination: Destination) -> list[int]:
    """The schedules of the line in which something is open, in their order."""
    rows = UploadSchedule.objects.filter(destination=destination, uploads__status__in=OPEN).distinct()
    return list(rows.order_by("position", "id").values_list("id", flat=True))
