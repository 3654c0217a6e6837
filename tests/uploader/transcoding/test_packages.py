"""A package on disk is described by its manifest, and is whole or none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NOW
from uploader.catalog import Film
from uploader.transcoding.packages import BadPackage, Package, Rendition, SubtitleTrack, package_ready
from uploader.transcoding.transcode_jobs import TranscodeJob, create_transcode


def written(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def package_in(root: Path) -> Package:
    """A package of one resolution, one sound track and one subtitle, without real media."""
    renditions = []
    for label, kind in (("HD", "video"), ("audio-en", "audio")):
        files = [written(root / label / name) for name in ("init.mp4", "seg_00000.m4s", "index.m3u8")]
        renditions.append(
            Rendition(
                label=label, kind=kind, directory=root / label, playlist=files[-1], files=files, bytes=3
            )
        )
    texts = [written(root / "subtitles" / name) for name in ("en.vtt", "en.m3u8")]
    package = Package(
        root=root,
        resource_type="film",
        resource_id=7,
        master=written(root / "master.m3u8"),
        renditions=renditions,
        subtitles=[
            SubtitleTrack(
                language="en", name="English", playlist=texts[-1], files=texts, bytes=2, default=True
            )
        ],
    )
    package.save()
    return package


def test_a_package_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    made = package_in(tmp_path)
    assert Package.load(tmp_path) == made
    assert made.resource == ("film", 7)
    assert made.bytes == 9


def test_a_package_may_be_moved(tmp_path: Path) -> None:
    package_in(tmp_path / "work")
    moved = (tmp_path / "work").rename(tmp_path / "done")
    package = Package.load(moved)
    assert all(file.is_file() and file.is_relative_to(moved) for file in package.files)


def test_what_names_others_comes_behind_them_and_the_master_last(tmp_path: Path) -> None:
    names = [file.name for file in package_in(tmp_path).files]
    assert names[-1] == "master.m3u8"
    assert names.index("seg_00000.m4s") < names.index("index.m3u8")
    assert names.index("en.vtt") < names.index("en.m3u8")


def test_a_package_that_lacks_a_file_is_refused(tmp_path: Path) -> None:
    made = package_in(tmp_path)
    made.renditions[0].segments[1].unlink()
    with pytest.raises(BadPackage, match=r"seg_00000\.m4s is missing"):
        Package.load(tmp_path)


@pytest.mark.parametrize("name", ["../master.m3u8", "/etc/passwd"])
def test_a_manifest_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    package_in(tmp_path)
    manifest = tmp_path / "package.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "master": name}))
    with pytest.raises(BadPackage, match="outside"):
        Package.load(tmp_path)


def test_a_folder_without_a_manifest_is_no_package(tmp_path: Path) -> None:
    with pytest.raises(BadPackage, match="holds no package"):
        Package.load(tmp_path)


@pytest.mark.django_db
def test_who_waits_for_packages_hears_of_it_in_the_transaction_that_completes_the_job(
    tmp_path: Path, settings: Any
) -> None:
    settings.TRANSCODE_ROOT = tmp_path
    film = Film.objects.create(title="Keeper", path="keeper.mp4")
    create_transcode(film, now=NOW)
    (job,) = TranscodeJob.objects.claim("w#1", now=NOW)
    package = package_in(tmp_path / "packages" / "one")
    job.save_progress(now=NOW, package_path="packages/one")
    heard: list[tuple[Package, TranscodeJob, str]] = []

    def refuse(sender: type, package: Package, job: TranscodeJob, **_: Any) -> None:
        heard.append((package, job, job.status))
        raise RuntimeError("no")

    package_ready.connect(refuse)
    try:
        with pytest.raises(RuntimeError):
            job.complete(now=NOW)
    finally:
        package_ready.disconnect(refuse)
    assert heard == [(package, job, "completed")]
    assert TranscodeJob.objects.get().status == "active"
