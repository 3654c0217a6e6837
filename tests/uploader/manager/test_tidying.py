"""The scheduled clean-up: what goes by itself, and what never does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs import ticker, tidying
from jobs.events import Event
from jobs.tidying import Round
from tests.conftest import NOW
from tests.uploader.manager.rows import account, episode, film, transcoding, upload
from uploader.upload_jobs import UploadJob, delivered

pytestmark = pytest.mark.django_db
OLD = NOW - timedelta(days=100)


@pytest.fixture(autouse=True)
def days(settings: Any, tmp_path: Path) -> Path:
    settings.JOBS_LISTED_DAYS, settings.JOBS_FILES_DAYS = 90, 7
    settings.JOBS_KEPT_DAYS = settings.HISTORY_KEPT_DAYS = 365
    settings.PACKAGES_KEPT_DAYS = 7
    settings.TRANSCODE_ROOT = tmp_path / "transcoding"
    return settings.TRANSCODE_ROOT


def tidy(now: Any) -> dict[str, int]:
    return tidying.tidy(Round(now))


def listed() -> set[int]:
    return set(UploadJob.objects.listed().values_list("pk", flat=True))


def test_old_jobs_leave_the_list_but_a_failure_stays_until_somebody_took_care_of_it() -> None:
    done = upload(episode(1), "completed", finished_at=OLD)
    stays = [
        upload(episode(2), "failed", finished_at=OLD),
        upload(episode(3), "completed", finished_at=NOW),
        upload(episode(4), "waiting", created_at=OLD),
    ]
    handled = upload(episode(5), "failed", finished_at=OLD, handled_at=OLD)
    old = transcoding(film(), "cancelled", finished_at=OLD)
    assert tidy(NOW)["jobs taken off the list"] == 3
    assert listed() == {job.pk for job in stays}
    old.refresh_from_db()
    assert old.cleared_at == NOW
    assert tidy(NOW)["jobs taken off the list"] == 0
    assert delivered(episode(1), account()) == done
    assert UploadJob.objects.filter(pk=handled.pk).exists()


def test_files_of_failures_go_after_their_days(days: Path) -> None:
    def rendition(name: str, status: str, **columns: Any) -> Path:
        folder = days / "packages" / "film-1" / name
        folder.mkdir(parents=True)
        (folder / "1.ts").write_bytes(b"x")
        upload(
            film(), status, upload_type="hls", package="film-1-a", label=name, local_path=str(folder),
            s3_path=f"films/1/a/{name}", **columns,
        )  # fmt: skip
        return folder

    week_ago = NOW - timedelta(days=8)
    old = rendition("FHD", "failed", finished_at=week_ago)
    kept = [
        rendition("HD", "failed", finished_at=NOW - timedelta(days=6)),
        rendition("SD", "completed", finished_at=week_ago),
        rendition("UHD", "waiting"),
    ]
    assert tidying.follow("temporary files of failed or cancelled jobs", Round(NOW)) == 1
    assert not old.exists() and all(folder.exists() for folder in kept)
    assert tidying.follow("temporary files of failed or cancelled jobs", Round(NOW)) == 0


def test_only_rows_that_prove_nothing_are_dropped_in_the_end() -> None:
    long_ago = NOW - timedelta(days=400)
    cleared: dict[str, Any] = {"finished_at": long_ago, "cleared_at": long_ago}
    upload(episode(1), "failed", **cleared)
    kept = [
        upload(episode(2), "failed", remote_id="x1", **cleared),
        upload(episode(3), "failed", create_intended_at=long_ago, **cleared),
        upload(episode(4), "completed", **cleared),
        upload(episode(5), "cancelled", finished_at=OLD, cleared_at=OLD),
    ]
    Event.objects.create(at=long_ago, type="failed")
    recent = Event.objects.create(at=OLD, type="failed")
    done = tidy(NOW)
    assert (done["video jobs that proved nothing"], done["lines of history"]) == (1, 1)
    assert set(UploadJob.objects.values_list("pk", flat=True)) == {job.pk for job in kept}
    assert Event.objects.filter(pk=recent.pk).exists()


def test_nothing_goes_where_the_settings_say_never(settings: Any) -> None:
    settings.JOBS_LISTED_DAYS = settings.JOBS_FILES_DAYS = 0
    settings.JOBS_KEPT_DAYS = settings.HISTORY_KEPT_DAYS = 0
    settings.PACKAGES_KEPT_DAYS = settings.QUEUE_KEPT_DAYS = 0
    long_ago = NOW - timedelta(days=4000)
    upload(episode(1), "completed", finished_at=long_ago)
    upload(episode(2), "failed", finished_at=long_ago, cleared_at=long_ago)
    Event.objects.create(at=long_ago, type="failed")
    assert set(tidy(NOW).values()) == {0}


def test_every_rule_is_a_duty_of_the_ticker() -> None:
    assert set(tidy(NOW)) == {
        name.removeprefix("clean-up: ") for name in ticker._duties if name.startswith("clean-up: ")
    }
    old = upload(episode(), "completed", finished_at=OLD)
    ticker._duties["clean-up: jobs taken off the list"].do(NOW)
    old.refresh_from_db()
    assert old.cleared_at == NOW
