"""What the page of the weekly windows shows: a week of one person's windows at one destination, and the line beside."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

import pytz
from django.conf import settings
from django.contrib.auth.models import User
from django.http import QueryDict
from django.utils.http import urlencode

from schedules import slots
from schedules.blackouts import Blackout, Rule, applied, at_destination
from schedules.boards import Board, Choice, whole
from schedules.slot_forecast import Forecast, Place
from schedules.slot_plans import Standing
from schedules.slot_videos import IN_FLIGHT, SlotVideo, SlotVideoQuerySet, Status
from schedules.upload_slots import UploadSlot
from schedules.week_grid import (
    Block,
    Column,
    bounds,
    columns_of,
    hours_of,
    now_line,
    wall,
    week_in_words,
    week_of,
)
from schedules.windows import WindowError, zone_of
from uploader.destinations import Destination

# Rows of the line that are shown unless all are asked for.
LINE_ROWS = 40
FAILED_ROWS = 3
FLYING_ROWS = 8
# Waiting videos whose names the blocks of a week may need.
WEEK_ROWS = 500
NOTES = 4
# Years a calendar can show; beyond them dates run out.
EARLIEST, LATEST = date(1990, 1, 1), date(2200, 1, 1)


@dataclass(frozen=True)
class Asked:
    """What the address of the page asks to see."""

    week: date | None = None
    user: int = 0
    destination: str = ""
    zone: str = ""
    rows: int = LINE_ROWS

    @classmethod
    def of(cls, query: QueryDict) -> Asked:
        """The choice in a query string; what is not understood counts as not given."""
        zone = query.get("zone", "")
        return cls(
            week=a_date(query.get("week", "")),
            user=whole(query.get("user", "")),
            destination=query.get("destination", "").replace("\0", "")[:50],
            zone=zone if is_zone(zone) else "",
            rows=max(whole(query.get("rows", "")), LINE_ROWS),
        )


def a_date(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if EARLIEST <= found <= LATEST else None


def is_zone(name: str) -> bool:
    try:
        zone_of(name)
    except WindowError:
        return False
    return bool(name)


@dataclass(frozen=True)
class Waiting:
    """One video of the line: when and where it goes, or why it does not."""

    number: int
    row: SlotVideo
    place: Place | None
    why: str


class WeekBoard(Board):
    """Everything the page may show at `now`; each part is read when it is first asked for."""

    def __init__(self, asked: Asked, *, viewer: User, now: datetime) -> None:
        super().__init__(Choice(), now=now)
        self.asked = asked
        self.viewer = viewer

    # ---------------------------------------------------------------- whose week, where

    @cached_property
    def places(self) -> list[Destination]:
        """Destinations that can be chosen, those with windows or lines first named."""
        return [place for place in self.destinations if place.is_active or place.pk in self.owners]

    @cached_property
    def owners(self) -> dict[int, set[int]]:
        """Who has windows or a line, by destination."""
        found: dict[int, set[int]] = defaultdict(set)
        for rows in (UploadSlot.objects, SlotVideo.objects):
            for place, user in rows.order_by().values_list("destination", "user").distinct():
                found[place].add(user)
        return found

    @cached_property
    def place(self) -> Destination | None:
        """The destination that is shown; None: there is none yet."""
        named = next((place for place in self.places if place.name == self.asked.destination), None)
        used = next((place for place in self.places if place.pk in self.owners), None)
        return named or used or (self.places[0] if self.places else None)

    @cached_property
    def people(self) -> list[User]:
        """Who can be chosen: everybody with windows or a line there, and the viewer."""
        ids = {self.viewer.pk, *(self.owners.get(self.place.pk, ()) if self.place else ()), self.asked.user}
        return list(User.objects.filter(pk__in=ids).order_by("username"))

    @cached_property
    def person(self) -> User:
        asked = next((person for person in self.people if person.pk == self.asked.user), None)
        here = self.owners.get(self.place.pk, set()) if self.place else set()
        if asked is None and here and self.viewer.pk not in here:
            asked = next(person for person in self.people if person.pk in here)
        return asked or self.viewer

    @cached_property
    def slots(self) -> list[UploadSlot]:
        """The person's windows there, switched off ones too; of what makes none the notes tell."""
        return [slot for slot in self.rows_of_windows if not slot.nonsense]

    @cached_property
    def rows_of_windows(self) -> list[UploadSlot]:
        if self.place is None:
            return []
        rows = UploadSlot.objects.filter(user=self.person, destination=self.place)
        return list(rows.select_related("destination"))

    @cached_property
    def zone_name(self) -> str:
        """Whose clock the grid is drawn by: the one asked for, or the one most windows go by."""
        common = Counter(slot.time_zone for slot in self.slots).most_common(1)
        return self.asked.zone or (common[0][0] if common else settings.SLOT_TIME_ZONE)

    @property
    def zones(self) -> list[str]:
        """Zones the grid can be drawn by, beside the viewer's own."""
        return sorted({self.zone_name, settings.SLOT_TIME_ZONE, *(slot.time_zone for slot in self.slots)})

    @property
    def zone(self) -> pytz.BaseTzInfo:
        return zone_of(self.zone_name)

    @property
    def offset(self) -> str:
        """The zone's distance from UTC now: “UTC+05:30”."""
        text = f"{self.now.astimezone(self.zone):%z}"
        return f"UTC{text[:3]}:{text[3:5]}"

    @property
    def query(self) -> str:
        """The address of what is shown, without its week."""
        chosen: dict[str, str | int] = {"user": self.person.pk, "zone": self.zone_name}
        return urlencode({"destination": self.place.name, **chosen} if self.place else chosen)

    @property
    def line_query(self) -> str:
        """Whose line is shown, for the form of a window."""
        return urlencode({"user": self.person.pk, "destination": self.place.pk if self.place else ""})

    # ---------------------------------------------------------------- the week

    @cached_property
    def first(self) -> date:
        return week_of(self.asked.week or self.now.astimezone(self.zone).date())

    @property
    def title(self) -> str:
        return week_in_words(self.first)

    @property
    def week_before(self) -> date:
        return self.first - timedelta(days=7)

    @property
    def week_after(self) -> date:
        return self.first + timedelta(days=7)

    @property
    def is_this_week(self) -> bool:
        return self.first == week_of(self.now.astimezone(self.zone).date())

    @property
    def now_minute(self) -> int:
        return now_line(self.now, self.zone)

    @property
    def hours(self) -> list[tuple[str, datetime]]:
        return hours_of(self.first, self.zone)

    @cached_property
    def rules(self) -> list[Rule]:
        return Blackout.objects.rules()

    @cached_property
    def blackouts(self) -> list[Blackout]:
        """Those that hold here, the yearly ones and those that are not over."""
        rows = Blackout.objects.at(self.place.pk if self.place else None).select_related("destination")
        return [row for row in rows if row.is_yearly or row.last_on >= self.now.date() - timedelta(days=1)]

    @cached_property
    def blocks(self) -> list[Block]:
        """Every occurrence of the week, skipped ones and those of switched off windows too."""
        start, end = bounds(self.first, self.zone)
        here = at_destination(self.rules, self.place.pk if self.place else None)
        found = [
            applied(occurrence, here)
            for slot in self.slots
            for occurrence in slot.window.occurrences(start, end)
        ]
        if not found:
            return []
        by_key = {slot.pk.int: slot for slot in self.slots}
        dates = [occurrence.date for occurrence in found]
        taken = slots.get_upload_counts(self.slots, min(dates), max(dates))
        went = defaultdict(list)
        rows = SlotVideo.objects.filter(
            slot__in=[slot.pk for slot in self.slots], occurrence_on__range=(min(dates), max(dates))
        ).exclude(status=Status.INITIATE)
        for row in rows.with_videos().order_by("taken_at", "id"):
            went[row.slot_id, row.occurrence_on].append(row)
        planned = self.forecast.counts()
        blocks = []
        for occurrence in found:
            slot = by_key[occurrence.window.key]
            is_same = slot.time_zone == self.zone_name
            count = taken.get((slot.pk, occurrence.date), 0)
            # Before it was made, and while it was switched off as far as is known, it was none.
            if not count and occurrence.ends_at <= (slot.created_at if slot.is_active else self.now):
                continue
            ids = planned.get((occurrence.window.key, occurrence.date), [])
            blocks.append(
                Block(
                    slot,
                    occurrence,
                    state_of(slot, occurrence.blackout, occurrence.starts_at, occurrence.ends_at, self.now),
                    count,
                    went[slot.pk, occurrence.date],
                    [self.rows[pk] for pk in ids if pk in self.rows],
                    times=wall(occurrence, self.zone),
                    own_times=""
                    if is_same
                    else f"{wall(occurrence, zone_of(slot.time_zone))} {slot.time_zone}",
                )
            )
        return sorted(blocks, key=lambda block: block.occurrence.starts_at)

    @cached_property
    def columns(self) -> list[Column]:
        columns = columns_of(self.first, self.blocks, self.zone, now=self.now)
        here = at_destination(self.rules, self.place.pk if self.place else None)
        for column in columns:
            column.blackouts = [rule.name for rule in here if rule.covers(column.date)]
            full = self.forecast.full.get(column.date)
            column.full = full.limit if full else ""
        return columns

    # ---------------------------------------------------------------- the line

    @cached_property
    def forecast(self) -> Forecast:
        if self.place is None:
            return Forecast()
        return Standing.of(self.place, now=self.now, rules=self.rules).forecast

    @cached_property
    def rows(self) -> dict[int, SlotVideo]:
        """The person's waiting videos that have a place, and the first of the line."""
        if self.place is None:
            return {}
        line = SlotVideo.objects.line(self.person.pk, self.place.pk).with_videos()
        return {row.pk: row for row in line[: max(self.asked.rows, WEEK_ROWS)]}

    @cached_property
    def total(self) -> int:
        return SlotVideo.objects.line(self.person.pk, self.place.pk).count() if self.place else 0

    @cached_property
    def line(self) -> list[Waiting]:
        found = self.forecast
        return [
            Waiting(number, row, found.placed.get(row.pk), found.unplaced.get(row.pk, ""))
            for number, row in enumerate(list(self.rows.values())[: self.asked.rows], start=1)
        ]

    @property
    def more(self) -> int:
        return self.total - len(self.line)

    @property
    def more_rows(self) -> int:
        return len(self.line) + min(self.more, WEEK_ROWS)

    @property
    def behind(self) -> int | None:
        """The first video that is not shown: what is dropped at the end goes before it."""
        line = SlotVideo.objects.line(self.person.pk, self.place.pk if self.place else 0)
        return line.values_list("pk", flat=True)[len(self.line) :][:1].first() if self.more > 0 else None

    @cached_property
    def flying(self) -> list[SlotVideo]:
        """Taken by a window and not finished."""
        # “uploading” is behind “pending” in the alphabet: what moves comes first.
        return list(
            self.mine().filter(status__in=IN_FLIGHT).order_by("-status", "taken_at", "id")[:FLYING_ROWS]
        )

    @property
    def more_flying(self) -> int:
        if len(self.flying) < FLYING_ROWS:
            return 0
        return self.mine().filter(status__in=IN_FLIGHT).count() - FLYING_ROWS

    @cached_property
    def failed(self) -> list[SlotVideo]:
        return list(
            self.mine().filter(status=Status.FAILED).order_by("-finished_at", "-id")[: self.failed_rows]
        )

    @property
    def failed_rows(self) -> int:
        return FAILED_ROWS if self.asked.rows == LINE_ROWS else self.asked.rows

    @property
    def more_failed(self) -> int:
        if len(self.failed) < self.failed_rows:
            return 0
        return self.mine().filter(status=Status.FAILED).count() - len(self.failed)

    def mine(self) -> SlotVideoQuerySet:
        rows = SlotVideo.objects.filter(user=self.person, destination=self.place)
        return rows.with_videos().select_related("job", "destination", "slot")

    @property
    def empty_at(self) -> datetime | None:
        """When the last video of the line goes."""
        return self.forecast.ends.get(self.person.pk)

    @property
    def homeless(self) -> int:
        """Videos of this line that have no window."""
        return sum(1 for waiting in self.line if waiting.why)

    @property
    def notes(self) -> list[str]:
        lost = [f"{slot} is no window: {slot.nonsense}" for slot in self.rows_of_windows if slot.nonsense]
        return [*lost, *self.forecast.notes][:NOTES]


def state_of(slot: UploadSlot, blackout: str, starts_at: datetime, ends_at: datetime, now: datetime) -> str:
    if ends_at <= now:
        return "skipped" if blackout else "past"
    if not slot.is_active:
        return "off"
    if blackout:
        return "skipped"
    return "open" if starts_at <= now else "coming"
