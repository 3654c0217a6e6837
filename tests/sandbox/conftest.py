from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.server import Sandbox
from tests.sandbox.client import SECOND_ACCOUNT, Client, TestClock

FIRST_ACCOUNT = {"key": "sandbox-key"}


@pytest.fixture(scope="session")
def clock() -> TestClock:
    return TestClock()


@pytest.fixture(scope="session")
def running(clock: TestClock) -> Iterator[Sandbox]:
    with Sandbox(clock=clock, encode_seconds=100, accounts=[FIRST_ACCOUNT, SECOND_ACCOUNT]) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox, clock: TestClock) -> Sandbox:
    clock.__init__()  # type: ignore[misc]
    running.reset()
    return running


@pytest.fixture
def v2(sandbox: Sandbox) -> Iterator[Client]:
    yield from _logged_in(sandbox, "v2")


@pytest.fixture
def partner(sandbox: Sandbox) -> Iterator[Client]:
    yield from _logged_in(sandbox, "partner")


@pytest.fixture
def public(sandbox: Sandbox) -> Iterator[Client]:
    yield from _logged_in(sandbox, "public")


@pytest.fixture(params=["v2", "partner", "public"])
def client(request: pytest.FixtureRequest, sandbox: Sandbox) -> Iterator[Client]:
    yield from _logged_in(sandbox, request.param)


@pytest.fixture(params=["partner", "public"])
def legacy(request: pytest.FixtureRequest, sandbox: Sandbox) -> Iterator[Client]:
    yield from _logged_in(sandbox, request.param)


def _logged_in(sandbox: Sandbox, dialect: str) -> Iterator[Client]:
    client = Client(sandbox, dialect)
    with client.http:
        yield client.log_in()
