"""The four live events of seed 001 on the topic `jobs`."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.errors import JobError
from jobs.events import Event
from tests.conftest import NOW
from tests.uploader.manager.rows import episode, failed, film, held, transcoding, upload
from uploader import live
from uploader.transcoding.transcode_jobs import TranscodeJob

pytestmark = pytest.mark.django_db
# Columns of the requirement's model, by its names: every end of every job tells them.
OF_BOTH_KINDS = {
    "jobId", "jobType", "status", "progress", "resourceType", "resourceId", "resourceName", "clientId",
    "failedReason", "errorMessage",
}  # fmt: skip


def told(topic: str = "jobs") -> list[tuple[str, dict[str, Any]]]:
    return [(event.type, event.data) for event in Event.objects.filter(topic=topic)]


def test_the_four_events_of_an_upload() -> None:
    first = held(upload(episode(1), bytes_total=1000))
    live.upload_progress(first, done=250, total=1000, bytes_per_second=50)
    first.complete(now=NOW)
    failed(episode(2), "The platform said no.")
    cancelled = upload(episode(3))
    cancelled.cancel(who="olga", now=NOW)
    events = told()
    assert [name for name, _ in events] == ["uploadProgress", "JobCompleted", "JobFailed", "JobCancelled"]
    progress, completed, broke, stopped = [data for _, data in events]
    assert (progress["jobId"], progress["progress"], progress["status"]) == (first.pk, 25, "active")
    assert progress["clientId"] == completed["clientId"] == first.client_id
    assert (completed["status"], completed["progress"], completed["errorMessage"]) == ("completed", 100, None)
    assert (broke["status"], broke["failedReason"], broke["errorMessage"]) == (
        "failed", "Rejected", "The platform said no.",
    )  # fmt: skip
    assert (stopped["jobId"], stopped["status"]) == (cancelled.pk, "cancelled")
    assert all({*OF_BOTH_KINDS, "uploadType", "label"} <= set(data) for _, data in events[1:])
    assert {data["jobType"] for _, data in events} == {"upload-video"}


def test_the_three_ends_of_a_transcoding_have_the_names_of_an_upload_s() -> None:
    jobs = [transcoding(film(title)) for title in ("Tide", "Reef", "Keel")]
    done, broke = TranscodeJob.objects.order_by("pk").claim("worker#1", now=NOW, limit=2)
    done.complete(now=NOW)
    broke.fail(JobError("No sound."), now=NOW)
    jobs[2].cancel(who="olga", now=NOW)
    events = told()
    assert [name for name, _ in events] == ["JobCompleted", "JobFailed", "JobCancelled"]
    assert [data["jobId"] for _, data in events] == [job.job_id for job in jobs]
    completed, failure, stopped = [data for _, data in events]
    assert (completed["status"], completed["progress"], completed["errorMessage"]) == ("completed", 100, None)
    assert (failure["status"], failure["failedReason"], failure["errorMessage"]) == (
        "failed", "Temporary fault", "No sound.",
    )  # fmt: skip
    assert (stopped["status"], stopped["errorMessage"]) == ("cancelled", "Cancelled on request")
    for data in (completed, failure, stopped):
        assert data["jobType"] == "transcode" and "error" not in data
        assert set(data) >= OF_BOTH_KINDS


def test_what_is_no_end_is_told_elsewhere() -> None:
    job = held(upload(episode()))
    job.try_again(JobError("Once more."), now=NOW)
    assert told() == []
    ((name, data),) = told("queue")
    assert (name, data["what"], data["status"]) == ("job_changed", "attempt_failed", "waiting")
