"""What ffmpeg's death, failures, cleanups and deletions leave behind: what a retry can use, and nothing else."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from tests.jobs.worker_process import until
from tests.uploader.transcoding.conftest import attempt, files_below, package_of
from tests.uploader.transcoding.films import film, frame_times, joined
from tests.uploader.transcoding.test_survival import SECONDS, queued
from uploader.catalog import Film
from uploader.transcoding import deciding, workfiles
from uploader.transcoding.encoding import piece_folder
from uploader.transcoding.ffmpeg import program
from uploader.transcoding.transcode_jobs import TranscodeJob, create_transcode

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def odd_ffmpeg(tmp_path: Path, monkeypatch: Any) -> Any:
    """`odd_ffmpeg(word, does)`: the next ffmpeg that is told `word` does that; those after it are as ever."""
    real = program()

    def arrange(word: str, does: str) -> None:
        mark = tmp_path / "mark"
        mark.touch()
        fake = tmp_path / "bin" / "ffmpeg"
        fake.parent.mkdir()
        fake.write_text(
            f'#!/bin/sh\ncase "$*" in *{word}*) if rm {mark} 2>/dev/null; then {does}; fi ;; esac\nexec {real} "$@"\n'
        )
        fake.chmod(0o755)
        monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")

    return arrange


@pytest.fixture
def dying_ffmpeg(odd_ffmpeg: Any) -> Any:
    """`dying_ffmpeg(word)`: the next ffmpeg that is told `word` is killed."""
    return lambda word: odd_ffmpeg(word, "kill -9 $$")


@pytest.mark.parametrize(
    ("word", "stage"),
    [("make_zero", "splitting"), ("libx264", "transcoding"), ("concat", "merging")],
)
def test_an_ffmpeg_killed_in_any_stage_costs_an_attempt_and_the_next_one_makes_the_film(
    library: Path, transcoding: Path, settings: Any, dying_ffmpeg: Any, word: str, stage: str, tmp_path: Path
) -> None:
    settings.TRANSCODE_PIECE_SECONDS = 1
    film(library / "film.ts", seconds=SECONDS)
    job = create_transcode(Film.objects.create(title="Film", path="film.ts"), now=timezone.now())
    dying_ffmpeg(word)
    job = attempt(job)
    killed = job.logs.get(exit_code=-9)
    assert (killed.stage, killed.attempt) == (stage, 1)
    if stage != "splitting":
        assert (job.status, job.error_kind) == ("waiting", "transient")
        assert "ffmpeg was ended by SIGKILL" in job.error_message
        job.wake(who="olga", now=timezone.now())
        job = attempt(job)
        assert job.attempt == 2
    package = package_of(job)
    assert len(frame_times(joined(package.renditions[0], tmp_path / "made.mp4"))) in (100, 101)
    assert list((transcoding / "work").iterdir()) == []
    if stage == "merging":
        # What was encoded before is used again.
        assert not job.logs.filter(stage="transcoding", attempt=2).exists()


@pytest.mark.parametrize(
    ("word", "stage"),
    [("make_zero", "splitting"), ("libx264", "transcoding"), ("concat", "merging")],
)
def test_a_disk_that_is_full_in_any_stage_leaves_no_file_and_the_next_attempt_makes_the_film(
    library: Path, transcoding: Path, settings: Any, odd_ffmpeg: Any, word: str, stage: str
) -> None:
    """ffmpeg 5 ends with status 0 then, and with half a file."""
    settings.TRANSCODE_PIECE_SECONDS = 1
    film(library / "film.ts", seconds=SECONDS)
    job = create_transcode(Film.objects.create(title="Film", path="film.ts"), now=timezone.now())
    odd_ffmpeg(word, 'echo "av_interleaved_write_frame(): No space left on device" >&2; exit 0')
    job = attempt(job)
    assert (job.status, job.error_kind) == ("waiting", "transient")
    assert job.error_message == "Film: the disk is full. Make room on it, then retry."
    assert files_below(transcoding) == []
    assert job.logs.filter(stage=stage, text__contains="No space left").exists()
    job.wake(who="olga", now=timezone.now())
    package_of(attempt(job))


def test_a_worker_that_is_stopped_hands_its_film_back_and_uses_up_no_attempt(
    library: Path, transcoding: Path, settings: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    settings.TRANSCODE_PIECE_SECONDS = 1
    job = queued(library, "film", seconds=16)
    stop = tmp_path / "stop"
    monkeypatch.setenv("SLOTCAST_STOP_FILE", str(stop))
    first_piece = piece_folder(job.pk, 0)

    def stop_soon() -> None:
        until(first_piece.is_dir, what="a piece is finished")
        stop.touch()

    stopping = threading.Thread(target=stop_soon)
    stopping.start()
    handed_back = attempt(job)
    stopping.join()
    assert (handed_back.status, handed_back.attempt, handed_back.error_message) == ("waiting", 0, "")
    finished = handed_back.pieces.filter(status="completed").count()
    assert 0 < finished < handed_back.pieces_total
    assert not list(transcoding.rglob("*.tmp"))
    stop.unlink()
    package_of(attempt(job))
    encoded = job.logs.filter(stage="transcoding", exit_code=0).values_list("piece", flat=True)
    assert sorted(encoded) == list(range(17))


def test_a_failure_that_may_pass_keeps_finished_pieces_for_a_day_and_a_cleanup_removes_them(
    library: Path, transcoding: Path, settings: Any, dying_ffmpeg: Any
) -> None:
    settings.TRANSCODE_PIECE_SECONDS, settings.UPLOAD_MAX_RETRIES = 1, 1
    job = queued(library, "film")
    dying_ffmpeg("concat")
    job = attempt(job)
    assert job.status == "failed"
    kept = files_below(transcoding / "work")
    assert len([name for name in kept if name.endswith("SD.mp4")]) == SECONDS
    workfiles.sweep(timezone.now() + timedelta(hours=23))
    assert files_below(transcoding / "work") == kept
    workfiles.sweep(timezone.now() + timedelta(hours=25))
    assert files_below(transcoding) == []


def test_a_sweep_takes_only_what_no_job_needs(library: Path, transcoding: Path) -> None:
    job = attempt(queued(library, "film", seconds=1))
    waiting = queued(library, "other", seconds=1)
    for name in (f"work/{waiting.pk}/piece-00000/SD.mp4", "work/999/x", f"work/{job.pk}/x", "work/odd/x",
                 "packages/film-999/1-abc/master.m3u8", "packages/film-999/1-abc.ff.tmp/x"):  # fmt: skip
        path = transcoding / name
        path.parent.mkdir(parents=True)
        path.touch()
    assert workfiles.sweep(timezone.now()) == 5
    package_of(job)
    left = {name.split("/")[0] + "/" + name.split("/")[1] for name in files_below(transcoding)}
    assert left == {f"work/{waiting.pk}", f"packages/film-{job.film_id}"}
    assert workfiles.sweep(timezone.now()) == 0


def test_a_package_is_kept_until_a_newer_one_of_its_film_is_a_day_old(
    library: Path, transcoding: Path
) -> None:
    first = attempt(queued(library, "film", seconds=1))
    second = attempt(create_transcode(first.film, now=timezone.now()))
    other = attempt(queued(library, "other", seconds=1))
    uploads = first.film.upload_jobs.filter(details__root=str(first.package_root))
    assert uploads.exists()
    now = timezone.now()
    workfiles.sweep(now + timedelta(hours=23))
    package_of(first)
    workfiles.sweep(now + timedelta(hours=25))
    package_of(first)  # it is being uploaded
    uploads.update(status="completed")
    assert workfiles.sweep(now + timedelta(hours=25)) == 1
    first.refresh_from_db()
    assert first.package_path == ""
    package_of(second)
    package_of(other)


def test_deleting_a_job_takes_its_package_along_unless_it_is_being_uploaded(
    library: Path, transcoding: Path
) -> None:
    job = attempt(queued(library, "film", seconds=1))
    with pytest.raises(deciding.Refused, match="still being uploaded"):
        deciding.delete(job)
    job.film.upload_jobs.update(status="completed")
    deciding.delete(job)
    assert files_below(transcoding) == []
    assert not TranscodeJob.objects.exists()


def test_decisions_that_cannot_be_carried_out_are_refused_with_the_reason(library: Path) -> None:
    job = queued(library, "film", seconds=1)
    now = timezone.now()
    with pytest.raises(deciding.Refused, match="already waiting"):
        deciding.retry(job, who="olga", now=now)
    with pytest.raises(deciding.Refused, match="still waiting: cancel it first"):
        deciding.delete(job)
    with pytest.raises(deciding.Refused, match="still waiting"):
        deciding.clean_up(job)
    job = attempt(job)
    with pytest.raises(deciding.Refused, match="already completed"):
        deciding.cancel(job, who="olga", now=now)
    with pytest.raises(deciding.Refused, match="already completed"):
        deciding.retry(job, who="olga", now=now)
    assert deciding.clean_up(job) == 0
    package_of(job)
