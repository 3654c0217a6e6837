"""Hands every new event to the clients connected to this process: one reader, however many watch."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Iterable

import psycopg
from django.db import Error as DatabaseError

from jobs.live.access import Close
from jobs.live.tail import Row, Tail, open_tail

log = logging.getLogger(__name__)

# What a client may have waiting before it counts as too slow.
QUEUE_LIMIT = 5000
START_SECONDS = 10.0
RETRY_SECONDS = (0.1, 2.0)
# Late events a reconnecting client is still given.
LATE_LIMIT = 10_000


class Unavailable(Exception):
    """The event table cannot be read at the moment. Try again shortly."""


class Message:
    """One event as clients receive it, put into words once for all of them."""

    def __init__(self, row: Row) -> None:
        self.id, self.topic = row.id, row.topic
        self.text = envelope(row.id, row.type, row.data)


def envelope(id: int, type: str, data: object) -> str:
    return json.dumps({"id": id, "type": type, "data": data}, ensure_ascii=False, separators=(",", ":"))


class Seat:
    """One client's place: what it wants to hear, and what it has not been sent yet."""

    def __init__(self, topics: frozenset[str]) -> None:
        self.topics = topics
        self.queue: asyncio.Queue[Message] = asyncio.Queue(QUEUE_LIMIT)
        # Set to the id behind which this seat hears everything.
        self.position: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        # Set when the seat hears no more, and why.
        self.ended: asyncio.Future[Close] = asyncio.get_running_loop().create_future()

    def admit(self, position: int) -> None:
        if not self.position.done():
            self.position.set_result(position)

    def end(self, why: Close) -> None:
        if not self.ended.done():
            self.ended.set_result(why)


class Relay:
    """Runs while somebody watches, on the loop of the first who does."""

    def __init__(self) -> None:
        self.seats: set[Seat] = set()
        self.task: asyncio.Task[None] | None = None
        self.tail: Tail | None = None
        # The newest id handed out.
        self.reached = 0
        # (id, newest id then) of events that were committed after younger ones had been handed out.
        self.late: deque[tuple[int, int]] = deque(maxlen=LATE_LIMIT)

    async def join(self, topics: Iterable[str]) -> Seat:
        """A seat that hears everything behind its position. Raises Unavailable."""
        if not self.is_running():
            self.start()
        seat = Seat(frozenset(topics))
        self.seats.add(seat)
        if self.tail is not None and self.tail.position is not None:
            seat.admit(self.tail.position)
        try:
            await asyncio.wait_for(asyncio.shield(seat.position), START_SECONDS)
        except TimeoutError as exc:
            raise Unavailable from exc
        finally:
            if not seat.position.done():
                self.leave(seat)
        return seat

    def leave(self, seat: Seat) -> None:
        """Give the seat back; who leaves last stops the relay."""
        self.seats.discard(seat)
        if not self.seats and self.task is not None:
            self.task.cancel()
            self.task = self.tail = None

    def late_for(self, after: int) -> list[int]:
        """Ids up to `after` that a client which left at `after` has not been sent, as they came later."""
        return [id for id, reached in self.late if id < after <= reached]

    def is_running(self) -> bool:
        task = self.task
        return task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop()

    def start(self) -> None:
        self.seats, self.tail = set(), open_tail()
        self.task = asyncio.create_task(self.run(self.tail, self.seats), name="live relay")
        self.task.add_done_callback(report)

    async def run(self, tail: Tail, seats: set[Seat]) -> None:
        try:
            await self.follow(tail, seats)
        finally:
            for seat in seats:
                seat.end(Close.TRY_AGAIN)
            await tail.close()

    async def follow(self, tail: Tail, seats: set[Seat]) -> None:
        """Hand out what the tail reads, for ever; a lost database is waited for."""
        pause = RETRY_SECONDS[0]
        while True:
            try:
                await tail.open()
                assert tail.position is not None
                self.reached = tail.position
                for seat in seats:
                    seat.admit(tail.position)
                while True:
                    while found := await tail.read():
                        self.hand_out(found)
                        await asyncio.sleep(0)
                    pause = RETRY_SECONDS[0]
                    await tail.wait()
            except (DatabaseError, psycopg.Error, OSError) as exc:
                log.warning("Live events: the database is away, next try in %.1f s: %s", pause, exc)
                await tail.close()
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_SECONDS[1])

    def hand_out(self, found: list[Row]) -> None:
        for row in found:
            if row.id <= self.reached:
                self.late.append((row.id, self.reached))
            self.reached = max(self.reached, row.id)
            listeners = [seat for seat in self.seats if row.topic in seat.topics]
            if listeners:
                message = Message(row)
                for seat in listeners:
                    self.offer(seat, message)

    def offer(self, seat: Seat, message: Message) -> None:
        """Queue the message; a client that is too far behind must come back and be replayed to."""
        if not seat.position.done():
            return
        try:
            seat.queue.put_nowait(message)
        except asyncio.QueueFull:
            self.seats.discard(seat)
            seat.end(Close.TOO_SLOW)


def report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (problem := task.exception()) is not None:
        log.error("Live events: the relay stopped, clients reconnect", exc_info=problem)


relay = Relay()
