"""A worker dies, or freezes, at the worst moment of a file's upload: the next one ends the job, with one file."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

from jobs.events import history_of
from sandbox.server import Sandbox
from tests.conftest import make_social
from tests.jobs.worker_process import until
from tests.uploader.test_upload_survival import (
    BACK_WITHIN_SECONDS,
    WorkerProcess,
    await_completed,
    fresh,
    no_commit,
    workers,  # noqa: F401 - a fixture
)
from uploader.media_uploads import create_media_upload
from uploader.upload_jobs import UploadJob

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

Workers = Callable[[int], list[WorkerProcess]]


@pytest.fixture
def job(platform: Sandbox, library: Path, one_video: Path) -> UploadJob:
    shutil.copy(one_video, library / "sea.mp4")
    return create_media_upload(make_social(platform), library_path="sea.mp4", now=timezone.now())


def assert_once(job: UploadJob, platform: Sandbox) -> None:
    done = fresh(job)
    assert (done.status, done.error_message, done.attempt) == ("completed", "", 1)
    assert [str(media["id"]) for media in platform.media()] == [done.remote_id]


def bytes_of(platform: Sandbox, number: int = 0) -> int:
    return int(platform.requests("upload_media")[number]["bytes"])


def large(library: Path) -> None:
    with (library / "sea.mp4").open("ab") as file:
        file.write(bytes(30_000_000))


def test_a_worker_killed_in_the_middle_of_the_bytes(
    job: UploadJob,
    platform: Sandbox,
    library: Path,
    workers: Workers,  # noqa: F811
) -> None:
    large(library)
    platform.add_fault("upload_media", stall_after_bytes=2000, seconds=30)
    first, second = workers(2)
    first.begin()
    until(lambda: platform.requests("upload_media") and bytes_of(platform) >= 2000)
    first.kill()
    killed_at = time.monotonic()
    assert fresh(job).create_intended_at is None, "without its last piece nothing is taken for a file"
    second.begin()
    await_completed(job, second)
    assert time.monotonic() - killed_at < BACK_WITHIN_SECONDS
    assert_once(job, platform)
    assert history_of(job).filter(type="rescued").count() == 1
    assert platform.requests("list_media") == []


@pytest.mark.parametrize("answer", ["is under way", "was cut off", "has come and is not kept"])
def test_a_worker_killed_when_the_file_was_taken_and_its_answer(
    answer: str,
    job: UploadJob,
    platform: Sandbox,
    workers: Workers,  # noqa: F811
) -> None:
    cut = {"apply_then_drop": True} if answer == "was cut off" else {}
    platform.add_fault("upload_media", delay=1, **cut)
    first, second = workers(2)
    first.begin()
    until(lambda: fresh(job).create_intended_at, what="the intent is written")
    with no_commit(job) as tried:
        if answer == "is under way":
            first.freeze()
        until(lambda: platform.media(), what="the file is taken")
        if answer == "has come and is not kept":
            until(lambda: platform.requests("upload_media")[0]["outcome"] == "replied")
        if answer != "is under way":
            tried()
        first.kill()
    killed_at = time.monotonic()
    assert (fresh(job).remote_id, fresh(job).create_intended_at is not None) == ("", True)
    second.begin()
    await_completed(job, second)
    assert time.monotonic() - killed_at < BACK_WITHIN_SECONDS
    assert_once(job, platform)
    assert len(platform.requests("upload_media")) == 1


def test_a_worker_killed_with_its_intent_written_before_the_last_piece_left(
    job: UploadJob,
    platform: Sandbox,
    workers: Workers,  # noqa: F811
) -> None:
    """The platform never got it whole: looked for twice, then sent again."""
    platform.settings(onlysocial_list_lag_seconds=0)
    platform.add_fault("upload_media", delay=30)
    first, second = workers(2)
    first.begin()
    until(lambda: fresh(job).create_intended_at, what="the intent is written")
    first.kill()
    platform.clear_faults()
    second.begin()
    await_completed(job, second)
    done = fresh(job)
    assert (done.status, done.attempt) == ("completed", 1)
    # What left with the first worker may have been taken late; posts name the one that is on the job.
    assert done.remote_id in [str(media["id"]) for media in platform.media()]


# What a worker says that finds, sooner or later, that its job is another one's.
LOST = "belongs to another worker now|taken from this worker before its outcome"


def test_a_worker_frozen_with_its_file_on_the_way_leaves_one(
    job: UploadJob,
    platform: Sandbox,
    workers: Workers,  # noqa: F811
) -> None:
    """Awake again it finds its successor's file on the job, and takes its own away or knows it for the same."""
    platform.add_fault("upload_media", delay=1)
    frozen, second = workers(2)
    frozen.begin()
    until(lambda: fresh(job).create_intended_at, what="the intent is written")
    frozen.freeze()
    until(lambda: platform.media(), what="the file is taken")
    second.begin()
    await_completed(job, second)
    frozen.wake()
    until(lambda: re.search(LOST, frozen.log.read_text()), what="the frozen one stops")
    assert_once(job, platform)


def test_a_job_that_kills_every_worker_stops(
    job: UploadJob,
    platform: Sandbox,
    library: Path,
    workers: Workers,  # noqa: F811
) -> None:
    large(library)
    platform.add_fault("upload_media", stall_after_bytes=2000, seconds=30, times=None)
    started = workers(4)
    for number, worker in enumerate(started[:3], start=1):
        worker.begin()
        until(lambda number=number: len(platform.requests("upload_media")) == number)
        worker.kill()
    started[3].begin()
    done = await_completed(job, started[3])
    assert (done.status, done.error_kind, done.lost_workers) == ("failed", "lost_worker", 3)
    assert platform.media() == []


def test_three_workers_deliver_a_post_s_files_once_each_while_some_die(
    platform: Sandbox,
    library: Path,
    one_video: Path,
    workers: Workers,  # noqa: F811
) -> None:
    shutil.copy(one_video, library / "sea.mp4")
    social = make_social(platform)
    jobs = [create_media_upload(social, library_path="sea.mp4", now=timezone.now()) for _ in range(12)]
    platform.settings(onlysocial_delay_ms=150)
    started = workers(4)
    for worker in started[:3]:
        worker.begin()
    for worker in started[:2]:
        seen = UploadJob.objects.filter(status="completed").count()
        until(lambda seen=seen: UploadJob.objects.filter(status="completed").count() > seen)
        worker.kill()
    started[3].begin()
    for job in jobs:
        await_completed(job, started[3])
    done = UploadJob.objects.filter(status="completed")
    assert done.count() == len(jobs)
    assert sorted(str(media["id"]) for media in platform.media()) == sorted(
        done.values_list("remote_id", flat=True)
    )
