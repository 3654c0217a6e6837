"""The life of a transcode job: its words, its one job a video, its retries."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from jobs.errors import JobError
from jobs.events import history_of
from jobs.lifecycle import Status
from tests.conftest import NOW
from uploader.catalog import Episode, Film, Series
from uploader.transcoding.transcode_jobs import AlreadyUnderWay, TranscodeJob, create_transcode

pytestmark = pytest.mark.django_db


@pytest.fixture
def film() -> Film:
    return Film.objects.create(title="The Lighthouse Keeper", path="films/keeper.mp4")


def claimed(job: TranscodeJob) -> TranscodeJob:
    (found,) = TranscodeJob.objects.filter(pk=job.pk).claim("w#1", now=NOW)
    return found


def test_the_states_have_the_words_of_the_requirement() -> None:
    assert Status.values == ["waiting", "active", "completed", "failed", "cancelled"]
    assert TranscodeJob.states == ("waiting", "active", "completed", "failed", "cancelled")


def test_a_job_knows_what_it_is_about(film: Film) -> None:
    job = create_transcode(film, now=NOW)
    assert (job.status, job.resource_type, job.resource_id) == ("waiting", "film", film.pk)
    assert (job.resource_name, job.filename) == ("The Lighthouse Keeper", "keeper.mp4")
    assert job.job_id.startswith("transcode-")
    job.ladder = [{"label": "FHD"}, {"label": "SD"}]
    assert job.labels == ["FHD", "SD"]


def test_an_episode_is_a_resource_too() -> None:
    series = Series.objects.create(title="Harbour")
    episode = Episode.objects.create(series=series, index_sequence=3, path="harbour/03.mp4")
    job = create_transcode(episode, now=NOW)
    assert (job.resource_type, job.resource_id) == ("episode", episode.pk)
    assert job.resource_name == "Harbour – Episode 3"


def test_a_video_is_transcoded_by_one_job_at_a_time(film: Film) -> None:
    first = create_transcode(film, now=NOW)
    with pytest.raises(AlreadyUnderWay, match=f"by job {first.pk}"):
        create_transcode(film, now=NOW)
    first.cancel(who="olga", now=NOW)
    assert create_transcode(film, now=NOW).pk != first.pk


def test_a_retry_takes_a_fresh_client_id_and_keeps_everything_else(film: Film) -> None:
    job = claimed(create_transcode(film, now=NOW))
    job.fail(JobError("no"), now=NOW)
    kept = {name: getattr(job, name) for name in ("job_id", "film_id", "resource_name", "source_path")}
    before = job.client_id
    job.retry(who="olga", now=NOW)
    job.refresh_from_db()
    assert job.client_id != before
    assert {name: getattr(job, name) for name in kept} == kept
    assert [event.type for event in history_of(job)] == ["claimed", "failed", "retried"]


def test_a_second_retry_of_the_same_job_changes_nothing(film: Film) -> None:
    job = claimed(create_transcode(film, now=NOW))
    job.fail(JobError("no"), now=NOW)
    other = TranscodeJob.objects.get(pk=job.pk)
    job.retry(who="olga", now=NOW)
    with pytest.raises(Exception, match="no longer"), transaction.atomic():
        other.retry(who="oscar", now=NOW)
    other.refresh_from_db()
    assert other.client_id == job.client_id


def test_retries_wait_longer_each_time(film: Film, settings: Any) -> None:
    settings.TRANSCODE_RETRY_SECONDS = 10
    job = create_transcode(film, now=NOW)
    assert [job.retry_delay(n).total_seconds() for n in (1, 2, 3)] == [10, 20, 40]


def test_a_video_deleted_from_the_catalog_leaves_its_jobs(film: Film) -> None:
    job = create_transcode(film, now=NOW)
    film.delete()
    job.refresh_from_db()
    assert job.video is None
    assert job.resource_name == "The Lighthouse Keeper"
