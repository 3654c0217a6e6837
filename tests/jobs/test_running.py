"""One attempt under way: progress, the lease, and what stops the work wherever it stands."""

from __future__ import annotations

import contextlib
import itertools
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from jobs import runner, running
from jobs.errors import Cancelled, JobError, LeaseLost
from jobs.running import Rate, Released, Run, Stalled, new_token, patiently, supervision
from tests.jobs.worker_process import until
from uploader.destinations import Destination
from uploader.upload_jobs import UploadJob

pytestmark = pytest.mark.django_db(transaction=True)

# What a person who presses “Cancel” waits at most.
STOPS_WITHIN_SECONDS = 2.0


@pytest.fixture
def job(db: None) -> UploadJob:
    destination, _ = Destination.objects.get_or_create(name="main")
    UploadJob.objects.create(destination=destination, title="Harbour", not_before_at=timezone.now())
    (held,) = UploadJob.objects.claim(new_token("worker"), now=timezone.now())
    return held


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    before = signal.getsignal(signal.SIGUSR1)
    yield
    assert signal.getsignal(signal.SIGUSR1) == before
    until(lambda: not supervision._some.is_set(), seconds=5, what="the supervising thread rests")


@contextlib.contextmanager
def meanwhile(do: Callable[[], object], *, after: float = 0.0) -> Iterator[None]:
    """Have `do` done in another thread, with a connection of its own, while the block runs."""

    def work() -> None:
        time.sleep(after)
        try:
            do()
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join(10)


def cancel(job: UploadJob) -> Callable[[], None]:
    return lambda: UploadJob.objects.get(pk=job.pk).cancel(who="olga", now=timezone.now())


def fresh(job: UploadJob) -> UploadJob:
    return UploadJob.objects.get(pk=job.pk)


# -------------------------------------------------------------------- what the work may be doing


def blocked_in_a_send(run: Run) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, run.moving():
        ours.sendall(bytes(50_000_000))


def blocked_in_a_receive(run: Run) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, run.interruptible():
        ours.recv(1)


def asleep(run: Run) -> None:
    with run.interruptible():
        time.sleep(30)


def waiting(run: Run) -> None:
    run.wait(30)


def between_calls(run: Run) -> None:
    while True:
        time.sleep(0.01)
        run.check()


def telling_progress(run: Run) -> None:
    with run.moving():
        for done in range(10**9):
            run.progress(done, 10**9)
            time.sleep(0.001)


WORK = (blocked_in_a_send, blocked_in_a_receive, asleep, waiting, between_calls, telling_progress)


@pytest.mark.parametrize("work", WORK)
def test_a_cancel_stops_the_work_wherever_it_stands(job: UploadJob, work: Callable[[Run], None]) -> None:
    run = Run(job)
    began = time.monotonic()
    with meanwhile(cancel(job), after=0.1), pytest.raises(Cancelled), supervision.over(run):
        work(run)
    assert time.monotonic() - began < STOPS_WITHIN_SECONDS
    runner.settle(job, run.interruption, now=timezone.now())
    assert fresh(job).status == "cancelled"


@pytest.mark.parametrize("work", [waiting, telling_progress])
def test_a_cancel_reaches_work_in_another_thread(job: UploadJob, work: Callable[[Run], None]) -> None:
    raised: list[BaseException] = []

    def perform() -> None:
        run = Run(job)
        try:
            with supervision.over(run):
                work(run)
        except JobError as error:
            raised.append(error)

    began = time.monotonic()
    with meanwhile(perform):
        cancel(job)()
    assert isinstance(raised[0], Cancelled)
    assert time.monotonic() - began < STOPS_WITHIN_SECONDS


@pytest.mark.parametrize("work", [blocked_in_a_send, between_calls])
def test_a_worker_that_is_stopped_releases_its_job(job: UploadJob, work: Callable[[Run], None]) -> None:
    stop = threading.Event()
    run = Run(job, stopping=stop.is_set)
    began = time.monotonic()
    with meanwhile(stop.set, after=0.1), pytest.raises(Released), supervision.over(run):
        work(run)
    assert time.monotonic() - began < STOPS_WITHIN_SECONDS
    runner.settle(job, run.interruption, now=timezone.now())
    assert (fresh(job).status, fresh(job).attempt) == ("waiting", 0)


def test_an_outcome_that_is_being_written_is_not_interrupted(job: UploadJob) -> None:
    run = Run(job)
    cancel(job)()
    with supervision.over(run):
        until(lambda: run.interruption, seconds=STOPS_WITHIN_SECONDS)
        run.save(source_url="https://kept")
        with pytest.raises(Cancelled):
            run.stage("creating")
    assert (fresh(job).source_url, fresh(job).stage) == ("https://kept", "")


# -------------------------------------------------------------------- stalls


def test_work_that_moves_no_byte_is_stalled(job: UploadJob, settings: Any) -> None:
    settings.STALL_SECONDS = 0.3
    run = Run(job)
    began = time.monotonic()
    with pytest.raises(Stalled, match="No byte moved"), supervision.over(run):
        blocked_in_a_send(run)
    assert 0.3 < time.monotonic() - began < STOPS_WITHIN_SECONDS


def test_slow_bytes_are_no_stall(job: UploadJob, settings: Any) -> None:
    settings.STALL_SECONDS = 0.5
    run = Run(job)
    end = time.monotonic() + 1.2
    with supervision.over(run), run.moving():
        done = 0
        while time.monotonic() < end:
            done += 1
            run.progress(done, 10**6)
            time.sleep(0.02)


def test_waiting_for_the_answer_after_the_last_byte_is_no_stall(job: UploadJob, settings: Any) -> None:
    settings.STALL_SECONDS = 0.2
    run = Run(job)
    with supervision.over(run), run.moving():
        run.progress(100, 100)
        time.sleep(1.2)
    assert run.interruption is None


def test_a_step_in_which_nothing_has_to_move_is_no_stall(job: UploadJob, settings: Any) -> None:
    settings.STALL_SECONDS = 0.1
    run = Run(job)
    with supervision.over(run):
        run.wait(1.2)


# -------------------------------------------------------------------- progress and lease


def test_progress_is_written_at_most_once_a_second(job: UploadJob) -> None:
    run, written = Run(job), list[tuple[float, int]]()

    def note(done: int, total: int, bytes_per_second: float) -> dict[str, Any]:
        written.append((time.monotonic(), done))
        return {"bytes_sent": done, "bytes_per_second": bytes_per_second}

    end = time.monotonic() + 2.6
    with supervision.over(run), run.moving(note):
        done = 0
        while time.monotonic() < end:
            done += 1000
            run.progress(done, 10**6)
            time.sleep(0.005)
    assert 2 <= len(written) <= 4
    gaps = [after - before for (before, _), (after, _) in itertools.pairwise(written)]
    assert min(gaps) > running.WRITE_EVERY_SECONDS - 0.05
    row = fresh(job)
    assert row.bytes_sent == written[-1][1]
    assert row.progress == written[-1][1] * 100 // 10**6
    assert row.bytes_per_second > 0


def test_a_long_attempt_renews_its_lease(job: UploadJob, settings: Any) -> None:
    settings.LEASE_SECONDS = 1
    UploadJob.objects.update(leased_until=timezone.now())
    run = Run(job)
    seen: set[Any] = set()

    def renewals() -> int:
        seen.add(fresh(job).leased_until)
        return len(seen) - 1

    with supervision.over(run):
        until(lambda: renewals() >= 3, seconds=5, what="renewed again and again")
        assert timezone.now() < max(seen)
    assert run.has_lease()


@pytest.mark.parametrize("work", [blocked_in_a_send, waiting])
def test_a_worker_whose_job_was_taken_stops(
    job: UploadJob, settings: Any, work: Callable[[Run], None]
) -> None:
    settings.LEASE_SECONDS = 1
    run = Run(job)
    take = meanwhile(lambda: UploadJob.objects.update(leased_by="successor"), after=0.1)
    began = time.monotonic()
    with take, pytest.raises(LeaseLost), supervision.over(run):
        work(run)
    assert time.monotonic() - began < STOPS_WITHIN_SECONDS
    assert fresh(job).leased_by == "successor"


def test_a_stage_that_is_for_good_has_a_full_lease(job: UploadJob, settings: Any) -> None:
    UploadJob.objects.update(leased_until=timezone.now())
    run = Run(job)
    run.stage_for_good("creating", create_intended_at=timezone.now())
    assert fresh(job).leased_until > timezone.now() + timedelta(seconds=settings.LEASE_SECONDS - 5)
    assert (fresh(job).stage, fresh(job).create_intended_at is None) == ("creating", False)


def test_a_stage_that_is_for_good_is_refused_to_who_was_given_up(job: UploadJob) -> None:
    fresh(job).rescue(now=timezone.now())
    with pytest.raises(LeaseLost):
        Run(job).stage_for_good("creating")


def test_a_lease_that_ran_out_within_its_own_write_is_asked_for_again(
    job: UploadJob, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frozen between the write and its return, and taken over meanwhile: the second write finds out."""
    run, saves = Run(job), list[str]()
    save = run.save

    def freeze_after(**columns: Any) -> None:
        save(**columns)
        saves.append("saved")
        UploadJob.objects.update(leased_by="successor")
        clock = time.monotonic() + settings.LEASE_SECONDS
        monkeypatch.setattr(running.time, "monotonic", lambda: clock)

    monkeypatch.setattr(run, "save", freeze_after)
    with pytest.raises(LeaseLost):
        run.stage_for_good("creating")
    assert saves == ["saved"]


# -------------------------------------------------------------------- troubles of the database


@contextlib.contextmanager
def database_away(seconds: float) -> Iterator[None]:
    """For so long the table is away (SQLite), or at once every connection is cut (PostgreSQL)."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        other = sqlite3.connect(name, isolation_level=None, timeout=10, check_same_thread=False)
        other.execute("PRAGMA legacy_alter_table = ON")
        other.execute("ALTER TABLE uploader_uploadjob RENAME TO away")

        def back() -> None:
            time.sleep(seconds)
            other.execute("ALTER TABLE away RENAME TO uploader_uploadjob")
            other.close()

        with meanwhile(back):
            yield
    else:
        chosen = connection.settings_dict
        with psycopg.connect(
            host=chosen["HOST"], port=chosen["PORT"], user=chosen["USER"], dbname="postgres", autocommit=True
        ) as server:
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
        yield


def test_an_upload_outlives_a_database_that_is_away_for_a_moment(
    job: UploadJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def upload(self: UploadJob, run: Run) -> None:
        def note(done: int, total: int, bytes_per_second: float) -> dict[str, Any]:
            return {"bytes_sent": done}

        with run.moving(note):
            run.progress(1, 10)
            until(lambda: fresh(job).bytes_sent == 1, seconds=5)
            with database_away(1.0):
                end = time.monotonic() + 1.2
                done = 1
                while time.monotonic() < end:
                    done += 1
                    run.progress(done, 10**6)
                    time.sleep(0.01)
        with database_away(0.7):
            run.save(source_url="https://kept", bytes_sent=done)

    monkeypatch.setattr(UploadJob, "perform", upload)
    runner.execute(job)
    row = fresh(job)
    assert (row.status, row.error_message, row.source_url) == ("completed", "", "https://kept")


def test_the_outcome_of_an_attempt_outlives_a_database_that_is_away(
    job: UploadJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = contextlib.ExitStack()
    monkeypatch.setattr(UploadJob, "perform", lambda self, run: stack.enter_context(database_away(0.7)))
    with stack:
        runner.execute(job)
    assert fresh(job).status == "completed"


def test_a_database_that_stays_away_is_not_waited_for_for_ever(settings: Any) -> None:
    settings.LEASE_SECONDS = 0.2
    tries: list[float] = []

    def write() -> None:
        tries.append(time.monotonic())
        raise OperationalError("gone")

    with pytest.raises(OperationalError):
        patiently(write)
    assert len(tries) == 2


def test_a_mistake_in_telling_progress_leaves_the_lease_renewed(job: UploadJob, settings: Any) -> None:
    settings.LEASE_SECONDS = 1
    UploadJob.objects.update(leased_until=timezone.now())
    run = Run(job)

    mistakes: list[int] = []

    def mistaken(done: int, total: int, bytes_per_second: float) -> dict[str, Any]:
        mistakes.append(done)
        raise KeyError("a mistake")

    before = fresh(job).leased_until
    with supervision.over(run), run.moving(mistaken):
        run.progress(1, 10)
        until(lambda: mistakes, seconds=3)
        until(lambda: fresh(job).leased_until > before, seconds=3, what="the lease is renewed")


# -------------------------------------------------------------------- small things


def test_a_token_is_never_used_twice() -> None:
    tokens = [new_token("host:1") for _ in range(1000)]
    assert len(set(tokens)) == 1000


def test_the_rate_is_that_of_the_last_notes() -> None:
    rate = Rate()
    assert rate.per_second == 0
    rate.note(0, 0)
    assert rate.per_second == 0
    for second in range(1, 30):
        rate.note(second, second * 100 if second < 15 else 1500 + (second - 15) * 500)
    assert rate.per_second == 500


def test_a_rate_is_never_negative_when_an_upload_begins_anew() -> None:
    rate = Rate()
    rate.note(0, 1000)
    rate.note(1, 10)
    assert rate.per_second == 0


def test_work_of_several_stages_tells_its_own_percentage(job: UploadJob) -> None:
    run = Run(job)
    with run.moving(lambda done, total, rate: {"progress": 40 + done * 50 // total}):
        run.progress(50, 100)
        run._wrote_at = 0.0
        run.look()
    assert fresh(job).progress == 65
