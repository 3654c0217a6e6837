"""Sources that are no films end the job with a clear sentence, and leave no file behind."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from jobs.errors import JobError
from tests import videos
from tests.uploader.transcoding.conftest import Transcode, attempt, files_below
from tests.uploader.transcoding.films import film
from uploader.catalog import Film
from uploader.transcoding import deciding
from uploader.transcoding.ffmpeg import DiskFull, FfmpegKilled, SourceDamaged, failure, run_ffmpeg
from uploader.transcoding.transcode_jobs import Stage, create_transcode

pytestmark = pytest.mark.django_db(transaction=True)


def empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def text(path: Path) -> Path:
    path.write_text("This is not a film.\n" * 100)
    return path


def playlist(path: Path) -> Path:
    """What would make ffmpeg open another file, if it were let."""
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n")
    return path


def truncated(path: Path) -> Path:
    return videos.cut(film(path, seconds=4))


def corrupt(path: Path) -> Path:
    """Every picture but the first second's is noise."""
    film(path, seconds=6, tones=0, options=("-movflags", "+faststart"))
    data = bytearray(path.read_bytes())
    begin = len(data) // 3
    data[begin:-64] = random.Random(1).randbytes(len(data) - 64 - begin)
    path.write_bytes(data)
    return path


def noise(path: Path) -> Path:
    """The structure of a film, and no picture that can be decoded."""
    film(path, seconds=2, tones=0, options=("-movflags", "+faststart"))
    data = path.read_bytes()
    begin = data.index(b"mdat") + 4
    path.write_bytes(data[:begin] + b"\x07" * (len(data) - begin))
    return path


def no_frames(path: Path) -> Path:
    return film(path, seconds=1, tones=1, filters="select=0")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (empty, "is empty (0 bytes)"),
        (text, "is not a video that can be read"),
        (playlist, "is not a video that can be read"),
        (truncated, "is truncated"),
        (corrupt, "damaged"),
        (noise, "decode"),
        (no_frames, "has no video stream"),
        (videos.sound_only, "no video stream"),
    ],
)
def test_what_is_no_whole_film_is_refused_and_leaves_nothing(
    library: Path, transcode: Transcode, transcoding: Path, make: Callable[[Path], Path], sentence: str
) -> None:
    job = transcode(make(library / "film.mp4"))
    assert (job.status, job.error_kind) == ("failed", "rejected"), job.error_message
    assert sentence in job.error_message
    assert job.error_message.startswith(("Film Film:", "Film:", "File film.mp4"))
    assert files_below(transcoding) == []
    assert not job.pieces.exists()


def test_a_file_that_is_missing_is_named(library: Path, transcode: Transcode) -> None:
    (library / "other.mp4").write_bytes(b"x")
    job = transcode(library / "film.mp4")
    assert job.error_message == "Film Film: file missing at film.mp4. Restore it, then retry."


def test_a_library_that_is_away_costs_no_attempt(library: Path, transcode: Transcode) -> None:
    job = transcode(library / "film.mp4")  # an empty library is a disk that is not mounted
    assert (job.status, job.attempt) == ("waiting", 0)
    assert "cannot be reached" in job.error_message


def test_a_video_deleted_from_the_catalog_ends_its_job(library: Path) -> None:
    video = Film.objects.create(title="Keeper", path="keeper.mp4")
    job = create_transcode(video, now=timezone.now())
    video.delete()
    assert attempt(job).error_message == "The video was deleted from the catalog."


@pytest.mark.parametrize(
    "make", [empty, text, playlist, truncated, corrupt, noise, no_frames, videos.sound_only]
)
def test_a_corrected_file_is_transcoded_by_the_retry(
    library: Path, transcode: Transcode, transcoding: Path, make: Callable[[Path], Path]
) -> None:
    job = transcode(make(library / "film.mp4"))
    assert job.status == "failed"
    film(library / "film.mp4")
    deciding.retry(job, who="olga", now=timezone.now())
    assert attempt(job).status == "completed"


def test_a_file_that_is_back_is_transcoded_by_the_retry(library: Path, transcode: Transcode) -> None:
    (library / "other.mp4").write_bytes(b"x")
    job = transcode(library / "film.mp4")
    assert job.status == "failed"
    film(library / "film.mp4")
    deciding.retry(job, who="olga", now=timezone.now())
    assert attempt(job).status == "completed"


@pytest.fixture
def job(library: Path) -> Any:
    return create_transcode(Film.objects.create(title="Keeper", path="k.mp4"), now=timezone.now())


def test_a_full_disk_is_told_as_such(job: Any) -> None:
    source = ["-f", "lavfi", "-i", "testsrc2=duration=2", "-c:v", "libx264"]
    with pytest.raises(DiskFull, match="Keeper: the disk is full"):
        run_ffmpeg(
            [*source, "-f", "mpegts", "file:/dev/full"], job=job, stage=Stage.TRANSCODING, subject="Keeper"
        )
    assert "No space left" in job.logs.get().text


def test_a_full_disk_gives_back_what_the_film_takes_up(
    library: Path, transcode: Transcode, transcoding: Path, settings: Any, monkeypatch: Any
) -> None:
    """The disk fills up when the last piece is put in its place."""
    settings.TRANSCODE_PIECE_SECONDS = 1
    rename = Path.rename

    def full(self: Path, target: Path) -> Path:
        if target.name == "piece-00002":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", full)
    job = transcode(film(library / "film.mp4", seconds=5))
    assert (job.status, job.error_kind) == ("waiting", "transient")
    assert job.error_message == "Film: the disk is full. Make room on it, then retry."
    assert files_below(transcoding) == []
    monkeypatch.undo()
    assert attempt_now(job).status == "completed"


def attempt_now(job: Any) -> Any:
    job.wake(who="olga", now=timezone.now())
    return attempt(job)


@pytest.mark.parametrize(
    ("exit_code", "words", "kind"),
    [
        (-9, "", FfmpegKilled),
        (69, "", SourceDamaged),
        (1, "file.mp4: Invalid data found when processing input", SourceDamaged),
        (228, "av_interleaved_write_frame(): No space left on device", DiskFull),
        (1, "Unknown encoder 'libx264'", JobError),
    ],
)
def test_an_end_of_ffmpeg_is_told_in_a_sentence(exit_code: int, words: str, kind: type[JobError]) -> None:
    error = failure(exit_code, words, "Keeper")
    assert isinstance(error, kind)
    assert str(error).startswith("Keeper: ")
    assert error.permanent is (kind is SourceDamaged)
