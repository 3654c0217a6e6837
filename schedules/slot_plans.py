"""The forecast of a destination's window lines as they stand, and as they would be after a change: the dry run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property

from django.conf import settings
from django.contrib.auth import get_user_model
from pytz import BaseTzInfo

from schedules import forecast
from schedules.blackouts import Blackout, Rule, at_destination
from schedules.slot_clock import promised
from schedules.slot_forecast import Difference, Entry, Forecast, Item, Line, compare, expect
from schedules.slot_videos import LINE_ORDER, SlotVideo, Status
from schedules.upload_slots import UploadSlot
from schedules.windows import SECOND, Window, in_words, zone_of
from uploader import ledger
from uploader.destinations import Destination
from uploader.platforms.errors import Rejected

# Lines longer than this, all together, are forecast up to here.
LONGEST = 20_000


@dataclass(frozen=True)
class Standing:
    """What a forecast of one destination needs, read once; a change is a copy with something else in it."""

    destination: Destination
    now: datetime
    windows: dict[int, list[Window]]
    items: dict[int, list[Item]]
    taken: dict[tuple[int, date], int]
    used: list[Entry]
    booked: list[Entry]
    rules: list[Rule] = field(default_factory=list)

    @classmethod
    def of(cls, destination: Destination, *, now: datetime, rules: Sequence[Rule] | None = None) -> Standing:
        """As it is in the database now; `rules` are all blackouts, where they were read already."""
        slots = list(UploadSlot.objects.active().filter(destination=destination))
        windows: dict[int, list[Window]] = {}
        for slot in slots:
            windows.setdefault(slot.user_id, []).append(slot.window)
        is_limited = not ledger.Limits.of(destination).is_none
        return cls(
            destination=destination,
            now=now,
            windows=windows,
            items=waiting(destination),
            taken={(slot.pk.int, slot.occurs_on): slot.taken for slot in slots if slot.occurs_on},
            used=used_up(destination, now) if is_limited else [],
            booked=booked(destination, now) if is_limited else [],
            rules=at_destination(Blackout.objects.rules() if rules is None else rules, destination.pk),
        )

    @cached_property
    def forecast(self) -> Forecast:
        """When each waiting video goes, of every person's line."""
        place = self.destination
        if not place.is_active:
            why = f"{place} is switched off. Switch it on in the admin."
            rows = [item.row for line in self.items.values() for item in line]
            return Forecast(unplaced=dict.fromkeys(rows, why))
        ends = [
            end
            for end, holds in (
                (place.paused_until, place.is_paused(self.now)),
                (place.held_until, place.is_held(self.now)),
            )
            if holds and end
        ]
        found = expect(
            [Line(user, self.windows.get(user, []), items) for user, items in self.items.items()],
            now=self.now,
            limits=ledger.Limits.of(place),
            used=self.used,
            booked=self.booked,
            rules=self.rules,
            taken=self.taken,
            not_before=max(ends, default=None),
        )
        if place.is_paused(self.now) and not place.paused_until:
            found.notes.insert(0, f"{place} is paused without an end: these times hold if it is resumed now.")
        return found

    def zone(self, user: int) -> BaseTzInfo:
        """Whose clock a person's line is told by."""
        windows = self.windows.get(user)
        return zone_of(windows[0].zone if windows else settings.SLOT_TIME_ZONE)

    # ---------------------------------------------------------------- what if

    def with_slot(self, slot: UploadSlot) -> Standing:
        """With this window as it is here, saved or not; its former self, if any, makes room for it."""
        windows = self.without_slot(slot).windows
        if slot.is_active and slot.destination_id == self.destination.pk:
            windows = {**windows, slot.user_id: [*windows.get(slot.user_id, []), slot.window]}
        return replace(self, windows=windows)

    def without_slot(self, slot: UploadSlot) -> Standing:
        return replace(
            self,
            windows={
                user: [window for window in windows if window.key != slot.pk.int]
                for user, windows in self.windows.items()
            },
        )

    def with_rules(self, rules: Iterable[Rule]) -> Standing:
        return replace(self, rules=at_destination(rules, self.destination.pk))

    def with_more(self, user: int, sizes: Sequence[ledger.Size], *, before: int | None = None) -> Standing:
        """With further videos in a line, before one of its rows or at its end; they are rows -1, -2 …"""
        line = self.items.get(user, [])
        at = next((place for place, item in enumerate(line) if item.row == before), len(line))
        more = [item_of(-number, size, self.destination) for number, size in enumerate(sizes, start=1)]
        return replace(self, items={**self.items, user: [*line[:at], *more, *line[at:]]})

    def without_row(self, row: int) -> Standing:
        """With one of the waiting videos left out."""
        items = {user: [item for item in line if item.row != row] for user, line in self.items.items()}
        return replace(self, items=items)

    def difference(self, other: Standing) -> Difference:
        return compare(self.forecast, other.forecast)


@dataclass
class DryRun:
    """What a change would do, in sentences; nothing is saved."""

    sentence: str
    details: list[str] = field(default_factory=list)
    moves: int = 0

    @property
    def is_quiet(self) -> bool:
        """Does nobody's video go at another time?"""
        return not self.moves


def of_slot(slot: UploadSlot, *, now: datetime, is_deleted: bool = False) -> DryRun:
    """What saving or deleting this window would do, at the destination it is at and the one it was at."""
    places = {slot.destination_id}
    before = UploadSlot.objects.filter(pk=slot.pk).first()
    if before:
        places.add(before.destination_id)
    found = DryRun("")
    for destination in Destination.objects.filter(pk__in=places):
        standing = Standing.of(destination, now=now)
        after = standing.without_slot(slot) if is_deleted else standing.with_slot(slot)
        tell(found, standing, after, names_it=len(places) > 1)
    if not is_deleted:
        found.details += overlaps(slot, now)
        if before and before.taken > slot.max_uploads:
            found.details.append(
                f"{before.taken} uploads have begun in its present occurrence already: no more do until the next."
            )
    return found


def of_blackout(blackout: Blackout, *, now: datetime, is_deleted: bool = False) -> DryRun:
    """What saving or deleting this blackout would do at every destination it touches."""
    others, present = Blackout.objects.exclude(pk=blackout.pk).rules(), Blackout.objects.rules()
    rules = others if is_deleted else [*others, blackout.rule]
    found = DryRun("")
    touched = list(Destination.objects.filter(upload_slots__isnull=False).distinct())
    for destination in touched:
        standing = Standing.of(destination, now=now, rules=present)
        tell(found, standing, standing.with_rules(rules), names_it=len(touched) > 1)
    found.sentence = found.sentence or "No video moves."
    return found


def tell(found: DryRun, before: Standing, after: Standing, *, names_it: bool = False) -> None:
    """Add what one destination's change does; `names_it`: others may be told of beside it."""
    difference = before.difference(after)
    count = len(difference.moved) + len(difference.lost) + len(difference.gained)
    if count:
        sentence = f"{before.destination}: {difference}" if names_it else str(difference)
        found.sentence = f"{found.sentence} {sentence}".strip() if found.moves else sentence
    elif not found.sentence:
        found.sentence = str(difference)
    found.moves += count
    found.details += ends_told(before, after)
    found.details += [note for note in after.forecast.notes if note not in before.forecast.notes]


def ends_told(before: Standing, after: Standing) -> list[str]:
    """Which lines are empty on another date, in a sentence each."""
    was, will_be = before.forecast.ends, after.forecast.ends
    dates = {
        user: [ends[user].astimezone(before.zone(user)).date() for ends in (was, will_be)]
        for user in was
        if user in will_be
    }
    moved = {user: days for user, days in dates.items() if days[0] != days[1]}
    people = get_user_model().objects.in_bulk(list(moved)) if moved else {}
    return [
        f"The line of {people[user].get_username()} for {before.destination} is empty on {in_words(later)} "
        f"instead of {in_words(earlier)}."
        for user, (earlier, later) in moved.items()
    ]


def overlaps(slot: UploadSlot, now: datetime) -> list[str]:
    """Which of the same person's windows are open at the same time, in a sentence each."""
    if not slot.is_active:
        return []
    mine = slot.window.next_occurrence(now)
    others = UploadSlot.objects.active().filter(user=slot.user_id, destination=slot.destination_id)
    return [
        f"It overlaps with {other}: each fills up to its own limit, the one that closes first in front."
        for other in others.exclude(pk=slot.pk).select_related("destination")
        # Neighbours may both name the second in which they meet.
        if any(other.window.occurrences(mine.starts_at + SECOND, mine.ends_at - SECOND))
    ]


# ---------------------------------------------------------------------- reading


def waiting(destination: Destination) -> dict[int, list[Item]]:
    """What waits at a destination, by person and in the order of each line."""
    rows = SlotVideo.objects.filter(destination=destination, status=Status.INITIATE)
    found: dict[int, list[Item]] = {}
    columns = (
        "id", "user_id", "film__duration_seconds", "film__size_bytes", "episode__duration_seconds",
        "episode__size_bytes",
    )  # fmt: skip
    for row, user, *sizes in rows.order_by("user_id", *LINE_ORDER).values_list(*columns)[:LONGEST]:
        size = ledger.Size(1, sizes[0] or sizes[2] or 0, sizes[1] or sizes[3] or 0)
        found.setdefault(user, []).append(item_of(row, size, destination))
    return found


def item_of(row: int, size: ledger.Size, destination: Destination) -> Item:
    try:
        ledger.refuse_oversized(destination, size)
    except Rejected as refusal:
        return Item(row, size, str(refusal))
    return Item(row, size)


def used_up(destination: Destination, now: datetime) -> list[Entry]:
    """The ledger of the last 24 hours, and what unfinished uploads are going to take of it."""
    return [*ledger.entries_of(destination, now=now), *((now, size) for size in promised(destination))]


def booked(destination: Destination, now: datetime) -> list[Entry]:
    """What the hourly queue is expected to upload there, and when."""
    sizes = {item.row: item.size for item in forecast.waiting_items(destination)}
    expected = forecast.of(destination, now=now).expected if sizes else {}
    return sorted(((at, sizes[row]) for row, at in expected.items()), key=lambda entry: entry[0])
