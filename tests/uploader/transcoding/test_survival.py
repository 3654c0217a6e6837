"""Workers and ffmpeg die, people cancel, in every stage: each film ends as it should, and leaves no file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.utils import timezone

from jobs import recovery
from jobs.events import Event
from tests.jobs.worker_process import lives, until
from tests.uploader.transcoding.conftest import attempt, files_below, package_of
from tests.uploader.transcoding.films import film, frame_times, joined
from tests.uploader.transcoding.workers import Crew, crew_of
from uploader.catalog import Film
from uploader.transcoding import deciding
from uploader.transcoding.pieces import TranscodePiece
from uploader.transcoding.transcode_jobs import Stage, TranscodeJob, create_transcode

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

SECONDS = 4


@pytest.fixture
def crew(tmp_path: Path, library: Path, settings: Any) -> Iterator[Crew]:
    with crew_of(tmp_path, library, settings) as found:
        yield found


def queued(library: Path, name: str, **more: Any) -> TranscodeJob:
    film(library / f"{name}.mp4", **{"seconds": SECONDS, **more})
    row = Film.objects.create(title=name.title(), path=f"{name}.mp4")
    return create_transcode(row, now=timezone.now())


def is_now(job: TranscodeJob, status: str) -> bool:
    job.refresh_from_db()
    return job.status == status


def held_in_each_stage(crew: Crew, library: Path) -> list[TranscodeJob]:
    """A film in each stage, each with a worker of its own, in the order of the stages."""
    workers = [crew.hire(STOP_AT=stage, TRANSCODE_PIECE_SECONDS="1") for stage in Stage.values]
    jobs = []
    for stage, worker in zip(Stage.values, workers, strict=True):
        job = queued(library, stage)
        worker.begin()
        worker.expect("there")
        job.refresh_from_db()
        assert (job.status, job.stage) == ("active", stage)
        jobs.append(job)
    return jobs


def test_a_worker_killed_in_any_stage_leaves_its_film_to_the_next_which_uses_what_is_finished(
    crew: Crew, library: Path, transcoding: Path, tmp_path: Path
) -> None:
    jobs = held_in_each_stage(crew, library)
    for worker in crew.workers:
        worker.kill()
    crew.hire(TRANSCODE_PIECE_SECONDS="1").begin()
    for job in jobs:
        until(lambda job=job: is_now(job, "completed"), seconds=60, what=f"{job} is completed: {vars(job)}")
        picture = joined(package_of(job).renditions[0], tmp_path / f"{job.pk}.mp4")
        assert len(frame_times(picture)) == SECONDS * 25
        # Each piece was encoded once, before the death or after it.
        encoded = job.logs.filter(stage="transcoding", exit_code=0).values_list("piece", flat=True)
        assert sorted(encoded) == [0, 1, 2, 3, 4]
        assert (job.attempt, job.lost_workers) == (1, 0)
    named = {path for job in jobs for path in files_below(package_of(job).root)}
    left = [name for name in files_below(transcoding) if not name.endswith(tuple(named))]
    assert left == []
    assert list((transcoding / "work").iterdir()) == []


def test_a_cancel_in_any_stage_ends_the_job_and_removes_its_files(
    crew: Crew, library: Path, transcoding: Path
) -> None:
    jobs = held_in_each_stage(crew, library)
    for job in jobs:
        deciding.cancel(job, who="olga", now=timezone.now())
    for job in jobs:
        until(lambda job=job: is_now(job, "cancelled"), what=f"{job} is cancelled: {vars(job)}")
    until(lambda: files_below(transcoding) == [], what="no file is left")
    assert not TranscodePiece.objects.exists()
    told = Event.objects.filter(topic="jobs", type="JobCancelled").values_list("data__jobId", flat=True)
    assert sorted(told) == sorted(job.job_id for job in jobs)


def test_a_cancel_ends_a_running_ffmpeg_and_the_retry_makes_the_film(
    crew: Crew, library: Path, transcoding: Path
) -> None:
    job = queued(library, "long", seconds=20, size="1280x720")
    worker = crew.hire()
    worker.begin()
    ffmpeg = worker.ffmpeg()
    deciding.cancel(job, who="olga", now=timezone.now())
    until(lambda: not lives(ffmpeg), what="ffmpeg ends")
    until(lambda: is_now(job, "cancelled"), what="the job is cancelled")
    until(lambda: files_below(transcoding) == [], what="no file is left")
    worker.kill()
    film(library / "long.mp4", seconds=1)
    before = job.client_id
    deciding.retry(job, who="olga", now=timezone.now())
    assert attempt(job).status == "completed"
    job.refresh_from_db()
    assert job.client_id != before


def test_ffmpeg_dies_with_its_worker(crew: Crew, library: Path) -> None:
    queued(library, "long", seconds=20, size="1280x720")
    worker = crew.hire()
    worker.begin()
    ffmpeg = worker.ffmpeg()
    worker.kill()
    until(lambda: not lives(ffmpeg), what="ffmpeg ends")


def test_two_workers_share_a_film_and_the_death_of_one_is_made_up_for_by_the_other(
    crew: Crew, library: Path, transcoding: Path, tmp_path: Path
) -> None:
    job = queued(library, "shared", seconds=12, size="640x360")
    workers = [crew.hire(TRANSCODE_PIECE_SECONDS="1") for _ in range(2)]
    for worker in workers:
        worker.begin()

    def helped() -> set[str]:
        return {piece.leased_by for piece in job.pieces.filter(status="active")}

    def helper() -> psutil.Process | None:
        """The one that holds a piece and not the film."""
        job.refresh_from_db()
        leader = job.leased_by.split(":")[1] if job.leased_by else ""
        pids = {token.split(":")[1] for token in helped() if token}
        others = [w.process for w in workers if leader and str(w.process.pid) in pids - {leader}]
        return others[0] if others else None

    until(helper, what="a second worker helps").kill()

    def completed() -> bool:
        recovery.recover(timezone.now())
        return is_now(job, "completed")

    until(completed, seconds=60, what=f"the film is made: {vars(job)}")
    times = frame_times(joined(package_of(job).renditions[0], tmp_path / "made.mp4"))
    assert len(times) == 12 * 25
    assert list((transcoding / "work").iterdir()) == []
