"""`manage.py worker` and the web process, killed, doubled and called from outside: each post once, with a true end."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.utils import timezone

from sandbox.server import Sandbox
from tests.jobs.worker_process import until
from tests.schedules.posts.installation import Installation

pytestmark = pytest.mark.processes

VIDEOS = [f"{number}.mp4" for number in range(6)]
Start = Callable[..., Installation]


@contextmanager
def database_of_its_own(folder: Path) -> Iterator[str]:
    server = os.environ.get("DATABASE_URL", "")
    if not server.startswith("postgres"):
        yield f"sqlite:///{folder / 'own.sqlite3'}"
        return
    name = f"slotcast_{uuid.uuid4().hex[:12]}"
    administer(server, f'CREATE DATABASE "{name}"')
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        administer(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def administer(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as administrator:
        administrator.execute(statement)  # type: ignore[arg-type]


@pytest.fixture
def start(platform: Sandbox, library: Path, one_video: Path, tmp_path: Path) -> Iterator[Start]:
    """`start(workers=2)`: all of it runs and is ready."""
    for name in VIDEOS:
        shutil.copy(one_video, library / name)
    made: list[Installation] = []
    with database_of_its_own(tmp_path) as url:

        def begin(*, workers: int) -> Installation:
            made.append(Installation(url, platform, tmp_path, library, workers=workers))
            until(lambda: made[-1].is_ready, seconds=60, what="web and worker are there")
            return made[-1]

        yield begin
        for installation in made:
            installation.kill()


def await_once_each(installation: Installation, ids: list[int], platform: Sandbox) -> None:
    """Every post ends as published, and the platform has each once."""
    until(
        lambda: not installation.statuses(ids) & {"PENDING", "MEDIA_UPLOADED"},
        seconds=60,
        what=f"every post ends; {installation.posts()} {installation.log('worker-0')[-6000:]}",
    )
    posts = installation.posts()
    assert {(status, error) for status, _, error in posts.values()} == {("PUBLISHED", "")}
    remotes = platform.posts()
    assert sorted(remote["uuid"] for remote in remotes) == sorted(uuid for _, uuid, _ in posts.values())
    assert len(remotes) == len(platform.media()) == len(ids)
    assert {remote["status"] for remote in remotes} == {"published"}


@pytest.mark.parametrize("after_seconds", [-1.0, 1.0], ids=["T-1s", "T+1s"])
def test_everything_is_killed_around_the_moment_and_started_again(
    start: Start, platform: Sandbox, after_seconds: float
) -> None:
    installation = start(workers=1)
    at = timezone.now() + timedelta(seconds=5)
    ids = installation.schedule(*VIDEOS[:4], at=at)
    until(lambda: len(platform.posts()) == 4, what="their drafts are made")
    platform.settings(onlysocial_delay_ms=1500)
    until(lambda: timezone.now() >= at + timedelta(seconds=after_seconds))
    installation.kill()
    platform.settings(onlysocial_delay_ms=0)
    installation.start()
    await_once_each(installation, ids, platform)
    assert all(min(remote["publish_received_at"]) >= at.timestamp() for remote in platform.posts())


def test_two_clusters_and_both_doors_from_outside_at_once_do_each_post_once(
    start: Start, platform: Sandbox
) -> None:
    installation = start(workers=2)
    platform.settings(onlysocial_delay_ms=100)
    at = timezone.now() + timedelta(seconds=4)
    doors = ["pre-upload", "publish", "pre-upload", "publish"]
    with ThreadPoolExecutor(len(doors)) as callers:
        ids = installation.schedule(*VIDEOS, at=at)
        first = list(callers.map(installation.call, doors))
        until(lambda: timezone.now() >= at - timedelta(seconds=1))
        second = list(callers.map(installation.call, doors))
    assert {answer.status_code for answer in first + second} == {200}
    assert {row["id"] for answer in first + second for row in answer.json()["posts"]} == set(ids)
    await_once_each(installation, ids, platform)
    assert len(platform.requests("publish_post")) == len(platform.requests("create_post")) == len(ids)
