"""One live connection: `/ws/live/?topics=uploads,jobs&after=N`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import Error as DatabaseError
from django.db.models import Max, Min, Q

from jobs.events import TOPICS, Event
from jobs.live.access import BEARER, Close, Scope, origin_allowed, refusal
from jobs.live.relay import Message, Seat, Unavailable, envelope, relay
from jobs.live.tail import PAGE, Row, rows

BIGGEST_ID = 2**63 - 1


class BadQuery(ValueError):
    """The query of a live connection names an unknown topic or a position that is no number."""


@dataclass(frozen=True)
class Query:
    """What a client asks for. Without topics it hears all of them, without `after` nothing of the past."""

    topics: frozenset[str]
    after: int | None

    @classmethod
    def parse(cls, query_string: bytes) -> Query:
        """Raises BadQuery."""
        given = parse_qs(query_string.decode("latin1"))
        topics = frozenset(name for value in given.get("topics", []) for name in value.split(",") if name)
        after = given.get("after", [""])[-1]
        if not topics <= set(TOPICS):
            raise BadQuery
        # Python refuses to read numbers of thousands of digits.
        if after and not (
            after.isascii() and after.isdigit() and len(after) < 20 and int(after) <= BIGGEST_ID
        ):
            raise BadQuery
        return cls(topics or frozenset(TOPICS), int(after) if after else None)


@dataclass(frozen=True)
class Past:
    """What a client has by the time it goes live: all up to `known`, and the replayed ids."""

    known: int
    sent: set[int] = field(default_factory=set)


class LiveConsumer(AsyncWebsocketConsumer):
    """Sends `hello`, what was missed since `after`, then every event as it is committed."""

    recheck_seconds = 60.0

    seat: Seat | None = None
    tasks: tuple[asyncio.Task[None], ...] = ()

    async def __call__(
        self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Also when the server drops the connection without a word.
            self.leave()

    async def dispatch(self, message: dict[str, Any]) -> None:
        # Clients have nothing to say: whatever they send is not even looked at.
        if message["type"] != "websocket.receive":
            await super().dispatch(message)

    async def connect(self) -> None:
        if not origin_allowed(self.scope):
            await self.close()
            return
        refused = await database_sync_to_async(refusal)(self.scope)
        await self.accept(BEARER if BEARER in self.scope.get("subprotocols", []) else None)
        try:
            query = Query.parse(self.scope["query_string"])
            if refused is None:
                self.seat = await relay.join(query.topics)
        except BadQuery:
            refused = refused or Close.BAD_REQUEST
        except Unavailable:
            refused = Close.TRY_AGAIN
        if refused is not None or self.seat is None:
            await self.close(int(refused) if refused else None)
            return
        feeding = asyncio.create_task(self.feed(self.seat, query))
        self.tasks = (feeding, asyncio.create_task(self.guard(self.seat, feeding)))

    async def disconnect(self, code: int) -> None:
        self.leave()

    def leave(self) -> None:
        for task in self.tasks:
            task.cancel()
        if self.seat is not None:
            relay.leave(self.seat)
        self.seat, self.tasks = None, ()

    async def guard(self, seat: Seat, feeding: asyncio.Task[None]) -> None:
        """Close the connection when the feed ends, or when its user may not watch any more."""
        refused: Close | None = None
        ends: set[asyncio.Future[Any]] = {feeding, seat.ended}
        while refused is None:
            await asyncio.wait(ends, timeout=self.recheck_seconds, return_when=asyncio.FIRST_COMPLETED)
            if seat.ended.done():
                refused = seat.ended.result()
            elif feeding.done():
                refused = Close.TRY_AGAIN
            else:
                refused = await self.recheck()
        feeding.cancel()
        relay.leave(seat)
        # daphne takes plain numbers only.
        await self.close(int(refused))

    async def recheck(self) -> Close | None:
        try:
            return await database_sync_to_async(refusal)(self.scope)
        except DatabaseError:
            # Nothing is sent while the database is away; ask again next time.
            return None

    async def feed(self, seat: Seat, query: Query) -> None:
        start = seat.position.result()
        past = await self.replay(start, query)
        while True:
            message = await seat.queue.get()
            if message.id not in past.sent and not start < message.id <= past.known:
                await self.send(message.text)

    async def replay(self, start: int, query: Query) -> Past:
        """Say hello and send what came after `query.after`, up to `start`.

        `after=0` asks for everything that is kept. A position whose following events are gone, or that this
        database never reached, is answered with `reset`: the page has to load its state anew.
        """
        if query.after is None:
            await self.send(envelope(start, "hello", {}))
            return Past(start)
        late = relay.late_for(query.after)
        torn, page = await database_sync_to_async(look_back)(query, late, start)
        if torn and query.after:
            await self.send(envelope(start, "hello", {}))
            await self.send(envelope(start, "reset", {}))
            return Past(start)
        await self.send(envelope(query.after, "hello", {}))
        if torn:
            await self.send(envelope(0, "reset", {}))
        past = Past(query.after)
        while page:
            for row in page:
                await self.send(Message(row).text)
                past.sent.add(row.id)
            full = len(page) == PAGE
            page = await database_sync_to_async(missed)(query, late, page[-1].id, start) if full else []
        return past


def look_back(query: Query, late: list[int], start: int) -> tuple[bool, list[Row]]:
    """Whether the client's past is torn, and the first page of what it missed: one visit."""
    assert query.after is not None
    torn = is_torn(query.after, start)
    return torn, [] if torn and query.after else missed(query, late, 0, start)


def missed(query: Query, late: list[int], position: int, start: int) -> list[Row]:
    """One page of what the client has not seen, behind `position`; `late` are ids below its own."""
    unseen = Q(id__gt=query.after) | Q(id__in=late)
    found = rows(id__gt=position, id__lte=start, topic__in=query.topics).filter(unseen)
    return [Row(*row) for row in found[:PAGE]]


def is_torn(after: int, start: int) -> bool:
    """Whether events behind `after` may be gone: pruned, or of another database.

    Live events are pruned before the history they stand among, and always the oldest first.
    """
    newest = Event.objects.aggregate(newest=Max("id"))["newest"] or 0
    if after > max(start, newest):
        return True
    oldest = Event.objects.exclude(topic="").aggregate(oldest=Min("id"))["oldest"] or start + 1
    return Event.objects.filter(id__gt=after, id__lt=oldest).count() < oldest - after - 1
