"""What the posts page shows at a moment; each part is read when it is first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from django.db.models import Max, Q

from jobs import health
from jobs.events import Event
from jobs.workers import alive
from schedules.posts import board
from schedules.posts.explaining import Risk
from schedules.posts.models import ScheduledPost
from schedules.posts.page import grids, zones
from schedules.posts.page.cards import AccountCard, PostCard
from schedules.posts.page.choices import STATES, Choice
from uploader.social_accounts import SocialAccount

# Of what needs a hand: so many at once, so many of each kind when all are asked for.
ATTENTION_FIRST = 3
ATTENTION = 20
TRAY = 30
NEXT = 4
# A month of several busy accounts; what is more is counted, not drawn.
MOST_POSTS = 3000
# Day by day below the calendar, where a phone has no room for a grid.
AGENDA_ROWS = 60


@dataclass(frozen=True)
class Tile:
    state: str
    label: str
    count: int
    is_chosen: bool
    address: str


@dataclass(frozen=True)
class Day:
    on: date
    title: str
    is_today: bool
    before: list[PostCard]
    after: list[PostCard]

    @property
    def cards(self) -> list[PostCard]:
        return [*self.before, *self.after]


class PostBoard:
    """Everything the page may show at `now`, on the clock of `zone`."""

    def __init__(self, choice: Choice, *, zone: ZoneInfo, now: datetime) -> None:
        self.choice = choice
        self.zone = zone
        self.now = now
        # Read first: whatever changes after this is told by the live stream.
        self.position = Event.objects.aggregate(newest=Max("id"))["newest"] or 0

    # ---------------------------------------------------------------- the machinery

    @cached_property
    def is_ticking(self) -> bool:
        return health.is_ticking(self.now)

    @cached_property
    def dead_lanes(self) -> list[str]:
        """Lanes posts need and nobody serves."""
        lanes = set(alive(self.now).values_list("lane", flat=True))
        return [lane for lane in ("upload", "publish") if lane not in lanes]

    # ---------------------------------------------------------------- the period

    def midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone).astimezone(UTC)

    @cached_property
    def period(self) -> tuple[datetime, datetime]:
        first = self.choice.first
        return self.midnight(first), self.midnight(first + timedelta(days=self.choice.count))

    @cached_property
    def risks(self) -> dict[int, list[Risk]]:
        """What may keep posts of the next days from their moment, by post."""
        return {post.pk: found for post, found in self.at_risk.items()}

    @cached_property
    def at_risk(self) -> dict[ScheduledPost, list[Risk]]:
        return board.at_risk(self.now)

    @cached_property
    def in_period(self) -> list[PostCard]:
        """Posts of the period that account and search let through, the earliest first."""
        start, end = self.period
        accounts = [self.choice.account] if self.choice.account else []
        rows = board.between(start, end, accounts=accounts)
        if text := self.choice.search:
            rows = rows.filter(
                Q(caption__icontains=text)
                | Q(account__name__icontains=text)
                | Q(videos__library_path__icontains=text)
                | Q(videos__url__icontains=text)
            ).distinct()
        return self.cards_of(rows.order_by("scheduled_for", "pk")[:MOST_POSTS])

    def cards_of(self, rows: object) -> list[PostCard]:
        return [PostCard(post, self.zone, self.now, self.risks.get(post.pk, [])) for post in rows]  # type: ignore[attr-defined]

    @cached_property
    def cards(self) -> list[PostCard]:
        """Those of them that the state and “at risk” let through."""
        chosen = self.choice
        return [
            card
            for card in self.in_period
            if (not chosen.state or card.state == chosen.state) and (not chosen.is_risk or card.risks)
        ]

    @property
    def is_cut(self) -> bool:
        return len(self.in_period) == MOST_POSTS

    @cached_property
    def tiles(self) -> list[Tile]:
        """How many posts of the period are in each state; pressed again a tile lets go."""
        counts = dict.fromkeys(STATES, 0)
        for card in self.in_period:
            counts[card.state] += 1
        chosen = self.choice
        found = [
            Tile(state, label, counts[state], chosen.state == state,
                 chosen.but(state="" if chosen.state == state else state, is_risk=False))
            for state, label in STATES.items()
        ]  # fmt: skip
        at_risk = sum(bool(card.risks) for card in self.in_period)
        address = chosen.but(is_risk=not chosen.is_risk, state="")
        return [*found, Tile("risk", "At risk", at_risk, chosen.is_risk, address)]

    # ---------------------------------------------------------------- shapes

    @cached_property
    def accounts(self) -> list[AccountCard]:
        """Every account that is there, and those gone ones that have a post in the period."""
        used = {card.post.account_id for card in self.in_period} if self.choice.view != "list" else set()
        rows = SocialAccount.objects.filter(Q(gone_at=None) | Q(pk__in=used)).select_related("destination")
        return [AccountCard(account) for account in rows.order_by("name", "provider", "pk")]

    @property
    def lane_accounts(self) -> list[AccountCard]:
        """The accounts that get a lane."""
        chosen = self.choice.account
        return [each for each in self.accounts if not chosen or each.account.pk == chosen]

    @cached_property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    @cached_property
    def weeks(self) -> list[list[grids.Cell]]:
        chosen = self.choice
        return grids.month(self.cards, chosen.first, chosen.count, within=chosen.on, today=self.today)

    @cached_property
    def weekdays(self) -> list[str]:
        return ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]

    @cached_property
    def grid(self) -> grids.Grid:
        if self.choice.view == "day":
            return grids.day(self.cards, self.choice.on, self.lane_accounts, now=self.now, zone=self.zone)
        if self.choice.by_account:
            return grids.lanes(
                self.cards, self.choice.first, self.lane_accounts, now=self.now, zone=self.zone
            )
        return grids.week(self.cards, self.choice.first, now=self.now, zone=self.zone)

    @cached_property
    def agenda(self) -> list[Day]:
        """Day by day, days without posts left out, with “now” between today's posts."""
        most = self.choice.rows if self.choice.view == "list" else AGENDA_ROWS
        found = grids.by_day(self.cards[:most])
        days = sorted({*found, self.today} if self.shows_today else set(found))
        return [
            Day(
                day,
                f"{day:%A}, {day.day} {day:%B %Y}",
                day == self.today,
                [card for card in found.get(day, []) if self.is_before(card)],
                [card for card in found.get(day, []) if not self.is_before(card)],
            )
            for day in days
        ]

    def is_before(self, card: PostCard) -> bool:
        return card.post.scheduled_for is not None and card.post.scheduled_for <= self.now

    @property
    def shows_today(self) -> bool:
        first = self.choice.first
        return first <= self.today < first + timedelta(days=self.choice.count) and bool(self.cards)

    @property
    def more_rows(self) -> int:
        return max(0, len(self.cards) - (self.choice.rows if self.choice.view == "list" else AGENDA_ROWS))

    @property
    def all_rows(self) -> str:
        return self.choice.but(view="list", on=self.choice.first, rows=len(self.cards))

    # ---------------------------------------------------------------- tray, and what needs a hand

    @cached_property
    def tray(self) -> list[PostCard]:
        rows = board.tray()
        if self.choice.account:
            rows = rows.filter(account=self.choice.account)
        return self.cards_of(rows[: TRAY + 1])

    @property
    def more_in_tray(self) -> bool:
        return len(self.tray) > TRAY

    @cached_property
    def failed(self) -> list[PostCard]:
        """Posts that failed or were missed lately, the latest first."""
        return self.cards_of(board.needing_a_hand(self.now)[:ATTENTION])

    @cached_property
    def failed_count(self) -> int:
        return board.needing_a_hand(self.now).count()

    @cached_property
    def endangered(self) -> list[PostCard]:
        """Posts at risk, the earliest first."""
        return [
            PostCard(post, self.zone, self.now, found)
            for post, found in sorted(self.at_risk.items(), key=lambda item: moment_of(item[0]))
        ]

    @cached_property
    def attention(self) -> list[PostCard]:
        """What needs a hand: first what can still be saved, then what failed."""
        return [*self.endangered[:ATTENTION], *self.failed]

    @property
    def attention_first(self) -> list[PostCard]:
        return self.attention[:ATTENTION_FIRST]

    @property
    def attention_rest(self) -> list[PostCard]:
        return self.attention[ATTENTION_FIRST:]

    @property
    def needs_a_hand(self) -> int:
        return self.failed_count + len(self.endangered)

    @property
    def risk_address(self) -> str:
        """Everything at risk, as a list."""
        return self.choice.but(view="list", on=self.today, is_risk=True, state="", account=0, search="")

    @property
    def failed_address(self) -> str:
        return self.choice.but(
            view="list",
            on=self.today - timedelta(days=7),
            is_risk=False,
            state="failed",
            account=0,
            search="",
        )

    # ---------------------------------------------------------------- whether there is anything at all

    @cached_property
    def is_empty(self) -> bool:
        return not ScheduledPost.objects.exists()

    @property
    def has_accounts(self) -> bool:
        return bool(self.accounts)

    @property
    def zone_name(self) -> str:
        return zones.shown(self.zone)

    @property
    def zone_abbreviation(self) -> str:
        """`CET`, or `CET/CEST` in a period in which the clocks change."""
        start, end = self.period
        ends = (start, end - timedelta(hours=1))
        return "/".join(dict.fromkeys(f"{at.astimezone(self.zone):%Z}" for at in ends))

    @property
    def clock(self) -> str:
        return f"{self.now.astimezone(self.zone):%H:%M}"

    @property
    def by_account(self) -> str:
        """The week with a lane for every account."""
        return self.choice.but(by_account=True)

    @property
    def by_time(self) -> str:
        """The week hour by hour."""
        return self.choice.but(by_account=False)

    @property
    def is_utc(self) -> bool:
        return self.zone.key == "UTC"

    @cached_property
    def next_posts(self) -> list[PostCard]:
        """Those that go out next."""
        rows = board.posts().open().filter(scheduled_for__gte=self.now)
        return self.cards_of(rows.order_by("scheduled_for")[:NEXT])


def moment_of(post: ScheduledPost) -> datetime:
    assert post.scheduled_for is not None
    return post.scheduled_for
