"""What the address of the page asks to see: the view, the days, the filters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from schedules.boards import whole

VIEWS = {"month": "Month", "week": "Week", "day": "Day", "list": "List"}
LIST_DAYS = 30
LIST_ROWS = 100
# As `cards.state_of` names them.
STATES = {
    "saved": "Saved",
    "uploading": "Uploading",
    "ready": "Media up",
    "publishing": "Publishing",
    "published": "Published",
    "failed": "Failed",
    "missed": "Missed",
    "cancelled": "Cancelled",
}
FIRST_YEAR, LAST_YEAR = 2000, 2200


@dataclass(frozen=True)
class Choice:
    view: str
    on: date
    today: date
    account: int = 0
    state: str = ""
    is_risk: bool = False
    search: str = ""
    by_account: bool = False
    rows: int = LIST_ROWS
    zone: str = ""

    @classmethod
    def of(cls, query: QueryDict, *, today: date) -> Choice:
        """The choice in a query string; what is not understood counts as not given."""
        view, state = query.get("view", ""), query.get("state", "")
        return cls(
            view=view if view in VIEWS else "week",
            on=day_of(query.get("on", "")) or today,
            today=today,
            account=whole(query.get("account", "")),
            state=state if state in STATES else "",
            is_risk=query.get("risk") == "1",
            # PostgreSQL refuses to be asked for a NUL.
            search=query.get("q", "").replace("\0", "").strip()[:100],
            by_account=query.get("lanes") == "1",
            rows=min(max(whole(query.get("rows", "")), LIST_ROWS), 2000),
            zone=query.get("zone", "")[:64],
        )

    def but(self, **changes: Any) -> str:
        """The address of the page with something else chosen."""
        other = replace(self, **changes)
        named = {
            "view": other.view if other.view != "week" else "",
            "on": other.on.isoformat() if other.on != other.today else "",
            "account": other.account or "",
            "state": other.state,
            "risk": "1" if other.is_risk else "",
            "q": other.search,
            "lanes": "1" if other.by_account else "",
            "rows": other.rows if other.rows != LIST_ROWS else "",
            "zone": other.zone,
        }
        return "?" + urlencode({name: value for name, value in named.items() if value})

    # ---------------------------------------------------------------- the days it is about

    @property
    def first(self) -> date:
        """The first day that is shown."""
        match self.view:
            case "month":
                return monday(self.on.replace(day=1))
            case "week":
                return monday(self.on)
            case _:
                return self.on

    @property
    def count(self) -> int:
        """How many days are shown."""
        match self.view:
            case "month":
                last = month_after(self.on.replace(day=1), 1) - timedelta(days=1)
                return (monday(last) - self.first).days + 7
            case "week":
                return 7
            case "list":
                return LIST_DAYS
            case _:
                return 1

    @property
    def label(self) -> str:
        last = self.first + timedelta(days=self.count - 1)
        match self.view:
            case "month":
                return f"{self.on:%B %Y}"
            case "day":
                return f"{self.on:%A}, {self.on.day} {self.on:%B %Y}"
            case _:
                start = f"{self.first.day} {self.first:%b}" + (
                    f" {self.first.year}" if self.first.year != last.year else ""
                )
                return f"{start} – {last.day} {last:%b} {last.year}"

    @property
    def before(self) -> str:
        return self.but(on=self.stepped(-1))

    @property
    def after(self) -> str:
        return self.but(on=self.stepped(1))

    @property
    def now(self) -> str:
        return self.but(on=self.today)

    def stepped(self, step: int) -> date:
        if self.view == "month":
            found = month_after(self.on.replace(day=1), step)
        else:
            found = self.on + timedelta(days=step * {"week": 7, "list": LIST_DAYS}.get(self.view, 1))
        return found if FIRST_YEAR <= found.year <= LAST_YEAR else self.on

    @property
    def views(self) -> list[tuple[str, str, str, bool]]:
        """(name, label, address, is it this one)"""
        return [(name, label, self.but(view=name), name == self.view) for name, label in VIEWS.items()]

    @property
    def states(self) -> list[tuple[str, str]]:
        return list(STATES.items())

    @property
    def is_filtered(self) -> bool:
        return bool(self.account or self.state or self.is_risk or self.search)

    @property
    def unfiltered(self) -> str:
        return self.but(account=0, state="", is_risk=False, search="")

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """What the filter form carries along: the view, the days, the zone."""
        kept = {
            "view": self.view if self.view != "week" else "",
            "on": self.on.isoformat() if self.on != self.today else "",
            "lanes": "1" if self.by_account else "",
            "zone": self.zone,
        }
        return [(name, value) for name, value in kept.items() if value]


def day_of(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def month_after(first: date, step: int) -> date:
    """The first day of the month `step` months later."""
    number = first.year * 12 + first.month - 1 + step
    return date(number // 12, number % 12 + 1, 1)
