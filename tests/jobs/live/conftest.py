"""Live clients inside the test process, and what they leave behind."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection, connections
from knox.models import AuthToken

from jobs import events
from jobs.live import bell
from jobs.live.relay import relay
from jobs.live.routing import websocket

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ORIGIN = (b"origin", b"http://testserver")
PATIENCE = 10


class Client:
    """A client that speaks to the routing without a network."""

    def __init__(self, query: str, headers: list[tuple[bytes, bytes]], subprotocols: list[str]) -> None:
        self.socket = WebsocketCommunicator(websocket, f"/ws/live/?{query}", headers, subprotocols)

    async def connect(self) -> tuple[bool, Any]:
        return await self.socket.connect(PATIENCE)

    async def close_code(self) -> int:
        assert (await self.connect())[0]
        return await self.closed()

    async def closed(self) -> int:
        while (message := await self.socket.receive_output(PATIENCE))["type"] == "websocket.send":
            pass
        return message["code"]

    async def next(self) -> dict[str, Any]:
        return await self.socket.receive_json_from(PATIENCE)

    async def hello(self) -> dict[str, Any]:
        assert (await self.connect())[0]
        return await self.next()

    async def until(self, id: int) -> list[int]:
        """The ids received up to `id`, in the order they came."""
        ids = []
        while not ids or ids[-1] != id:
            ids.append((await self.next())["id"])
        return ids


@pytest.fixture
def staff(transactional_db, django_user_model) -> Any:
    return django_user_model.objects.create_user("ada", password="analytical", is_staff=True)


@pytest.fixture
def token(staff) -> str:
    return AuthToken.objects.create(staff)[1]


@pytest.fixture
def cookie_of() -> Callable[[Any], tuple[bytes, bytes]]:
    def cookie(user: Any) -> tuple[bytes, bytes]:
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        return b"cookie", f"sessionid={session.session_key}".encode()

    return cookie


@pytest.fixture
async def client(request, transactional_db) -> AsyncIterator[Callable[..., Client]]:
    """Makes clients; one that names no headers shows the token of the fixture `token`."""
    opened: list[Client] = []

    def make(
        query: str = "", headers: list[tuple[bytes, bytes]] | None = None, protocols: Any = None
    ) -> Client:
        if headers is None:
            headers = [(b"authorization", f"Bearer {request.getfixturevalue('token')}".encode())]
        opened.append(Client(query, headers, protocols))
        return opened[-1]

    yield make
    for one in opened:
        await one.socket.disconnect(timeout=PATIENCE)
    await relay_stopped()


@pytest.fixture(autouse=True)
async def quiet_afterwards() -> AsyncIterator[None]:
    yield
    await sync_to_async(connections.close_all)()
    bell.rest()


async def relay_stopped() -> None:
    """Wait for the relay's own end, which closes its connection."""
    assert relay.task is None
    others = {task for task in asyncio.all_tasks() if task.get_name() == "live relay"}
    if others:
        await asyncio.wait(others, timeout=PATIENCE)


def publish(topic: str, type: str = "moved", **data: Any) -> int:
    """Publish and give the event's id; for tests that are no coroutines."""
    events.publish(topic, type, data, now=NOW)
    return events.Event.objects.latest("id").pk


apublish = sync_to_async(publish)


@pytest.fixture
def postgres(transactional_db) -> Iterator[Callable[[], Any]]:
    """Opens plain connections to the test database; skips where that is not PostgreSQL."""
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL")
    import psycopg

    from jobs.live.postgres import connection_parameters

    opened = []

    def connect(**options: Any) -> Any:
        opened.append(psycopg.connect(**connection_parameters(), **options))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


async def eventually(condition: Callable[[], Any]) -> None:
    """Give way to other tasks until the condition holds."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it never became true"
        await asyncio.sleep(0.01)
