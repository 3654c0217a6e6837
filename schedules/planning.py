"""Which hour each episode gets. Pure: rows and times in, times out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

HOUR = timedelta(hours=1)
# A start so little late, as a share of the interval, leaves the plan as it is.
TOLERANCE = 0.05


def next_start(now: datetime, interval: timedelta, zone: ZoneInfo) -> datetime:
    """The next full hour of the zone's clock; for intervals below an hour the next full interval."""
    step = min(interval, HOUR)
    local = now.astimezone(zone)
    # Hours are counted on the wall clock of now's own offset: zones with half hours start at their full hour.
    since_midnight = timedelta(
        hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond
    )
    return now + (-since_midnight) % step


def hours_from(first: datetime, interval: timedelta) -> Iterator[datetime]:
    """`first`, and every interval of elapsed time after it."""
    while True:
        yield first
        first += interval


def moved(rows: Iterable[tuple[int, datetime | None]], times: Iterator[datetime]) -> dict[int, datetime]:
    """The ids (in line order, with their present times) that get another time, and which."""
    return {row: at for (row, was), at in zip(rows, times, strict=False) if was != at}


def is_late(now: datetime, scheduled_at: datetime, interval: timedelta) -> bool:
    """Is a start at `now` late enough to move the plan behind it?"""
    return now - scheduled_at > max(interval * TOLERANCE, timedelta(seconds=1))


def spoken(delta: timedelta) -> str:
    """A length of time in words: “4 h 20 min”, “35 s”."""
    seconds = round(delta.total_seconds())
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [f"{days} d" if days else "", f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    if seconds < 600 and rest:
        parts.append(f"{rest} s")
    return " ".join(part for part in parts if part) or "0 s"
