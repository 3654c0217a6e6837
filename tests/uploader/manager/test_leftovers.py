"""Cleaning up removes the temporary files of a job, and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.events import history_of
from tests.conftest import NOW
from tests.uploader.manager.rows import episode, film, transcoding, upload
from uploader.deciding import Refused
from uploader.manager import verbs
from uploader.upload_jobs import UploadJob

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(settings: Any, tmp_path: Path) -> Path:
    settings.TRANSCODE_ROOT = tmp_path / "transcoding"
    settings.TRANSCODE_ROOT.mkdir()
    return settings.TRANSCODE_ROOT


def write(path: Path, size: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


def rendition(local_path: Path, status: str = "failed", **columns: Any) -> UploadJob:
    return upload(
        film(), status, upload_type="hls", package="film-1/1-a", label="FHD", local_path=str(local_path),
        s3_path=f"film-1/{local_path.name}", files_done=1, bytes_sent=10, progress=50, **columns,
    )  # fmt: skip


def clean(job: Any) -> str:
    return verbs.cleanup(job, who="olga", now=NOW)


def test_the_files_of_a_failed_rendition_go_and_those_of_its_siblings_stay(root: Path) -> None:
    package = root / "packages" / "film-1" / "1-a"
    write(package / "FHD" / "1.ts"), write(package / "FHD" / "index.m3u8", 6)
    other = write(package / "HD" / "1.ts")
    job = rendition(package / "FHD")
    assert clean(job) == "is cleaned up: 2 files (16\xa0bytes) removed"
    assert (package / "FHD").exists() is False
    assert other.exists()
    job.refresh_from_db()
    assert (job.status, job.progress, job.files_done, job.bytes_sent) == ("failed", 0, 0, 0)
    (event,) = history_of(job)
    assert (event.type, event.who) == ("cleaned_up", "olga")
    with pytest.raises(Refused, match="its files are gone; transcode the video again"):
        verbs.retry(job, who="olga", now=NOW)


def test_the_work_of_a_failed_transcoding_goes_and_that_of_others_stays(root: Path) -> None:
    job, other = transcoding(film(), "failed"), transcoding(episode(), "failed")
    mine = write(root / "work" / str(job.pk) / "pieces" / "1.mp4")
    theirs = write(root / "work" / str(other.pk) / "pieces" / "1.mp4")
    assert clean(job).startswith("is cleaned up: 1 file ")
    assert (mine.exists(), theirs.exists()) == (False, True)
    assert clean(job) == "had no temporary files left"


@pytest.mark.parametrize("status", ["waiting", "active", "completed"])
def test_only_what_failed_or_was_cancelled_is_cleaned_up(root: Path, status: str) -> None:
    file = write(root / "packages" / "film-1" / "1-a" / "FHD" / "1.ts")
    with pytest.raises(Refused, match="only what failed or was cancelled is cleaned up"):
        clean(rendition(file.parent, status))
    assert file.exists()


@pytest.mark.parametrize(
    "path", ["../library/film.mp4", "packages/../../library/film.mp4", "/etc/hostname", "", "."]
)
def test_a_path_that_leads_out_of_the_folder_of_temporary_files_stays(root: Path, path: str) -> None:
    film_file = write(root.parent / "library" / "film.mp4")
    kept = write(root / "packages" / "film-1" / "1-a" / "master.m3u8")
    job = rendition(root / path)
    assert clean(job) == "had no temporary files left"
    assert film_file.exists() and kept.exists() and Path("/etc/hostname").exists()


def test_a_link_out_of_the_folder_is_not_followed(root: Path) -> None:
    outside = write(root.parent / "library" / "film.mp4")
    package = root / "packages" / "film-1" / "1-a"
    package.mkdir(parents=True)
    (package / "FHD").symlink_to(outside.parent)
    inner = write(package / "HD" / "1.ts")
    (package / "HD" / "film.mp4").symlink_to(outside)
    assert clean(rendition(package / "FHD")) == "had no temporary files left"
    assert clean(rendition(package / "HD")).startswith("is cleaned up: 1 file ")
    assert (inner.exists(), outside.exists()) == (False, True)
