"""Slotcast as it runs in production: its commands as real processes, spoken to over HTTP, on a database of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import psutil
import psycopg
import requests
from django.conf import settings as django_settings
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from sandbox.server import Sandbox

CRON_SECRET = "a-secret-of-the-cron"
PREPARE = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("createsuperuser", interactive=False, username="olga", email="")
call_command("sync_accounts")
call_command("api_token", "olga")
"""


class Installation:
    """Web and worker commands as they run in production, on a database of their own."""

    def __init__(self, url: str, social: Sandbox, folder: Path, library: Path, *, workers: int = 1) -> None:
        self.url, self._folder, self._workers = url, folder, workers
        told = social.settings()
        self.account = told["onlysocial_accounts"][0]["uuid"]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": url,
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
            "CRON_SECRET": CRON_SECRET,
            "LOG_LEVEL": "INFO",
        }
        said = subprocess.run(
            [sys.executable, "-c", PREPARE], cwd=django_settings.BASE_DIR, env=self._environment, check=True,
            capture_output=True, text=True,
        ).stdout  # fmt: skip
        self._headers = {"Authorization": f"Bearer {said.split()[-1]}"}
        self.start()

    def start(self) -> None:
        """All of it, from nothing."""
        web = ["-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(self._port), "config.asgi:application"]
        lanes = ["manage.py", "worker", "--skip-checks", "--lanes", "upload,publish", "--grace", "3"]
        self.web = self._start("web", web, SLOTCAST_PROCESS="web")
        self.workers = [self._start(f"worker-{number}", lanes) for number in range(self._workers)]

    def kill(self) -> None:
        """`kill -9` for every process of it, at once."""
        commands = [self.web, *self.workers]
        found = [each for command in commands for each in [command, *command.children(recursive=True)]]
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(found)

    def _start(self, name: str, arguments: list[str], **more: str) -> psutil.Popen:
        with (self._folder / f"{name}.log").open("a") as log:
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

    def call(self, door: str) -> requests.Response:
        """What an outside cron does."""
        secret = {"Authorization": f"Bearer {CRON_SECRET}"}
        return requests.get(f"http://127.0.0.1:{self._port}/api/cron/{door}", headers=secret, timeout=70)

    def posts(self) -> dict[int, tuple[str, str, str]]:
        """(status, uuid at the platform, error) of every post, asked of the database itself."""
        query = "SELECT id, status, remote_uuid, error_message FROM scheduled_posts"
        if self.url.startswith("sqlite"):
            with contextlib.closing(sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=20)) as file:
                rows = file.execute(query).fetchall()
        else:
            with psycopg.connect(self.url) as server:
                rows = server.execute(query).fetchall()
        return {number: (status, uuid, error) for number, status, uuid, error in rows}

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
