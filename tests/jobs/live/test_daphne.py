"""The real server, a real network, and a worker in another process."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.jobs.live.conftest import PATIENCE

pytestmark = pytest.mark.processes

WORKER = """
import django; django.setup()
from django.utils import timezone
from jobs.events import publish
for number in range({count}):
    publish("uploads", "upload_progress", {{"number": number}}, now=timezone.now())
"""


@pytest.fixture
def environment(transactional_db) -> dict[str, str]:
    """What a process needs to work on the test database."""
    found = connection.settings_dict
    url = f"sqlite:///{found['NAME']}"
    if connection.vendor == "postgresql":
        url = (
            f"postgres://{found['USER']}:{found['PASSWORD']}@{found['HOST']}:{found['PORT']}/{found['NAME']}"
        )
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    return {
        **os.environ,
        "DATABASE_URL": url,
        "SECRET_KEY": settings.SECRET_KEY,
        "ALLOWED_HOSTS": "127.0.0.1",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }


@pytest.fixture
def server(environment, tmp_path):
    """The address of a daphne that pings often, so that a dead client is noticed soon."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["-v", "0", "-b", "127.0.0.1", "-p", str(port), "--ping-interval", "1", "--ping-timeout", "1"]
    with (tmp_path / "daphne.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "daphne", *options, "config.asgi:application"],
            cwd=settings.BASE_DIR,
            env=environment,
            stderr=log,
        )
        try:
            wait_for(port, process)
            yield f"ws://127.0.0.1:{port}/ws/live/"
            process.terminate()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
            process.wait()
    assert "Traceback" not in (tmp_path / "daphne.log").read_text()


def wait_for(port, process):
    for _ in range(PATIENCE * 20):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        assert process.poll() is None, "daphne did not start"
        threading.Event().wait(0.05)
    raise AssertionError("daphne does not listen")


@pytest.fixture
def headers(token):
    # Unlimited, so that closing need not wait until what is unread was read.
    return {"additional_headers": {"Authorization": f"Bearer {token}"}, "max_queue": None}


async def following(socket, count):
    return [json.loads(await asyncio.wait_for(socket.recv(), PATIENCE)) for _ in range(count)]


async def test_a_worker_is_followed_over_reconnects_without_loss_or_doubles(server, environment, headers):
    count, numbers, after = 300, [], ""
    async with connect(f"{server}?topics=uploads", **headers) as socket:
        assert (await following(socket, 1))[0]["type"] == "hello"
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER.format(count=count)], cwd=settings.BASE_DIR, env=environment
        )
        for envelope in await following(socket, 40):
            numbers.append(envelope["data"]["number"])
            after = f"&after={envelope['id']}"
    while len(numbers) < count:
        async with connect(f"{server}?topics=uploads{after}", **headers) as socket:
            (hello, *rest) = await following(socket, 1 + min(65, count - len(numbers)))
        assert hello["type"] == "hello"
        numbers += [envelope["data"]["number"] for envelope in rest]
        after = f"&after={rest[-1]['id']}"
    assert await asyncio.to_thread(worker.wait, PATIENCE) == 0
    assert numbers == list(range(count))


async def test_a_session_needs_our_origin(server, staff, cookie_of):
    name, value = await sync_to_async(cookie_of)(staff)
    cookie = {"additional_headers": {name.decode(): value.decode()}}
    async with connect(server, origin="http://127.0.0.1:8000", **cookie) as socket:
        assert (await following(socket, 1))[0]["type"] == "hello"
    for origin in ("https://evil.example", None):
        with pytest.raises(InvalidStatus) as refused:
            await connect(server, origin=origin, **cookie)
        assert refused.value.response.status_code == 403


async def test_a_browser_shows_its_token_as_a_subprotocol(server, token):
    async with connect(server, subprotocols=["bearer", token], origin="http://127.0.0.1") as socket:
        assert socket.subprotocol == "bearer"
        assert (await following(socket, 1))[0]["type"] == "hello"


@pytest.mark.parametrize(("query", "code"), [("", 4401), ("?topics=all", 4401)])
async def test_a_refusal_names_its_reason_by_its_close_code(server, query, code):
    async with connect(server + query) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await following(socket, 1)
    assert closed.value.rcvd.code == code


async def test_the_server_sends_pages_as_well(server):
    host = server.removeprefix("ws://").partition("/")[0]
    reader, writer = await asyncio.open_connection(*host.split(":"))
    writer.write(
        f"GET /static/slotcast/live.js HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    )
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
