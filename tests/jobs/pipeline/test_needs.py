"""Jobs that wait for others: chains, reasons, what is handed on, and races that count no need twice."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from jobs import runner
from jobs.errors import JobError
from jobs.events import history_of
from jobs.pipeline import deciding
from jobs.pipeline.announcing import create_job
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.starting import Refused, chain, rerun, start
from jobs.pipeline.stepping import IllegalTransition, update_job_status
from jobs.pipeline.subjects import Work

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _handlers(handled: list[str]) -> None:
    pass


def fresh(job: PipelineJob) -> PipelineJob:
    return PipelineJob.objects.get(pk=job.pk)


def three(**first: Any) -> list[PipelineJob]:
    return chain([("scrape", first), ("clean", {}), ("embed", {})], who="olga", now=timezone.now())


def fail(job: PipelineJob, why: str = "The site is down.") -> None:
    (held,) = PipelineJob.objects.filter(pk=job.pk).claim("worker", now=timezone.now())
    held.fail(JobError(why), now=timezone.now())


def test_a_chain_runs_in_order_and_hands_on_what_it_found(handled: list[str]) -> None:
    scrape, clean, embed = three(finds="Harbour")
    assert [job.open_needs for job in (scrape, clean, embed)] == [0, 1, 1]
    runner.drain("pipeline")
    assert handled == [str(job.pk) for job in (scrape, clean, embed)]
    work = Work.objects.get()
    assert [fresh(job).status for job in (scrape, clean, embed)] == ["success"] * 3
    assert fresh(embed).work == work
    assert fresh(clean).output == {
        "work": str(work.pk), "before": [{"total": 1, "success": 1, "failed": 0}],
    }  # fmt: skip


def test_a_failed_job_holds_everything_behind_it_and_says_why() -> None:
    scrape, clean, embed = three()
    fail(scrape)
    for job in (fresh(clean), fresh(embed)):
        assert (job.status, job.open_needs) == ("queued", 1)
        assert job.error.startswith("Held: Scrape")
        assert "failed: The site is down. Retry it, or cancel this." in job.error
    assert runner.drain("pipeline") == 0


def test_a_cancelled_job_holds_them_too() -> None:
    scrape, clean, embed = three()
    deciding.cancel(scrape, who="olga", now=timezone.now())
    assert "was cancelled" in fresh(clean).error
    assert fresh(embed).error == fresh(clean).error


def test_retrying_what_failed_lets_the_chain_go_on() -> None:
    scrape, clean, embed = three()
    fail(scrape)
    deciding.retry(fresh(scrape), who="olga", now=timezone.now())
    assert (fresh(clean).error, fresh(embed).error) == ("", "")
    runner.drain("pipeline")
    assert [fresh(job).status for job in (scrape, clean, embed)] == ["success"] * 3


def test_a_job_waits_for_all_it_needs() -> None:
    now = timezone.now()
    first, second = (start("scrape", {}, who="olga", now=now) for _ in range(2))
    both = start("clean", {}, who="olga", now=now, needs=[first, str(second.pk), first.pk])
    assert both.open_needs == 2
    PipelineJob.objects.filter(pk=first.pk).claim("worker", now=now)[0].complete(now=now)
    assert fresh(both).open_needs == 1
    assert [job.pk for job in PipelineJob.objects.claimable(now)] == [second.pk]
    fail(second)
    assert f"{str(second.pk)[-8:]} failed" in fresh(both).error


def test_what_has_succeeded_already_is_not_waited_for() -> None:
    before = start("scrape", {}, who="olga", now=timezone.now())
    runner.drain("pipeline")
    after = start("clean", {}, who="olga", now=timezone.now(), needs=[before])
    assert after.open_needs == 0


def test_what_has_failed_already_holds_from_the_start() -> None:
    before = start("scrape", {}, who="olga", now=timezone.now())
    fail(before)
    after = start("clean", {}, who="olga", now=timezone.now(), needs=[before])
    assert fresh(after).error.startswith("Held: ")


def test_a_need_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="There is no pipeline job"):
        start("clean", {}, who="olga", now=timezone.now(), needs=["00000000-0000-4000-8000-000000000000"])
    assert not PipelineJob.objects.exists()


def test_a_person_may_let_it_run_without_waiting() -> None:
    _, clean, embed = three()
    deciding.release(clean, who="olga", now=timezone.now())
    assert (fresh(clean).open_needs, fresh(embed).open_needs) == (0, 1)
    assert history_of(clean).last().type == "released_from_needs"
    with pytest.raises(Refused, match="waits for no other job"):
        deciding.release(clean, who="olga", now=timezone.now())


def test_a_script_s_own_job_may_wait_too() -> None:
    before = start("scrape", {}, who="olga", now=timezone.now())
    job_id = create_job("clean")
    PipelineJob.objects.get(pk=job_id).needs.add(before)
    PipelineJob.objects.filter(pk=job_id).update(open_needs=1)
    with pytest.raises(IllegalTransition, match="waits for 1 other jobs"):
        update_job_status(job_id, "running")


def test_a_dependant_cancelled_meanwhile_does_not_wait_when_it_is_retried() -> None:
    _, clean, _ = three()
    deciding.cancel(clean, who="olga", now=timezone.now())
    runner.drain("pipeline")
    deciding.retry(fresh(clean), who="olga", now=timezone.now())
    assert fresh(clean).open_needs == 0


def test_running_again_is_a_new_job_with_the_same_input() -> None:
    job = start("scrape", {"finds": "Harbour"}, who="olga", now=timezone.now(), priority=3)
    runner.drain("pipeline")
    again = rerun(fresh(job), who="vera", now=timezone.now())
    assert (again.input, again.rerun_of, again.work, again.priority) == (
        {"finds": "Harbour"}, job, Work.objects.get(), 3,
    )  # fmt: skip
    assert fresh(job).status == "success"


def test_what_ran_outside_cannot_be_started_from_here() -> None:
    job = PipelineJob.objects.get(pk=create_job("scrape", run_by="external"))
    job.give_up(JobError("No."), now=timezone.now())
    with pytest.raises(Refused, match="it ran outside"):
        rerun(job, who="olga", now=timezone.now())
    with pytest.raises(Refused, match="it ran outside"):
        deciding.retry(job, who="olga", now=timezone.now())


def test_a_script_s_failed_job_is_retried_by_our_workers() -> None:
    job_id = create_job("scrape")
    job = update_job_status(job_id, "failed", error="No network")
    deciding.retry(job, who="olga", now=timezone.now())
    runner.drain("pipeline")
    assert PipelineJob.objects.get(pk=job_id).status == "success"


def test_what_failed_is_marked_as_handled_once() -> None:
    scrape, *_ = three()
    with pytest.raises(Refused, match="has not failed"):
        deciding.mark_handled(scrape, who="olga", now=timezone.now())
    fail(scrape)
    deciding.mark_handled(fresh(scrape), who="olga", now=timezone.now())
    assert (fresh(scrape).handled_by, fresh(scrape).status) == ("olga", "failed")
    with pytest.raises(Refused, match="marked already"):
        deciding.mark_handled(fresh(scrape), who="olga", now=timezone.now())
    deciding.retry(fresh(scrape), who="olga", now=timezone.now())
    assert fresh(scrape).handled_at is None


@committed
def test_needs_that_succeed_at_once_are_each_counted_once() -> None:
    now = timezone.now()
    needed = [start("scrape", {}, who="olga", now=now) for _ in range(4)]
    both = [start("clean", {}, who="olga", now=now, needs=needed) for _ in range(2)]
    together = threading.Barrier(len(needed))
    errors: list[Exception] = []

    def complete(job: PipelineJob) -> None:
        try:
            (held,) = PipelineJob.objects.filter(pk=job.pk).claim(f"worker-{job.pk}", now=now)
            together.wait(30)
            runner.patiently(lambda: held.complete(now=now))
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=complete, args=(job,)) for job in needed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert [fresh(job).open_needs for job in both] == [0, 0]
