"""What a client is sent, and in which order."""

import asyncio
import json

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator

from jobs.events import TOPICS, Event
from jobs.live import relay as relay_module
from jobs.live.access import Close
from jobs.live.routing import websocket
from tests.jobs.live.conftest import NOW, apublish, eventually, publish


@pytest.fixture
def past(transactional_db) -> list[int]:
    return [publish("uploads", number=number) for number in range(5)]


async def test_hello_says_where_the_stream_stands(client, past, token):
    assert await client().hello() == {"id": past[-1], "type": "hello", "data": {}}


async def test_an_event_is_an_envelope_of_id_type_and_data(client, token):
    socket = client("topics=uploads")
    await socket.hello()
    id = await apublish("uploads", "upload_progress", jobId="7", title="Pelabuhan – jilid ②")
    data = {"jobId": "7", "title": "Pelabuhan – jilid ②"}
    assert await socket.next() == {"id": id, "type": "upload_progress", "data": data}


async def test_a_client_hears_the_topics_it_asked_for(client, token):
    socket = client("topics=jobs,posts")
    await socket.hello()
    ids = [(topic, await apublish(topic)) for topic in (*TOPICS, "jobs")]
    wanted = [id for topic, id in ids if topic in {"jobs", "posts"}]
    assert await socket.until(wanted[-1]) == wanted


async def test_history_without_a_topic_is_not_sent(client, token):
    socket = client()
    await socket.hello()
    await Event.objects.acreate(at=NOW, type="status")
    id = await apublish("queue")
    assert (await socket.next())["id"] == id


@pytest.mark.parametrize(
    "query",
    ["topics=uploads,secrets", "after=x", "after=-1", "after=1.5", f"after={2**63}", f"after={'9' * 5000}"],
)
async def test_a_query_that_is_not_understood_is_refused(client, token, query):
    assert await client(query).close_code() == Close.BAD_REQUEST


async def test_after_replays_what_was_missed(client, past, token):
    socket = client(f"after={past[1]}")
    assert (await socket.hello())["id"] == past[1]
    assert await socket.until(past[-1]) == past[2:]


async def test_a_replay_keeps_to_the_topics(client, past, token):
    await apublish("jobs")
    last = await apublish("uploads")
    socket = client(f"topics=uploads&after={past[-2]}")
    await socket.hello()
    assert await socket.until(last) == [past[-1], last]


async def test_a_replay_while_events_are_written_neither_loses_nor_doubles(client, token):
    first = await apublish("uploads")

    async def write() -> list[int]:
        return [await apublish("uploads") for _ in range(60)]

    writing = asyncio.create_task(write())
    received: list[int] = []
    for _ in range(6):
        socket = client(f"after={received[-1] if received else first}")
        await socket.hello()
        received += [(await socket.next())["id"] for _ in range(8)]
    written = await writing
    socket = client(f"after={received[-1]}")
    await socket.hello()
    assert received + await socket.until(written[-1]) == written


async def test_a_long_replay_comes_in_pages(client, token):
    first = await apublish("uploads")
    rows = [Event(at=NOW, topic="uploads", type="moved") for _ in range(1200)]
    await Event.objects.abulk_create(rows)
    last = await apublish("uploads")
    socket = client(f"after={first}")
    await socket.hello()
    ids = await socket.until(last)
    assert ids == sorted(set(ids))
    assert len(ids) == 1201


async def test_a_client_whose_events_were_pruned_is_told_to_start_anew(client, past, token):
    await Event.objects.filter(pk__lt=past[3]).adelete()
    socket = client(f"after={past[0]}")
    assert await socket.hello() == {"id": past[-1], "type": "hello", "data": {}}
    assert (await socket.next())["type"] == "reset"
    id = await apublish("jobs")
    assert (await socket.next())["id"] == id


async def test_pruning_everything_is_noticed(client, past, token):
    await Event.objects.filter(pk__lt=past[-1]).adelete()
    await Event.objects.aupdate(topic="")
    socket = client(f"after={past[0]}")
    await socket.hello()
    assert (await socket.next())["type"] == "reset"


async def test_pruning_what_the_client_had_seen_is_no_reset(client, past, token):
    await Event.objects.filter(pk__lt=past[3]).adelete()
    socket = client(f"after={past[2]}")
    assert (await socket.hello())["id"] == past[2]
    assert await socket.until(past[-1]) == past[3:]


async def test_after_zero_asks_for_all_that_is_kept(client, past, token):
    await Event.objects.filter(pk__lt=past[3]).adelete()
    socket = client("after=0")
    assert (await socket.hello())["id"] == 0
    assert (await socket.next())["type"] == "reset"
    assert await socket.until(past[-1]) == past[3:]


async def test_a_position_this_database_never_reached_is_reset(client, past, token):
    socket = client(f"after={past[-1] + 1000}")
    assert (await socket.hello())["id"] == past[-1]
    assert (await socket.next())["type"] == "reset"
    id = await apublish("jobs")
    assert (await socket.next())["id"] == id


async def test_what_a_client_says_is_ignored(client, token):
    socket = client()
    await socket.hello()
    await socket.socket.send_to("{not json")
    await socket.socket.send_to(bytes_data=b"\x00" * 1_000_000)
    id = await apublish("jobs")
    assert (await socket.next())["id"] == id


async def test_a_client_that_reads_too_slowly_is_closed_and_misses_nothing(token, client, monkeypatch):
    monkeypatch.setattr(relay_module, "QUEUE_LIMIT", 5)
    sent, reading = [], asyncio.Event()
    incoming: asyncio.Queue[dict] = asyncio.Queue()

    async def send(message: dict) -> None:
        sent.append(message)
        if message["type"] == "websocket.send" and '"hello"' not in message["text"]:
            await reading.wait()

    scope = {
        "type": "websocket",
        "path": "/ws/live/",
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {token}".encode())],
        "subprotocols": [],
    }
    incoming.put_nowait({"type": "websocket.connect"})
    app = asyncio.create_task(websocket(scope, incoming.get, send))
    await eventually(lambda: len(sent) == 2)
    ids = [await sync_to_async(publish)("jobs") for _ in range(30)]
    await eventually(lambda: sent[-1]["type"] == "websocket.close")
    assert sent[-1]["code"] == Close.TOO_SLOW
    incoming.put_nowait({"type": "websocket.disconnect", "code": 1006})
    await app
    monkeypatch.undo()
    seen = json.loads(sent[2]["text"])["id"]
    again = client(f"after={seen}")
    await again.hello()
    assert [seen, *await again.until(ids[-1])] == ids


async def test_another_address_is_refused_without_a_traceback(token):
    socket = WebsocketCommunicator(
        websocket, "/ws/elsewhere/", [(b"authorization", b"Bearer " + token.encode())]
    )
    assert await socket.connect() == (False, 1000)
