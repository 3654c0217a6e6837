"""What the uploads page shows, read with a fixed number of queries however long the lines are.

A board reads only what the partials on it ask for: a refresh of the tiles does not look at a series.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, Min, Q, QuerySet, Sum
from django.http import QueryDict

from jobs import health
from jobs.events import Event
from jobs.pages import LARGEST_ID as LARGEST_ID
from jobs.pages import whole as whole
from jobs.workers import alive
from schedules import forecast
from schedules.cards import (
    CLOSE,
    Coming,
    DestinationCard,
    Line,
    Running,
    SeriesCard,
    Tile,
    fate_of,
    meters,
    square,
    state_of,
)
from schedules.planning import HOUR, spoken
from schedules.upload_schedules import OPEN, ScheduledUpload, Status, UploadSchedule
from uploader import ledger
from uploader.destinations import Destination

NEXT = 5
TROUBLES = 12
LINE_CARDS = 12
DONE_CARDS = 10
SQUARES = 60
# Finished squares shown before the first open one of a long series.
LOOK_BACK = 12


@dataclass(frozen=True)
class Choice:
    """What the address of the page asks to see."""

    status: str = ""
    search: str = ""
    all_of: frozenset[int] = frozenset()
    cards: int = LINE_CARDS
    done: int = DONE_CARDS

    @classmethod
    def of(cls, query: QueryDict) -> Choice:
        """The choice in a query string; what is not understood counts as not given."""
        status = query.get("status", "")
        return cls(
            status=status if status in Status.values else "",
            # PostgreSQL refuses to be asked for a NUL.
            search=query.get("q", "").replace("\0", "").strip()[:100],
            all_of=frozenset(number for value in query.getlist("all") if (number := whole(value))),
            cards=max(whole(query.get("cards", "")), LINE_CARDS),
            done=max(whole(query.get("done", "")), DONE_CARDS),
        )


class Board:
    """Everything the page may show at `now`; each part is read when it is first asked for."""

    def __init__(self, choice: Choice, *, now: datetime) -> None:
        self.choice = choice
        self.now = now
        # Read first: whatever changes after this is told by the live stream.
        self.position = Event.objects.aggregate(newest=Max("id"))["newest"] or 0

    # ---------------------------------------------------------------- tiles and health

    @cached_property
    def counts(self) -> dict[str, int]:
        return ScheduledUpload.objects.counts()

    @property
    def tiles(self) -> list[Tile]:
        chosen = self.choice.status
        return [Tile("", "Total", self.counts["total"], not chosen)] + [
            Tile(status.value, str(status.label), self.counts[status.value], chosen == status.value)
            for status in Status
        ]

    @cached_property
    def is_ticking(self) -> bool:
        return health.is_ticking(self.now)

    @cached_property
    def lanes(self) -> set[str]:
        """Lanes that at least one living process serves."""
        return set(alive(self.now).values_list("lane", flat=True))

    @property
    def is_working(self) -> bool:
        return self.is_ticking and "upload" in self.lanes

    # ---------------------------------------------------------------- destinations

    @cached_property
    def destinations(self) -> list[Destination]:
        return list(Destination.objects.for_videos().select_related("hourly_queue").order_by("name"))

    @property
    def pace(self) -> str:
        """How fast the lines go: “One episode every 1 h”."""
        intervals = {destination.interval for destination in self.destinations}
        if len(intervals) > 1:
            return "One episode at a time, at the interval of its destination"
        interval = intervals.pop() if intervals else timedelta(seconds=settings.UPLOAD_INTERVAL_SECONDS)
        return f"One episode every {'hour' if interval == HOUR else spoken(interval)}"

    @cached_property
    def used(self) -> dict[int, dict[str, Any]]:
        """What each destination was given in the last 24 hours."""
        rows = (
            ledger.LedgerEntry.objects.filter(at__gt=self.now - ledger.DAY)
            .order_by()
            .values("destination_id")
            .annotate(count=Count("id"), seconds=Sum("duration_seconds"), bytes=Sum("size_bytes"))
        )
        return {row["destination_id"]: dict(row) for row in rows}

    @cached_property
    def waiting(self) -> dict[int, int]:
        rows = ScheduledUpload.objects.filter(status=Status.PENDING).order_by().values_list("destination_id")
        return dict(rows.annotate(Count("id")))

    @cached_property
    def forecasts(self) -> dict[int, forecast.Forecast]:
        """The forecast of every line in which something waits."""
        return {
            destination.pk: forecast.of(destination, now=self.now)
            for destination in self.destinations
            if self.waiting.get(destination.pk)
        }

    @cached_property
    def destination_cards(self) -> list[DestinationCard]:
        return [self.card_of(destination) for destination in self.destinations]

    def card_of(self, destination: Destination) -> DestinationCard:
        state, word, reason, until = state_of(destination, self.now)
        found = self.forecasts.get(destination.pk)
        return DestinationCard(
            destination=destination,
            state=state,
            word=word,
            reason=reason,
            until=until,
            meters=meters(destination, self.used.get(destination.pk, {})),
            queue=getattr(destination, "hourly_queue", None),
            waiting=self.waiting.get(destination.pk, 0),
            notes=found.notes if found else [],
        )

    # ---------------------------------------------------------------- now, next, needs a hand

    @cached_property
    def running(self) -> list[Running]:
        rows = with_names(ScheduledUpload.objects.in_flight()).order_by(
            "destination__name", "started_at", "id"
        )
        return [fate_of(row, self.now) for row in rows]

    @cached_property
    def coming(self) -> list[Coming]:
        rows = with_names(ScheduledUpload.objects.planned())[:NEXT]
        return [self.coming_of(row) for row in rows]

    def coming_of(self, row: ScheduledUpload) -> Coming:
        found = self.forecasts.get(row.destination_id)
        expected = found.expected.get(row.pk) if found else None
        if expected and row.scheduled_at and expected - row.scheduled_at < CLOSE:
            expected = None
        return Coming(row, expected, row.destination.why_not_now(self.now))

    @cached_property
    def trouble_count(self) -> int:
        counts = self.counts
        return counts[Status.FAILED] + counts[Status.SKIPPED] + len(self.stopped)

    @cached_property
    def retriable(self) -> int:
        return self.counts[Status.FAILED] + self.counts[Status.SKIPPED]

    @cached_property
    def troubles(self) -> list[ScheduledUpload]:
        """Failed and skipped episodes, the latest first."""
        rows = ScheduledUpload.objects.filter(status__in=(Status.FAILED, Status.SKIPPED))
        return list(with_names(rows).order_by("-updated_at", "-id")[:TROUBLES])

    @cached_property
    def stopped(self) -> list[UploadSchedule]:
        """Series that wait for somebody's decision, by their policy."""
        return list(
            UploadSchedule.objects.filter(
                paused_by="policy", paused_at__isnull=False, uploads__status__in=OPEN
            )
            .select_related("series", "destination")
            .distinct()
            .order_by("-paused_at")[:TROUBLES]
        )

    # ---------------------------------------------------------------- series

    @cached_property
    def cards(self) -> dict[int, SeriesCard]:
        """A card for every schedule that the choice lets through, without its squares."""
        rows = ScheduledUpload.objects.order_by().values("schedule_id", "status")
        if self.choice.search:
            rows = rows.filter(series__title__icontains=self.choice.search)
        found: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for row in rows.annotate(
            count=Count("id"), first=Min("position"), end=Max("scheduled_at"), finished_at=Max("completed_at")
        ):
            found[row["schedule_id"]].append(dict(row))
        chosen = self.choice.status
        wanted = {
            pk: rows for pk, rows in found.items() if not chosen or any(r["status"] == chosen for r in rows)
        }
        # Only ids that are shown or needed for the order are loaded.
        is_open = {pk for pk, rows in wanted.items() if any(row["status"] in OPEN for row in rows)}
        finished = sorted(
            wanted.keys() - is_open,
            key=lambda pk: max(row["finished_at"] or self.now for row in wanted[pk]),
            reverse=True,
        )
        self.finished_total = len(finished)
        shown = is_open | set(finished[: self.choice.done])
        schedules = UploadSchedule.objects.filter(pk__in=shown).select_related("series", "destination")
        return {
            s.pk: self.series_card(s, wanted[s.pk])
            for s in schedules.order_by("destination__name", "position", "id")
        }

    def series_card(self, schedule: UploadSchedule, rows: list[dict[str, Any]]) -> SeriesCard:
        planned = [row["end"] for row in rows if row["status"] == Status.PENDING and row["end"]]
        opened = [row["first"] for row in rows if row["status"] in OPEN]
        found = self.forecasts.get(schedule.destination_id)
        planned_end = max(planned, default=None)
        return SeriesCard(
            schedule=schedule,
            counts={row["status"]: row["count"] for row in rows},
            first_open=min(opened, default=None),
            planned_end=planned_end,
            finished_at=max((row["finished_at"] for row in rows if row["finished_at"]), default=None),
            end=(found.ends.get(schedule.pk) if found else None) or planned_end,
            is_begun=any(row["status"] != Status.PENDING for row in rows),
        )

    @cached_property
    def lines(self) -> list[Line]:
        """Destination by destination, the series in which something is open; at most `cards` of them."""
        by_destination: dict[int, list[SeriesCard]] = defaultdict(list)
        for card in self.cards.values():
            if card.is_open:
                by_destination[card.schedule.destination_id].append(card)
        self.open_total = sum(map(len, by_destination.values()))
        lines, left = [], self.choice.cards
        for cards in by_destination.values():
            cards[0].is_first = cards[-1].is_last = True
            if left > 0:
                behind = cards[left].schedule.pk if len(cards) > left else None
                lines.append(Line(cards[0].schedule.destination, cards[:left], behind))
                left -= len(cards)
        self.fill([card for line in lines for card in line.cards])
        return lines

    @property
    def more_cards(self) -> int:
        shown = sum(len(line.cards) for line in self.lines)
        return self.open_total - shown

    @cached_property
    def finished(self) -> list[SeriesCard]:
        """Series of which nothing is open, the latest first; their squares only where asked for."""
        cards = sorted(
            (card for card in self.cards.values() if not card.is_open),
            key=lambda card: card.finished_at or self.now,
            reverse=True,
        )
        self.fill([card for card in cards if card.schedule.pk in self.choice.all_of])
        return cards

    @property
    def more_finished(self) -> int:
        return self.finished_total - len(self.finished)

    def fill(self, cards: Iterable[SeriesCard]) -> None:
        """Give the cards their squares, with one query for all of them."""
        by_id = {card.schedule.pk: card for card in cards}
        if not by_id:
            return
        wanted = Q()
        for pk, card in by_id.items():
            part = Q(schedule_id=pk)
            if not self.is_whole(card):
                first = max((card.first_open or 1) - LOOK_BACK, 1)
                part &= Q(position__gte=first, position__lt=first + SQUARES)
                card.before = first - 1
            wanted |= part
        rows = ScheduledUpload.objects.filter(wanted).order_by("schedule_id", "position", "id")
        if self.choice.status:
            rows = rows.filter(status=self.choice.status)
        columns = (
            "schedule_id", "id", "episode__season__number", "episode__index_sequence", "status",
            "scheduled_at", "completed_at", "is_in_flight",
        )  # fmt: skip
        for row in rows.values_list(*columns):
            card = by_id[row[0]]
            if len(card.squares) < SQUARES or row[0] in self.choice.all_of:
                card.squares.append(square(*row[1:]))
        for card in by_id.values():
            shown = len(card.squares)
            expected = card.counts.get(self.choice.status, 0) if self.choice.status else card.total
            card.before = min(card.before, max(0, expected - shown))
            card.after = max(0, expected - shown - card.before)
            card.is_cut = shown < expected

    def is_whole(self, card: SeriesCard) -> bool:
        """Are all its squares looked at, or only those around its first open one?"""
        return card.schedule.pk in self.choice.all_of or bool(self.choice.status) or card.total <= SQUARES

    @cached_property
    def is_empty(self) -> bool:
        return self.counts["total"] == 0


def with_names(rows: QuerySet[ScheduledUpload]) -> QuerySet[ScheduledUpload]:
    """With the rows that a line on the page is written from."""
    return rows.select_related("episode__series", "episode__season", "destination", "job", "schedule__series")
