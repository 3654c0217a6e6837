"""What was left behind is found by whoever looks next, once, however many look."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from jobs import recovery, runner
from jobs.events import Event, history_of, job_changed
from jobs.workers import Worker
from tests.conftest import NOW
from uploader.destinations import Destination
from uploader.upload_jobs import UploadJob

DEAD = NOW + timedelta(hours=1)


def make_job(**columns: Any) -> UploadJob:
    destination, _ = Destination.objects.get_or_create(name="main")
    return UploadJob.objects.create(
        **{"destination": destination, "title": "Harbour", "not_before_at": NOW, **columns}
    )


def lost_job(*, at: datetime = NOW) -> UploadJob:
    job = make_job()
    (held,) = UploadJob.objects.filter(pk=job.pk).claim(f"host:{job.pk}#1", now=at)
    return held


def fresh(job: UploadJob) -> UploadJob:
    return UploadJob.objects.get(pk=job.pk)


@pytest.mark.django_db
def test_a_job_whose_lease_ran_out_goes_back_to_the_line() -> None:
    job, alive = lost_job(), lost_job(at=DEAD)
    assert recovery.rescue_stale(DEAD) == [job]
    row = fresh(job)
    assert (row.status, row.error_kind, row.not_before_at) == ("waiting", "lost_worker", DEAD)
    assert row.error_message == f"The worker host:{job.pk} stopped answering"
    assert fresh(alive).is_active


@pytest.mark.django_db
def test_a_second_pass_finds_nothing() -> None:
    lost_job()
    assert len(recovery.rescue_stale(DEAD)) == 1
    assert recovery.rescue_stale(DEAD) == []


@pytest.mark.django_db
def test_a_renewed_lease_is_left_alone() -> None:
    job = lost_job()
    job.save_progress(now=DEAD, leased_until=DEAD + timedelta(seconds=60))
    assert recovery.rescue_stale(DEAD) == []


@pytest.mark.django_db
def test_all_that_are_lost_are_found_in_one_pass() -> None:
    for _ in range(250):
        make_job()
    UploadJob.objects.update(status="active", leased_by="gone", leased_until=NOW, attempt=1)
    assert len(recovery.rescue_stale(DEAD)) == 250


@pytest.mark.django_db
def test_a_job_that_cannot_be_rescued_does_not_hide_the_next(caplog: pytest.LogCaptureFixture) -> None:
    cursed, other = lost_job(), lost_job()

    def refuse(sender: type[UploadJob], job: UploadJob, event: Event, **_: Any) -> None:
        if job.pk == cursed.pk:
            raise ValueError("a mistake in whoever listens")

    job_changed.connect(refuse, sender=UploadJob)
    try:
        assert recovery.rescue_stale(DEAD) == [other]
    finally:
        job_changed.disconnect(refuse, sender=UploadJob)
    assert fresh(cursed).is_active, "half a rescue is none"
    assert [event.type for event in history_of(cursed)] == ["claimed"]
    assert "could not be taken back" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_of_several_that_look_at_once_each_job_is_rescued_by_one() -> None:
    jobs = [lost_job() for _ in range(10)]
    start, rescued, failures = threading.Barrier(3), list[int](), list[BaseException]()

    def look() -> None:
        try:
            start.wait(10)
            rescued.extend(job.pk for job in recovery.rescue_stale(DEAD))
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failures
    assert sorted(rescued) == [job.pk for job in jobs]
    assert set(UploadJob.objects.values_list("lost_workers", flat=True)) == {1}
    assert Event.objects.filter(type="rescued").count() == 10


@pytest.mark.django_db
def test_a_pass_wakes_the_lane_of_what_it_rescued(monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[str] = []
    monkeypatch.setattr(runner, "enqueue", woken.append)
    lost_job()
    recovery.recover(DEAD)
    assert woken == ["upload"]


@pytest.mark.django_db
def test_a_lost_task_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[str] = []
    monkeypatch.setattr(runner, "enqueue", woken.append)
    make_job()
    recovery.recover(NOW)
    assert woken == ["upload"]


@pytest.mark.django_db
def test_workers_not_seen_for_an_hour_are_forgotten() -> None:
    for name, seen in (("old", NOW - timedelta(minutes=61)), ("recent", NOW - timedelta(minutes=59))):
        Worker.objects.create(id=name, lane="upload", host="h", pid=1, started_at=seen, seen_at=seen)
    assert recovery.forget_dead_workers(NOW) == 1
    assert list(Worker.objects.values_list("id", flat=True)) == ["recent"]
