"""Schedules of scripts: cron lines in their own zone, each moment once, and nothing that stops the others."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from jobs.errors import JobError
from jobs.events import history_of
from jobs.pipeline import timetable
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.subjects import Source, Work
from jobs.pipeline.timetable import PipelineSchedule, occurrences

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _handlers(handled: list[str]) -> None:
    pass


def make(name: str = "nightly", cron: str = "15 3 * * *", **columns: Any) -> PipelineSchedule:
    schedule = PipelineSchedule(
        **{"name": name, "cron": cron, "job_type": "scrape", "time_zone": "UTC", **columns}
    )
    schedule.full_clean()
    schedule.save()
    PipelineSchedule.objects.filter(pk=schedule.pk).update(next_at=NOW)
    schedule.refresh_from_db()
    return schedule


def fresh(schedule: PipelineSchedule) -> PipelineSchedule:
    return PipelineSchedule.objects.get(pk=schedule.pk)


def test_a_schedule_makes_its_job_at_its_moment_and_looks_ahead() -> None:
    work = Work.objects.create(title="Harbour", source=Source.objects.create(name="Fixture"))
    schedule = make(input={"scriptType": "scrape-novel"}, work=work, priority=2, max_attempts=5)
    assert timetable.tick(NOW - timedelta(seconds=1)) == []
    (job,) = timetable.tick(NOW)
    assert (job.job_type, job.script, job.work, job.priority, job.max_attempts) == (
        "scrape", "scrape-novel", work, 2, 5,
    )  # fmt: skip
    after = fresh(schedule)
    assert after.next_at == datetime(2026, 3, 3, 3, 15, tzinfo=UTC)
    assert (after.last_at, after.last_job) == (NOW, job)
    assert timetable.tick(NOW) == []
    assert history_of(job)[0].who == "schedule nightly"


def test_what_follows_is_made_as_a_chain() -> None:
    make(input={"scriptType": "scrape-novel", "limit": 3}, then=["clean", "embed"])
    scrape, clean, embed = timetable.tick(NOW)
    assert [job.job_type for job in (scrape, clean, embed)] == ["scrape", "clean", "embed"]
    assert list(embed.needs.all()) == [clean]
    assert (embed.input, embed.script) == ({"limit": 3}, "")


def test_moments_that_were_missed_are_made_up_for_once() -> None:
    schedule = make(cron="*/5 * * * *")
    assert len(timetable.tick(NOW + timedelta(hours=5, minutes=1))) == 1
    assert fresh(schedule).next_at == NOW + timedelta(hours=5, minutes=5)


def test_a_run_of_the_last_time_that_is_still_under_way_is_not_doubled() -> None:
    schedule = make(cron="*/5 * * * *")
    (job,) = timetable.tick(NOW)
    assert timetable.tick(NOW + timedelta(minutes=5)) == []
    assert history_of(schedule).last().type == "skipped"
    (held,) = PipelineJob.objects.claim("worker", now=NOW)
    held.fail(JobError("No."), now=NOW)
    assert len(timetable.tick(NOW + timedelta(minutes=10))) == 1
    assert job.pk == held.pk


def test_a_schedule_that_is_off_makes_nothing_and_starts_afresh_when_switched_on() -> None:
    schedule = make()
    schedule.is_active = False
    schedule.save()
    assert fresh(schedule).next_at is None
    assert timetable.tick(NOW + timedelta(days=1)) == []
    schedule.is_active = True
    schedule.save()
    assert fresh(schedule).next_at > NOW, "what passed meanwhile is not made up for"


def test_one_that_cannot_be_fired_keeps_no_other_from_it(settings: Any) -> None:
    broken, refused = make("broken"), make("refused", job_type="sync_assets")
    PipelineSchedule.objects.filter(pk=broken.pk).update(cron="no such line")
    make("good")
    (job,) = timetable.tick(NOW)
    assert history_of(job)[0].who == "schedule good"
    assert fresh(broken).next_at is None
    assert history_of(broken).last().type == "refused"
    assert "no handler" in history_of(refused).last().why
    assert fresh(refused).next_at > NOW


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("cron", "every day"), ("cron", "0 0 31 2 *"), ("cron", "61 * * * *"), ("cron", ""), ("cron", "* * * * * *"),
        ("time_zone", "Mars/Olympus"), ("time_zone", "../../etc/passwd"),
        ("then", ["bake"]), ("then", {"clean": 1}), ("input", [1]), ("job_type", "bake"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_the_form(column: str, value: Any) -> None:
    schedule = PipelineSchedule(
        **{"name": "nightly", "cron": "15 3 * * *", "job_type": "scrape", column: value}
    )
    with pytest.raises(ValidationError) as found:
        schedule.full_clean()
    assert set(found.value.message_dict) == {column}


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        # 02:30 does not exist on this night: right after the gap, and once.
        ("2026-03-28T12:00:00+01:00", ["2026-03-29T01:00:00", "2026-03-30T00:30:00"]),
        # 02:30 comes twice: the first one, and once.
        ("2026-10-24T12:00:00+02:00", ["2026-10-25T00:30:00", "2026-10-26T01:30:00"]),
    ],
)
def test_the_clock_s_changes_neither_lose_nor_double_a_run(after: str, expected: list[str]) -> None:
    moments = occurrences("30 2 * * *", "Europe/Rome", datetime.fromisoformat(after))
    found = [next(moments), next(moments)]
    assert [moment.replace(tzinfo=None).isoformat() for moment in found] == expected


@pytest.mark.django_db(transaction=True)
def test_several_tickers_fire_each_moment_once() -> None:
    for number in range(5):
        make(f"schedule {number}")
    together = threading.Barrier(3)

    def tick() -> None:
        together.wait(30)
        timetable.tick(NOW)
        connection.close()

    threads = [threading.Thread(target=tick) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert PipelineJob.objects.count() == 5
