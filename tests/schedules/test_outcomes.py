"""What an upload job's fate means for its place on the queue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from jobs.errors import JobError
from jobs.events import Event
from schedules import scheduling
from schedules.upload_schedules import ScheduledUpload, Status
from tests.conftest import NOW
from tests.schedules.test_hourly import ELEVEN, finish, start_one
from uploader import live
from uploader.catalog import Series
from uploader.destinations import Destination
from uploader.upload_jobs import UploadJob


@pytest.fixture
def row(make_series: Callable[..., Series], destination: Destination) -> ScheduledUpload:
    """An episode that is being uploaded."""
    scheduling.schedule_series(make_series("Harbour", 2), destination, who="olga", now=NOW)
    return start_one(ELEVEN)


def test_progress_is_told_with_the_fields_of_the_requirement(row: ScheduledUpload) -> None:
    assert row.job is not None
    live.upload_progress(row.job, done=45, total=100, bytes_per_second=5)
    told = {event.topic: event for event in Event.objects.exclude(topic="")}
    assert told["uploads"].envelope == {
        "id": told["uploads"].pk,
        "type": "upload_progress",
        "data": {
            "episodeId": row.episode_id,
            "seriesId": row.series_id,
            "seriesTitle": "Harbour",
            "episodeIndex": 1,
            "progress": 45,
        },
    }
    assert told["jobs"].data["secondsLeft"] == 11
    row.refresh_from_db()
    assert row.upload_progress == 45


def test_the_row_follows_its_job_in_the_same_transaction(row: ScheduledUpload) -> None:
    finish(row, now=ELEVEN)
    job = UploadJob.objects.get(pk=row.job_id)
    assert (job.status, row.status, row.upload_progress) == ("completed", Status.COMPLETED, 100)


def test_a_retry_of_the_job_brings_the_row_back(row: ScheduledUpload) -> None:
    class Broken(JobError):
        permanent = True

    finish(row, now=ELEVEN, error=Broken("It is broken"))
    UploadJob.objects.get(pk=row.job_id).retry(who="olga", now=ELEVEN)
    row.refresh_from_db()
    assert (row.status, row.is_in_flight) == (Status.PENDING, True)
    finish(row, now=ELEVEN)
    assert row.status == Status.COMPLETED


def test_a_job_rescued_from_a_dead_worker_leaves_the_row_uploading(row: ScheduledUpload) -> None:
    [job] = UploadJob.objects.filter(pk=row.job_id).claim("worker#1", now=ELEVEN)
    job.rescue(now=ELEVEN + timedelta(minutes=2))
    row.refresh_from_db()
    assert (row.status, row.retry_count, row.is_in_flight) == (Status.UPLOADING, 0, True)


def test_a_job_without_a_row_is_left_alone(destination: Destination) -> None:
    job = UploadJob.objects.create(destination=destination, title="A film", not_before_at=NOW)
    [claimed] = UploadJob.objects.filter(pk=job.pk).claim("worker#1", now=NOW)
    claimed.complete(now=NOW)
    assert not Event.objects.filter(topic="uploads").exists()


def test_progress_that_comes_late_changes_no_finished_row(row: ScheduledUpload) -> None:
    late = UploadJob.objects.get(pk=row.job_id)
    finish(row, now=ELEVEN)
    live.upload_progress(late, done=45, total=100, bytes_per_second=5)
    row.refresh_from_db()
    assert row.upload_progress == 100
