"""What seed 002 calls UploadSchedulerService: its seven functions, each under a clear name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef

from jobs.errors import LostRace
from schedules.blackouts import Blackout, Rule, applied, at_destination
from schedules.refusals import Refused
from schedules.slot_videos import SlotVideo
from schedules.upload_slots import Day, SlotOccurrence, UploadSlot
from schedules.windows import DAYS, zone_of
from uploader.destinations import Destination


@dataclass(frozen=True)
class TimeInfo:
    """A moment as a zone's calendar and clock show it."""

    day: str
    date: date
    time: time
    zone: str


def get_current_time_info(now: datetime, zone: str = "") -> TimeInfo:
    """`getCurrentTimeInfo`: the day and the time that `zone` shows; empty: SLOT_TIME_ZONE. Raises WindowError."""
    zone = zone or settings.SLOT_TIME_ZONE
    local = now.astimezone(zone_of(zone))
    return TimeInfo(DAYS[local.weekday()], local.date(), local.time(), zone)


def get_active_slots_for_day(day: str, *, user_id: int | None = None) -> list[UploadSlot]:
    """`getActiveSlotsForDay`: the windows of a weekday that are switched on, in the order of their starts.

    Raises Refused when `day` is none.
    """
    if day not in Day.values:
        raise Refused(f"“{day}” is no day: write one of {', '.join(Day.values)}.")
    slots = UploadSlot.objects.active().filter(day=day).select_related("destination")
    if user_id is not None:
        slots = slots.filter(user=user_id)
    return list(slots.order_by("start_time", "end_time", "id"))


def is_within_time_slot(slot: UploadSlot, now: datetime) -> bool:
    """`isWithinTimeSlot`: does `now` lie in the window, in its own zone? Says nothing about limits or blackouts."""
    return slot.window.occurrence_at(now) is not None


def get_upload_count_for_slot(slot: UploadSlot, on: date) -> int:
    """`getUploadCountForSlot`: the uploads counted to the slot's occurrence of that date; failed ones are not."""
    return get_upload_counts([slot], on, on).get((slot.pk, on), 0)


def get_upload_counts(slots: Iterable[UploadSlot], first: date, last: date) -> dict[tuple[UUID, date], int]:
    """The counts of many windows between two dates, both included; what is missing is 0. Two queries."""
    ids = [slot.pk for slot in slots]
    earlier = SlotOccurrence.objects.filter(slot__in=ids, on__range=(first, last))
    present = UploadSlot.objects.filter(pk__in=ids, occurs_on__range=(first, last))
    counts = {(count.slot_id, count.on): count.taken for count in earlier}
    return counts | {(slot.pk, slot.occurs_on): slot.taken for slot in present if slot.occurs_on}


def find_active_slots(now: datetime, **narrowed: object) -> list[UploadSlot]:
    """The windows that may begin an upload at `now`, those that close first in front.

    Open in their own zone, with room, not blacked out, at a destination that may be used, with a video waiting.
    `narrowed` says which to ask about (`user=…`, `pk__in=…`). Two queries.
    """
    waiting = SlotVideo.objects.line(OuterRef("user_id"), OuterRef("destination_id"))
    slots = UploadSlot.objects.open(now).with_room().filter(**narrowed)
    able = slots.filter(Exists(waiting), destination__in=Destination.objects.usable(now))
    found = list(able.order_by("closes_at", "opens_at", "id"))
    rules = Blackout.objects.rules() if found else []
    return [slot for slot in found if not is_blacked_out(slot, rules, now)]


def is_blacked_out(slot: UploadSlot, rules: Sequence[Rule], now: datetime) -> bool:
    """Does a blackout keep the slot's present occurrence from beginning anything at `now`?"""
    here = at_destination(rules, slot.destination_id)
    return bool(here) and slot.occurrence is not None and not applied(slot.occurrence, here).is_open_at(now)


def find_active_slot(now: datetime, *, user_id: int | None = None) -> UploadSlot | None:
    """`findActiveSlot`: the first window that may begin an upload at `now`; None: there is none."""
    narrowed = {} if user_id is None else {"user": user_id}
    return next(iter(find_active_slots(now, **narrowed)), None)


def find_next_video_to_upload(slot: UploadSlot, *, now: datetime, who: str) -> SlotVideo | None:
    """`findNextVideoToUpload`: take the oldest waiting video of the slot's line, `initiate → pending`.

    None: the slot is closed, blacked out or full, the line is empty, or somebody else has just taken what was left.
    The caller gives it an upload job; one that never does loses it after STALE_AFTER_SECONDS.
    """
    with transaction.atomic():
        locked = UploadSlot.objects.open(now).filter(pk=slot.pk).select_for_update().first()
        if locked is None or is_blacked_out(locked, Blackout.objects.rules(), now):
            return None
        taken = SlotVideo.objects.with_videos().claim(locked, limit=1, now=now, who=who)
    return taken[0] if taken else None


def reset_stale_pending_videos(now: datetime) -> list[SlotVideo]:
    """`resetStalePendingVideos`: put back what was taken and is carried by nobody, untouched for STALE_AFTER_SECONDS.

    A video whose upload job is under way is never touched: the job's lease tells whether its worker lives, and
    recovery takes the job back when it does not. A job that ended without its video hearing of it is followed.
    """
    since = now - timedelta(seconds=settings.STALE_AFTER_SECONDS)
    reset = []
    for video in SlotVideo.objects.stale(since).with_videos().select_related("job", "destination"):
        try:
            if video.job is None:
                video.release("Taken and not begun within the time allowed, will retry", now=now)
            elif video.job.status == "completed":
                video.succeed(now=now)
            else:
                video.fail(video.job.error_kind, video.job.error_message, now=now)
        except LostRace:
            continue
        reset.append(video)
    return reset
