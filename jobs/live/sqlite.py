"""The tail on SQLite: one thread with one connection, which asks cheaply whether anything was committed.

Writers take the write lock before they insert (transaction_mode IMMEDIATE), so ids are committed in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection
from django.db.models import Max

from jobs.events import Event
from jobs.live.tail import PAGE, Row, rows

T = TypeVar("T")

# How often `PRAGMA data_version` is read: it costs some ten microseconds and touches no page of the file.
LOOK_SECONDS = 0.05
# The table itself is looked at so often even if nothing seems to have changed.
POLL_SECONDS = 1.0


class SqliteTail:
    def __init__(self) -> None:
        self.position: int | None = None
        self.thread: ThreadPoolExecutor | None = None
        self.version = -1

    async def open(self) -> None:
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="live-tail")
        if self.position is None:
            self.position = await self.run(newest_id)

    async def read(self) -> list[Row]:
        # The version first: what is committed between the two reads is read twice rather than never.
        self.version = await self.run(data_version)
        found = await self.run(lambda: [Row(*row) for row in rows(id__gt=self.position)[:PAGE]])
        if found:
            self.position = found[-1].id
        return found

    async def wait(self) -> None:
        until = asyncio.get_running_loop().time() + POLL_SECONDS
        while asyncio.get_running_loop().time() < until:
            await asyncio.sleep(LOOK_SECONDS)
            if await self.run(data_version) != self.version:
                return

    async def close(self) -> None:
        if self.thread is not None:
            await self.run(lambda: connection.close())
            self.thread.shutdown(wait=False)
            self.thread = None

    async def run(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.thread, function)


def newest_id() -> int:
    return Event.objects.aggregate(newest=Max("id"))["newest"] or 0


def data_version() -> int:
    """A number that changes when another connection commits; it is comparable on one connection only."""
    with connection.cursor() as cursor:
        return int(cursor.execute("PRAGMA data_version").fetchone()[0])
