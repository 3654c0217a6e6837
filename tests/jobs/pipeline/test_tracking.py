"""A tracked script: what its job says while it runs, and that no way out leaves the job running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from jobs import recovery
from jobs.errors import Cancelled, ErrorKind, JobError, LeaseLost, LostRace
from jobs.events import Event, history_of
from jobs.pipeline.pipeline_jobs import JobType, PipelineJob, RunBy, Status
from jobs.pipeline.subjects import Edition, Segment, Source, Work
from jobs.pipeline.tracking import (
    IllegalTransition,
    Tracker,
    attach_job,
    create_job,
    track,
    tracker_of,
    update_job_status,
)
from tests.jobs.worker_process import until

# Most run in one transaction, which the supervising thread does not see and need not: they are over before it looks.
pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)


def the_job() -> PipelineJob:
    return PipelineJob.objects.get()


def edges(job: PipelineJob) -> list[tuple[str, str, str]]:
    return [(event.type, event.old, event.new) for event in history_of(job) if event.type != "log"]


@pytest.fixture
def work(db: None) -> Work:
    return Work.objects.create(title="Harbour", source=Source.objects.create(name="Fixture"))


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


# -------------------------------------------------------------------- with track(…)


def test_a_block_is_a_running_job_and_then_a_success(work: Work) -> None:
    with track("scrape", {"url": "https://example.com/"}, script="scrape-novel", work=work) as job:
        seen = the_job()
        assert (seen.status, seen.attempt, seen.run_by) == ("running", 1, "script")
        assert seen.leased_until > timezone.now()
        job.output.update(total=3, success=3, failed=0)
    done = the_job()
    assert (done.status, done.output) == ("success", {"total": 3, "success": 3, "failed": 0})
    assert (done.input, done.script, done.work) == (
        {"url": "https://example.com/", "scriptType": "scrape-novel"}, "scrape-novel", work,
    )  # fmt: skip
    assert edges(done) == [
        ("created", "", "queued"), ("claimed", "queued", "running"), ("completed", "running", "success"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (ValueError("API timeout"), "failed", "API timeout"),
        (ValueError(), "failed", "ValueError"),
        (JobError("The site refused."), "failed", "The site refused."),
        (KeyboardInterrupt(), "failed", "Interrupted from the keyboard"),
        (SystemExit(1), "failed", "The script was stopped (exit 1)"),
        (SystemExit(0), "success", ""),
        (SystemExit(), "success", ""),
        (Cancelled(), "cancelled", "Cancelled on request"),
        (ValueError("a\0b"), "failed", "ab"),
    ],
)
def test_no_exception_leaves_the_job_running(error: BaseException, status: str, told: str) -> None:
    with pytest.raises(type(error)), track("scrape") as job:
        job.output["total"] = 1
        raise error
    done = the_job()
    assert (done.status, done.error) == (status, told)
    assert done.finished_at is not None
    if status != "cancelled":
        assert done.output == {"total": 1}, "what it had found is kept"


def test_an_output_that_is_no_json_is_made_into_some() -> None:
    circle: dict[str, Any] = {}
    circle["self"] = circle
    with track("scrape") as job:
        job.output.update(
            id=uuid.UUID(int=7), at=timezone.now(), ratio=float("nan"), names={"a"}, nul="a\0b", circle=circle
        )
    output = the_job().output
    assert output["id"] == str(uuid.UUID(int=7))
    assert (output["ratio"], output["names"], output["nul"]) == (None, ["a"], "ab")


def test_secrets_in_an_error_are_not_kept() -> None:
    with pytest.raises(ValueError, match="hunter2"), track("scrape"):
        raise ValueError("GET https://olga:hunter2@example.com/?page=2&api_key=hunter2: 403, Bearer hunter2")
    assert "hunter2" not in the_job().error
    assert "page=2" in the_job().error


def test_a_decorated_function_is_tracked_at_every_call() -> None:
    @track("clean")
    def clean_all(limit: int, *, dry: bool = False) -> dict[str, int]:
        assert the_job().status == "running"
        return {"total": limit}

    assert clean_all(5) == {"total": 5}
    job = the_job()
    assert (job.job_type, job.status, job.output) == ("clean", "success", {"total": 5})
    assert job.input == {"limit": 5, "dry": False, "scriptType": "clean-all"}
    job.delete()
    clean_all(2, dry=True)
    assert the_job().input["dry"] is True


def test_a_decorated_function_is_given_its_job_when_it_asks() -> None:
    @track("match", script="match-works")
    def match(url: str, job: Tracker) -> None:
        job.output["url"] = url

    match("https://example.com/")
    assert the_job().output == {"url": "https://example.com/"}
    assert the_job().input == {"url": "https://example.com/", "scriptType": "match-works"}


def test_a_decorated_function_that_fails_fails_its_job() -> None:
    @track("clean")
    def clean() -> None:
        raise RuntimeError("No text")

    with pytest.raises(RuntimeError):
        clean()
    assert (the_job().status, the_job().error) == ("failed", "No text")


@committed
def test_what_is_tracked_is_seen_at_once_and_never_hidden_in_a_transaction() -> None:
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic(), track("scrape"):
        pass


@committed
def test_progress_is_written_by_and_by_and_attaching_at_once(work: Work) -> None:
    with track("scrape") as job:
        for number in range(1, 51):
            job.progress(number, 100, "reading")
        job.attach(work_id=work.pk)
        assert the_job().work == work
        until(lambda: the_job().progress == 50)
        assert the_job().stage == "reading"
    assert (the_job().progress, the_job().stage) == (100, "")


@committed
def test_lines_of_the_log_are_in_the_history() -> None:
    with track("scrape") as job:
        job.log("Reading the list")
        until(lambda: Event.objects.filter(type="log").exists())
        job.log("Done\0 with it")
    lines = [event.why for event in history_of(the_job()) if event.type == "log"]
    assert lines == ["Reading the list", "Done with it"]


@committed
def test_a_person_s_cancel_stops_the_script_at_its_next_step() -> None:
    with pytest.raises(Cancelled), track("scrape") as job:
        the_job().cancel(who="olga", now=timezone.now())
        job.wait(30)
    assert (the_job().status, the_job().error_kind) == ("cancelled", ErrorKind.CANCELLED)


def test_live_clients_hear_every_step() -> None:
    with track("scrape", script="scrape-novel"):
        pass
    told = Event.objects.filter(topic="pipeline", type="pipeline_job", data__id=str(the_job().pk)).order_by(
        "id"
    )
    assert [each.data["status"] for each in told] == ["queued", "running", "success"]
    assert told[0].data["jobType"] == "scrape"
    assert told[0].data["script"] == "scrape-novel"


# -------------------------------------------------------------------- killed, frozen, forgotten


def expire(job: PipelineJob) -> None:
    PipelineJob.objects.filter(pk=job.pk).update(leased_until=timezone.now() - timedelta(seconds=1))


def test_a_script_that_stopped_renewing_fails_as_a_lost_worker(work: Work) -> None:
    job = PipelineJob.objects.get(pk=create_job("scrape", work=work))
    job.begin("machine:1:x#1", now=timezone.now())
    recovery.recover(timezone.now())
    assert the_job().status == "running", "its lease has not run out"
    recovery.recover(timezone.now() + timedelta(seconds=settings.LEASE_SECONDS + 1))
    done = the_job()
    assert (done.status, done.error_kind, done.attempt) == ("failed", ErrorKind.LOST_WORKER, 1)
    assert done.error == "The script on machine:1:x stopped answering"
    assert done.finished_at is not None


def test_a_script_given_up_for_dead_changes_nothing_any_more() -> None:
    with pytest.raises(LeaseLost), track("scrape") as job:
        expire(job.job)
        recovery.recover(timezone.now())
        job.output["total"] = 1
    assert (the_job().status, the_job().output) == ("failed", None)


def test_a_script_announced_and_never_begun_fails_too(settings: Any) -> None:
    create_job("scrape")
    create_job("scrape", run_by=RunBy.WORKER)
    recovery.recover(timezone.now())
    assert set(PipelineJob.objects.values_list("status", flat=True)) == {"queued"}
    recovery.recover(timezone.now() + timedelta(seconds=settings.STALE_AFTER_SECONDS + 1))
    assert PipelineJob.objects.get(run_by="script").error_kind == ErrorKind.LOST_WORKER
    assert PipelineJob.objects.get(run_by="worker").status == "queued"


def test_a_lost_script_that_was_to_be_cancelled_is_cancelled() -> None:
    job = PipelineJob.objects.get(pk=create_job("scrape"))
    job.begin("machine:1:x#1", now=timezone.now())
    the_job().cancel(who="olga", now=timezone.now())
    recovery.recover(timezone.now() + timedelta(seconds=settings.LEASE_SECONDS + 1))
    assert the_job().status == "cancelled"


@committed
def test_of_two_that_begin_a_job_one_does() -> None:
    job_id = create_job("scrape")
    won: list[str] = []
    together = threading.Barrier(2)

    def begin(token: str) -> None:
        job = PipelineJob.objects.get(pk=job_id)
        together.wait(30)
        try:
            job.begin(token, now=timezone.now())
            won.append(token)
        except LostRace:
            assert job.attempt == 0
        finally:
            connection.close()

    threads = [threading.Thread(target=begin, args=(f"script#{n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(won) == 1
    assert (the_job().leased_by, the_job().attempt) == (won[0], 1)


SCRIPT = """
import django, os, signal, sys, time
django.setup()
from jobs.pipeline.tracking import create_job, track, update_job_status
how = sys.argv[1]
if how == "forgets":
    update_job_status(create_job("scrape"), "running")
    sys.exit(0)
with track("scrape"):
    print("running", flush=True)
    if how == "exits":
        sys.exit(3)
    time.sleep(600)
"""


def database_url() -> str:
    """The test's own database, for another process."""
    found = connection.settings_dict
    name = found["NAME"]
    if connection.vendor != "postgresql":
        return f"sqlite:///{name}"
    host, port = found["HOST"] or "127.0.0.1", found["PORT"] or 5432
    secret = f":{found['PASSWORD']}" if found["PASSWORD"] else ""
    return f"postgres://{found['USER']}{secret}@{host}:{port}/{name}"


def start(how: str) -> subprocess.Popen[str]:
    """A script of its own process on the test's database."""
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, how],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "config.settings"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@committed
def test_a_script_that_is_ended_says_so() -> None:
    stopped, exits, forgets = (start(how) for how in ("sleeps", "exits", "forgets"))
    try:
        assert stopped.stdout
        stopped.stdout.readline()
        stopped.send_signal(signal.SIGTERM)
        assert [script.wait(60) for script in (stopped, exits, forgets)] == [143, 3, 0]
    finally:
        for script in (stopped, exits, forgets):
            script.kill()
            script.communicate()
    assert set(PipelineJob.objects.values_list("status", "error_message")) == {
        (Status.FAILED, "The script was stopped (exit 143)"),
        (Status.FAILED, "The script was stopped (exit 3)"),
        (Status.FAILED, "The script ended without saying how it went"),
    }
