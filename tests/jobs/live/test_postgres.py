"""The stream's order when transactions commit in another order than they inserted."""

import asyncio

import pytest

from jobs.live import postgres as postgres_module
from jobs.live.relay import relay
from tests.jobs.live.conftest import PATIENCE, apublish, eventually, relay_stopped

pytestmark = pytest.mark.postgres

INSERT = (
    "INSERT INTO jobs_event (at, topic, type, subject_type, subject_id, attempt, old, new, who, why, data)"
    " VALUES (now(), 'jobs', 'moved', '', '', 0, '', '', '', '', '{}') RETURNING id"
)


@pytest.fixture
async def seat(postgres):
    """A seat at the relay, and the ids it hears."""
    taken = await relay.join(["jobs"])
    yield taken
    relay.leave(taken)
    await relay_stopped()


async def heard(seat, count):
    return [(await asyncio.wait_for(seat.queue.get(), PATIENCE)).id for _ in range(count)]


def insert(session):
    return session.execute(INSERT).fetchone()[0]


async def test_what_commits_late_is_waited_for_and_sent_in_order(seat, postgres):
    slow, quick = postgres(), postgres(autocommit=True)
    first, second = insert(slow), insert(quick)
    third = await apublish("jobs")
    assert seat.queue.empty()
    slow.commit()
    assert await heard(seat, 3) == [first, second, third]


async def test_an_id_that_was_rolled_back_does_not_hold_up_the_others(seat, postgres, monkeypatch):
    monkeypatch.setattr(postgres_module, "HOLD_SECONDS", 10 * PATIENCE)
    slow, quick = postgres(), postgres(autocommit=True)
    insert(slow)
    second = insert(quick)
    slow.rollback()
    assert await heard(seat, 1) == [second]


async def test_a_transaction_that_stays_open_is_passed_and_sent_when_it_commits(seat, postgres, monkeypatch):
    monkeypatch.setattr(postgres_module, "HOLD_SECONDS", 0.05)
    slow, quick = postgres(), postgres(autocommit=True)
    first, other = insert(slow), insert(slow)
    second = await apublish("jobs")
    assert await heard(seat, 1) == [second]
    third = insert(quick)
    assert await heard(seat, 1) == [third]
    slow.commit()
    assert await heard(seat, 2) == [first, other]
    assert relay.late_for(third) == [first, other]
    fourth = await apublish("jobs")
    assert await heard(seat, 1) == [fourth]
    assert relay.late_for(fourth) == []


async def test_a_transaction_open_before_anybody_watched_is_heard(postgres):
    slow, quick = postgres(), postgres(autocommit=True)
    first, second = insert(slow), insert(quick)
    seat = await relay.join(["jobs"])
    assert seat.position.result() == second
    slow.commit()
    assert await heard(seat, 1) == [first]
    relay.leave(seat)
    await relay_stopped()


async def test_a_client_away_while_a_late_event_arrives_gets_it_by_replay(
    client, postgres, token, monkeypatch
):
    monkeypatch.setattr(postgres_module, "HOLD_SECONDS", 0.05)
    slow = postgres()
    stays, leaves = client("topics=jobs"), client("topics=jobs")
    await stays.hello()
    await leaves.hello()
    late = insert(slow)
    seen = await apublish("jobs")
    assert await leaves.until(seen) == [seen]
    await leaves.socket.disconnect(timeout=PATIENCE)
    slow.commit()
    assert await stays.until(late) == [seen, late]
    again = client(f"topics=jobs&after={seen}")
    await again.hello()
    assert (await again.next())["id"] == late


async def test_the_relay_survives_the_loss_of_its_connection(seat, postgres):
    admin = postgres(autocommit=True)
    before = await apublish("jobs")
    assert await heard(seat, 1) == [before]
    ended = admin.execute(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid = %s",
        [relay.tail.connection.info.backend_pid],
    ).fetchone()
    assert ended == (1,)
    ids = [await apublish("jobs") for _ in range(3)]
    assert await heard(seat, 3) == ids


async def test_nothing_is_left_to_watch_when_all_gaps_are_settled(seat, postgres):
    slow, quick = postgres(), postgres(autocommit=True)
    for _ in range(5):
        insert(slow)
        slow.rollback()
        insert(quick)
    last = await apublish("jobs")
    while (await heard(seat, 1)) != [last]:
        pass
    assert relay.tail.awaited == []
    await eventually(lambda: relay.tail.passed == [])
