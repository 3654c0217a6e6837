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
from jobs.pipeline.announcing import create_job
from jobs.pipeline.pipeline_jobs import PipelineJob, RunBy, Status
from jobs.pipeline.subjects import Work
from jobs.pipeline.trackers import Tracker
from jobs.pipeline.tracking import track
from tests.jobs.pipeline.rows import edges, the_job
from tests.jobs.worker_process import until

# Most run in one transaction, which the supervising thread does not see and need not: they are over before it looks.
pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)


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
    # It is in no line: the first that is heard of it is that it runs.
    assert [each.data["status"] for each in told] == ["running", "success"]
    assert [event.type for event in history_of(the_job())] == ["created", "claimed", "completed"]
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
from jobs.pipeline.announcing import create_job
from jobs.pipeline.stepping import update_job_status
from jobs.pipeline.tracking import track
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
