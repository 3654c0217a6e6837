"""A real worker command for the tests: start it, find its processes by their role, kill them, wait for it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg
from django.conf import settings

# What an operator may expect after any single fault.
BACK_WITHIN_SECONDS = 30


def until(condition: Callable[[], Any], *, seconds: float = 30, what: str = "") -> Any:
    """Poll `condition` until it is true and give its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {what or condition}"
        time.sleep(0.05)
    return value


def lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


class Database:
    """A database of its own for real processes, and a client process that queues tasks on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder / 'worker.sqlite3'}"
        self._server = os.environ.get("DATABASE_URL", "")
        if self._server.startswith("postgres"):
            name = f"slotcast_{uuid.uuid4().hex[:12]}"
            self._administer(f'CREATE DATABASE "{name}"')
            self.url = urlsplit(self._server)._replace(path=f"/{name}").geturl()
        self._lock = threading.Lock()
        self._client = subprocess.Popen(
            [sys.executable, "-m", "tests.jobs.probe_client"],
            cwd=settings.BASE_DIR,
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def environment(self, url: str = "") -> dict[str, str]:
        return {
            **os.environ,
            "SLOTCAST_VAR": str(self.folder),
            "DATABASE_URL": url or self.url,
            "SECRET_KEY": "the same for all of them",
            "LOG_LEVEL": "INFO",
        }

    def ask(self, verb: str, *args: Any) -> Any:
        with self._lock:
            assert self._client.stdin and self._client.stdout
            self._client.stdin.write(json.dumps([verb, *args]) + "\n")
            self._client.stdin.flush()
            return json.loads(self._client.stdout.readline())

    def close(self) -> None:
        self._client.communicate()
        if self._server.startswith("postgres"):
            name = urlsplit(self.url).path.removeprefix("/")
            self._administer(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _administer(self, statement: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as server:
            server.execute(statement)  # type: ignore[arg-type]


@dataclass
class Cluster:
    """The processes of one lane by role."""

    parent: psutil.Process
    sentinel: psutil.Process
    workers: list[psutil.Process]
    monitor: psutil.Process
    pusher: psutil.Process

    @property
    def processes(self) -> list[psutil.Process]:
        return [self.parent, self.sentinel, *self.workers, self.monitor, self.pusher]


class WorkerProcess:
    def __init__(self, database: Database, lanes: str, *, grace: float = 4, url: str = "") -> None:
        self.database, folder = database, database.folder
        self.marks = folder / f"marks-{uuid.uuid4().hex[:6]}"
        self.log_file = folder / f"log-{uuid.uuid4().hex[:6]}"
        with self.log_file.open("w") as log:
            self.process = psutil.Popen(
                [
                    sys.executable,
                    "manage.py",
                    "worker",
                    "--skip-checks",
                    "--lanes",
                    lanes,
                    "--grace",
                    str(grace),
                ],
                cwd=settings.BASE_DIR,
                env=database.environment(url),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def marked(self) -> list[str]:
        return self.marks.read_text().splitlines() if self.marks.exists() else []

    def has_marked(self, word: str) -> bool:
        return any(line.startswith(f"{word} ") for line in self.marked())

    def pid_that_marked(self, word: str) -> int:
        return next(int(line.split()[1]) for line in self.marked() if line.startswith(f"{word} "))

    def queue(self, lane: str, task: str, *args: Any) -> None:
        self.database.ask("queue", lane, task, *args)

    def begin(self, lane: str, task: str, *, seconds: float = 300) -> int:
        """Have `task` worked on; gives the pid of its worker."""
        word = uuid.uuid4().hex[:8]
        self.queue(lane, task, str(self.marks), word, seconds)
        until(lambda: self.has_marked(f"began-{word}"), what=f"{task} on {lane} begins; {self.log}")
        return self.pid_that_marked(f"began-{word}")

    def seconds_until_working(self, lane: str, *, seconds: float = 30) -> float:
        """How long until the lane does a task queued from now on; a task may be lost with a dead cluster."""
        word, began, queued_at = uuid.uuid4().hex[:8], time.monotonic(), 0.0

        def done() -> bool:
            nonlocal queued_at
            if time.monotonic() - queued_at >= 1:
                self.queue(lane, "mark", str(self.marks), word)
                queued_at = time.monotonic()
            return self.has_marked(word)

        until(done, seconds=seconds, what=f"lane {lane} works again; {self.log}")
        return time.monotonic() - began

    def cluster(self, lane: str) -> Cluster:
        """The lane's processes once all of them are there."""
        return until(lambda: self._cluster(lane), what=f"cluster of {lane}; {self.log}")

    def _cluster(self, lane: str) -> Cluster | None:
        with contextlib.suppress(psutil.Error, ValueError, StopIteration):
            parent = next(
                child
                for child in self.process.children()
                if child.cmdline()[-1:] == ["cluster"] and child.environ()["Q_CLUSTER_NAME"] == lane
            )
            (sentinel,) = parent.children()
            rows = {pid for _, pid in self.database.ask("rows", lane)}
            others = sorted(sentinel.children(), key=lambda process: (process.create_time(), process.pid))
            workers = [process for process in others if process.pid in rows]
            monitor, pusher = [process for process in others if process.pid not in rows]
            if len(workers) == settings.LANES[lane]["workers"]:
                return Cluster(parent, sentinel, workers, monitor, pusher)
        return None

    def tree(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return self.process.children(recursive=True)
        return []

    def stop(self, number: int = signal.SIGTERM, *, seconds: float = 15) -> float:
        """Stop it as an operator does and assert that nothing stays; gives the seconds it took."""
        tree, began = self.tree(), time.monotonic()
        self.process.send_signal(number)
        self.wait_gone(tree, seconds=seconds)
        return time.monotonic() - began

    def wait_gone(self, tree: list[psutil.Process], *, seconds: float) -> None:
        until(lambda: self.process.poll() is not None, seconds=seconds, what=f"worker ends; {self.log}")
        until(lambda: not any(map(lives, tree)), seconds=5, what="no orphan")

    def discard(self) -> None:
        """Whatever the test left, ends."""
        for process in [self.process, *self.tree()]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()


@contextlib.contextmanager
def running_worker(database: Database, lanes: str, **options: Any) -> Iterator[WorkerProcess]:
    worker = WorkerProcess(database, lanes, **options)
    try:
        yield worker
    finally:
        worker.discard()


@contextlib.contextmanager
def worker_of_its_own(folder: Path, *lanes: str) -> Iterator[WorkerProcess]:
    """A worker on a database of its own whose lanes all work; at the end it must stop cleanly."""
    database = Database(folder)
    database.ask("migrate")
    with running_worker(database, ",".join(lanes)) as worker:
        for lane in lanes:
            worker.seconds_until_working(lane)
        yield worker
        worker.stop()
        assert worker.process.returncode == 0
    database.close()
