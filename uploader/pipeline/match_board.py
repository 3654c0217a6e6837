"""What the review page of matches shows: counts, and proposals by work, the likeliest first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from django.db.models import Count, QuerySet
from django.http import QueryDict

from jobs.events import Event
from jobs.pipeline.subjects import Work
from uploader.pipeline.matches import Match, MatchStatus

AT_ONCE = 50
MOST = 500


@dataclass(frozen=True)
class Choice:
    """What a visitor chose: `?status=&work=&q=&rows=`."""

    status: str = MatchStatus.PROPOSED
    work: str = ""
    query: str = ""
    rows: int = AT_ONCE

    @classmethod
    def of(cls, query: QueryDict) -> Choice:
        status, rows, work = query.get("status", ""), query.get("rows", ""), query.get("work", "")
        return cls(
            status=status if status in MatchStatus.values else MatchStatus.PROPOSED,
            work=_id(work),
            query=query.get("q", "").replace("\0", "").strip()[:100],
            rows=min(int(rows), MOST) if rows.isdecimal() and len(rows) < 6 and int(rows) else AT_ONCE,
        )

    def address(self, **changes: object) -> str:
        chosen = QueryDict(mutable=True)
        told: dict[str, object] = {"status": self.status, "work": self.work, "q": self.query, **changes}
        for name, value in told.items():
            if value and not (name == "status" and value == MatchStatus.PROPOSED):
                chosen[name] = str(value)
        return f"?{chosen.urlencode()}" if chosen else "?"


def _id(said: str) -> str:
    """An id as it is written; nothing for what is none."""
    try:
        return str(UUID(said))
    except ValueError:
        return ""


class Board:
    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        # Before anything is read: what happens meanwhile comes as an event.
        last = Event.objects.order_by("-id").values_list("id", flat=True).first()
        self.position = last or 0

    @cached_property
    def counts(self) -> list[tuple[str, str, int, str]]:
        """Status, its word, how many, the address that shows them."""
        found = dict(
            Match.objects.order_by().values("status").annotate(n=Count("pk")).values_list("status", "n")
        )
        return [
            (status, label, found.get(status, 0), self.choice.address(status=status, work="", q=""))
            for status, label in MatchStatus.choices
        ]

    @cached_property
    def matches(self) -> list[Match]:
        return list(self._rows.with_names()[: self.choice.rows])  # type: ignore[attr-defined]

    @cached_property
    def total(self) -> int:
        return self._rows.count()

    @property
    def more(self) -> str:
        """The address that shows more; empty when all are shown, or as many as a page takes."""
        if self.total <= self.choice.rows or self.choice.rows >= MOST:
            return ""
        return self.choice.address(rows=min(self.choice.rows + AT_ONCE, MOST))

    @property
    def sure(self) -> int:
        """Open proposals of the choice that “accept all” takes."""
        if self.choice.status != MatchStatus.PROPOSED:
            return 0
        return self._rows.filter(score__gte=SURE).count()

    @cached_property
    def has_any(self) -> bool:
        return Match.objects.exists()

    @cached_property
    def has_works(self) -> bool:
        return Work.objects.exists()

    @property
    def _rows(self) -> QuerySet[Match]:
        return chosen(self.choice)


# From here on “accept all” takes a proposal, when it is its thing's only one so likely.
SURE = 90.0


def chosen(choice: Choice) -> QuerySet[Match]:
    rows = Match.objects.filter(status=choice.status)
    if choice.work:
        rows = rows.filter(work=UUID(choice.work))
    if choice.query:
        rows = rows.filter(work__title__icontains=choice.query) | rows.filter(
            series__title__icontains=choice.query
        )
    return rows.order_by("-score", "id")
