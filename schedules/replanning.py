"""The hours of a line: given anew when it changes, moved on when its head started late."""

from __future__ import annotations

import logging
from collections import defaultdict
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F

from jobs import events
from schedules.planning import hours_from, is_late, moved, next_start, spoken
from schedules.upload_schedules import (
    HourlyQueue,
    ScheduledUpload,
    Status,
)
from uploader.destinations import Destination

log = logging.getLogger(__name__)

BATCH = 500
# So few rows that move by as much are not worth an UPDATE of their own.
FEW = 5


def plan(queue: HourlyQueue, *, now: datetime, head: datetime | None = None) -> None:
    """Give every waiting episode of the line its hour, series by series. The queue is locked by the caller.

    The line begins at `head`, else where it began before, else at the next full hour.
    """
    destination = queue.destination
    head = head or planned_head(queue)
    waiting = ScheduledUpload.objects.filter(
        destination=destination, status=Status.PENDING, is_in_flight=False
    )
    waiting.filter(schedule__paused_at__isnull=False, scheduled_at__isnull=False).update(scheduled_at=None)
    rows = (
        waiting.filter(schedule__paused_at=None, expedited_at=None)
        .order_by("schedule__position", "position", "id")
        .values_list("id", "scheduled_at")
    )
    before = dict(rows)
    give_hours(
        moved(before.items(), hours_from(first_hour(queue, head, now=now), destination.interval)), before
    )


def give_hours(hours: dict[int, datetime], before: dict[int, datetime | None]) -> None:
    """Write the rows' new hours. Most of a line moves by one and the same time: that is a single UPDATE's work."""
    alike: defaultdict[timedelta | None, list[int]] = defaultdict(list)
    for row, at in hours.items():
        was = before[row]
        alike[None if was is None else at - was].append(row)
    singly = alike.pop(None, [])
    for delta, ids in alike.items():
        if len(ids) < FEW:
            singly += ids
            continue
        for start in range(0, len(ids), BATCH):
            ScheduledUpload.objects.filter(pk__in=ids[start : start + BATCH]).update(
                scheduled_at=F("scheduled_at") + delta
            )
    ScheduledUpload.objects.bulk_update(
        [ScheduledUpload(pk=row, scheduled_at=hours[row]) for row in singly],
        ["scheduled_at"],
        batch_size=BATCH,
    )


def planned_head(queue: HourlyQueue) -> datetime | None:
    """When the line's first waiting episode is to start; None: nothing is planned."""
    planned = ScheduledUpload.objects.planned().filter(destination=queue.destination, expedited_at=None)
    return planned.values_list("scheduled_at", flat=True).first()


def first_hour(queue: HourlyQueue, head: datetime | None, *, now: datetime) -> datetime:
    """When the head of the line may start: as planned already, else the next full hour; never too soon."""
    interval = queue.destination.interval
    first = head or next_start(now, interval, ZoneInfo(settings.TIME_ZONE))
    if queue.last_started_at is None:
        return first
    earliest = queue.last_started_at + interval
    return earliest if is_late(earliest, first, interval) else first


def shift(queue: HourlyQueue, *, by: timedelta, now: datetime) -> None:
    """Move everything that waits by as much as the head started late: no burst follows a stop."""
    count = (
        ScheduledUpload.objects.planned()
        .filter(destination=queue.destination, expedited_at=None)
        .order_by()
        .update(scheduled_at=F("scheduled_at") + by)
    )
    if not count:
        return
    queue.shifted_at, queue.shifted_seconds = now, by.total_seconds()
    queue.shifted_why = f"The plan moved by {spoken(by)}: the episode before started that much late."
    queue.save(update_fields=["shifted_at", "shifted_seconds", "shifted_why"])
    events.record(queue, "shifted", now=now, why=queue.shifted_why)
    log.info("%s: %s", queue.destination, queue.shifted_why)


def changed(destination: Destination, *, now: datetime) -> None:
    """Tell open pages that the line looks different now."""
    events.publish("queue", "queue_changed", {"destination": destination.name}, now=now)
