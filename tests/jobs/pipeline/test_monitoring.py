"""The four queries of the requirement, exact whatever is counted already; and what has not run for too long."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.errors import JobError
from jobs.events import Event
from jobs.pipeline import lengths, live, monitoring, totals
from jobs.pipeline.pipeline_jobs import PipelineJob, Status
from jobs.pipeline.timetable import PipelineSchedule
from jobs.pipeline.totals import PipelineDay, PipelineTotal

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)


def make(
    script: str = "scrape-novel",
    status: str = "success",
    *,
    seconds: float = 10,
    attempt: int = 1,
    **columns: Any,
) -> PipelineJob:
    ended: datetime = columns.pop("at", NOW)
    times: dict[str, Any] = {"started_at": ended - timedelta(seconds=seconds), "finished_at": ended}
    if status == Status.RUNNING:
        times = {"started_at": ended, "leased_until": NOW, "leased_by": "worker"}
    return PipelineJob.objects.create(
        **{
            "job_type": "scrape", "script": script, "input": {"scriptType": script}, "status": status,
            "attempt": attempt, "created_at": ended, **times, **columns,
        }
    )  # fmt: skip


def seed_statistics() -> list[tuple[str, str, int, float]]:
    """The requirement's own SQL."""
    json = "input->>'scriptType'"
    took = "EXTRACT(EPOCH FROM (finished_at - started_at))"
    if connection.vendor == "sqlite":
        json = "json_extract(input, '$.scriptType')"
        took = "(julianday(finished_at) - julianday(started_at)) * 86400"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {json}, status, COUNT(*), AVG({took}) FROM jobs_pipelinejob "
            "WHERE job_type = 'scrape' AND finished_at IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2"
        )
        return [(script, status, count, float(mean)) for script, status, count, mean in cursor]


def seed_retries() -> list[tuple[str, int, int]]:
    json = "input->>'scriptType'"
    if connection.vendor == "sqlite":
        json = "json_extract(input, '$.scriptType')"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {json}, attempt, COUNT(*) FROM jobs_pipelinejob WHERE job_type = 'scrape' "
            "AND status IN ('running', 'success', 'failed') GROUP BY 1, 2 ORDER BY 1, 2"
        )
        return [tuple(row) for row in cursor]


def check() -> None:
    ours = [
        (row.script, row.status, row.count, pytest.approx(row.average_seconds, abs=0.01))
        for row in monitoring.statistics("scrape")
    ]
    assert ours == seed_statistics()
    assert [
        (row.script, row.attempt, row.count) for row in monitoring.retry_analysis("scrape")
    ] == seed_retries()


def test_active_jobs_are_those_that_run_the_latest_first() -> None:
    old = make(status="running", at=NOW - timedelta(hours=1))
    new = make(status="running")
    make()
    assert list(monitoring.active()) == [new, old]


def test_the_ten_that_failed_last() -> None:
    jobs = [
        make(status="failed", at=NOW + timedelta(minutes=number), error_message="No.") for number in range(12)
    ]
    make()
    assert list(monitoring.failed()) == jobs[:1:-1]


def test_statistics_and_retries_are_what_the_requirement_s_sql_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "AT_ONCE", {})
    monkeypatch.setattr(totals, "FEWER_AT_ONCE", 7)
    dice = random.Random(4)
    for number in range(60):
        make(
            dice.choice(["scrape-novel", "scrape-novel-segment", "bulk-download-subtitles"]),
            dice.choice(["success", "success", "failed", "running"]),
            seconds=dice.uniform(0, 400), attempt=dice.randint(1, 3),
            at=NOW - timedelta(hours=dice.randint(0, 90)),
        )  # fmt: skip
        if number % 20 == 10:
            check()
            assert totals.count_up(NOW) > 0
        check()
    totals.count_up(NOW)
    assert not totals.uncounted().exists()
    assert totals.count_up(NOW) == 0
    check()


def test_other_types_are_told_apart() -> None:
    make("")
    make("", job_type="clean")
    totals.count_up(NOW)
    assert [(row.name, row.job_type, row.count) for row in monitoring.statistics()] == [
        ("clean", "clean", 1), ("scrape", "scrape", 1),
    ]  # fmt: skip
    assert [row.job_type for row in monitoring.statistics("clean")] == ["clean"]


def test_a_retried_job_is_out_of_the_sums_until_it_ends_again() -> None:
    job = make(status="failed", run_by="script")
    totals.count_up(NOW)
    assert monitoring.statistics()[0].status == "failed"
    job.retry(who="olga", now=NOW)
    assert monitoring.statistics() == []
    check()
    assert monitoring.grid(7, NOW.date()) == {}
    job.begin("script#1", now=NOW)
    check()
    job.complete(now=NOW + timedelta(seconds=5))
    check()
    totals.count_up(NOW)
    check()
    (row,) = monitoring.statistics()
    assert (row.status, row.count, row.average_seconds) == ("success", 1, 5.0)


def test_p95_follows_what_is_counted_between_two_questions() -> None:
    def p95() -> float | None:
        (row,) = monitoring.statistics()
        return row.p95_seconds

    make(seconds=10)
    totals.count_up(NOW)
    assert p95() == pytest.approx(10, rel=0.05)
    for _ in range(30):
        make(seconds=200)
    totals.count_up(NOW)
    assert p95() == pytest.approx(200, rel=0.05)
    with CaptureQueriesContext(connection) as asked:
        assert p95() == pytest.approx(200, rel=0.05)
    assert not [query for query in asked if '"lengths"' in query["sql"]], "nothing was counted meanwhile"


def test_p95_is_right_to_within_five_per_cent() -> None:
    for seconds in range(1, 101):
        make(seconds=seconds)
    totals.count_up(NOW)
    (row,) = monitoring.statistics()
    assert row.p95_seconds == pytest.approx(95, rel=0.05)
    assert row.average_seconds == pytest.approx(50.5)


@pytest.mark.parametrize("seconds", [0.001, 0.0123, 1, 59, 3600, 86_400 * 7])
def test_a_length_is_kept_to_within_five_per_cent(seconds: float) -> None:
    found = lengths.percentile({str(lengths.bucket_of(seconds)): 3}, 95)
    assert found == pytest.approx(seconds, rel=0.05)


def test_lengths_below_a_millisecond_and_none_at_all() -> None:
    assert lengths.bucket_of(0) == 0
    assert lengths.percentile({"0": 5}, 95) == pytest.approx(0.0005)
    assert lengths.percentile({}, 95) is None


def test_counts_by_state() -> None:
    make()
    make(status="failed")
    make(status="running")
    totals.count_up(NOW)
    make(status="cancelled")
    PipelineJob.objects.create(job_type="clean")
    PipelineJob.objects.create(job_type="embed", open_needs=1)
    assert monitoring.counts() == {
        "total": 6, "queued": 2, "running": 1, "success": 1, "failed": 1, "cancelled": 1, "held": 1,
    }  # fmt: skip


def test_the_grid_has_a_day_of_the_operator_s_clock(settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Kolkata"
    with timezone.override("Asia/Kolkata"):
        late = datetime(2026, 3, 1, 20, tzinfo=UTC)
        make(at=late)
        make(at=late, status="failed")
        make(at=late - timedelta(days=30))
        totals.count_up(NOW)
        make(at=NOW)
        found = monitoring.grid(7, NOW.date())
    assert found == {("scrape", "scrape-novel"): {NOW.date(): {"success": 2, "failed": 1}}}


@pytest.mark.django_db(transaction=True)
def test_several_that_count_at_once_count_each_job_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "AT_ONCE", {})
    monkeypatch.setattr(totals, "FEWER_AT_ONCE", 3)
    for number in range(30):
        make(f"script-{number % 4}", at=NOW + timedelta(seconds=number))
    together = threading.Barrier(3)
    seen: list[int] = []

    def count() -> None:
        together.wait(30)
        totals.count_up(NOW)
        seen.append(sum(row.count for row in monitoring.statistics()))
        connection.close()

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert seen == [30, 30, 30]
    assert sum(PipelineTotal.objects.values_list("count", flat=True)) == 30
    assert sum(PipelineDay.objects.values_list("count", flat=True)) == 30


def test_a_flood_of_jobs_is_told_in_one_message() -> None:
    for _ in range(live.BURST + 30):
        live.tell(PipelineJob())
    told = Event.objects.filter(topic="pipeline")
    assert live.BURST <= told.count() < live.BURST + 30
    for number in range(live.MANY):
        make(at=NOW + timedelta(seconds=number))
    totals.count_up(NOW)
    assert told.last().data == {"many": live.MANY}


# -------------------------------------------------------------------- no run for too long


def schedule(**columns: Any) -> PipelineSchedule:
    made = PipelineSchedule.objects.create(
        name="nightly", cron="15 3 * * *", job_type="scrape", time_zone="UTC"
    )
    PipelineSchedule.objects.filter(pk=made.pk).update(**columns)
    return made


def test_a_schedule_without_a_success_for_26_hours_is_told() -> None:
    schedule(switched_on_at=NOW - timedelta(days=9), last_success_at=NOW - timedelta(hours=25))
    assert monitoring.overdue(NOW) == []
    (late,) = monitoring.overdue(NOW + timedelta(hours=1))
    assert (late.name, late.hours) == ("nightly", 26)


def test_a_schedule_that_never_succeeded_is_told_from_when_it_was_switched_on() -> None:
    made = schedule(switched_on_at=NOW)
    assert monitoring.overdue(NOW + timedelta(hours=25)) == []
    assert monitoring.overdue(NOW + timedelta(hours=27))[0].last_at is None
    PipelineSchedule.objects.filter(pk=made.pk).update(is_active=False)
    assert monitoring.overdue(NOW + timedelta(hours=27)) == []


def test_a_success_of_its_job_is_a_success_of_the_schedule(handled: list[str]) -> None:
    made = schedule(next_at=NOW)
    job = made.run(who="olga", now=NOW)[0]
    (held,) = PipelineJob.objects.claim("worker", now=timezone.now())
    held.complete(now=NOW + timedelta(minutes=1))
    made.refresh_from_db()
    assert (held.pk, made.last_success_at) == (job.pk, NOW + timedelta(minutes=1))


def test_a_script_that_ran_regularly_and_stopped_is_told() -> None:
    for days in (1, 2, 3):
        make("nightly-crawl", at=NOW - timedelta(days=days))
        make("once-in-a-while", at=NOW - timedelta(days=7 * days))
        make("always-fails", "failed", at=NOW - timedelta(days=days))
    assert monitoring.overdue(NOW) == []
    totals.count_up(NOW)
    (late,) = monitoring.overdue(NOW + timedelta(hours=3))
    assert (late.name, late.last_at, late.hours) == ("nightly-crawl", NOW - timedelta(days=1), 27)
    make("nightly-crawl", at=NOW + timedelta(hours=2))
    assert monitoring.overdue(NOW + timedelta(hours=3)) == []


def test_a_failed_run_is_no_run() -> None:
    for days in (1, 2, 3):
        make("nightly-crawl", at=NOW - timedelta(days=days))
    job = make("nightly-crawl", status="running", at=NOW)
    job.fail(JobError("No."), now=NOW)
    assert [late.name for late in monitoring.overdue(NOW + timedelta(hours=3))] == ["nightly-crawl"]
