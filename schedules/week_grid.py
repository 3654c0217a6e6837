"""The geometry of a week of windows: which blocks stand on which day, how high, and side by side with what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import pytz

from schedules.slot_videos import SlotVideo, Status
from schedules.upload_slots import UploadSlot
from schedules.windows import DAY, SECOND, Occurrence, at_wall, in_words, resolve, span, zone_of

MINUTES = 24 * 60
# A block lower than this could not be read or pressed.
LOWEST = 40
# Places drawn one by one; a larger window tells numbers.
PIPS = 12


@dataclass
class Block:
    """One occurrence of a window: what went in it, what is going to, what is free."""

    slot: UploadSlot
    occurrence: Occurrence
    # past | open | coming | skipped | off
    state: str
    taken: int
    went: list[SlotVideo] = field(default_factory=list)
    planned: list[SlotVideo] = field(default_factory=list)
    # When it is, on the clock of the grid; and on its own, where that is another.
    times: str = ""
    own_times: str = ""

    @property
    def key(self) -> str:
        """Its name in addresses and on the page."""
        return f"{self.slot.pk}:{self.occurrence.date.isoformat()}"

    @property
    def id(self) -> str:
        return f"{self.slot.pk.hex[:12]}-{self.occurrence.date:%Y%m%d}"

    @property
    def limit(self) -> int:
        return self.slot.max_uploads

    @property
    def is_live(self) -> bool:
        """May something still go in it?"""
        return self.state in ("open", "coming")

    @property
    def free(self) -> int:
        return max(self.limit - self.taken - len(self.planned), 0) if self.is_live else 0

    @property
    def percent(self) -> int:
        return min(100, round((self.taken + len(self.planned)) * 100 / self.limit))

    @property
    def pips(self) -> list[str]:
        """One word for each place: used, planned, free or lost; none for a window with many."""
        if self.limit > PIPS:
            return []
        used = min(self.taken, self.limit)
        planned = min(len(self.planned), self.limit - used)
        rest = "free" if self.is_live else "lost"
        return ["used"] * used + ["planned"] * planned + [rest] * (self.limit - used - planned)

    @property
    def failed(self) -> int:
        return sum(video.status == Status.FAILED for video in self.went)

    @property
    def name(self) -> str:
        return self.slot.slot_name or f"{self.slot.get_day_display()} window"

    @property
    def title(self) -> str:
        """Everything about it for a pointer that rests on it."""
        return f"{self.name}, {self.own} {self.slot.time_zone}. {self.occurrence.why}".strip()

    @property
    def minutes(self) -> int:
        """Its length on the wall clock."""
        return round(self.occurrence.window.promise.total_seconds() / 60)

    @property
    def own(self) -> str:
        """“09:00–12:00” on its own clock."""
        return wall(self.occurrence, zone_of(self.slot.time_zone))


def wall(occurrence: Occurrence, zone: pytz.BaseTzInfo) -> str:
    """“09:00–12:00” on a zone's clock."""
    start, end = occurrence.starts_at.astimezone(zone), occurrence.ends_at.astimezone(zone)
    return f"{start:%H:%M}–{end:%H:%M}"


@dataclass
class Piece:
    """The part of a block that lies on one day, in minutes from midnight on the wall clock of the grid."""

    block: Block
    top: int
    height: int
    is_first: bool
    is_last: bool
    # The tallest one: there is room for what the block holds.
    is_main: bool = True
    lane: int = 0
    lanes: int = 1

    @property
    def bottom(self) -> int:
        return self.top + self.height


@dataclass
class Column:
    """One day of the grid."""

    date: date
    is_today: bool
    is_past: bool
    pieces: list[Piece] = field(default_factory=list)
    blackouts: list[str] = field(default_factory=list)
    # The destination's limit that keeps videos with a window waiting that day, in words.
    full: str = ""
    # How the clock is moved that day, in words, and the minutes that do not exist.
    change: str = ""
    gap_top: int = 0
    gap_height: int = 0

    @property
    def iso(self) -> str:
        return self.date.isoformat()

    @property
    def weekday(self) -> str:
        return f"{self.date:%A}".lower()


def columns_of(first: date, blocks: Iterable[Block], zone: pytz.BaseTzInfo, *, now: datetime) -> list[Column]:
    """The seven days from `first` on, with the blocks' pieces laid out side by side where they overlap."""
    today = now.astimezone(zone).date()
    found = {}
    for number in range(7):
        day = first + number * DAY
        found[day] = Column(day, is_today=day == today, is_past=day < today)
        found[day].change, found[day].gap_top, found[day].gap_height = clock_change(day, zone)
    for block in blocks:
        for day, piece in pieces_of(block, zone):
            if day in found:
                found[day].pieces.append(piece)
    for column in found.values():
        column.pieces.sort(key=lambda piece: (piece.top, -piece.height))
        side_by_side(column.pieces)
    return list(found.values())


def pieces_of(block: Block, zone: pytz.BaseTzInfo) -> list[tuple[date, Piece]]:
    """One piece for each local day the block touches."""
    start = block.occurrence.starts_at.astimezone(zone)
    last = (block.occurrence.ends_at - SECOND).astimezone(zone)
    days = [start.date() + number * DAY for number in range((last.date() - start.date()).days + 1)]
    found = []
    for day in days:
        top = minute(start) if day == start.date() else 0
        bottom = minute(last) + 1 if day == last.date() else MINUTES
        # Where the clock goes back in it, the end may stand above the start.
        height = max(bottom - top, LOWEST)
        top = min(top, MINUTES - height)
        found.append((day, Piece(block, top, height, is_first=day == days[0], is_last=day == days[-1])))
    tallest = max((piece for _, piece in found), key=lambda piece: piece.height)
    for _, piece in found:
        piece.is_main = piece is tallest
    return found


def side_by_side(pieces: Sequence[Piece]) -> None:
    """Give pieces that overlap a lane each; sorted by their tops."""
    group: list[Piece] = []
    ends: list[int] = []

    def close() -> None:
        for piece in group:
            piece.lanes = len(ends)
        group.clear()
        ends.clear()

    for piece in pieces:
        if group and piece.top >= max(ends):
            close()
        lane = next((number for number, end in enumerate(ends) if end <= piece.top), len(ends))
        if lane == len(ends):
            ends.append(0)
        ends[lane] = piece.bottom
        piece.lane = lane
        group.append(piece)
    close()


def clock_change(day: date, zone: pytz.BaseTzInfo) -> tuple[str, int, int]:
    """How the zone's clock is moved that day, in words, and the minutes it leaves out (from, how many)."""
    start, end = (resolve(at_wall(one, time.min), zone)[0] for one in (day, day + DAY))
    moved = DAY - (end - start)
    if not moved:
        return "", 0, 0
    if moved < timedelta(0):
        return f"Clocks −{span(-moved)}", 0, 0
    # The gap is between the last minute before it and the first one after.
    low, high = start, end
    offset = start.astimezone(zone).utcoffset()
    while high - low > timedelta(minutes=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    after = high.astimezone(zone).replace(second=0, microsecond=0)
    length = int(moved.total_seconds() // 60)
    return f"Clocks +{span(moved)}", max(minute(after) - length, 0), length


def minute(at: datetime) -> int:
    return at.hour * 60 + at.minute


def now_line(now: datetime, zone: pytz.BaseTzInfo) -> int:
    return minute(now.astimezone(zone))


def bounds(first: date, zone: pytz.BaseTzInfo) -> tuple[datetime, datetime]:
    """The moments (UTC) at which the week that begins on `first` begins and ends."""
    start, end = (resolve(at_wall(day, time.min), zone)[0] for day in (first, first + 7 * DAY))
    return start, end


def week_of(day: date) -> date:
    """The Monday of the day's week."""
    return day - timedelta(days=day.weekday())


def week_in_words(first: date) -> str:
    """“2–8 March 2026”."""
    last = first + 6 * DAY
    if first.month == last.month:
        return f"{first.day}–{in_words(last)}"
    start = f"{first.day} {first:%B}" + ("" if first.year == last.year else f" {first.year}")
    return f"{start} – {in_words(last)}"


def hours_of(first: date, zone: pytz.BaseTzInfo) -> list[tuple[str, datetime]]:
    """The hours of the grid's axis, each with its moment on the first day."""
    return [
        (f"{hour:02}:00", resolve(at_wall(first, time(hour)), zone)[0].astimezone(UTC)) for hour in range(24)
    ]
