"""The admin pages of transcode jobs."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from jobs.errors import JobError
from tests.admin_pages import act, address, press, root, staff_with
from uploader.catalog import Film
from uploader.transcoding.transcode_jobs import TranscodeJob, TranscodeLog, create_transcode

pytestmark = pytest.mark.django_db


@pytest.fixture
def film() -> Film:
    return Film.objects.create(title="Keeper", path="keeper.mp4")


@pytest.fixture
def failed(film: Film) -> TranscodeJob:
    create_transcode(film, now=timezone.now())
    (job,) = TranscodeJob.objects.claim("box:17:1:a#1", now=timezone.now())
    job.ladder = [{"label": "SD", "width": 320, "height": 180}]
    job.save(update_fields=["ladder"])
    TranscodeLog.objects.create(
        job=job, attempt=1, stage="transcoding", piece=0, command="ffmpeg -i <k>", exit_code=1,
        text="<b>no</b> such thing", at=timezone.now(),
    )  # fmt: skip
    job.fail(JobError("Keeper: ffmpeg ended with status 1"), now=timezone.now())
    return job


def test_a_film_is_queued_from_the_catalog_once(film: Film) -> None:
    client = root()
    assert act(client, Film, "transcode", [film]) == "1 queued."
    job = TranscodeJob.objects.get()
    assert act(client, Film, "transcode", [film]) == (
        f"1 refused: Film Keeper is being transcoded already, by job {job.pk}."
    )


def test_the_page_tells_the_log_and_what_failed(failed: TranscodeJob) -> None:
    page = root().get(address(failed, "change", failed.pk)).content.decode()
    assert "Keeper: ffmpeg ended with status 1" in page
    assert "SD 320×180" in page
    assert "&lt;b&gt;no&lt;/b&gt; such thing" in page
    assert "piece 1: ended with 1" in page
    assert root("other").get(address(TranscodeJob, "changelist")).status_code == 200


def test_decisions_are_reported_with_counts_and_reasons(failed: TranscodeJob) -> None:
    client = root()
    assert press(client, failed, "clean_up_this") == "1 cleaned up."
    assert press(client, failed, "retry_this") == "1 queued."
    assert act(client, TranscodeJob, "retry_chosen", [failed]) == "1 refused: already waiting."
    assert act(client, TranscodeJob, "cancel_chosen", [failed]) == "1 cancelled."


def test_who_may_only_look_decides_nothing(failed: TranscodeJob) -> None:
    viewer: Client = staff_with("vera", apps=["uploader"], verbs=["view"])
    assert viewer.get(address(failed, "change", failed.pk)).status_code == 200
    act(viewer, TranscodeJob, "retry_chosen", [failed])
    assert (
        viewer.post(address(failed, "retry_this", failed.pk), {"_form_submitted": "True"}).status_code == 403
    )
    failed.refresh_from_db()
    assert failed.status == "failed"
