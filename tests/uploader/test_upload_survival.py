"""A worker dies, or freezes, at the worst moment of an upload: the next one ends the job, with one video."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.utils import timezone

from jobs.events import history_of
from sandbox.server import Sandbox
from tests.conftest import make_destination
from tests.jobs.worker_process import until
from uploader.catalog import Series
from uploader.ledger import LedgerEntry
from uploader.upload_jobs import UploadJob, create_upload

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

Make = Callable[..., Series]

LEASE_SECONDS = 2.0
# From the death of a worker to the end of the job: a lease, a tick, and the work itself.
BACK_WITHIN_SECONDS = LEASE_SECONDS + 1 + 4

# Waits for a line, so that a start is not part of what is measured; then ticks and drains for ever.
WORKER = """
import sys, time, django
django.setup()
from django.utils import timezone
from jobs import runner, ticker
print("ready", flush=True)
sys.stdin.readline()
ticked_at = 0.0
while True:
    if time.monotonic() - ticked_at > 0.5:
        ticked_at = time.monotonic()
        ticker.tick(timezone.now())
    if not runner.drain("upload"):
        time.sleep(0.05)
"""


class WorkerProcess:
    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", WORKER],
                cwd=django_settings.BASE_DIR,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )

    def begin(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stdout.readline() == "ready\n", self.log.read_text()
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)
        process = psutil.Process(self.process.pid)
        until(lambda: process.status() == psutil.STATUS_STOPPED, seconds=5)

    def wake(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def discard(self) -> None:
        self.kill()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream
            with contextlib.suppress(BrokenPipeError):
                stream.close()


@pytest.fixture
def workers(tmp_path: Path, library: Path, settings: Any) -> Iterator[Callable[[int], list[WorkerProcess]]]:
    """`workers(2)`: so many processes on the test's own database, ready to begin."""
    started: list[WorkerProcess] = []

    def start(count: int) -> list[WorkerProcess]:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SLOTCAST_PROCESS": "worker",
            "SLOTCAST_VAR": str(tmp_path),
            "DATABASE_URL": database_url(),
            "SECRET_KEY": settings.SECRET_KEY,
            "LIBRARY_ROOT": str(library),
            "LEASE_SECONDS": str(LEASE_SECONDS),
            "RECONCILE_WAIT_SECONDS": "0.2",
            "ENCODING_POLL_SECONDS": "0.05",
            "UPLOAD_RETRY_DELAYS_SECONDS": "0.2",
            "PYTHONWARNINGS": "ignore",
        }
        started.extend(WorkerProcess(environment, tmp_path / f"worker-{n}.log") for n in range(count))
        return started

    yield start
    for worker in started:
        worker.discard()


def database_url() -> str:
    chosen = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{chosen['NAME']}"
    return (
        f"postgres://{chosen['USER']}:{chosen['PASSWORD']}@{chosen['HOST']}:{chosen['PORT']}/{chosen['NAME']}"
    )


@pytest.fixture
def job(platform: Sandbox, make_series: Make) -> UploadJob:
    destination = make_destination(platform)
    return create_upload(make_series("Harbour", 1).episodes.get(), destination, now=timezone.now())


@contextlib.contextmanager
def no_commit(job: UploadJob) -> Iterator[Callable[[], object]]:
    """While inside, nobody else can write the job's row; gives what waits until somebody tries."""
    if connection.vendor == "sqlite":
        other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, timeout=10)
        with contextlib.closing(other):
            other.execute("BEGIN IMMEDIATE")
            yield lambda: None
            other.execute("ROLLBACK")
        return
    # Whoever looks needs a connection of its own: within a transaction the server's list stands still.
    with psycopg.connect(database_url()) as holder, psycopg.connect(database_url(), autocommit=True) as eye:
        holder.execute("SELECT 1 FROM uploader_uploadjob WHERE id = %s FOR UPDATE", [job.pk])

        def blocked(end: str = "") -> list[Any]:
            found = f"SELECT pid {end} FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
            return eye.execute(found, [holder.info.backend_pid]).fetchall()

        yield lambda: until(blocked, what="somebody wants to write the row")
        # A server carries out what waits for a lock even when its client is dead: let it die with it.
        until(lambda: not blocked(", pg_terminate_backend(pid)"), what="nobody waits for the row")


def fresh(job: UploadJob) -> UploadJob:
    return UploadJob.objects.get(pk=job.pk)


def await_completed(job: UploadJob, worker: WorkerProcess, *, seconds: float = 40) -> UploadJob:
    until(lambda: fresh(job).is_finished, seconds=seconds, what=f"{job} ends; {worker.log.read_text()}")
    return fresh(job)


def assert_once(job: UploadJob, platform: Sandbox) -> None:
    done = fresh(job)
    assert (done.status, done.error_message) == ("completed", "")
    assert [video["id"] for video in platform.videos()] == [done.remote_id]
    assert LedgerEntry.objects.count() == 1


# -------------------------------------------------------------------- killed at every step

Step = Callable[[Sandbox, UploadJob], None]


def before_the_session(platform: Sandbox, job: UploadJob) -> None:
    platform.add_fault("open_upload", delay=30)


def in_the_middle_of_the_bytes(platform: Sandbox, job: UploadJob) -> None:
    platform.add_fault("upload", stall_after_bytes=2000, seconds=30)


def before_create_is_applied(platform: Sandbox, job: UploadJob) -> None:
    platform.add_fault("create", delay=30)


def while_it_is_encoded(platform: Sandbox, job: UploadJob) -> None:
    platform.settings(encode_seconds=3)


KILLS: dict[str, tuple[Step, str, Callable[[Sandbox, UploadJob], Any]]] = {
    # name: (what is prepared, the route that is waited for, what else must be so)
    "before the session": (before_the_session, "open_upload", lambda platform, job: True),
    "in the middle of the bytes": (
        in_the_middle_of_the_bytes,
        "upload",
        lambda platform, job: platform.requests("upload")[0]["bytes"] >= 2000,
    ),
    "before create is applied": (before_create_is_applied, "create", lambda platform, job: True),
    "while it is encoded": (while_it_is_encoded, "get", lambda platform, job: fresh(job).remote_id),
}


@pytest.mark.parametrize("step", KILLS)
def test_a_worker_killed(
    step: str, job: UploadJob, platform: Sandbox, workers: Callable[[int], list[WorkerProcess]]
) -> None:
    prepare, route, reached = KILLS[step]
    prepare(platform, job)
    first, second = workers(2)
    first.begin()
    until(
        lambda: platform.requests(route) and reached(platform, job), what=f"{step}; {first.log.read_text()}"
    )
    first.kill()
    killed_at = time.monotonic()
    second.begin()
    await_completed(job, second)
    assert time.monotonic() - killed_at < BACK_WITHIN_SECONDS
    assert_once(job, platform)
    assert history_of(job).filter(type="rescued").count() == 1
    assert fresh(job).attempt == 1, "a lost worker is no fault of the job"


def test_a_worker_killed_after_the_bytes_before_their_address_was_kept(
    job: UploadJob, platform: Sandbox, workers: Callable[[int], list[WorkerProcess]]
) -> None:
    platform.add_fault("upload", delay=1)
    first, second = workers(2)
    first.begin()
    until(lambda: platform.requests("upload"))
    with no_commit(job) as tried:
        until(lambda: platform.requests("upload")[0]["outcome"] == "replied")
        tried()
        first.kill()
    second.begin()
    await_completed(job, second)
    assert_once(job, platform)
    assert len(platform.requests("upload")) == 2


@pytest.mark.parametrize("answer", ["is under way", "was cut off", "has come and is not kept"])
def test_a_worker_killed_when_create_was_applied_and_its_answer(
    answer: str, job: UploadJob, platform: Sandbox, workers: Callable[[int], list[WorkerProcess]]
) -> None:
    cut = {"apply_then_drop": True} if answer == "was cut off" else {}
    platform.add_fault("create", delay=1, **cut)
    first, second = workers(2)
    first.begin()
    until(lambda: platform.requests("create"))
    with no_commit(job) as tried:
        if answer == "is under way":
            first.freeze()
        until(lambda: platform.videos(), what="the video is made")
        if answer == "has come and is not kept":
            until(lambda: platform.requests("create")[0]["outcome"] == "replied")
        if answer != "is under way":
            tried()
        first.kill()
    killed_at = time.monotonic()
    assert (fresh(job).remote_id, fresh(job).create_intended_at is not None) == ("", True)
    second.begin()
    await_completed(job, second)
    assert time.monotonic() - killed_at < BACK_WITHIN_SECONDS
    assert_once(job, platform)
    assert len(platform.requests("create")) == 1
    assert len(platform.requests("upload")) == 1


def test_a_job_that_kills_every_worker_stops(
    job: UploadJob, platform: Sandbox, workers: Callable[[int], list[WorkerProcess]]
) -> None:
    platform.add_fault("open_upload", delay=30, times=None)
    started = workers(4)
    for number, worker in enumerate(started[:3], start=1):
        worker.begin()
        until(lambda number=number: len(platform.requests("open_upload")) == number)
        worker.kill()
    started[3].begin()
    done = await_completed(job, started[3])
    assert (done.status, done.error_kind, done.lost_workers) == ("failed", "lost_worker", 3)
    assert "it was the 3rd worker lost on this job" in done.error_message
    assert platform.videos() == []


# -------------------------------------------------------------------- frozen, and woken too late


def test_a_worker_frozen_in_the_middle_of_the_bytes_gives_way(
    job: UploadJob, platform: Sandbox, workers: Callable[[int], list[WorkerProcess]]
) -> None:
    platform.add_fault("upload", delay=1)
    frozen, second = workers(2)
    frozen.begin()
    until(lambda: platform.requests("upload"))
    frozen.freeze()
    second.begin()
    await_completed(job, second)
    frozen.wake()
    until(lambda: "belongs to another worker now" in frozen.log.read_text(), what="the frozen one stops")
    assert_once(job, platform)
    assert len(platform.requests("create")) == 1


def test_a_worker_frozen_with_its_intent_written_does_not_create_a_second_video(
    job: UploadJob, platform: Sandbox, workers: Callable[[int], list[WorkerProcess]]
) -> None:
    """Its write of the intent waits for a lock while it is frozen: awake again, it finds its lease gone."""
    platform.add_fault("upload", delay=1)
    frozen, second = workers(2)
    frozen.begin()
    until(lambda: platform.requests("upload"))
    with no_commit(job) as tried:
        until(lambda: platform.requests("upload")[0]["outcome"] == "replied")
        tried()
        frozen.freeze()
    second.begin()
    await_completed(job, second)
    frozen.wake()
    until(lambda: "belongs to another worker now" in frozen.log.read_text(), what="the frozen one stops")
    assert_once(job, platform)


def test_a_worker_frozen_with_its_creation_on_the_way_leaves_one_video(
    job: UploadJob, platform: Sandbox, workers: Callable[[int], list[WorkerProcess]]
) -> None:
    """The platform takes the request only after the successor has looked twice and created its own."""
    platform.add_fault("create", delay=LEASE_SECONDS + 4)
    frozen, second = workers(2)
    frozen.begin()
    until(lambda: platform.requests("create"))
    frozen.freeze()
    second.begin()
    until(lambda: len(platform.requests("create")) == 2, seconds=20, what="the successor creates its own")
    await_completed(job, second)
    until(lambda: len(platform.videos()) == 2, what="the first request is applied after all")
    frozen.wake()
    until(lambda: len(platform.videos()) == 1, what="the duplicate is deleted by the worker that made it")
    assert_once(job, platform)
    until(lambda: history_of(job).filter(type="duplicate").exists())


# -------------------------------------------------------------------- several at once


def test_three_workers_deliver_thirty_videos_once_each(
    platform: Sandbox, make_series: Make, workers: Callable[[int], list[WorkerProcess]]
) -> None:
    platform.settings(videos_per_day=None)
    destination = make_destination(platform, max_videos_per_day=None)
    series = make_series("Harbour", 30)
    for episode in series.episodes.all():
        create_upload(episode, destination, now=timezone.now())
    started = workers(3)
    for worker in started:
        worker.begin()
    until(
        lambda: UploadJob.objects.filter(status="completed").count() == 30,
        seconds=60,
        what=f"all are delivered; {[worker.log.read_text() for worker in started]}",
    )
    videos = platform.videos()
    assert len(videos) == len({video["title"] for video in videos}) == 30
    assert {video["id"] for video in videos} == set(UploadJob.objects.values_list("remote_id", flat=True))
    assert dict.fromkeys(UploadJob.objects.values_list("attempt", flat=True)) == {1: None}
    assert len(platform.requests("create")) == len(platform.requests("upload")) == 30
    workers_seen = {
        event.who.partition("#")[0] for job in UploadJob.objects.all() for event in history_of(job)
    }
    assert len(workers_seen) == 3, "each of them took part"
