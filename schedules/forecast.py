"""When each waiting episode will really go, given pace, pauses, and the allowance of the last 24 hours.

Pure at heart: `expect` takes sizes, times and limits and gives times; `of` reads them for one destination.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import QuerySet

from schedules.planning import next_start
from schedules.upload_schedules import HourlyQueue, ScheduledUpload
from uploader import ledger
from uploader.destinations import Destination

# A line longer than this is forecast up to here; the rest follows at the pace reached.
HORIZON = 20_000


@dataclass(frozen=True)
class Item:
    """One waiting episode: its row, its series' place on the queue, its planned hour and what it takes."""

    row: int
    schedule: int
    planned_at: datetime
    size: ledger.Size


@dataclass
class Forecast:
    """When each row goes, when each series ends, and in words what stands in the way."""

    expected: dict[int, datetime] = field(default_factory=dict)
    ends: dict[int, datetime] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def expect(
    items: Iterable[Item],
    *,
    limits: ledger.Limits,
    used: Sequence[tuple[datetime, ledger.Size]],
    not_before: datetime,
) -> Forecast:
    """Walk the line in order: an episode goes at its planned hour, or when the ones before and the limits let it.

    `used` is the ledger of the last 24 hours, oldest first; `not_before` is now, or when a pause or hold ends.
    """
    found = Forecast()
    window = list(used)
    behind = timedelta(0)
    waits: dict[str, int] = {}
    for item in items:
        wanted = max(item.planned_at + behind, not_before)
        window = [] if limits.is_none else [(at, size) for at, size in window if at > wanted - ledger.DAY]
        at, waits_for = ledger.free_at(window, item.size, limits, now=wanted)
        if waits_for:
            waits[waits_for] = waits.get(waits_for, 0) + 1
        if at > item.planned_at + behind:
            # What starts late moves everything behind it by as much: no burst.
            behind = at - item.planned_at
        window.append((at, item.size))
        found.expected[item.row] = at
        found.ends[item.schedule] = at
    found.notes = [
        f"{count} {'episode waits' if count == 1 else 'episodes wait'} for the limit of {limit}."
        for limit, count in waits.items()
    ]
    return found


def of(destination: Destination, *, now: datetime) -> Forecast:
    """The forecast of the destination's line as it stands."""
    return forecast_rows(destination, waiting_items(destination), now=now)


def with_more(
    destination: Destination, sizes: Sequence[ledger.Size], first_at: datetime, *, now: datetime
) -> Forecast:
    """The same with further episodes at the end, from `first_at` on; they are rows -1, -2 … of schedule -1."""
    interval = destination.interval
    more = [
        Item(row=-number, schedule=-1, planned_at=first_at + interval * (number - 1), size=size)
        for number, size in enumerate(sizes, start=1)
    ]
    return forecast_rows(destination, [*waiting_items(destination), *more], now=now)


def forecast_rows(destination: Destination, items: Sequence[Item], *, now: datetime) -> Forecast:
    not_before = now
    if destination.is_paused(now) and destination.paused_until:
        not_before = max(not_before, destination.paused_until)
    if destination.is_held(now) and destination.held_until:
        not_before = max(not_before, destination.held_until)
    found = expect(
        items,
        limits=ledger.Limits.of(destination),
        used=ledger.entries_of(destination, now=now),
        not_before=not_before,
    )
    if destination.is_paused(now) and not destination.paused_until:
        found.notes.insert(
            0, "The destination is paused without an end: these times hold if it is resumed now."
        )
    return found


def waiting_items(destination: Destination) -> list[Item]:
    rows: QuerySet[ScheduledUpload] = (
        ScheduledUpload.objects.planned().filter(destination=destination).select_related(None)
    )
    return [
        Item(row, schedule, planned_at, ledger.Size(1, duration or 0, size or 0))
        for row, schedule, planned_at, duration, size in rows.values_list(
            "id", "schedule_id", "scheduled_at", "episode__duration_seconds", "episode__size_bytes"
        )[:HORIZON]
        if planned_at is not None
    ]


def line_end(destination: Destination) -> datetime | None:
    """The planned hour of the last waiting episode; None: the line is empty."""
    return (
        ScheduledUpload.objects.planned()
        .filter(destination=destination)
        .order_by("-scheduled_at")
        .values_list("scheduled_at", flat=True)
        .first()
    )


def first_hour_of_more(destination: Destination, *, now: datetime) -> datetime:
    """When the first episode of a series put at the end of the line would start."""
    end = line_end(destination)
    if end is not None:
        return end + destination.interval
    first = next_start(now, destination.interval, ZoneInfo(settings.TIME_ZONE))
    queue = HourlyQueue.objects.filter(destination=destination).first()
    if queue and queue.last_started_at and queue.last_started_at + destination.interval > first:
        return queue.last_started_at + destination.interval
    return first
