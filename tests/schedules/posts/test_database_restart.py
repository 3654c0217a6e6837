"""The database crashes with uploads and publications in flight, is away for seconds and comes back: all of it, real."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import requests
from django.conf import settings as django_settings
from django.utils import timezone
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from sandbox.server import Sandbox
from tests.jobs.worker_process import until
from tests.postgres_server import PostgresServer

pytestmark = [pytest.mark.processes, pytest.mark.postgres_server]

PREPARE = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("createsuperuser", interactive=False, username="olga", email="")
call_command("sync_accounts")
call_command("api_token", "olga")
"""
AWAY_SECONDS = 3.0


class Installation:
    """Web and worker as they run in production, on a database server of their own."""

    def __init__(self, server: PostgresServer, social: Sandbox, folder: Path, library: Path) -> None:
        self.server, self._folder = server, folder
        told = social.settings()
        self.account = told["onlysocial_accounts"][0]["uuid"]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": server.url,
            "SLOTCAST_VAR": str(folder / "var"),
            "SECRET_KEY": "the same for all of them",
            "ALLOWED_HOSTS": "127.0.0.1",
            "LIBRARY_ROOT": str(library),
            "ONLYSOCIAL_API_KEY": told["onlysocial_token"],
            "ONLYSOCIAL_API_URL": social.onlysocial_url,
            "ONLYSOCIAL_WORKSPACE": told["onlysocial_workspace"],
            "ONLYSOCIAL_UPLOADS_AT_ONCE": "4",
            "LEASE_SECONDS": "5",
            "RECONCILE_WAIT_SECONDS": "0.2",
            "UPLOAD_RETRY_DELAYS_SECONDS": "0.2",
            "DJANGO_SUPERUSER_PASSWORD": "a-Good-Passphrase-1",
            "LOG_LEVEL": "INFO",
        }
        said = subprocess.run(
            [sys.executable, "-c", PREPARE], cwd=django_settings.BASE_DIR, env=self._environment, check=True,
            capture_output=True, text=True,
        ).stdout  # fmt: skip
        self._headers = {"Authorization": f"Bearer {said.split()[-1]}"}
        web = ["-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(self._port), "config.asgi:application"]
        self.web = self._start("web", web, SLOTCAST_PROCESS="web")
        lanes = ["manage.py", "worker", "--skip-checks", "--lanes", "upload,publish", "--grace", "3"]
        self.worker = self._start("worker", lanes)

    def _start(self, name: str, arguments: list[str], **more: str) -> psutil.Popen:
        with (self._folder / f"{name}.log").open("w") as log:
            return psutil.Popen(
                [sys.executable, *arguments], cwd=django_settings.BASE_DIR, stdout=log, stderr=log,
                env={**self._environment, **more}, start_new_session=True,
            )  # fmt: skip

    def log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text()

    @property
    def is_ready(self) -> bool:
        try:
            return self.get("readyz").status_code == 200
        except requests.RequestException:
            return False

    def get(self, path: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self._port}/{path}", headers=self._headers, timeout=40)

    def schedule(self, *videos: str, at: datetime) -> list[int]:
        posts = [
            {
                "accountUuid": self.account,
                "videoPaths": [name],
                "scheduledFor": at.isoformat(),
                "caption": name,
            }
            for name in videos
        ]
        answer = requests.post(
            f"http://127.0.0.1:{self._port}/api/schedule/smart-schedule", json={"posts": posts},
            headers=self._headers, timeout=40,
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        return [row["id"] for row in answer.json()["posts"]]

    def posts(self) -> dict[int, tuple[str, str, str]]:
        """(status, uuid at the platform, error) of every post, asked of the server itself."""
        with psycopg.connect(self.server.url) as asked:
            rows = asked.execute("SELECT id, status, remote_uuid, error_message FROM scheduled_posts")
            return {number: (status, uuid, error) for number, status, uuid, error in rows.fetchall()}

    def statuses(self, ids: list[int]) -> set[str]:
        found = self.posts()
        return {found[number][0] for number in ids}

    async def watch(self, seen: set[int]) -> None:
        """What an open page hears: the ids of posts that were published; it comes back as pages do."""
        url, after = f"ws://127.0.0.1:{self._port}/ws/live/?topics=posts", ""
        while True:
            try:
                async with connect(url + after, additional_headers=self._headers) as line:
                    async for text in line:
                        message = json.loads(text)
                        if number := message.get("id"):
                            after = f"&after={number}"
                        if message.get("type") == "post_published":
                            seen.add(message["data"]["postId"])
            except (OSError, ConnectionClosed):
                await asyncio.sleep(0.5)

    def end(self) -> None:
        for process in (self.worker, self.web):
            for each in [process, *process.children(recursive=True)]:
                each.kill()
            process.wait()


@pytest.fixture
def installation(platform: Sandbox, library: Path, one_video: Path, tmp_path: Path) -> Iterator[Installation]:
    for number in range(12):
        shutil.copy(one_video, library / f"{number}.mp4")
    with PostgresServer() as server:
        made = Installation(server, platform, tmp_path, library)
        try:
            yield made
        finally:
            made.end()


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
    installation: Installation, heard: set[int], platform: Sandbox
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
    uploading = installation.schedule("5.mp4", "6.mp4", "7.mp4", at=at + timedelta(seconds=3))
    until(lambda: len(platform.requests("publish_post")) == 3 and len(platform.media()) > 5)

    processes = [installation.web.pid, installation.worker.pid]
    installation.server.crash()
    crashed_at = timezone.now()
    assert installation.server.is_refusing
    assert installation.get("healthz").status_code == 200
    # Who asks meanwhile waits for the database, or is told.
    answers: list[Any] = []
    waiting = threading.Thread(target=lambda: answers.append(installation.get("readyz").status_code))
    waiting.start()
    until(lambda: is_at(crashed_at + timedelta(seconds=AWAY_SECONDS)))
    platform.settings(onlysocial_delay_ms=0)
    installation.server.start()

    # Nobody is given one of the connections that died.
    assert {installation.get("api/upload/scheduler/status").status_code for _ in range(20)} == {200}
    afterwards = installation.schedule("8.mp4", at=timezone.now() + timedelta(seconds=3))
    everything = sent + during + uploading + afterwards
    until(
        lambda: not installation.statuses(everything) & {"PENDING", "MEDIA_UPLOADED"},
        seconds=60,
        what=f"every post ends; {installation.posts()} {installation.log('worker')[-6000:]}",
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
    assert [installation.web.pid, installation.worker.pid] == processes
    assert installation.web.is_running() and installation.worker.is_running()
    waiting.join()
    assert answers[0] in (200, 503)
