"""The clock of the weekly windows: what is open and has room takes from its line, up to its limit, and starts it.

Nothing is kept in memory and any number of passes may run at once: a window is one pass's at a time (its row is
locked, others skip it), and its count is raised by a guarded UPDATE in the transaction that takes the videos.
A window that was closed while nothing ran is over: its places are not made up for, so no burst follows a stop.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q

from jobs.errors import LostRace
from jobs.lifecycle import Status
from schedules import slots
from schedules.slot_jobs import give_jobs
from schedules.slot_line import changed
from schedules.slot_videos import SlotVideo
from schedules.upload_slots import SlotOccurrence, UploadSlot
from uploader import ledger
from uploader.destinations import Destination
from uploader.platforms.errors import QuotaReached
from uploader.upload_jobs import UploadJob

log = logging.getLogger(__name__)

# What one pass does at most: the ticker has other duties, and the next pass is due at once.
ROLLED_AT_ONCE = 200
LOOKED_AT_ONCE = 500
WINDOWS_AT_ONCE = 16
VIDEOS_AT_ONCE = 100
# A window with nothing to begin is looked at so often; what is added to its line wakes it at once.
REST = timedelta(minutes=1)


def tick(now: datetime) -> list[SlotVideo]:
    """One pass: find the occurrence of windows whose last one is over, then fill those that are open.

    Returns the videos that begin. A window that cannot be filled now never keeps the next one from it.
    """
    roll_on(now)
    begun: list[SlotVideo] = []
    for slot in look_around(now)[:WINDOWS_AT_ONCE]:
        if len(begun) < VIDEOS_AT_ONCE:
            begun += fill(slot, now=now, limit=VIDEOS_AT_ONCE - len(begun))
    return begun


# -------------------------------------------------------------------- occurrences


def roll_on(now: datetime, *, only: Iterable[UUID] | None = None) -> int:
    """Write the present or next occurrence to windows whose last one is over or that were changed. Returns how many.

    The count of the one before is kept; a date that was counted already (a window moved away and back) goes on
    from its count.
    """
    with transaction.atomic():
        ended = UploadSlot.objects.ended(now)
        if only is not None:
            ended = ended.filter(pk__in=only)
        rolling = list(ended.select_for_update(skip_locked=True, of=("self",))[:ROLLED_AT_ONCE])
        if not rolling:
            return 0
        moved: list[UploadSlot] = []
        ended_counts: list[SlotOccurrence] = []
        sound = [slot for slot in rolling if not switched_off(slot, now)]
        for slot in sound:
            window = slot.window
            found = window.occurrence_at(now) or window.next_occurrence(now)
            slot.opens_at, slot.closes_at, slot.look_at = found.starts_at, found.ends_at, found.starts_at
            if slot.occurs_on != found.date:
                if slot.occurs_on and slot.taken:
                    ended_counts.append(
                        SlotOccurrence(
                            slot=slot, on=slot.occurs_on, taken=slot.taken, max_uploads=slot.max_uploads
                        )
                    )
                slot.occurs_on, slot.taken = found.date, 0
                moved.append(slot)
        SlotOccurrence.objects.bulk_create(ended_counts)
        take_up_counts(moved)
        UploadSlot.objects.bulk_update(sound, ["occurs_on", "opens_at", "closes_at", "look_at", "taken"])
    return len(rolling)


def switched_off(slot: UploadSlot, now: datetime) -> bool:
    """Was it switched off for making no window any more? A zone may go with an update of the zones' tables."""
    if not (why := slot.nonsense):
        return False
    log.warning("%s is switched off: %s", slot, why)
    slot.switch(on=False, who="clock", now=now, why=why)
    return True


def take_up_counts(moved: Sequence[UploadSlot]) -> None:
    """Bring the counts of dates the slots come back to onto their rows: a count stands in one place."""
    coming: dict[tuple[UUID, date | None], UploadSlot] = {(slot.pk, slot.occurs_on): slot for slot in moved}
    kept = SlotOccurrence.objects.filter(
        slot__in=[slot.pk for slot in moved], on__in={slot.occurs_on for slot in moved}
    )
    found = [count for count in kept if (count.slot_id, count.on) in coming]
    for count in found:
        coming[count.slot_id, count.on].taken = count.taken
    if found:
        SlotOccurrence.objects.filter(pk__in=[count.pk for count in found]).delete()


# -------------------------------------------------------------------- filling


def look_around(now: datetime) -> list[UploadSlot]:
    """The windows that may begin an upload now. The others that are open and have room rest for a minute.

    So a pass costs the same however many windows are open whose line is empty or whose destination waits.
    """
    due = list(UploadSlot.objects.due(now).order_by("look_at").values_list("pk", flat=True)[:LOOKED_AT_ONCE])
    if not due:
        return []
    able = slots.find_active_slots(now, pk__in=due)
    if resting := set(due) - {slot.pk for slot in able}:
        rest(resting, now=now)
    return able


def rest(slots_: Iterable[UUID], *, now: datetime) -> None:
    """Look at these windows again in a minute; one that somebody else is at is left to them."""
    with transaction.atomic():
        free = UploadSlot.objects.filter(pk__in=slots_).select_for_update(skip_locked=True)
        UploadSlot.objects.filter(pk__in=list(free.values_list("pk", flat=True))).update(look_at=now + REST)


def fill(slot: UploadSlot, *, now: datetime, limit: int = VIDEOS_AT_ONCE) -> list[SlotVideo]:
    """Take as many videos as the window has room for and the destination's allowance lets, and start them.

    All in one transaction: a video that is taken has its place and its job, or nothing happened. Nothing when
    another pass is at this window, or another way of delivery made a job of the same video at this moment: the
    next pass finds that job.
    """
    try:
        with transaction.atomic():
            free = UploadSlot.objects.open(now).with_room().filter(pk=slot.pk)
            locked = free.select_for_update(skip_locked=True, of=("self",)).first()
            if locked is None:
                return []
            destination = paced(locked.destination_id)
            videos = SlotVideo.objects.with_videos().head(locked, min(locked.room, limit))
            fitting, hold = within_allowance(destination, videos, now=now)
            if hold:
                destination.hold(hold, now=now, until=hold.until or now)
            if videos and not fitting:
                # Else a pass would come to it first each time, and never to those behind it.
                rest([locked.pk], now=now)
            begun = give_jobs(SlotVideo.objects.take(locked, videos[:fitting], now=now), destination, now=now)
            if videos:
                changed(destination, now=now)
            return begun
    except (IntegrityError, LostRace) as error:
        log.info("%s is filled at the next pass: %s", slot, error)
        return []


def paced(destination_id: int) -> Destination:
    """The destination; where it has limits, locked, so that two windows cannot count on the same allowance."""
    destination = Destination.objects.get(pk=destination_id)
    if not ledger.Limits.of(destination).is_none:
        Destination.objects.select_for_update(no_key=True).get(pk=destination_id)
    return destination


def within_allowance(
    destination: Destination, videos: Sequence[SlotVideo], *, now: datetime
) -> tuple[int, QuotaReached | None]:
    """How many of the videos, from the first on, the destination's day still takes; and the hold when none fits.

    Uploads that wait for a worker count although nothing is reserved for them yet.
    """
    limits = ledger.Limits.of(destination)
    if limits.is_none or not videos:
        return len(videos), None
    reserved = ledger.entries_of(destination, now=now)
    entries = reserved + [(now, size) for size in promised(destination)]
    for count, video in enumerate(videos):
        size = ledger.size_of(video.video)
        if limits.broken_by(size):
            # It would never fit: its job says so, and the line goes on.
            continue
        _, waits_for = ledger.free_at(entries, size, limits, now=now)
        if waits_for:
            at, is_full = ledger.free_at(reserved, size, limits, now=now)
            hold = (
                QuotaReached(f"{destination} has had its {is_full}.", until=at)
                if is_full and not count
                else None
            )
            return count, hold
        entries.append((now, size))
    return len(videos), None


def promised(destination: Destination) -> list[ledger.Size]:
    """What the destination's unfinished jobs will take that have nothing reserved yet."""
    # Each of the two states has an index that holds no finished job.
    is_unfinished = Q(status=Status.WAITING) | Q(status=Status.ACTIVE)
    waiting = UploadJob.objects.filter(is_unfinished, destination=destination, ledger_entry=None)
    return [
        ledger.size_of(job.video)
        for job in waiting.select_related("film", "episode")
        if job.video is not None
    ]
