"""The calendar's shapes: a month of days, hours of days or accounts, lanes of accounts; each cell holds its posts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from schedules.posts.page.cards import AccountCard, PostCard

MONTH_CHIPS = 4
CELL_CHIPS = 6
# The line that says “now” moves in steps of this many minutes.
STEP_MINUTES = 5


@dataclass
class Cell:
    """Posts of one day, or of one hour of it."""

    on: date
    hour: int | None = None
    account: AccountCard | None = None
    cards: list[PostCard] = field(default_factory=list)
    most: int = CELL_CHIPS
    is_today: bool = False
    is_outside: bool = False
    # The clocks skip this hour.
    is_skipped: bool = False
    # Where in the hour “now” is, in steps; None: not in this cell.
    now_step: int | None = None

    @property
    def shown(self) -> list[PostCard]:
        # One more line costs as much room as “and one more”.
        return self.cards if len(self.cards) <= self.most + 1 else self.cards[: self.most]

    @property
    def more(self) -> int:
        return len(self.cards) - len(self.shown)


@dataclass(frozen=True)
class Column:
    title: str
    note: str
    on: date
    is_today: bool = False
    account: AccountCard | None = None
    count: int = 0


@dataclass(frozen=True)
class Row:
    """An hour, or an account."""

    title: str
    note: str
    cells: list[Cell]
    account: AccountCard | None = None
    is_past: bool = False
    is_now: bool = False

    @property
    def is_empty(self) -> bool:
        return not any(cell.cards for cell in self.cells)


@dataclass(frozen=True)
class Grid:
    columns: list[Column]
    rows: list[Row]


def by_day(cards: Iterable[PostCard]) -> dict[date, list[PostCard]]:
    found: dict[date, list[PostCard]] = defaultdict(list)
    for card in cards:
        if card.local:
            found[card.local.date()].append(card)
    return found


def month(
    cards: Iterable[PostCard], first: date, count: int, *, within: date, today: date
) -> list[list[Cell]]:
    """Weeks of days from `first` on; days of other months than that of `within` are outside."""
    found = by_day(cards)
    days = [first + timedelta(days=number) for number in range(count)]
    cells = [
        Cell(
            day, cards=found.get(day, []), most=MONTH_CHIPS, is_today=day == today,
            is_outside=(day.year, day.month) != (within.year, within.month),
        )
        for day in days
    ]  # fmt: skip
    return [cells[start : start + 7] for start in range(0, count, 7)]


def week(cards: Sequence[PostCard], first: date, *, now: datetime, zone: ZoneInfo) -> Grid:
    """Seven days side by side, hours below one another."""
    local = now.astimezone(zone)
    found = by_day(cards)
    columns = [
        day_column(day, len(found.get(day, [])), local.date())
        for day in (first + timedelta(days=number) for number in range(7))
    ]
    return hours(columns, cards, now=now, zone=zone, is_in=lambda card, column: is_on(card, column.on))


def day(
    cards: Sequence[PostCard], on: date, accounts: Sequence[AccountCard], *, now: datetime, zone: ZoneInfo
) -> Grid:
    """One day, a lane for every account, hours below one another."""
    today = now.astimezone(zone).date()
    columns = [
        Column(
            each.account.name, each.provider, on, on == today, each,
            sum(card.post.account_id == each.account.pk for card in cards),
        )
        for each in accounts
    ]  # fmt: skip
    return hours(
        columns, cards, now=now, zone=zone,
        is_in=lambda card, column: column.account is not None
        and card.post.account_id == column.account.account.pk,
    )  # fmt: skip


def hours(
    columns: Sequence[Column],
    cards: Sequence[PostCard],
    *,
    now: datetime,
    zone: ZoneInfo,
    is_in: Callable[[PostCard, Column], bool],
) -> Grid:
    local = now.astimezone(zone)
    by_hour: dict[int, list[PostCard]] = defaultdict(list)
    for card in cards:
        if card.local:
            by_hour[card.local.hour].append(card)
    rows = []
    for hour in range(24):
        cells = [
            Cell(
                column.on, hour, column.account, [card for card in by_hour[hour] if is_in(card, column)],
                is_today=column.is_today, is_skipped=is_skipped(column.on, hour, zone),
                now_step=local.minute // STEP_MINUTES if column.is_today and local.hour == hour else None,
            )
            for column in columns
        ]  # fmt: skip
        rows.append(
            Row(
                f"{hour:02}:00", utc_of(columns, hour, zone), cells,
                is_now=any(cell.now_step is not None for cell in cells),
                is_past=all(column.on < local.date() for column in columns)
                or (all(column.is_today for column in columns) and hour < local.hour),
            )
        )  # fmt: skip
    return Grid(list(columns), rows)


def lanes(
    cards: Sequence[PostCard], first: date, accounts: Sequence[AccountCard], *, now: datetime, zone: ZoneInfo
) -> Grid:
    """A lane for every account, seven days side by side."""
    today = now.astimezone(zone).date()
    found = by_day(cards)
    days = [first + timedelta(days=number) for number in range(7)]
    columns = [day_column(day, len(found.get(day, [])), today) for day in days]
    rows = [
        Row(
            each.account.name, each.provider,
            [
                Cell(
                    day, account=each, is_today=day == today, most=12,
                    cards=[card for card in found.get(day, []) if card.post.account_id == each.account.pk],
                )
                for day in days
            ],
            account=each,
        )
        for each in accounts
    ]  # fmt: skip
    return Grid(columns, rows)


def day_column(day: date, count: int, today: date) -> Column:
    return Column(f"{day:%a}", f"{day.day} {day:%b}", day, day == today, count=count)


def is_on(card: PostCard, day: date) -> bool:
    return card.local is not None and card.local.date() == day


def is_skipped(day: date, hour: int, zone: ZoneInfo) -> bool:
    wall = datetime.combine(day, time(hour), zone)
    return wall.astimezone(UTC).astimezone(zone).hour != hour


def utc_of(columns: Sequence[Column], hour: int, zone: ZoneInfo) -> str:
    """The same hour in UTC; empty where the clocks change between the columns."""
    found = {f"{datetime.combine(column.on, time(hour), zone).astimezone(UTC):%H:%M}" for column in columns}
    return found.pop() if len(found) == 1 else ""
