"""A real daphne on the test's database, and a real browser in front of it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.conftest import chromium

START_SECONDS = 90
REFUSAL = re.compile(r"(status of|Status Error Code) (409|413|415|422)")
ZONE = "Europe/Berlin"


def database_url() -> str:
    found = connection.settings_dict
    if connection.vendor != "postgresql":
        return f"sqlite:///{found['NAME']}"
    return f"postgres://{found['USER']}:{found['PASSWORD']}@{found['HOST']}:{found['PORT']}/{found['NAME']}"


@dataclass
class Web:
    """A web process: its address, where its library is and what it says."""

    address: str
    folder: Path

    @property
    def library(self) -> Path:
        return self.folder / "library"

    @property
    def media(self) -> Path:
        return self.folder / "media"

    @property
    def log(self) -> str:
        return (self.folder / "web.log").read_text()


@pytest.fixture(scope="session")
def web(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """The web process, as the Procfile starts it; one serves all tests of this run."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = Web(f"http://127.0.0.1:{port}", tmp_path_factory.mktemp("web"))
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "SLOTCAST_PROCESS": "web",
        "DATABASE_URL": database_url(),
        "SECRET_KEY": settings.SECRET_KEY,
        "LIBRARY_ROOT": str(found.library),
        "MEDIA_ROOT": str(found.media),
        "ALLOWED_HOSTS": "127.0.0.1",
    }
    command = [sys.executable, "-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(port)]
    with (found.folder / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "config.asgi:application"],
            cwd=settings.BASE_DIR, env=environment, stderr=log, stdout=log,
        )  # fmt: skip
        try:
            wait_for(port, process)
            yield found
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()


@pytest.fixture
def library(web: Web, settings: Any) -> Path:
    """The library of the web process, empty."""
    for folder in (web.library, web.media):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    settings.LIBRARY_ROOT, settings.MEDIA_ROOT = web.library, web.media
    return web.library


@pytest.fixture
def server(transactional_db: None, library: Path, web: Web) -> Iterator[str]:
    """The address of the web process, on an empty database and library; it must not stumble meanwhile."""
    said = len(web.log)
    yield web.address
    assert "Traceback" not in web.log[said:]


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        assert process.poll() is None, "daphne did not start"
        time.sleep(0.05)
    raise AssertionError("daphne did not start")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # For a module only: while it is open its event loop runs in this thread, where other tests want their own.
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=chromium(),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield found
        found.close()


class Complaints(list[str]):
    """What the browser said against the page: errors, and what the content policy forbade."""

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.append(str(error)))
        page.on("console", lambda said: self.hear(said.text) if said.type == "error" else None)

    def hear(self, text: str) -> None:
        # A refusal is an answer like any other; the browser still calls it an error.
        if not REFUSAL.search(text):
            self.append(text)


@pytest.fixture
def signed_in(server: str, browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """`signed_in(user, width=390)`: a browser window of that user."""
    opened: list[BrowserContext] = []

    def sign_in(user: User, *, width: int = 1440, height: int = 900, **options: Any) -> BrowserContext:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        context = browser.new_context(
            base_url=server,
            viewport={"width": width, "height": height},
            timezone_id=ZONE,
            reduced_motion="reduce",
            **options,
        )
        context.set_default_timeout(10_000)
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": server}])
        opened.append(context)
        return context

    yield sign_in
    for context in opened:
        context.close()


@pytest.fixture
def page(signed_in: Callable[..., BrowserContext], operator: User) -> Iterator[Page]:
    """An operator's page, about which the browser has nothing to complain at the end."""
    found = signed_in(operator).new_page()
    complaints = Complaints()
    complaints.watch(found)
    yield found
    assert not complaints
