"""Our workers run pipeline jobs by the handler of their type: outputs, retries, what cannot be done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs import runner
from jobs.events import history_of
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.starting import Refused, start
from jobs.pipeline.subjects import Work
from jobs.running import SLOW_SECONDS, Run
from tests.jobs.pipeline import handlers

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _handlers(handled: list[str]) -> None:
    pass


def started(job_type: str, input: dict[str, Any] | None = None, **more: Any) -> PipelineJob:
    return start(job_type, input, who="olga", now=timezone.now(), **more)


def fresh(job: PipelineJob) -> PipelineJob:
    return PipelineJob.objects.get(pk=job.pk)


def test_a_worker_runs_the_handler_and_keeps_its_output() -> None:
    job = started("scrape", {"scriptType": "scrape-novel", "finds": "Harbour"})
    assert (job.status, job.run_by) == ("queued", "worker")
    assert runner.drain("pipeline") == 1
    done = fresh(job)
    assert (done.status, done.attempt, done.progress) == ("success", 1, 100)
    assert done.output == {"total": 1, "success": 1, "failed": 0}
    assert done.work == Work.objects.get(title="Harbour")
    assert [event.why for event in history_of(job) if event.type == "log"] == ["Read it"]
    assert history_of(job)[0].who == "olga"


def test_a_failed_attempt_is_tried_again_ever_later_and_the_last_one_counts() -> None:
    job = started("summarize")
    waits = []
    for attempt in (1, 2, 3):
        PipelineJob.objects.update(not_before_at=timezone.now())
        before = timezone.now()
        runner.drain("pipeline")
        job = fresh(job)
        assert job.attempt == attempt
        if attempt < 3:
            assert job.status == "queued"
            waits.append(round((job.not_before_at - before) / timedelta(minutes=1)))
    assert waits == [1, 2]
    assert (job.status, job.output) == ("failed", {"reached": 3})
    assert job.error == "Stumbled, token=***, attempt 3"


def test_a_second_attempt_may_succeed() -> None:
    job = started("summarize", {"succeeds_at": 2})
    runner.drain("pipeline")
    PipelineJob.objects.update(not_before_at=timezone.now())
    runner.drain("pipeline")
    done = fresh(job)
    assert (done.status, done.attempt, done.error, done.output) == (
        "success", 2, "", {"reached": 2, "total": 1},
    )  # fmt: skip


def test_what_will_never_work_is_not_tried_again() -> None:
    job = started("match")
    runner.drain("pipeline")
    assert (fresh(job).status, fresh(job).attempt, fresh(job).error) == ("failed", 1, "This will never work.")


def test_what_waits_uses_no_attempt() -> None:
    job = started("entities")
    runner.drain("pipeline")
    assert (fresh(job).status, fresh(job).attempt) == ("queued", 0)
    assert fresh(job).not_before_at > timezone.now() + timedelta(minutes=9)


def test_a_type_without_a_handler_is_refused_at_the_door() -> None:
    with pytest.raises(Refused, match="no handler does “sync_assets”"):
        started("sync_assets")
    assert not PipelineJob.objects.exists()


@pytest.mark.parametrize(
    ("paths", "told"),
    [
        ({}, "No handler does “scrape” here"),
        ({"scrape": "nowhere.at_all"}, "The handler nowhere.at_all of “scrape” cannot be loaded"),
    ],
)
def test_a_handler_that_is_gone_fails_the_job_with_the_reason(
    settings: Any, paths: dict[str, str], told: str
) -> None:
    job = started("scrape")
    settings.PIPELINE_HANDLERS = paths
    runner.drain("pipeline")
    assert fresh(job).status == "failed"
    assert told in fresh(job).error


def test_the_most_urgent_goes_first_and_among_equals_the_oldest(handled: list[str]) -> None:
    now = timezone.now()
    jobs = {name: start("scrape", {}, who="olga", now=now) for name in ("first", "second")}
    jobs["urgent"] = start("scrape", {}, who="olga", now=now, priority=-5)
    jobs["idle"] = start("scrape", {}, who="olga", now=now - timedelta(hours=1), priority=5)
    later = start("scrape", {}, who="olga", now=now, priority=-9, not_before_at=now + timedelta(hours=1))
    runner.drain("pipeline")
    assert handled == [str(jobs[name].pk) for name in ("urgent", "first", "second", "idle")]
    assert fresh(later).status == "queued"


def test_a_cancelled_job_is_not_run() -> None:
    job = started("scrape")
    job.cancel(who="olga", now=timezone.now())
    runner.drain("pipeline")
    assert fresh(job).status == "cancelled"
    assert handlers.calls == []


def test_what_was_claimed_behind_a_slow_job_goes_back_to_the_line() -> None:
    for _ in range(3):
        started("scrape")
    jobs = PipelineJob.objects.claim("worker", now=timezone.now(), limit=3)
    batch = runner.Batch(list(jobs))
    first = batch.take()
    assert first == jobs[0]
    run = Run(first, when_slow=batch.give_back)
    run.look()
    assert [fresh(job).status for job in jobs] == ["running"] * 3
    run._began_at -= SLOW_SECONDS + 1
    run.look()
    assert [(fresh(job).status, fresh(job).attempt) for job in jobs] == [
        ("running", 1), ("queued", 0), ("queued", 0),
    ]  # fmt: skip
    assert batch.take() is None


def test_jobs_are_claimed_together_only_while_they_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_last_took", {})
    assert runner.batch_size(PipelineJob) == 1, "nothing is known yet"
    started("scrape")
    runner.drain("pipeline")
    assert runner.batch_size(PipelineJob) == PipelineJob.claim_batch
    runner._last_took[PipelineJob] = 60.0
    assert runner.batch_size(PipelineJob) == 1
