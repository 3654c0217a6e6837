"""Moments for several posts at once: as given, every so many hours, or into free windows. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_WINDOW = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
# Free places are looked for so far ahead.
LONGEST_SEARCH = timedelta(days=366)


class BadWindow(ValueError):
    """The text is no window of the day."""


@dataclass(frozen=True)
class Window:
    """A part of every day on the wall clock; one that ends before it starts goes over midnight."""

    start: time
    end: time

    @classmethod
    def parse(cls, text: str) -> Window:
        """From `09:00-12:00`. Raises BadWindow."""
        found = _WINDOW.fullmatch(text.strip())
        try:
            if found is None:
                raise ValueError
            hour, minute, end_hour, end_minute = (int(part) for part in found.groups())
            window = cls(time(hour, minute), time(end_hour % 24, end_minute) if end_hour <= 24 else time(99))
        except ValueError as error:
            raise BadWindow(f"“{text}” is no window of the day. Write it as 09:00-12:00.") from error
        if window.start == window.end:
            raise BadWindow(f"The window “{text}” is empty.")
        return window

    def on(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Its start and end on a day, as moments. A wall time skipped by the clocks is the one after the gap."""
        last = day if self.end > self.start else day + timedelta(days=1)
        return at_wall(day, self.start, zone), at_wall(last, self.end, zone)


def at_wall(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """A wall time as a moment: the first of two, and moved forward where the clocks skip it."""
    utc = ZoneInfo("UTC")
    return datetime.combine(day, clock, zone).astimezone(utc)


def every(first: datetime, hours: float, count: int) -> list[datetime]:
    """`count` moments from `first` on, so many elapsed hours apart."""
    return [first + timedelta(hours=hours) * number for number in range(count)]


def into_windows(
    windows: Sequence[Window],
    *,
    count: int,
    after: datetime,
    zone: ZoneInfo,
    gap: timedelta,
    taken: Collection[datetime],
) -> list[datetime]:
    """`count` moments in the windows from `after` on, each `gap` away from one another and from all `taken`.

    Fewer when there is no room within a year.
    """
    found: list[datetime] = []
    occupied = sorted(taken)
    for start, end in occurrences(windows, after, zone):
        at = max(start, after)
        while at < end and len(found) < count:
            near = [other for other in (*occupied, *found) if abs(other - at) < gap]
            if near:
                at = max(near) + gap
            else:
                found.append(at)
                at += gap
        if len(found) == count:
            break
    return found


def occurrences(
    windows: Sequence[Window], after: datetime, zone: ZoneInfo
) -> Iterator[tuple[datetime, datetime]]:
    """The windows day by day, in the order of their starts; those over before `after` are left out."""
    day = after.astimezone(zone).date() - timedelta(days=1)
    while day < (after + LONGEST_SEARCH).astimezone(zone).date():
        for start, end in sorted(window.on(day, zone) for window in windows):
            if end > after and end > start:
                yield start, end
        day += timedelta(days=1)
