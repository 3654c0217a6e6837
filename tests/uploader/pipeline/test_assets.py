"""Files go between the library and the storage: what is there stays, nothing is lost, nothing leads outside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.pipeline.pipeline_jobs import PipelineJob
from uploader.catalog import Series

Done = Callable[..., PipelineJob]
pytestmark = pytest.mark.django_db


@pytest.fixture
def storage(settings: Any, tmp_path: Path) -> Path:
    """A folder as the storage."""
    root = tmp_path / "storage"
    settings.STORAGE = {**settings.STORAGE, "url": root.as_uri()}
    return root


@pytest.fixture
def files(library: Path) -> Path:
    for name, size in (
        ("harbour/01.mp4", 3000),
        ("harbour/01.en.srt", 30),
        ("über & co/ä.mp4", 10),
        ("a.txt", 0),
    ):
        path = library / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    return library


def test_the_library_goes_up_and_again_only_what_changed(done: Done, storage: Path, files: Path) -> None:
    (files / ".hidden").write_text("no")
    (files / "b.mp4.part").write_text("still coming")
    (files / "link.mp4").symlink_to("/etc/passwd")
    job = done("sync_assets")
    assert (job.status, job.error) == ("success", "")
    assert job.output == {"total": 4, "success": 4, "skipped": 0, "failed": 0, "bytes": 3040}
    assert (storage / "library/harbour/01.mp4").read_bytes() == (files / "harbour/01.mp4").read_bytes()
    assert sorted(path.name for path in storage.rglob("*") if path.is_file()) == [
        "01.en.srt",
        "01.mp4",
        "a.txt",
        "ä.mp4",
    ]
    (files / "harbour/01.en.srt").write_text("changed, and longer than it was before")
    again = done("sync_assets", {"direction": "up"})
    assert again.output and (again.output["success"], again.output["skipped"]) == (1, 3)
    assert "changed" in (storage / "library/harbour/01.en.srt").read_text()


def test_a_folder_or_a_series_goes_alone(
    done: Done, storage: Path, files: Path, make_series: Callable[..., Series]
) -> None:
    job = done("sync_assets", {"folder": "harbour"})
    assert job.output and job.output["total"] == 2
    night = make_series("Night", 2)
    job = done("sync_assets", {"seriesId": night.pk})
    assert job.output and job.output["total"] == 2
    assert (storage / "library/night/02.mp4").exists()


def test_what_the_library_lacks_comes_down(done: Done, storage: Path, files: Path) -> None:
    done("sync_assets")
    original = (files / "harbour/01.mp4").read_bytes()
    (files / "harbour/01.mp4").unlink()
    (files / "harbour/01.en.srt").write_text("edited here")
    job = done("sync_assets", {"direction": "down"})
    assert job.output == {"total": 4, "success": 1, "skipped": 3, "failed": 0, "bytes": 3000}
    assert (files / "harbour/01.mp4").read_bytes() == original
    assert (files / "harbour/01.en.srt").read_text() == "edited here", "nothing is overwritten"


def test_what_comes_down_never_leads_outside(done: Done, storage: Path, files: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (files / "away").symlink_to(outside)
    for name in ("library/away/a.mp4", "library/.ssh/keys", "elsewhere/b.mp4"):
        (storage / name).parent.mkdir(parents=True, exist_ok=True)
        (storage / name).write_text("x")
    job = done("sync_assets", {"direction": "down"})
    assert list(outside.iterdir()) == []
    assert not (files / ".ssh").exists() and not (files / "b.mp4").exists()
    assert job.status == "queued" and "None of 1 succeeded" in job.error


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"direction": "sideways"}, "up or down"), ({"folder": "../etc"}, "library"), ({"folder": "/etc"}, "library"),
        ({"folder": 7}, "folder"), ({"folder": "nowhere"}, "no folder"), ({"seriesId": "all"}, "seriesId"),
        ({"seriesId": 10**30}, "no series"), ({"seriesId": True}, "seriesId"),
    ],
)  # fmt: skip
def test_nonsense_is_refused(
    done: Done, storage: Path, files: Path, given: dict[str, Any], says: str
) -> None:
    job = done("sync_assets", given)
    assert job.status == "failed" and says in job.error


def test_a_storage_that_is_none_is_told(done: Done, files: Path, settings: Any) -> None:
    settings.STORAGE = {**settings.STORAGE, "url": "file:relative"}
    job = done("sync_assets")
    assert job.status in ("failed", "queued") and "STORAGE_URL" in job.error
