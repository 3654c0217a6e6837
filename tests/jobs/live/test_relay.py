"""One reader for all who watch, only while somebody does."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connection

from jobs.events import Event
from jobs.live import relay as relay_module
from jobs.live.access import Close
from jobs.live.relay import Relay, Unavailable, relay
from tests.jobs.live.conftest import NOW, apublish, relay_stopped


@pytest.fixture
async def seats(transactional_db):
    """Takes seats at the process's relay and gives them back."""
    taken = []

    async def take(*topics):
        taken.append(await relay.join(topics))
        return taken[-1]

    yield take
    for seat in taken:
        relay.leave(seat)
    await relay_stopped()


async def received(seat, count):
    return [(await asyncio.wait_for(seat.queue.get(), 10)).id for _ in range(count)]


async def test_nobody_watches_nothing_runs(seats):
    assert relay.task is None
    first, second = await seats("jobs"), await seats("jobs")
    task = relay.task
    relay.leave(first)
    assert not task.cancelled()
    relay.leave(second)
    assert relay.task is None
    await asyncio.wait({task}, timeout=10)
    assert task.cancelled()


async def test_a_relay_that_stopped_starts_again(seats):
    relay.leave(await seats("jobs"))
    id = await apublish("jobs")
    seat = await seats("jobs")
    assert seat.position.result() == id
    assert [await apublish("jobs")] == await received(seat, 1)


async def test_all_seats_share_one_reader(seats):
    taken = [await seats("jobs") for _ in range(20)]
    ids = [await apublish("jobs") for _ in range(3)]
    for seat in taken:
        assert await received(seat, 3) == ids


async def test_a_burst_arrives_whole_and_in_order(seats, monkeypatch):
    monkeypatch.setattr(relay_module, "QUEUE_LIMIT", 20_000)
    seat = await seats("jobs")
    await Event.objects.abulk_create(
        [Event(at=NOW, topic="jobs", type="moved") for _ in range(10_000)], batch_size=500
    )
    ids = await received(seat, 10_000)
    assert ids == list(range(ids[0], ids[0] + 10_000))


async def test_a_full_queue_ends_the_seat_and_no_other(seats, monkeypatch):
    monkeypatch.setattr(relay_module, "QUEUE_LIMIT", 3)
    slow = await seats("jobs")
    monkeypatch.setattr(relay_module, "QUEUE_LIMIT", 100)
    fast = await seats("jobs")
    ids = [await apublish("jobs") for _ in range(6)]
    assert await received(fast, 6) == ids
    assert slow.ended.result() == Close.TOO_SLOW
    assert not fast.ended.done()


async def test_a_database_that_comes_back_is_read_on(seats, monkeypatch):
    seat = await seats("jobs")
    read, failures = relay.tail.read, [OperationalError("gone")] * 3

    async def flaky():
        if failures:
            raise failures.pop()
        return await read()

    monkeypatch.setattr(relay.tail, "read", flaky)
    ids = [await apublish("jobs") for _ in range(3)]
    assert await received(seat, 3) == ids
    assert failures == []


async def test_a_relay_that_breaks_sends_its_clients_away(seats, monkeypatch, caplog):
    seat = await seats("jobs")
    task = relay.task

    async def broken():
        raise ZeroDivisionError

    monkeypatch.setattr(relay.tail, "read", broken)
    await apublish("jobs")
    assert await asyncio.wait_for(seat.ended, 10) == Close.TRY_AGAIN
    await asyncio.wait({task}, timeout=10)
    await asyncio.sleep(0)
    assert "clients reconnect" in caplog.text
    assert not relay.is_running()
    assert (await seats("jobs")).position.done()


async def test_a_database_that_is_away_at_the_start_is_said_so(transactional_db, monkeypatch):
    class Away:
        position = None

        async def open(self):
            raise OperationalError("refused")

        async def close(self):
            pass

    monkeypatch.setattr(relay_module, "open_tail", Away)
    monkeypatch.setattr(relay_module, "START_SECONDS", 0.05)
    own = Relay()
    with pytest.raises(Unavailable):
        await own.join(["jobs"])
    assert own.task is None


def test_late_events_are_known_to_those_who_left_before_them():
    own = Relay()
    own.late.extend([(5, 7), (6, 9)])
    assert own.late_for(7) == [5, 6]
    assert own.late_for(8) == [6]
    assert own.late_for(10) == []
    assert own.late_for(4) == []


async def test_sqlite_is_not_asked_for_rows_while_nothing_is_written(seats, monkeypatch):
    if await sync_to_async(lambda: connection.vendor)() != "sqlite":
        pytest.skip("about SQLite")
    from jobs.live import sqlite

    seat = await seats("jobs")
    await apublish("jobs")
    await received(seat, 1)
    looks, reads = asyncio.Event(), []
    version, count = sqlite.data_version, iter(range(1000))

    def counted():
        if next(count) == 10:
            loop.call_soon_threadsafe(looks.set)
        return version()

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(sqlite, "POLL_SECONDS", 60)
    monkeypatch.setattr(sqlite, "data_version", counted)
    monkeypatch.setattr(sqlite, "rows", lambda **where: reads.append(where) or [])
    await asyncio.wait_for(looks.wait(), 10)
    assert len(reads) <= 1
