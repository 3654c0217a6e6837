"""The tail on PostgreSQL: woken by NOTIFY, in the order of ids although transactions commit in another."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Q, QuerySet
from psycopg import AsyncConnection

from jobs.events import Event
from jobs.live.gaps import Gap, missing_between
from jobs.live.tail import PAGE, Row, rows

T = TypeVar("T")

CHANNEL = "slotcast_live"
# The table is looked at so often without a NOTIFY.
POLL_SECONDS = 1.0
# What comes after a missing id waits so long for the transaction that took it; after that it may come late.
HOLD_SECONDS = 1.0
HELD_POLL_SECONDS = 0.01
LATE_POLL_SECONDS = 0.1
# How far below the newest id a transaction may be working when the tail is opened.
LOOK_BACK = 200


def connection_parameters() -> dict[str, Any]:
    """How to reach the database beside Django's own connections (and beside its pool)."""
    parameters = connection.get_connection_params()
    for name in ("cursor_factory", "context"):
        parameters.pop(name, None)
    return {"connect_timeout": 5, **parameters}


class PostgresTail:
    def __init__(self) -> None:
        self.position: int | None = None
        self.connection: AsyncConnection[Any] | None = None
        # Missing ids that the position waits for, and those it has passed.
        self.awaited: list[Gap] = []
        self.passed: list[Gap] = []

    async def open(self) -> None:
        self.connection = await AsyncConnection.connect(autocommit=True, **connection_parameters())
        await self.connection.execute(f"LISTEN {CHANNEL}")
        if self.position is None:
            newest = await self.select(rows().reverse()[:1])
            self.position = newest[0][0] if newest else 0
            await self.look_back()

    async def look_back(self) -> None:
        """Miss what running transactions have not shown yet below the newest id."""
        assert self.position is not None
        start = max(self.position - LOOK_BACK, 0)
        ids = [row[0] for row in await self.select(rows(id__gt=start, id__lte=self.position))]
        self.passed = missing_between(start, [*ids, self.position + 1], [], time.monotonic())

    async def read(self) -> list[Row]:
        assert self.position is not None
        oldest_running = newest_running = None
        if self.awaited or self.passed:
            # Taken before the rows: a transaction that had ended by now shows its rows to the next statement.
            oldest_running, newest_running = (
                await self.fetch(
                    "SELECT pg_snapshot_xmin(now)::text::bigint, pg_snapshot_xmax(now)::text::bigint"
                    " FROM pg_current_snapshot() now"
                )
            )[0]
        wanted = reduce(or_, (Q(id__range=(g.first, g.last)) for g in self.passed), Q(id__gt=self.position))
        found = [Row(*row) for row in await self.select(rows().filter(wanted)[:PAGE])]
        late = [row for row in found if row.id <= self.position]
        self.look_after_passed(found, oldest_running, newest_running)
        return late + self.advance(
            [row for row in found if row.id > self.position], oldest_running, newest_running
        )

    def look_after_passed(
        self, found: list[Row], oldest_running: int | None, newest_running: int | None
    ) -> None:
        """Forget the passed ids that were found now, and those that nobody can commit any more."""
        seen_to = found[-1].id if len(found) == PAGE else None
        ids = [row.id for row in found]
        left = []
        for gap in (part for passed in self.passed for part in passed.without(ids)):
            if seen_to is not None and gap.last > seen_to:
                left.append(gap)
            elif not gap.is_dead(oldest_running):
                left.append(fenced(gap, newest_running))
        self.passed = left

    def advance(self, ahead: list[Row], oldest_running: int | None, newest_running: int | None) -> list[Row]:
        """Move the position over `ahead`, up to the first missing id that is worth waiting for."""
        assert self.position is not None
        now = time.monotonic()
        gaps = missing_between(self.position, (row.id for row in ahead), self.awaited, now)
        self.awaited = []
        for gap in gaps:
            if gap.is_dead(oldest_running):
                continue
            known = fenced(gap, newest_running) if gap.missed_at < now else gap
            if self.awaited or now - gap.missed_at < HOLD_SECONDS:
                self.awaited.append(known)
            else:
                self.passed.append(known)
        if self.awaited:
            ahead = [row for row in ahead if row.id < self.awaited[0].first]
        if ahead:
            self.position = ahead[-1].id
        return ahead

    async def wait(self) -> None:
        assert self.connection is not None
        seconds = HELD_POLL_SECONDS if self.awaited else LATE_POLL_SECONDS if self.passed else POLL_SECONDS
        async for _ in self.connection.notifies(timeout=seconds, stop_after=1):
            pass

    async def close(self) -> None:
        if self.connection is not None:
            await self.connection.close()
            self.connection = None

    async def select(self, query: QuerySet[Event, T]) -> list[Any]:
        """The query's rows over the tail's own connection."""
        sql, parameters = query.query.sql_with_params()
        return await self.fetch(sql, parameters)

    async def fetch(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        assert self.connection is not None
        return await (await self.connection.execute(sql, parameters)).fetchall()


def fenced(gap: Gap, newest_running: int | None) -> Gap:
    return replace(gap, fence=newest_running) if gap.fence is None and newest_running is not None else gap
