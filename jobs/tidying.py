"""What goes by itself after its days: rules, followed every hour by the ticker and at any time by `manage.py prune`."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from jobs import ticker
from jobs.events import Event

log = logging.getLogger(__name__)

AT_ONCE = 2000
# A scheduled round takes so many portions by each rule, and leaves the rest to the next: the ticker has more to do.
PORTIONS = 25


@dataclass(frozen=True, kw_only=True)
class Days:
    """After so many days what goes; 0: never."""

    listed: int
    files: int
    packages: int
    kept: int
    history: int
    queue: int

    @classmethod
    def configured(cls) -> Self:
        return cls(
            listed=settings.JOBS_LISTED_DAYS,
            files=settings.JOBS_FILES_DAYS,
            packages=settings.PACKAGES_KEPT_DAYS,
            kept=settings.JOBS_KEPT_DAYS,
            history=settings.HISTORY_KEPT_DAYS,
            queue=settings.QUEUE_KEPT_DAYS,
        )

    def with_rows_of(self, days: int) -> Self:
        """The same, with another number for rows and history; files keep theirs."""
        return replace(self, listed=days, kept=days, history=days, queue=days)


@dataclass(frozen=True)
class Round:
    """One going-through: its moment, its days, and whether it goes on until nothing is left to do."""

    now: datetime
    days: Days = field(default_factory=Days.configured)
    is_whole: bool = False

    def before(self, days: int) -> datetime | None:
        """What ended before this is due; None: nothing ever is."""
        return self.now - timedelta(days=days) if days else None

    def drop(self, rows: QuerySet[Any]) -> int:
        """Delete `rows` in portions, so that nobody waits for long; gives how many."""
        count = 0
        for _ in itertools.count() if self.is_whole else range(PORTIONS):
            dropped = _drop_portion(rows)
            count += dropped
            if not dropped:
                break
        return count


Rule = Callable[[Round], int]
_rules: dict[str, Rule] = {}


def register(what: str, rule: Rule, *, every_seconds: float = 3600) -> None:
    """Have the ticker follow the rule, and `manage.py prune`: it removes `what` and gives how many there were.

    It must bear being followed by several at once.
    """
    _rules[what] = rule
    ticker.register(f"clean-up: {what}", lambda now: follow(what, Round(now)), every_seconds=every_seconds)


def tidy(round_: Round) -> dict[str, int]:
    """Follow every rule; how much of each went."""
    return {what: follow(what, round_) for what in _rules}


def follow(what: str, round_: Round) -> int:
    count = _rules[what](round_)
    if count:
        log.info("Cleaned up: %s %s", count, what)
    return count


def _drop_portion(rows: QuerySet[Any]) -> int:
    with transaction.atomic():
        portion = rows.order_by("pk")
        if connection.features.has_select_for_update_skip_locked:
            # What somebody takes up again at this moment stays.
            portion = portion.select_for_update(skip_locked=True, of=("self",))
        ids = list(portion.values_list("pk", flat=True)[:AT_ONCE])
        rows.model._base_manager.filter(pk__in=ids).delete()
    return len(ids)


def drop_history(round_: Round) -> int:
    before = round_.before(round_.days.history)
    return round_.drop(Event.objects.filter(at__lt=before)) if before else 0
