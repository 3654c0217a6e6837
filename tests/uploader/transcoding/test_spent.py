"""Packages of this machine go when all of them is in the storage, and not while anything may need them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs import runner, tidying
from jobs.events import history_of
from jobs.tidying import Round
from tests.packages import make_package
from uploader import deciding, package_uploads, removing_packages
from uploader.catalog import Film
from uploader.deciding import Refused
from uploader.default_destinations import ensure_storage
from uploader.package_uploads import create_package_uploads
from uploader.transcoding import spent, workfiles
from uploader.transcoding.transcode_jobs import TranscodeJob
from uploader.transfer import places
from uploader.transfer.errors import NotAPlace
from uploader.upload_jobs import UploadJob, UploadType

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def storage(settings: Any, tmp_path: Path) -> Path:
    settings.STORAGE = {**settings.STORAGE, "url": (tmp_path / "storage").as_uri()}
    settings.PACKAGES_KEPT_DAYS = settings.JOBS_FILES_DAYS = 7
    return tmp_path / "storage"


@pytest.fixture
def job(transcoding: Path) -> TranscodeJob:
    """A completed transcoding whose package lies here and waits for its uploads."""
    film = Film.objects.create(title="Harbour", path="harbour.mp4")
    now = timezone.now()
    job = TranscodeJob.objects.create(
        film=film, resource_name="Harbour", source_path=film.path, status="completed", finished_at=now
    )
    job.package_path = f"packages/film-{film.pk}/{job.pk}-0a1b2c3d"
    job.save()
    package = make_package(transcoding / job.package_path, film)
    create_package_uploads(package, ensure_storage(now), now=now)
    return job


def uploaded() -> None:
    while runner.drain("upload", seconds=60):
        pass
    assert set(UploadJob.objects.values_list("status", flat=True)) == {"completed"}


def after(days: float) -> int:
    return tidying.follow(
        "packages here that are in the storage, or broken", Round(timezone.now() + timedelta(days=days))
    )


def root_of(job: TranscodeJob) -> Path:
    assert job.package_root
    return job.package_root


def test_it_goes_its_days_after_the_last_upload_and_the_history_says_so(
    job: TranscodeJob, transcoding: Path
) -> None:
    assert after(100) == 0, "its uploads wait"
    uploaded()
    assert after(6.9) == 0
    assert after(7.1) == 1
    assert not root_of(job).parent.exists()
    job.refresh_from_db()
    assert job.package_removed_at is not None
    told = history_of(job).get(type="package_removed")
    assert told.who == "clean-up" and "in the storage since" in told.why
    assert after(8) == 0
    workfiles.sweep(timezone.now())


def test_what_is_in_the_storage_still_plays_and_the_job_still_shows_it(
    job: TranscodeJob, operator_client: Client
) -> None:
    uploaded()
    assert after(8) == 1
    page = operator_client.get(f"/jobs/transcoding/{job.pk}/").content.decode()
    assert "No longer here since" in page
    master = UploadJob.objects.get(upload_type=UploadType.MASTER_PLAYLIST)
    assert reverse("package-play", args=[master.pk]) in page
    found = operator_client.get(reverse("package-file", args=[master.pk, "master.m3u8"]))
    assert (found.status_code, found.content[:7]) == (200, b"#EXTM3U")


@pytest.mark.parametrize("status", ["waiting", "active", "failed", "cancelled"])
def test_it_stays_while_a_part_of_it_may_still_be_sent(job: TranscodeJob, status: str) -> None:
    uploaded()
    part = UploadJob.objects.order_by("pk")[0]
    UploadJob.objects.filter(pk=part.pk).update(status=status)
    assert after(100) == 0
    assert (root_of(job) / "package.json").exists()


def test_a_failed_part_can_be_retried_as_long_as_its_files_are_here_then_all_goes(job: TranscodeJob) -> None:
    uploaded()
    part = UploadJob.objects.order_by("pk")[0]
    ended = timezone.now()
    UploadJob.objects.filter(pk=part.pk).update(status="failed", finished_at=ended)
    part.refresh_from_db()
    assert after(6) == 0
    tidying.follow("temporary files of failed or cancelled jobs", Round(ended + timedelta(days=8)))
    assert after(8) == 1, "nothing of a broken package can be sent"
    assert not root_of(job).exists()
    with pytest.raises(Refused, match="transcode the video again"):
        deciding.retry(part, who="olga", now=timezone.now())


def test_it_stays_when_it_was_taken_out_of_the_storage(job: TranscodeJob) -> None:
    uploaded()
    master = UploadJob.objects.get(upload_type=UploadType.MASTER_PLAYLIST)
    removing_packages.remove_package(master, who="olga", now=timezone.now())
    assert after(100) == 0
    assert root_of(job).exists()


def test_it_stays_without_uploads_and_where_the_setting_says_never(job: TranscodeJob, settings: Any) -> None:
    uploaded()
    settings.PACKAGES_KEPT_DAYS = 0
    assert after(1000) == 0
    settings.PACKAGES_KEPT_DAYS = 7
    UploadJob.objects.all().delete()
    assert after(1000) == 0
    assert root_of(job).exists()


def test_a_removal_that_died_half_way_is_finished_by_the_next(
    job: TranscodeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded()

    def dies(path: str) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(workfiles, "remove_package", dies)
        with pytest.raises(OSError, match="killed"):
            after(8)
    assert root_of(job).exists()
    assert after(8) == 1
    assert not root_of(job).exists()
    assert history_of(job).filter(type="package_removed").count() == 1


def test_the_storage_keeps_every_file(job: TranscodeJob, storage: Path) -> None:
    uploaded()
    before = {path: path.read_bytes() for path in storage.rglob("*") if path.is_file()}
    assert len(before) == 23
    assert after(8) == 1
    assert {path: path.read_bytes() for path in storage.rglob("*") if path.is_file()} == before
    folder = package_uploads.folder_of(UploadJob.objects.order_by("pk")[0])
    assert (storage / folder / "master.m3u8").exists()


def test_a_storage_inside_the_folder_of_packages_is_refused(settings: Any, transcoding: Path) -> None:
    settings.STORAGE = {**settings.STORAGE, "url": (transcoding / "packages").as_uri()}
    with pytest.raises(NotAPlace, match="inside of TRANSCODE_ROOT"):
        places.of_environment()


def test_two_that_clean_up_at_once_write_it_once(job: TranscodeJob) -> None:
    uploaded()
    round_ = Round(timezone.now() + timedelta(days=8))
    seen_by_both = TranscodeJob.objects.get()
    assert spent.forget(job, round_, "first")
    assert not spent.forget(seen_by_both, round_, "second")
    assert history_of(job).filter(type="package_removed").count() == 1
