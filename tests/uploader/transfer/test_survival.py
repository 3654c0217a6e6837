"""A package on its way, and a fault in each call, a cancel in each stage, two workers: it ends whole, or hidden."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from jobs import runner
from jobs.lifecycle import Status
from tests.jobs.worker_process import until
from tests.packages import make_package
from tests.s3 import S3, Asked, Fault, Trouble
from tests.uploader.transfer.test_kills import worker_at
from tests.uploader.transfer.test_packages import at_once, finish, master_of, promises, run_all
from uploader import deciding, package_uploads
from uploader.catalog import Film
from uploader.destinations import Destination
from uploader.package_uploads import create_package_uploads
from uploader.transfer import local_files
from uploader.upload_jobs import UploadJob

pytestmark = pytest.mark.django_db(transaction=True)

# Every call an upload makes, large files included.
CALLS = {"list", "put", "list uploads", "begin", "list parts", "part", "complete"}


def call_of(asked: Asked) -> str:
    query = asked.path.partition("?")[2]
    has_id = "uploadId=" in query
    match asked.method:
        case "GET" if has_id:
            return "list parts"
        case "GET":
            return "list" if "list-type" in query else "list uploads"
        case "POST":
            return "complete" if has_id else "begin"
        case "PUT":
            return "part" if has_id else "put"
    return asked.method


@pytest.fixture
def film(db: None) -> Film:
    return Film.objects.create(title="Harbour", path="harbour.mp4")


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts as small as S3 allows, so that a segment of 6 MiB has two."""
    monkeypatch.setattr(local_files, "PART_BYTES", 5 * local_files.MIB)


def queue(film: Film, destination: Destination, folder: Path, **options: Any) -> list[UploadJob]:
    package = make_package(folder, film, labels=("HD",), languages=("en",), **options)
    return create_package_uploads(package, destination, now=timezone.now())


# -------------------------------------------------------------------- a fault in each call


@pytest.mark.parametrize(
    "fault",
    ["reset", "reset after", (503, "SlowDown"), (500, "InternalError"), (403, "RequestTimeTooSkewed"),
     (404, "NoSuchBucket")],
)  # fmt: skip
def test_a_fault_in_each_call_in_turn_ends_with_the_whole_package(
    film: Film, troubled: Destination, trouble: Trouble, tmp_path: Path, s3: S3, bucket: str, small_parts: None,
    fault: Fault,
) -> None:  # fmt: skip
    for seed, call in enumerate(sorted(CALLS), 1):
        left, lock = [1], threading.Lock()

        def once(asked: Asked, call: str = call, left: list[int] = left, lock: Any = lock) -> Fault:
            with lock:
                if call_of(asked) != call or not left[0]:
                    return None
                left[0] -= 1
            return fault

        trouble.fault = once
        jobs = queue(
            film, troubled, tmp_path / call, segments=1, segment_bytes=6 * local_files.MIB, seed=seed
        )
        finish(jobs, s3, bucket)
        assert left == [0], f"{call} was never asked"
    assert {call_of(asked) for asked in trouble.asked} - {"HEAD"} == CALLS


# -------------------------------------------------------------------- a cancel in each stage


@contextmanager
def held(
    trouble: Trouble, wanted: Callable[[Asked], bool]
) -> Iterator[tuple[threading.Event, threading.Event]]:
    """The first request that is `wanted` says by the first event that it has come, and waits for the second."""
    come, release = threading.Event(), threading.Event()

    def wait(asked: Asked) -> Fault:
        if wanted(asked) and not come.is_set():
            come.set()
            release.wait(60)
        return None

    trouble.fault = wait
    try:
        yield come, release
    finally:
        release.set()
        trouble.fault = lambda asked: None


def is_over(job: UploadJob) -> bool:
    job.refresh_from_db()
    return job.is_finished


@pytest.mark.processes
@pytest.mark.parametrize(
    ("stage", "call"),
    [("checking", "list"), ("uploading", "put"), ("verifying", "list"), ("publishing", "put")],
)
def test_a_cancel_in_each_stage_ends_the_job_and_a_retry_finishes_the_package(
    film: Film, troubled: Destination, trouble: Trouble, tmp_path: Path, s3: S3, bucket: str, stage: str,
    call: str,
) -> None:  # fmt: skip
    jobs = queue(film, troubled, tmp_path / "package")
    folder = package_uploads.folder_of(jobs[0])
    job = jobs[0]
    if stage in ("verifying", "publishing"):
        job = master_of(jobs)
        UploadJob.objects.filter(pk=job.pk).update(not_before_at=timezone.now() + timedelta(hours=1))
        run_all(jobs)
        at_once([job])
    with (
        held(trouble, lambda asked: call_of(asked) == call) as (come, release),
        worker_at(job, tmp_path / "worker.log", "") as worker,
    ):
        until(lambda: come.is_set() or worker.poll() is not None, seconds=60)
        assert worker.poll() is None, (tmp_path / "worker.log").read_text()
        job.refresh_from_db()
        assert job.stage == stage
        deciding.cancel(job, who="olga", now=timezone.now())
        if stage != "publishing":
            # The storage still owes its answer; nobody waits for it.
            until(lambda: is_over(job), what=f"{job} ends: {job.status}")
        release.set()
        until(lambda: is_over(job), what=f"{job} ends: {job.status}")
    assert job.status == Status.CANCELLED or (stage == "publishing" and job.status == Status.COMPLETED)
    assert promises(s3, bucket, folder) == []
    finish(jobs, s3, bucket)


# -------------------------------------------------------------------- two workers


def test_two_workers_share_a_package_and_send_nothing_twice(
    film: Film, troubled: Destination, trouble: Trouble, tmp_path: Path, s3: S3, bucket: str
) -> None:
    jobs = queue(film, troubled, tmp_path / "package", segments=20)
    gate = threading.Barrier(2)

    def work() -> None:
        try:
            gate.wait(30)
            while runner.drain("upload", seconds=60):
                pass
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(90)
    finish(jobs, s3, bucket)
    assert {job.attempt for job in jobs} == {1}
    sent = trouble.sent()
    assert len(sent) == len(set(sent)) == len(s3.keys(bucket))
