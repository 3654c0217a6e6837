"""What every test may use: the stand-in platform, a library of real videos, a destination, a series."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import Group, User
from django.core.cache import caches
from django.db import connection
from django.test import Client, override_settings

from jobs.live import bell
from sandbox.server import Sandbox
from tests.postgres_server import programs
from tests.site import Site
from tests.videos import video
from uploader.catalog import Episode, Series
from uploader.default_destinations import POST_LIMITS
from uploader.destinations import Destination


def chromium() -> str | None:
    """Where the browser is; None: there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


# Half past ten: the next full hour is eleven.
NOW = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)


@pytest.fixture(scope="session", autouse=True)
def _leave_the_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Threads of the product keep connections of their own; the test database can only go without them."""
    yield
    bell.rest()
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture(scope="session")
def platform_server() -> Iterator[Sandbox]:
    with Sandbox() as server:
        yield server


@pytest.fixture
def platform(platform_server: Sandbox) -> Sandbox:
    """The stand-in for the platforms, empty and without faults, encoding at once."""
    platform_server.reset()
    platform_server.settings(encode_seconds=0, onlysocial_publish_seconds=0)
    return platform_server


@pytest.fixture
def site(settings: Any) -> Iterator[Site]:
    """A site of this machine that scripts may ask, without waiting between two requests."""
    made = Site()
    settings.FETCH_PRIVATE_HOSTS = [made.host]
    settings.FETCH_DELAY_SECONDS = 0
    caches["pages"].clear()
    yield made
    made.close()


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-off without sitting through it; and no look by a thread that cannot see a test's transaction."""
    monkeypatch.setattr("jobs.polite.fetching.FIRST_BACK_OFF_SECONDS", 0.001)
    monkeypatch.setattr("jobs.running.Run.look", lambda run: None)


@pytest.fixture
def opensubtitles(platform: Sandbox, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The stand-in for OpenSubtitles, asked without waiting."""
    settings.OPENSUBTITLES = {
        "api_url": platform.opensubtitles_url, "key": "sandbox-key", "username": "", "password": "",
    }  # fmt: skip
    settings.FETCH_PRIVATE_HOSTS = [platform.page_url.strip("/").rpartition("/")[2]]
    settings.FETCH_DELAY_SECONDS = 0
    monkeypatch.setattr("jobs.scraping.opensubtitles.DELAY_SECONDS", 0)
    caches["pages"].clear()
    return platform


@pytest.fixture(scope="session")
def one_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real, playable video of a second."""
    return video(tmp_path_factory.mktemp("video") / "one.mp4")


class QuickHasher(PBKDF2PasswordHasher):
    """What any process of the product checks, made in a moment: a test makes people by the hundred."""

    iterations = 1


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    hasher = f"{QuickHasher.__module__}.{QuickHasher.__qualname__}"
    with override_settings(PASSWORD_HASHERS=[hasher, *django_settings.PASSWORD_HASHERS]):
        yield


@pytest.fixture(autouse=True)
def quick(settings: Any) -> None:
    """Waits that a test would otherwise sit through."""
    settings.ENCODING_POLL_SECONDS = 0.02
    settings.RECONCILE_WAIT_SECONDS = 0
    settings.UPLOAD_RETRY_DELAYS_SECONDS = [60, 300]


@pytest.fixture
def library(settings: Any, tmp_path: Path) -> Path:
    root = tmp_path / "library"
    root.mkdir()
    settings.LIBRARY_ROOT = root
    settings.MEDIA_ROOT = tmp_path / "media"
    return root


@pytest.fixture
def destination(db: None, platform: Sandbox) -> Destination:
    """The sandbox's account, spoken to in the v2 dialect."""
    return make_destination(platform)


def make_destination(
    platform: Sandbox, name: str = "main", dialect: str = "v2", **fields: Any
) -> Destination:
    return Destination.objects.create(
        name=name,
        title=name.title(),
        dialect=dialect,
        api_key="sandbox-key",
        api_secret="sandbox-secret",
        username="sandbox",
        password="sandbox",
        profile_id="x1sandbox",
        api_url=platform.api_url(dialect),
        token_url=platform.token_url(dialect),
        **fields,
    )


SOCIAL_WORKSPACE = "00000000-0000-4000-8000-000000000001"


def make_social(platform: Sandbox, name: str = "social", **fields: Any) -> Destination:
    """The sandbox's workspace at OnlySocial."""
    own: dict[str, Any] = {
        "title": name.title(),
        "platform": "onlysocial",
        "api_key": "sandbox-token",
        "workspace": SOCIAL_WORKSPACE,
        "api_url": platform.onlysocial_url,
        **POST_LIMITS,
    }
    return Destination.objects.create(name=name, **{**own, **fields})


@pytest.fixture
def social(db: None, platform: Sandbox) -> Destination:
    return make_social(platform)


@pytest.fixture
def make_series(db: None, library: Path, one_video: Path) -> Callable[..., Series]:
    """`make_series("Harbour", 3)`: a series with so many episodes, each with a real file."""

    def make(title: str, episodes: int = 3, *, intro: str = "") -> Series:
        series = Series.objects.create(title=title, intro=intro or f"About {title}.")
        folder = library / title.lower()
        folder.mkdir()
        for number in range(1, episodes + 1):
            shutil.copy(one_video, folder / f"{number:02}.mp4")
            Episode.objects.create(
                series=series, index_sequence=number, path=f"{title.lower()}/{number:02}.mp4"
            )
        return series

    return make


@pytest.fixture
def operator(db: None) -> User:
    return person("olga", "Operators")


@pytest.fixture
def viewer(db: None) -> User:
    return person("vera", "Viewers")


def person(name: str, group: str) -> User:
    user = User.objects.create_user(name, password="a-Good-Passphrase-1", is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user


@pytest.fixture
def operator_client(operator: User, client: Client) -> Client:
    client.force_login(operator, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def viewer_client(viewer: User) -> Client:
    client = Client()
    client.force_login(viewer, backend="django.contrib.auth.backends.ModelBackend")
    return client


# -------------------------------------------------------------------- what a machine lacks

PARTS = {
    "postgres": (connection.vendor == "postgresql", "PostgreSQL (set DATABASE_URL=postgres://…)"),
    "postgres_server": (programs() is not None, "initdb and pg_ctl (Debian's package postgresql)"),
    "redis": (bool(os.environ.get("REDIS_URL")), "Redis (set REDIS_URL=redis://…)"),
    "browser": (bool(chromium()), "Chromium (install it, for instance Debian's package chromium)"),
}


# Files with such tests take longest: they go first, so that nobody waits for one of them at the end.
LONGEST = ("processes", "browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what the machine cannot run, which the summary says, and put the longest files first."""
    places: dict[Path, int] = {}
    for item in items:
        for part, (is_there, name) in PARTS.items():
            if item.get_closest_marker(part) and not is_there:
                item.add_marker(pytest.mark.skip(reason=f"needs {name}"))
        place = next((n for n, part in enumerate(LONGEST) if item.get_closest_marker(part)), len(LONGEST))
        places[item.path] = min(place, places.get(item.path, place))
    items.sort(key=lambda item: places[item.path])


def left_out(config: pytest.Config) -> dict[str, int]:
    """How many tests each missing part cost; from the reports, as with several processes only they are here."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    skipped = terminal.stats.get("skipped", []) if terminal else []
    reasons = [str(report.longrepr[2]) for report in skipped if isinstance(report.longrepr, tuple)]
    found = {
        part: sum(f"needs {name.partition(' ')[0]}" in reason for reason in reasons)
        for part, (_, name) in PARTS.items()
    }
    return {part: count for part, count in found.items() if count}


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    missing = left_out(config)
    terminalreporter.section("Parts")
    terminalreporter.line(
        f"Database: {connection.vendor}. Broker: {'Redis' if PARTS['redis'][0] else 'the database'}."
    )
    for part, count in missing.items():
        terminalreporter.line(f"Left out for want of {PARTS[part][1]}: {count} tests.", yellow=True)
    if not missing:
        terminalreporter.line("Nothing was left out.", green=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where nothing may be left out, a missing program is a failure; databases take turns."""
    missing = left_out(session.config)
    if os.environ.get("SLOTCAST_NOTHING_LEFT_OUT") and {"browser", "postgres_server"} & set(missing):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
