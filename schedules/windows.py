"""Weekly windows on the wall clock of a zone, and when they really are. Pure: dates and moments in, moments out.

Three rules, applied per date with the zone's own clock changes:
- A window holds every second from its start to its end, both named seconds included, as the seed writes them:
  09:00:00–11:59:59 is open before 12:00:00. An end that is earlier than the start is on the next day.
- A time that does not exist on a date (clocks go forward) moves forward by as much as the clocks do: 02:30 → 03:30.
  A window that begins at such a time keeps its length.
- A time that comes twice on a date (clocks go back) is the first of the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from functools import cached_property

import pytz

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEK = timedelta(days=7)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


# `Occurrence` has a field of the name `date`.
CalendarDay = date


class WindowError(ValueError):
    """This is no window; the message says why and what to do."""


class Fate(Enum):
    """What a wall-clock time is on one date of a zone."""

    ONCE = "once"
    SKIPPED = "skipped"
    TWICE = "twice"


@dataclass(frozen=True)
class Window:
    """So many uploads a week, between two wall-clock times of a weekday. `key` is the row it was made from."""

    day: str
    start: time
    end: time
    zone: str
    limit: int = 1
    key: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        """Raises WindowError for a day, a zone or a pair of times that makes no window."""
        if self.day not in DAYS:
            raise WindowError(f"“{self.day}” is no day. Write one of {', '.join(DAYS)}.")
        if self.start.replace(microsecond=0) == self.end.replace(microsecond=0):
            raise WindowError(
                "Start and end are the same time. For a whole day write 00:00:00 to 23:59:59; "
                "for a window across midnight an end that is earlier than the start."
            )
        zone_of(self.zone)

    @cached_property
    def weekday(self) -> int:
        """Monday is 0."""
        return DAYS.index(self.day)

    @property
    def crosses_midnight(self) -> bool:
        return self.end < self.start

    @cached_property
    def promise(self) -> timedelta:
        """Its length on the wall clock, on a day without a clock change."""
        return (at_wall(date.min, self.end) - at_wall(date.min, self.start)) % DAY + SECOND

    # ------------------------------------------------------------------ when

    def occurrence_on(self, day: date) -> Occurrence | None:
        """The occurrence that the calendar promises for `day`; None: it is another weekday."""
        return self._resolved(day) if day.weekday() == self.weekday else None

    def occurrence_at(self, moment: datetime) -> Occurrence | None:
        """The occurrence that is open at `moment`; None: closed."""
        found = next(self._candidates(moment), None)
        return found if found is not None and found.is_open_at(moment) else None

    def next_occurrence(self, after: datetime) -> Occurrence:
        """The first occurrence that starts later than `after`."""
        return next(found for found in self._candidates(after) if found.starts_at > after)

    def occurrences(self, start: datetime, end: datetime) -> Iterator[Occurrence]:
        """Every occurrence of which a part lies between two moments (`end` not included), in their order."""
        for found in self._candidates(start):
            if found.starts_at >= end:
                return
            yield found

    def _candidates(self, moment: datetime) -> Iterator[Occurrence]:
        """Occurrences that end later than `moment`, in their order."""
        # Two days back: a window may cross midnight, and a zone may skip a day.
        day = moment.astimezone(zone_of(self.zone)).date() - 2 * DAY
        day += timedelta(days=(self.weekday - day.weekday()) % 7)
        while True:
            found = self._resolved(day)
            if found.ends_at > moment:
                yield found
            day += WEEK

    def _resolved(self, day: date) -> Occurrence:
        zone = zone_of(self.zone)
        first = at_wall(day, self.start)
        last = at_wall(day + DAY if self.crosses_midnight else day, self.end)
        starts_at, fate_of_start = resolve(first, zone)
        last_at, fate_of_end = resolve(last, zone)
        ends_at = last_at + SECOND
        if fate_of_start is Fate.SKIPPED:
            ends_at, fate_of_end = starts_at + self.promise, Fate.ONCE
        why = ""
        if ends_at - starts_at != self.promise or {fate_of_start, fate_of_end} != {Fate.ONCE}:
            why = " ".join(
                [
                    *told(first, starts_at, fate_of_start, self.zone),
                    *told(last, last_at, fate_of_end, self.zone),
                    *told_length(ends_at - starts_at, self.promise),
                ]
            )
        return Occurrence(self, day, starts_at, ends_at, why)


@dataclass(frozen=True)
class Occurrence:
    """A window in one week. `date` is the day the calendar promises it for and, with the window, its identity.

    `starts_at` and `ends_at` (not included) are UTC. `why` says how it differs from its wall-clock promise; empty:
    it does not. `blackout` names what keeps anything from starting in it; empty: nothing does.
    """

    window: Window
    date: CalendarDay
    starts_at: datetime
    ends_at: datetime
    why: str = ""
    blackout: str = ""

    @property
    def starts_on(self) -> CalendarDay:
        """The local date of its start: its `date`, except where a zone skips that day."""
        return self.starts_at.astimezone(zone_of(self.window.zone)).date()

    @property
    def length(self) -> timedelta:
        return self.ends_at - self.starts_at

    def is_open_at(self, moment: datetime) -> bool:
        return not self.blackout and self.starts_at <= moment < self.ends_at


def zone_of(name: str) -> pytz.BaseTzInfo:
    """The zone of that name. Raises WindowError when there is none."""
    try:
        return pytz.timezone(name)
    except (pytz.UnknownTimeZoneError, AttributeError, ValueError) as error:
        raise WindowError(f"There is no time zone “{name}”. Write it like Asia/Kolkata.") from error


def at_wall(day: date, at: time) -> datetime:
    """What the clock on the wall shows, to the second."""
    return datetime.combine(day, at.replace(microsecond=0, tzinfo=None))


def resolve(wall: datetime, zone: pytz.BaseTzInfo) -> tuple[datetime, Fate]:
    """The moment (UTC) at which the zone's clock shows `wall`, and whether it does so never, once or twice."""
    try:
        return zone.localize(wall, is_dst=None).astimezone(UTC), Fate.ONCE
    except pytz.NonExistentTimeError:
        # Read with the offset in force before the gap: forward by the length of the gap.
        return zone.localize(wall, is_dst=False).astimezone(UTC), Fate.SKIPPED
    except pytz.AmbiguousTimeError:
        # The earlier one: which of the two is summer time differs between zones.
        both = (zone.localize(wall, is_dst=is_dst).astimezone(UTC) for is_dst in (True, False))
        return min(both), Fate.TWICE


# ---------------------------------------------------------------------- in words


def told(wall: datetime, moment: datetime, fate: Fate, zone: str) -> list[str]:
    """What became of one wall-clock time, as no or one sentence."""
    if fate is Fate.ONCE:
        return []
    asked = f"{wall:%H:%M:%S} on {in_words(wall)}"
    if fate is Fate.TWICE:
        return [f"{asked} comes twice in {zone}: the first one counts."]
    shown = moment.astimezone(zone_of(zone))
    read_as = f"{shown:%H:%M:%S}" if shown.date() == wall.date() else f"{in_words(shown)}, {shown:%H:%M:%S}"
    return [f"{asked} does not exist in {zone}: read as {read_as}."]


def told_length(length: timedelta, promise: timedelta) -> list[str]:
    if length == promise:
        return []
    return [f"Clocks change meanwhile: it lasts {span(length)} instead of {span(promise)}."]


def in_words(day: date) -> str:
    return f"{day.day} {day:%B} {day.year}"


def span(length: timedelta) -> str:
    """“3 h”, “1 h 30 min”, “45 s”."""
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"
