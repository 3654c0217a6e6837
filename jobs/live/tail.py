"""Reading new events in the order of their ids, as they are committed."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from django.db import connection
from django.db.models import QuerySet

from jobs.events import Event

PAGE = 500


class Row(NamedTuple):
    """One event as the relay handles it."""

    id: int
    topic: str
    type: str
    data: Any


class Tail(Protocol):
    """The end of the event table of one database."""

    # Every event up to this id has been read; None until the tail was first opened.
    position: int | None

    async def open(self) -> None:
        """Connect; the first time, start behind the newest event."""

    async def read(self) -> list[Row]:
        """The next events, one page at most; none if there is nothing new."""

    async def wait(self) -> None:
        """Return when there may be something to read."""

    async def close(self) -> None:
        """Give up the connection, keep the position."""


def rows(**where: Any) -> QuerySet[Event, tuple[int, str, str, Any]]:
    """Events by id; with those that are history only, so that a reader gets past them."""
    return Event.objects.filter(**where).order_by("id").values_list("id", "topic", "type", "data")


def open_tail() -> Tail:
    if connection.vendor == "postgresql":
        from jobs.live.postgres import PostgresTail

        return PostgresTail()
    from jobs.live.sqlite import SqliteTail

    return SqliteTail()
