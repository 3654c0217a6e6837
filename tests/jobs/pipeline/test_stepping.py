"""Jobs announced and moved in single steps, as scripts of the old shape do: what is filled in, what is refused."""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from jobs.pipeline.announcing import create_job
from jobs.pipeline.pipeline_jobs import JobType, PipelineJob, RunBy
from jobs.pipeline.stepping import IllegalTransition, attach_job, tracker_of, update_job_status
from jobs.pipeline.subjects import Edition, Segment, Source, Work
from tests.jobs.pipeline.rows import edges, the_job
from tests.jobs.worker_process import until

# Most run in one transaction, which the supervising thread does not see and need not: they are over before it looks.
pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)


# -------------------------------------------------------------------- create_job


def test_the_positional_form_makes_a_queued_job_and_gives_its_id() -> None:
    job_id = create_job("scrape", {"url": "https://example.com/"})
    job = PipelineJob.objects.get(pk=job_id)
    assert isinstance(job_id, uuid.UUID)
    assert (job.job_type, job.status, job.attempt) == ("scrape", "queued", 0)
    assert job.input == {"url": "https://example.com/"}
    assert (job.output, job.error, job.started_at, job.finished_at) == (None, "", None, None)
    assert edges(job) == [("created", "", "queued")]


def test_the_keyword_form_links_the_job_and_names_its_script(work: Work) -> None:
    edition = Edition.objects.create(work=work, language="en")
    segment = Segment.objects.create(edition=edition, number=1)
    job_id = create_job(
        job_type="scrape",
        source_id=work.source_id,
        work_id=str(work.pk),
        edition=edition,
        segment_id=segment.pk,
        input={"url": "https://example.com/", "scriptType": "scrape-novel-api"},
    )
    job = PipelineJob.objects.get(pk=job_id)
    assert (job.source, job.work, job.edition, job.segment) == (work.source, work, edition, segment)
    assert job.script == "scrape-novel-api"


@pytest.mark.parametrize("job_type", JobType.values)
def test_every_type_of_the_requirement_is_a_job_type(job_type: str) -> None:
    assert PipelineJob.objects.get(pk=create_job(job_type)).input == {}


@pytest.mark.parametrize("wrong", [{"job_type": "bake"}, {"status": "done"}])
def test_the_database_itself_refuses_another_type_or_state(wrong: dict[str, str]) -> None:
    job_id = create_job("scrape")
    with pytest.raises(IntegrityError), transaction.atomic():
        PipelineJob.objects.filter(pk=job_id).update(**wrong)


def test_an_unknown_type_link_or_input_is_refused() -> None:
    with pytest.raises(ValueError, match="no job type “bake”"):
        create_job("bake", {})
    with pytest.raises(TypeError, match="not linked to “episode_id”"):
        create_job("scrape", {}, episode_id=1)
    with pytest.raises(TypeError, match="an object"):
        create_job("scrape", [1])  # type: ignore[arg-type]
    assert not PipelineJob.objects.exists()


def test_a_job_outlives_what_it_was_about(work: Work) -> None:
    edition = Edition.objects.create(work=work)
    segment = Segment.objects.create(edition=edition, number=1)
    job_id = create_job("clean", source=work.source, work=work, edition=edition, segment=segment)
    work.delete()
    Source.objects.all().delete()
    job = PipelineJob.objects.get(pk=job_id)
    assert (job.source_id, job.work_id, job.edition_id, job.segment_id) == (None, None, None, None)


def test_ids_made_later_are_greater() -> None:
    ids = [create_job("scrape") for _ in range(3)]
    assert len(set(ids)) == 3
    assert [each.version for each in ids] == [7, 7, 7]
    assert sorted(each.int >> 80 for each in ids) == [each.int >> 80 for each in ids]


# -------------------------------------------------------------------- update_job_status


def test_running_fills_in_the_start_and_counts_the_attempt() -> None:
    job_id = create_job("scrape")
    before = timezone.now()
    update_job_status(job_id, "running")
    job = the_job()
    assert (job.status, job.attempt) == ("running", 1)
    assert before <= job.started_at <= timezone.now()
    assert job.finished_at is None
    update_job_status(job_id, "success")


def test_success_fills_in_the_end_and_keeps_the_output() -> None:
    job_id = create_job("scrape")
    update_job_status(job_id, "running")
    update_job_status(job_id, "success", {"totalChapters": 270, "inserted": 270})
    job = the_job()
    assert (job.status, job.progress, job.error) == ("success", 100, "")
    assert job.started_at <= job.finished_at
    assert job.output == {"totalChapters": 270, "inserted": 270}


def test_failed_fills_in_the_end_and_keeps_the_error() -> None:
    job_id = create_job("scrape")
    update_job_status(job_id, "running")
    job = update_job_status(job_id, "failed", None, "API timeout")
    assert (job.status, job.error) == ("failed", "API timeout")
    assert job.finished_at is not None
    assert job.output is None


def test_a_failed_job_may_run_again_as_another_attempt() -> None:
    job_id = create_job("scrape")
    update_job_status(job_id, "running")
    update_job_status(job_id, "failed", error="API timeout")
    update_job_status(job_id, "running")
    job = update_job_status(job_id, "success", {"total": 1})
    assert (job.status, job.attempt, job.error) == ("success", 2, "")
    assert [new for _, _, new in edges(job)] == [
        "queued", "running", "failed", "queued", "running", "success",
    ]  # fmt: skip


def test_the_log_tells_the_attempt(caplog: pytest.LogCaptureFixture) -> None:
    job_id = create_job("scrape")
    with caplog.at_level(logging.INFO, "jobs.pipeline"):
        for status in ("running", "failed", "running", "success"):
            update_job_status(job_id, status)
    assert [record.message for record in caplog.records] == [
        f"Pipeline job {job_id} is running, attempt 1", f"Pipeline job {job_id}: failed, attempt 1",
        f"Pipeline job {job_id} is running, attempt 2", f"Pipeline job {job_id}: success, attempt 2",
    ]  # fmt: skip


def test_a_job_that_could_not_be_begun_can_be_failed() -> None:
    job_id = create_job("scrape")
    job = update_job_status(job_id, "failed", error="No such work")
    assert (job.status, job.attempt, job.error) == ("failed", 0, "No such work")


@pytest.mark.parametrize(
    ("before", "to"),
    [
        ([], "success"),
        (["running"], "running"),
        (["running"], "queued"),
        (["running", "success"], "running"),
        (["running", "success"], "failed"),
        (["running", "success"], "queued"),
        (["running", "success"], "cancelled"),
        (["running", "failed"], "success"),
        (["running", "failed"], "cancelled"),
    ],
)
def test_any_other_way_is_refused_and_changes_nothing(before: list[str], to: str) -> None:
    job_id = create_job("scrape")
    for status in before:
        update_job_status(job_id, status)
    was = (the_job().status, the_job().attempt, the_job().finished_at, edges(the_job()))
    with pytest.raises(IllegalTransition):
        update_job_status(job_id, to)
    assert (the_job().status, the_job().attempt, the_job().finished_at, edges(the_job())) == was
    if was[0] == "running":
        update_job_status(job_id, "success")


def test_an_unknown_status_and_an_unknown_job_are_refused() -> None:
    with pytest.raises(ValueError, match="no status “done”"):
        update_job_status(create_job("scrape"), "done")
    with pytest.raises(PipelineJob.DoesNotExist):
        update_job_status(uuid.uuid4(), "running")


def test_a_worker_s_job_is_not_run_by_a_script() -> None:
    job_id = create_job("scrape", run_by=RunBy.WORKER)
    with pytest.raises(IllegalTransition, match="run by our workers"):
        update_job_status(job_id, "running")


def test_no_worker_takes_a_job_that_a_script_runs_itself() -> None:
    create_job("scrape")
    assert PipelineJob.objects.claim("worker", now=timezone.now() + timedelta(days=1)) == []
    create_job("scrape", run_by=RunBy.WORKER)
    assert len(PipelineJob.objects.claim("worker", now=timezone.now() + timedelta(days=1), limit=5)) == 1


def test_links_can_be_set_later(work: Work) -> None:
    job_id = create_job("scrape")
    update_job_status(job_id, "running")
    edition = Edition.objects.create(work=work)
    attach_job(job_id, work=work, edition_id=edition.pk)
    update_job_status(job_id, "success")
    assert (the_job().work, the_job().edition) == (work, edition)


@committed
def test_progress_of_a_job_in_single_steps() -> None:
    job_id = create_job("scrape")
    update_job_status(job_id, "running")
    tracker_of(job_id)(3, 4, "reading")
    until(lambda: the_job().progress == 75)
    assert the_job().stage == "reading"
    update_job_status(job_id, "success")
    assert the_job().progress == 100
