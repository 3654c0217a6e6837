"""What a worker does with a claimed job: run it, write what came of it, and leave nothing behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from redis.exceptions import RedisError

from jobs import runner, ticker
from jobs.errors import Cancelled, ErrorKind, Hold, JobError, LeaseLost, Parked
from jobs.events import history_of
from jobs.lifecycle import Status
from jobs.running import Released, Run, new_token, supervision
from tests.conftest import NOW
from tests.jobs.worker_process import until
from uploader.destinations import Destination
from uploader.platforms.errors import CredentialsRejected, QuotaReached, RateLimited, Rejected
from uploader.upload_jobs import UploadJob

Work = Callable[[UploadJob, Run], None]


class Permanent(JobError):
    """This will never work."""

    kind = ErrorKind.REJECTED
    permanent = True


def make_job(**columns: Any) -> UploadJob:
    destination, _ = Destination.objects.get_or_create(name="main")
    return UploadJob.objects.create(
        **{"destination": destination, "title": "Harbour", "not_before_at": NOW, **columns}
    )


def claim(job: UploadJob) -> UploadJob:
    (held,) = UploadJob.objects.filter(pk=job.pk).claim(new_token("worker"), now=NOW)
    return held


def fresh(job: UploadJob) -> UploadJob:
    return UploadJob.objects.get(pk=job.pk)


@pytest.fixture
def does(monkeypatch: pytest.MonkeyPatch) -> Callable[[Work], None]:
    return lambda work: monkeypatch.setattr(UploadJob, "perform", work)


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    yield
    until(lambda: not supervision._some.is_set(), seconds=5, what="the supervising thread rests")


# -------------------------------------------------------------------- what an end means

ENDS: list[tuple[JobError | None, str, str, int, float | None]] = [
    # what was raised, the state after, the error kind, the attempts counted, the wait in seconds
    (None, "completed", "", 1, None),
    (JobError("No."), "waiting", "transient", 1, 60),
    (Permanent(), "failed", "rejected", 1, None),
    (Rejected("No."), "failed", "rejected", 1, None),
    (Released(), "waiting", "", 0, 0),
    (Cancelled(), "cancelled", "cancelled", 1, None),
    (Hold("Wait."), "waiting", "transient", 0, runner.HOLD_SECONDS),
    (Hold("Wait.", delay_seconds=7), "waiting", "transient", 0, 7),
    (Hold("Wait.", until=NOW + timedelta(seconds=9)), "waiting", "transient", 0, 9),
    (Hold("Wait.", until=NOW - timedelta(seconds=9)), "waiting", "transient", 0, 0),
    (Parked("Encoding.", delay_seconds=15), "waiting", "", 0, 15),
    (RateLimited("Slow.", retry_after=30), "waiting", "rate_limited", 0, 30),
    (QuotaReached("Full.", delay_seconds=3600), "waiting", "quota", 0, 3600),
    (CredentialsRejected("Key."), "waiting", "credentials", 0, runner.HOLD_SECONDS),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("error", "status", "kind", "attempts", "wait"), ENDS)
def test_what_was_raised_decides_what_becomes_of_the_job(
    error: JobError | None, status: str, kind: str, attempts: int, wait: float | None
) -> None:
    job = claim(make_job())
    runner.settle(job, error, now=NOW)
    row = fresh(job)
    assert (row.status, row.error_kind, row.attempt) == (status, kind, attempts)
    if wait is not None:
        assert (row.not_before_at - NOW).total_seconds() == wait


@pytest.mark.django_db
def test_the_last_attempt_that_fails_ends_the_job() -> None:
    job = make_job(max_attempts=2)
    for status in ("waiting", "failed"):
        UploadJob.objects.update(not_before_at=NOW)
        runner.settle(claim(job), JobError("No."), now=NOW)
        assert fresh(job).status == status
    assert (fresh(job).attempt, fresh(job).error_message) == (2, "No.")


@pytest.mark.django_db
def test_holds_never_use_the_attempts_up() -> None:
    job = make_job(max_attempts=1)
    for _ in range(5):
        UploadJob.objects.update(not_before_at=NOW)
        runner.settle(claim(job), QuotaReached("Full."), now=NOW)
    assert (fresh(job).status, fresh(job).attempt) == ("waiting", 0)


@pytest.mark.django_db
def test_an_outcome_of_who_lost_the_job_is_refused() -> None:
    job = claim(make_job())
    fresh(job).rescue(now=NOW)
    with pytest.raises(LeaseLost):
        runner.settle(job, None, now=NOW)


# -------------------------------------------------------------------- executing


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("raised", "status", "message"),
    [
        (None, "completed", ""),
        (JobError("The line was cut."), "waiting", "The line was cut."),
        (
            ZeroDivisionError("secret detail"),
            "waiting",
            "An internal error stopped this attempt; the log of the worker has the details",
        ),
    ],
)
def test_an_attempt_ends_with_its_outcome_written(
    raised: Exception | None, status: str, message: str, does: Callable[[Work], None]
) -> None:
    def work(job: UploadJob, run: Run) -> None:
        if raised:
            raise raised

    does(work)
    job = claim(make_job())
    runner.execute(job)
    assert (fresh(job).status, fresh(job).error_message, fresh(job).leased_by) == (status, message, "")


@pytest.mark.django_db(transaction=True)
def test_who_lost_its_job_stops_without_a_trace(does: Callable[[Work], None]) -> None:
    def work(job: UploadJob, run: Run) -> None:
        fresh(job).rescue(now=NOW)
        run.save(progress=50)

    does(work)
    job = claim(make_job())
    runner.execute(job)
    assert (fresh(job).status, fresh(job).progress) == ("waiting", 0)
    assert [event.type for event in history_of(job)] == ["claimed", "rescued"]


@pytest.mark.django_db(transaction=True)
def test_who_lost_its_job_in_its_last_moment_writes_no_outcome(does: Callable[[Work], None]) -> None:
    does(lambda job, run: fresh(job).rescue(now=NOW))
    job = claim(make_job())
    runner.execute(job)
    assert fresh(job).status == "waiting"


# -------------------------------------------------------------------- draining


@pytest.mark.django_db(transaction=True)
def test_a_drain_runs_everything_that_is_due_in_its_order(does: Callable[[Work], None]) -> None:
    ran: list[str] = []
    does(lambda job, run: ran.append(job.title))
    make_job(title="second")
    make_job(title="first", priority=-1)
    make_job(title="tomorrow", not_before_at=timezone.now() + timedelta(days=1))
    assert runner.drain("upload") == 2
    assert ran == ["first", "second"]
    assert runner.drain("upload") == 0
    assert runner.drain("short") == 0, "a lane does its own jobs only"


@pytest.mark.django_db(transaction=True)
def test_a_drain_ends_when_its_worker_is_asked_to_stop(
    does: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    monkeypatch.setattr(runner, "stopping", stop.is_set)
    does(lambda job, run: stop.set())
    make_job()
    make_job()
    assert runner.drain("upload") == 1
    assert sorted(UploadJob.objects.values_list("status", flat=True)) == ["completed", "waiting"]


@pytest.mark.django_db(transaction=True)
def test_what_a_stop_leaves_of_a_batch_goes_back_to_the_line(
    does: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    monkeypatch.setattr(runner, "stopping", stop.is_set)
    monkeypatch.setattr(UploadJob, "claim_batch", 3)
    does(lambda job, run: stop.set())
    jobs = [make_job(title=str(number)) for number in range(3)]
    runner.drain("upload")
    assert [fresh(job).status for job in jobs] == ["completed", "waiting", "waiting"]
    assert [fresh(job).attempt for job in jobs] == [1, 0, 0]


@pytest.mark.django_db(transaction=True)
def test_a_job_of_a_batch_that_was_taken_while_it_waited_is_not_begun(
    does: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(UploadJob, "claim_batch", 2)
    first, second = make_job(title="first"), make_job(title="second")
    ran: list[str] = []

    def work(job: UploadJob, run: Run) -> None:
        ran.append(job.title)
        UploadJob.objects.filter(pk=second.pk).update(leased_by="successor", leased_until=NOW)

    does(work)
    # So late that the lease of the one behind has to be renewed.
    monkeypatch.setattr(
        runner.timezone, "now", iter_now(timezone.now() + timedelta(seconds=1000), first=timezone.now())
    )
    runner.run_batch(UploadJob)
    assert ran == ["first"]
    assert fresh(second).leased_by == "successor"
    assert fresh(first).status == "completed"


def iter_now(later: Any, *, first: Any) -> Callable[[], Any]:
    answers = iter([first])
    return lambda: next(answers, later)


@pytest.mark.django_db(transaction=True)
def test_a_task_delivered_twice_does_the_work_once(does: Callable[[Work], None]) -> None:
    ran: list[int] = []
    does(lambda job, run: ran.append(job.pk))
    jobs = [make_job(title=str(number)) for number in range(8)]
    start, failures = threading.Barrier(3), list[BaseException]()

    def deliver() -> None:
        try:
            start.wait(10)
            runner.drain("upload")
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=deliver) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failures
    assert sorted(ran) == [job.pk for job in jobs]
    assert set(UploadJob.objects.values_list("status", flat=True)) == {Status.COMPLETED}


# -------------------------------------------------------------------- waking


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lanes: list[str] = []
    monkeypatch.setattr(runner, "enqueue", lanes.append)
    return lanes


@pytest.mark.django_db
def test_a_lane_is_woken_when_something_is_due(queued: list[str]) -> None:
    assert "upload" not in runner.wake_waiting(NOW)
    make_job(not_before_at=NOW + timedelta(seconds=1))
    assert "upload" not in runner.wake_waiting(NOW)
    assert runner.wake_waiting(NOW + timedelta(seconds=1)) == ["upload"]
    assert queued == ["upload"]


@pytest.mark.django_db
def test_no_more_tasks_wait_in_a_lane_than_it_has_workers(settings: Any) -> None:
    for _ in range(settings.LANES["upload"]["workers"] + 3):
        runner.enqueue("upload")
    assert runner.get_broker("upload").queue_size() <= settings.LANES["upload"]["workers"]


@pytest.mark.django_db
def test_an_error_of_one_duty_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    def fails(error: Exception) -> Callable[[Any], None]:
        def duty(now: Any) -> None:
            raise error

        return duty

    duties = {
        "one": ticker.Duty(fails(ValueError("x")), 1),
        "two": ticker.Duty(fails(DatabaseError("y")), 1),
        "three": ticker.Duty(lambda now: done.append("three"), 1),
    }
    monkeypatch.setattr(ticker, "_duties", duties)
    ticker.tick(NOW)
    assert done == ["three"]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


@pytest.mark.django_db
def test_a_broker_that_is_away_costs_a_hint_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    does: Callable[[Work], None],
    django_capture_on_commit_callbacks: Any,
) -> None:
    def away(lane: str) -> Any:
        raise RedisError("Connection refused")

    monkeypatch.setattr(runner, "get_broker", away)
    with django_capture_on_commit_callbacks(execute=True):
        runner.wake("upload")
    for _ in range(2):
        make_job()
    does(lambda job, run: None)
    assert runner.wake_waiting(timezone.now()) == ["upload"]
    assert runner.drain("upload") == 2, "who works needs no hint"
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    assert "the ticker tells it again" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_is_rolled_back_wakes_nobody_later_either(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(runner, "enqueue", told.append)
    with pytest.raises(DatabaseError), transaction.atomic():
        runner.wake("transcode")
        raise DatabaseError
    with transaction.atomic():
        runner.wake("upload")
        runner.wake("upload")
    assert told == ["upload"]
