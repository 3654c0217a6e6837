"""The database crashes with uploads and publications in flight, is away for seconds and comes back: all of it, real."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from sandbox.server import Sandbox
from tests.jobs.worker_process import until
from tests.postgres_server import PostgresServer
from tests.schedules.posts.installation import Installation

pytestmark = [pytest.mark.processes, pytest.mark.postgres_server]

AWAY_SECONDS = 3.0


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def installation(
    postgres: PostgresServer, platform: Sandbox, library: Path, one_video: Path, tmp_path: Path
) -> Iterator[Installation]:
    for number in range(12):
        shutil.copy(one_video, library / f"{number}.mp4")
    made = Installation(postgres.url, platform, tmp_path, library)
    try:
        yield made
    finally:
        made.kill()


@pytest.fixture
def heard(installation: Installation) -> Iterator[set[int]]:
    """Fills up with the posts an open page hears of."""
    until(lambda: installation.is_ready, seconds=60, what="web and worker are there")
    seen: set[int] = set()
    loop = asyncio.new_event_loop()
    task = loop.create_task(installation.watch(seen))
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.wait([task])))
    thread.start()
    yield seen
    loop.call_soon_threadsafe(task.cancel)
    thread.join()
    loop.close()


def test_a_database_that_crashes_in_mid_flight_costs_no_post_and_doubles_none(
    installation: Installation, heard: set[int], postgres: PostgresServer, platform: Sandbox
) -> None:
    def is_at(moment: datetime) -> bool:
        return timezone.now() >= moment

    at = timezone.now() + timedelta(seconds=6)
    sent = installation.schedule("0.mp4", "1.mp4", "2.mp4", at=at)
    during = installation.schedule("3.mp4", "4.mp4", at=at + timedelta(seconds=AWAY_SECONDS / 2))
    until(lambda: installation.statuses(sent + during) == {"MEDIA_UPLOADED"}, what="their media are there")
    until(lambda: len(platform.posts()) == 5, what="their drafts are made")
    # From here on every answer comes when the database is gone.
    platform.settings(onlysocial_delay_ms=2000)
    until(lambda: is_at(at - timedelta(seconds=0.6)))
    uploading = installation.schedule("5.mp4", "6.mp4", "7.mp4", at=timezone.now() + timedelta(seconds=4))
    until(lambda: len(platform.requests("publish_post")) == 3 and len(platform.media()) > 5)

    processes = [installation.web.pid, installation.workers[0].pid]
    postgres.crash()
    crashed_at = timezone.now()
    assert postgres.is_refusing
    assert installation.get("healthz").status_code == 200
    # Who asks meanwhile waits for the database, or is told.
    answers: list[Any] = []
    waiting = threading.Thread(target=lambda: answers.append(installation.get("readyz").status_code))
    waiting.start()
    until(lambda: is_at(crashed_at + timedelta(seconds=AWAY_SECONDS)))
    platform.settings(onlysocial_delay_ms=0)
    postgres.start()

    # Nobody is given one of the connections that died.
    assert {installation.get("api/upload/scheduler/status").status_code for _ in range(20)} == {200}
    afterwards = installation.schedule("8.mp4", at=timezone.now() + timedelta(seconds=3))
    everything = sent + during + uploading + afterwards
    until(
        lambda: not installation.statuses(everything) & {"PENDING", "MEDIA_UPLOADED"},
        seconds=60,
        what=f"every post ends; {installation.posts()} {installation.log('worker-0')[-6000:]}",
    )
    assert set(installation.posts()) == set(everything)
    assert {(status, error) for status, _, error in installation.posts().values()} == {("PUBLISHED", "")}
    remotes = platform.posts()
    assert {remote["uuid"] for remote in remotes} == {uuid for _, uuid, _ in installation.posts().values()}
    assert {(remote["status"], len(remotes)) for remote in remotes} == {("published", 9)}
    assert len(platform.media()) == 9
    assert all(min(remote["publish_received_at"]) >= at.timestamp() for remote in remotes)
    until(lambda: heard == set(everything), what=f"an open page hears of all of them; {heard}")
    until(lambda: installation.is_ready, what="everything is ready again")
    assert [installation.web.pid, installation.workers[0].pid] == processes
    assert installation.web.is_running() and installation.workers[0].is_running()
    waiting.join()
    assert answers[0] in (200, 503)
