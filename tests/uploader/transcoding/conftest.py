"""What the tests of transcoding share: a library, short segments, and the way of one film."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from jobs import runner
from uploader.catalog import Film
from uploader.transcoding.packages import Package
from uploader.transcoding.transcode_jobs import TranscodeJob, create_transcode

Transcode = Callable[[Path], TranscodeJob]


@pytest.fixture(autouse=True)
def transcoding(settings: Any, tmp_path: Path) -> Path:
    """Short segments and pieces; everything is made below `tmp_path`."""
    settings.TRANSCODE_ROOT = tmp_path / "transcoding"
    settings.TRANSCODE_SEGMENT_SECONDS = 1
    settings.TRANSCODE_PIECE_SECONDS = 100
    settings.TRANSCODE_RETRY_SECONDS = 0.05
    return settings.TRANSCODE_ROOT


@pytest.fixture
def transcode(library: Path) -> Transcode:
    """`transcode(path)`: the film at `path` in the library, after one attempt of a worker."""

    def run(path: Path) -> TranscodeJob:
        name = path.relative_to(library).as_posix()
        film, _ = Film.objects.get_or_create(path=name, defaults={"title": path.stem.title()})
        return attempt(create_transcode(film, now=timezone.now()))

    return run


def attempt(job: TranscodeJob) -> TranscodeJob:
    """Claim the job and do one attempt at it, as a worker does."""
    (claimed,) = TranscodeJob.objects.filter(pk=job.pk).claim("worker#1", now=timezone.now())
    runner.execute(claimed)
    claimed.refresh_from_db()
    return claimed


def package_of(job: TranscodeJob) -> Package:
    assert job.status == "completed", job.error_message
    assert job.package_root
    return Package.load(job.package_root)


def files_below(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
