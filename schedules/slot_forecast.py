"""When each video in the lines for weekly windows will go, and what a change of the windows would do to that.

Pure at heart: `expect` takes lines, windows, limits and blackouts and gives times, by the rules the clock goes by:
an open window takes from its line as soon as it may, the window that closes first before the others; what the
allowance of 24 hours refuses holds the destination until it fits.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from schedules.blackouts import Rule, applied
from schedules.windows import Occurrence, Window, in_words, zone_of
from uploader import ledger

Entry = tuple[datetime, ledger.Size]
# Whoever has no place by then is told so.
HORIZON = timedelta(days=2 * 366)


@dataclass(frozen=True)
class Item:
    """One waiting video: its row and what it takes; `refusal` says why the destination never takes it."""

    row: int
    size: ledger.Size
    refusal: str = ""


@dataclass(frozen=True)
class Line:
    """The waiting videos of one person in their order, and that person's windows."""

    owner: int
    windows: Sequence[Window]
    items: Sequence[Item]


@dataclass(frozen=True)
class Place:
    """Where a video goes: in which occurrence of which window, and when."""

    occurrence: Occurrence
    at: datetime


@dataclass(frozen=True)
class Full:
    """A day on which the windows had room and the destination's allowance had not."""

    day: date
    limit: str
    until: datetime


@dataclass
class Forecast:
    """Where each row goes or why it does not, when each line is empty, and which days break a limit."""

    placed: dict[int, Place] = field(default_factory=dict)
    unplaced: dict[int, str] = field(default_factory=dict)
    ends: dict[int, datetime] = field(default_factory=dict)
    full: dict[date, Full] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def counts(self) -> dict[tuple[int, date], list[int]]:
        """The rows of each occurrence (window's key, date), in the order they go."""
        found: dict[tuple[int, date], list[int]] = {}
        for row, place in self.placed.items():
            found.setdefault((place.occurrence.window.key, place.occurrence.date), []).append(row)
        return found


def expect(
    lines: Sequence[Line],
    *,
    now: datetime,
    limits: ledger.Limits,
    used: Sequence[Entry] = (),
    booked: Sequence[Entry] = (),
    rules: Sequence[Rule] = (),
    taken: Mapping[tuple[int, date], int] | None = None,
    not_before: datetime | None = None,
) -> Forecast:
    """Walk through the occurrences of all lines of one destination until nothing waits.

    `used` is the ledger of the last 24 hours and `booked` what else will be uploaded there, both oldest first;
    `rules` are the destination's blackouts, `taken` the places of an occurrence that are given away already;
    `not_before` is when a pause or hold ends.
    """
    until = now + HORIZON
    walk = Walk(lines, limits, [*used, *booked], taken or {})
    coming = starting(lines, rules, now, until)
    following = next(coming, None)
    moment: datetime | None = max(now, not_before or now)
    while moment is not None and moment < until and walk.is_waiting:
        while following is not None and following[1].starts_at <= moment:
            walk.open_up(*following)
            following = next(coming, None)
        next_start = following[1].starts_at if following else None
        moment = walk.fill(moment) or next_start
    return walk.told(until)


def starting(
    lines: Sequence[Line], rules: Sequence[Rule], now: datetime, until: datetime
) -> Iterator[tuple[int, Occurrence]]:
    """What nothing skips of every window's occurrences, with its line's number, in the order of their starts."""

    def of(number: int, window: Window) -> Iterator[tuple[datetime, int, Occurrence]]:
        for occurrence in window.occurrences(now, until):
            found = applied(occurrence, rules)
            if not found.blackout:
                yield found.starts_at, number, found

    streams = [
        of(number, window) for number, line in enumerate(lines) if line.items for window in line.windows
    ]
    for _, number, found in heapq.merge(*streams, key=lambda entry: entry[0]):
        yield number, found


class Walk:
    """The lines, the open windows and the allowance at one moment of the walk."""

    def __init__(
        self,
        lines: Sequence[Line],
        limits: ledger.Limits,
        entries: Sequence[Entry],
        taken: Mapping[tuple[int, date], int],
    ) -> None:
        self.lines = lines
        self.limits = limits
        self.taken = taken
        self.found = Forecast()
        self.waiting = [deque(item for item in line.items if not self.refuse(item)) for line in lines]
        self.open: list[Open] = []
        # The 24 hours before the moment, and what is uploaded after it by other ways; oldest first.
        self.entries: list[Entry] = []
        self.coming = deque(sorted(entries, key=lambda entry: entry[0]))

    @property
    def is_waiting(self) -> bool:
        return any(self.waiting)

    def refuse(self, item: Item) -> str:
        """Why the destination would never take it; empty: it would."""
        allowance = self.limits.broken_by(item.size)
        why = item.refusal or (
            f"The video alone is more than the allowance: {allowance}." if allowance else ""
        )
        if why:
            self.found.unplaced[item.row] = why
        return why

    def open_up(self, number: int, occurrence: Occurrence) -> None:
        window = occurrence.window
        room = window.limit - self.taken.get((window.key, occurrence.date), 0)
        if room > 0:
            self.open.append(
                Open(occurrence.ends_at, occurrence.starts_at, window.key, number, occurrence, room)
            )

    def fill(self, moment: datetime) -> datetime | None:
        """Let every open window take what it has room for; until when the destination is held, None: it is not."""
        while True:
            self.open = sorted(
                one for one in self.open if one.ends_at > moment and one.room and self.waiting[one.line]
            )
            if not self.open:
                return None
            holds = [hold for one in self.open if (hold := self.take(one, moment))]
            if holds:
                return max(holds)

    def take(self, one: Open, moment: datetime) -> datetime | None:
        """Place the head of its line in the window; when not even the first fits, until when nothing does."""
        line = self.waiting[one.line]
        for count in range(min(one.room, len(line))):
            item = line[0]
            at, limit = self.fits(item.size, moment)
            if limit:
                day = moment.astimezone(zone_of(one.occurrence.window.zone)).date()
                self.found.full.setdefault(day, Full(day, limit, at))
                return None if count else at
            line.popleft()
            one.room -= 1
            self.found.placed[item.row] = Place(one.occurrence, moment)
            self.found.ends[self.lines[one.line].owner] = moment
            self.entries.append((moment, item.size))
        return None

    def fits(self, size: ledger.Size, moment: datetime) -> tuple[datetime, str]:
        """When it fits into the allowance, and the limit it waits for; empty: it fits now."""
        if self.limits.is_none:
            return moment, ""
        while self.coming and self.coming[0][0] <= moment:
            self.entries.append(self.coming.popleft())
        self.entries = [entry for entry in self.entries if entry[0] > moment - ledger.DAY]
        return ledger.free_at(self.entries, size, self.limits, now=moment)

    def told(self, until: datetime) -> Forecast:
        """The forecast, with a reason for every video that is left."""
        for line, waiting in zip(self.lines, self.waiting, strict=True):
            why = (
                f"No window has room for it before {in_words(until)}."
                if line.windows
                else "Its line has no window that is switched on. Make one, or switch one on."
            )
            self.found.unplaced.update(dict.fromkeys((item.row for item in waiting), why))
        self.found.notes = [
            f"The limit of {limit} is reached on {days}: what has a window then waits."
            for limit, days in self.full_days()
        ]
        return self.found

    def full_days(self) -> Iterator[tuple[str, str]]:
        """Each limit that is reached, and when."""
        days: dict[str, list[date]] = {}
        for full in self.found.full.values():
            days.setdefault(full.limit, []).append(full.day)
        for limit, found in days.items():
            first = in_words(min(found))
            yield limit, first if len(found) == 1 else f"{len(found)} days, first on {first}"


@dataclass(order=True)
class Open:
    """An open window of a line, with room; the one that closes first comes first."""

    ends_at: datetime
    starts_at: datetime
    key: int
    line: int
    occurrence: Occurrence = field(compare=False)
    room: int = field(compare=False)


# ---------------------------------------------------------------------- before and after


@dataclass(frozen=True)
class Difference:
    """What a change does to the videos of a forecast: rows that go at another time, and those without a window."""

    moved: list[int]
    lost: list[int]
    gained: list[int]

    def __str__(self) -> str:
        """“14 videos move, one has no window.”"""
        said: list[str] = []
        for rows, one, many in (
            (self.moved, "moves", "move"),
            (self.lost, "has no window", "have no window"),
            (self.gained, "gets a window", "get a window"),
        ):
            if rows:
                count = "one" if len(rows) == 1 else str(len(rows))
                noun = "" if said else " video" if len(rows) == 1 else " videos"
                said.append(f"{count}{noun} {one if len(rows) == 1 else many}")
        sentence = ", ".join(said) or "no video moves"
        return sentence[0].upper() + sentence[1:] + "."


def compare(before: Forecast, after: Forecast) -> Difference:
    """What is different for the rows of both forecasts, in the order they went before."""
    was, will_be = before.placed, after.placed
    return Difference(
        moved=[row for row, place in was.items() if row in will_be and will_be[row].at != place.at],
        lost=[row for row in was if row in after.unplaced],
        gained=[row for row in will_be if row in before.unplaced],
    )
