"""Counts that the database keeps itself: exact after every kind of write, and merged without losing one."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.utils import timezone

from jobs import tallies, throughput
from jobs.errors import JobError
from jobs.tallies import Tally
from jobs.throughput import Done, HourDone, by_stretch
from tests.conftest import NOW
from tests.jobs.test_lifecycle import claimed, make_job
from uploader.destinations import Destination
from uploader.upload_jobs import UploadJob

pytestmark = pytest.mark.django_db
NONE = {"total": 0, "waiting": 0, "active": 0, "completed": 0, "failed": 0, "cancelled": 0}


def counts(**expected: int) -> bool:
    return tallies.counts(UploadJob) == {**NONE, **expected}


def test_every_write_is_counted() -> None:
    first = make_job()
    assert counts(total=1, waiting=1)
    held = claimed(first)
    assert counts(total=1, active=1)
    held.save_progress(now=NOW, progress=50)
    assert counts(total=1, active=1)
    held.complete(now=NOW)
    UploadJob.objects.bulk_create(
        [UploadJob(destination=first.destination, title=f"{n}", not_before_at=NOW) for n in range(5)]
    )
    assert counts(total=6, waiting=5, completed=1)
    UploadJob.objects.filter(title__in=["0", "1"]).update(status="failed")
    UploadJob.objects.filter(title="2").delete()
    assert counts(total=5, waiting=2, failed=2, completed=1)


def test_what_is_rolled_back_is_not_counted() -> None:
    with pytest.raises(JobError), transaction.atomic():
        make_job()
        raise JobError
    assert counts()


def test_merging_and_counting_anew_change_no_count() -> None:
    for status in ("waiting", "failed", "failed"):
        make_job(status=status)
    UploadJob.objects.filter(status="waiting").update(status="completed")
    old = timezone.now() - timedelta(days=100)
    Tally.objects.filter(status="failed").update(hour=old)
    before = tallies.counts(UploadJob)
    tallies.merge(timezone.now())
    assert tallies.counts(UploadJob) == before == {**NONE, "total": 3, "failed": 2, "completed": 1}
    rows = Tally.objects.values_list("status", "count").order_by("status")
    assert dict(rows) == {"completed": 1, "failed": 2}
    assert Tally.objects.get(status="failed").hour > old
    tallies.recount(UploadJob)
    assert tallies.counts(UploadJob) == before


def test_the_triggers_come_back_when_the_table_was_remade() -> None:
    make_job()
    with connection.cursor() as cursor:
        on = "" if connection.vendor == "sqlite" else " ON uploader_uploadjob"
        cursor.execute(f"DROP TRIGGER uploader_uploadjob_tally_insert{on}")
    make_job()
    assert counts(total=1, waiting=1)
    tallies.install(apps.get_app_config("uploader"))
    make_job()
    assert counts(total=3, waiting=3)


def test_the_backlog_of_each_hour_and_of_longer_stretches() -> None:
    now = throughput.hour_of(timezone.now())
    for hours_ago, status, count in [
        (5, "waiting", 3),
        (3, "waiting", -1),
        (3, "completed", 1),
        (1, "active", 4),
    ]:
        Tally.objects.create(
            model="uploader.uploadjob", status=status, hour=now - timedelta(hours=hours_ago), count=count
        )
    first = now - timedelta(hours=6)
    assert tallies.unfinished_by_stretch(UploadJob, first, count=7) == [0, 3, 3, 2, 2, 6, 6]
    assert tallies.unfinished_by_stretch(UploadJob, first, hours=3, count=3) == [3, 6, 6]
    assert tallies.unfinished_by_stretch(UploadJob, now - timedelta(hours=2), count=2) == [2, 6]


def test_what_was_done_in_longer_stretches() -> None:
    now = throughput.hour_of(timezone.now())
    for hours_ago, outcome, count in [
        (7, "completed", 9),
        (5, "completed", 2),
        (4, "completed", 1),
        (0, "failed", 4),
    ]:
        HourDone.objects.create(
            model="uploader.uploadjob", hour=now - timedelta(hours=hours_ago), outcome=outcome, count=count,
            seconds=10 * count, amount=100 * count,
        )  # fmt: skip
    first = now - timedelta(hours=5)
    assert by_stretch(UploadJob, first, hours=3) == {
        first: Done(completed=3, seconds=30, amount=300),
        first + timedelta(hours=3): Done(failed=4),
    }


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_writers_at_once_and_a_merge_between_them_lose_no_count() -> None:
    destination = Destination.objects.create(name="main")

    def write(number: int) -> None:
        try:
            for turn in range(10):
                job = make_job(destination=destination, title=f"{number}-{turn}")
                UploadJob.objects.filter(pk=job.pk).update(status="completed" if turn % 2 else "failed")
                if turn % 3 == 0:
                    tallies.merge(timezone.now())
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert counts(total=60, completed=30, failed=30)


# -------------------------------------------------------------------- what each hour came to


def end(outcome: str, *, took: int = 60, bytes_sent: int = 0) -> None:
    job = claimed(make_job(title=outcome, bytes_sent=bytes_sent))
    at = NOW + timedelta(seconds=took)
    if outcome == "completed":
        job.complete(now=at)
    elif outcome == "failed":
        job.fail(JobError("No."), now=at)
    else:
        job.cancel(who="olga", now=at)
        job.acknowledge_cancel(now=at)


def test_each_hour_tells_what_ended_how_and_how_fast() -> None:
    end("completed", took=60, bytes_sent=600)
    end("completed", took=120, bytes_sent=1200)
    end("failed")
    end("cancelled")
    done = by_stretch(UploadJob, NOW)
    assert done == {NOW.replace(minute=0): Done(2, 1, 1, 180.0, 1800.0)}
    (hour,) = done.values()
    assert (hour.completion_rate, hour.average_seconds, hour.amount_per_second) == (2 / 3, 90.0, 10.0)
    throughput.merge(NOW + timedelta(hours=2))
    assert HourDone.objects.count() == 3
    assert by_stretch(UploadJob, NOW) == done


def test_a_retry_takes_nothing_back_and_old_hours_go() -> None:
    end("failed")
    UploadJob.objects.get().retry(who="olga", now=NOW)
    assert by_stretch(UploadJob, NOW)[NOW.replace(minute=0)].failed == 1
    throughput.merge(NOW + timedelta(days=401))
    assert not HourDone.objects.exists()


def test_what_ended_before_there_was_a_count_is_counted_once() -> None:
    times: dict[str, Any] = {"started_at": NOW, "finished_at": NOW + timedelta(seconds=30)}
    make_job(status="completed", bytes_sent=300, **times)
    make_job(status="failed", **times)
    throughput.fill(UploadJob)
    throughput.fill(UploadJob)
    assert by_stretch(UploadJob, NOW) == {NOW.replace(minute=0): Done(1, 1, 0, 30.0, 300.0)}
