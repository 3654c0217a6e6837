"""A worker is killed (-9) in the middle of a package's upload: another one finishes it, and sends little again."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from jobs import runner
from jobs.events import history_of
from jobs.lifecycle import Status
from tests.jobs.worker_process import until
from tests.packages import make_package
from tests.s3 import S3, Asked, Fault, Trouble
from tests.uploader.test_upload_survival import database_url
from tests.uploader.transfer.test_packages import at_once, master_of, promises, run_all, states
from uploader import package_uploads
from uploader.catalog import Film
from uploader.destinations import Destination
from uploader.package_uploads import create_package_uploads
from uploader.transfer.local_files import PART_BYTES
from uploader.upload_jobs import UploadJob

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

Wanted = Callable[[Asked], bool]


@contextmanager
def worker_at(job: UploadJob, log: Path, ca_file: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own that runs this one job."""
    environment = {
        **os.environ, "DATABASE_URL": database_url(), "SECRET_KEY": django_settings.SECRET_KEY,
        "SLOTCAST_PROCESS": "worker", "SPACES_CA_FILE": ca_file,
    }  # fmt: skip
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "run_job", str(job.pk)],
            cwd=django_settings.BASE_DIR, env=environment, stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def kill_when_held(
    job: UploadJob, trouble: Trouble, wanted: Wanted, tmp_path: Path, *, let_through: int = 0, held: int = 1
) -> None:
    """Let so many of the `wanted` requests through, hold the next ones, and kill the worker there."""
    numbers, release, holding = itertools.count(1), threading.Event(), []

    def hold(asked: Asked) -> Fault:
        if not wanted(asked) or next(numbers) <= let_through:
            return None
        holding.append(asked)
        release.wait(60)
        return "reset"

    trouble.fault = hold
    with worker_at(job, tmp_path / "worker.log", "") as process:
        until(lambda: len(holding) >= held or process.poll() is not None, seconds=60)
        assert process.poll() is None, (tmp_path / "worker.log").read_text()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    release.set()
    trouble.fault = lambda asked: None
    until(lambda: trouble.at_once == 0)
    job.refresh_from_db()
    assert job.is_active
    job.rescue(now=timezone.now())


def sent_again(job: UploadJob) -> float:
    """Which part of the job's bytes the last attempt sent."""
    told: Any = history_of(job).filter(type="uploaded").last()
    return told.data["bytesSent"] / job.bytes_total


@pytest.fixture
def film(db: None) -> Film:
    return Film.objects.create(title="Harbour", path="harbour.mp4")


def queue(film: Film, destination: Destination, tmp_path: Path, **options: Any) -> list[UploadJob]:
    package = make_package(
        tmp_path / "work" / "film-1" / "p", film, labels=("HD",), languages=("en",), **options
    )
    return create_package_uploads(package, destination, now=timezone.now())


def test_killed_among_its_segments_it_goes_on_with_the_rest(
    film: Film, troubled: Destination, trouble: Trouble, tmp_path: Path, s3: S3, bucket: str
) -> None:
    jobs = queue(film, troubled, tmp_path, segments=60)
    kill_when_held(jobs[0], trouble, lambda asked: asked.method == "PUT", tmp_path, let_through=32)
    run_all(jobs)
    assert set(states(jobs).values()) == {Status.COMPLETED}
    assert sent_again(jobs[0]) <= 0.55
    assert promises(s3, bucket, package_uploads.folder_of(jobs[0])) == []


def test_killed_among_the_parts_of_a_large_file_it_goes_on_with_the_rest(
    film: Film, troubled: Destination, trouble: Trouble, tmp_path: Path, s3: S3, bucket: str
) -> None:
    jobs = queue(film, troubled, tmp_path, segments=1, segment_bytes=4 * PART_BYTES)
    kill_when_held(
        jobs[0], trouble, lambda asked: "partNumber=" in asked.path, tmp_path, let_through=2, held=2
    )
    run_all(jobs)
    assert set(states(jobs).values()) == {Status.COMPLETED}
    assert sent_again(jobs[0]) <= 0.55
    assert promises(s3, bucket, package_uploads.folder_of(jobs[0])) == []


@pytest.mark.parametrize("where", ["HD/index.m3u8", "master.m3u8"])
def test_killed_at_a_playlist_nobody_is_promised_what_is_not_there(
    film: Film, troubled: Destination, trouble: Trouble, tmp_path: Path, s3: S3, bucket: str, where: str
) -> None:
    jobs = queue(film, troubled, tmp_path)
    folder = package_uploads.folder_of(jobs[0])
    job = jobs[0]
    if where == "master.m3u8":
        job = master_of(jobs)
        for part in jobs[:-1]:
            [claimed] = UploadJob.objects.filter(pk=part.pk).claim(f"worker#{part.pk}", now=timezone.now())
            runner.execute(claimed)
    kill_when_held(job, trouble, lambda asked: asked.method == "PUT" and asked.path.endswith(where), tmp_path)
    assert f"{folder}/{where}" not in s3.keys(bucket)
    assert promises(s3, bucket, folder) == []
    at_once(jobs)
    run_all(jobs)
    assert set(states(jobs).values()) == {Status.COMPLETED}
    assert promises(s3, bucket, folder) == []


@pytest.mark.parametrize("whose", ["part", "master"])
def test_killed_while_it_looks_at_what_is_there_it_is_begun_anew(
    film: Film, troubled: Destination, trouble: Trouble, tmp_path: Path, s3: S3, bucket: str, whose: str
) -> None:
    jobs = queue(film, troubled, tmp_path)
    job = jobs[0]
    if whose == "master":
        job = master_of(jobs)
        for part in jobs[:-1]:
            [claimed] = UploadJob.objects.filter(pk=part.pk).claim(f"worker#{part.pk}", now=timezone.now())
            runner.execute(claimed)
    kill_when_held(job, trouble, lambda asked: "list-type" in asked.path, tmp_path)
    folder = package_uploads.folder_of(job)
    assert f"{folder}/master.m3u8" not in s3.keys(bucket)
    at_once(jobs)
    run_all(jobs)
    assert set(states(jobs).values()) == {Status.COMPLETED}
    assert promises(s3, bucket, folder) == []
