"""Every verb's edge, what each leaves in the history, and who wins when two move one job at once."""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from jobs import events
from jobs.errors import ErrorKind, Hold, JobError, LeaseLost, LostRace
from jobs.events import Event, history_of
from jobs.lifecycle import MOST_LOST_WORKERS, Status
from tests.conftest import NOW
from uploader.destinations import Destination
from uploader.upload_jobs import UploadJob

LATER = NOW + timedelta(hours=1)
SILENT = NOW + timedelta(seconds=3600)


@pytest.fixture
def job(db: None) -> UploadJob:
    return make_job()


def make_job(**columns: Any) -> UploadJob:
    destination, _ = Destination.objects.get_or_create(name="main")
    return UploadJob.objects.create(
        **{"destination": destination, "title": "Harbour", "not_before_at": NOW, **columns}
    )


def claimed(job: UploadJob, token: str = "first", *, now: datetime = NOW) -> UploadJob:
    (held,) = UploadJob.objects.filter(pk=job.pk).claim(token, now=now)
    return held


def fresh(job: UploadJob) -> UploadJob:
    return UploadJob.objects.get(pk=job.pk)


def finished(job: UploadJob, status: str) -> UploadJob:
    if status == Status.COMPLETED:
        claimed(job).complete(now=NOW)
    elif status == Status.FAILED:
        claimed(job).fail(JobError("No."), now=NOW)
    elif status == Status.CANCELLED:
        job.cancel(who="olga", now=NOW)
    return fresh(job)


def edges(job: UploadJob) -> list[tuple[str, str, str]]:
    return [(event.type, event.old, event.new) for event in history_of(job)]


# What each verb of a worker does to the job it holds: the state after, the attempts counted, the error kind.
WORKER_VERBS: dict[str, tuple[Callable[[UploadJob], None], str, int, str]] = {
    "completed": (lambda job: job.complete(now=LATER), "completed", 1, ""),
    "failed": (lambda job: job.fail(JobError("No."), now=LATER), "failed", 1, "transient"),
    "attempt_failed": (lambda job: job.try_again(JobError("No."), now=LATER), "waiting", 1, "transient"),
    "held": (lambda job: job.hold(Hold("Wait."), now=LATER, until=SILENT), "waiting", 0, "transient"),
    "parked": (lambda job: job.park(now=LATER, until=SILENT, why="Encoding."), "waiting", 0, ""),
    "released": (lambda job: job.release(now=LATER), "waiting", 0, ""),
    "cancelled": (lambda job: job.acknowledge_cancel(now=LATER), "cancelled", 1, "cancelled"),
}
RESCUE: tuple[Callable[[UploadJob], None], str, int, str] = (
    lambda job: job.rescue(now=SILENT), "waiting", 0, "lost_worker"
)  # fmt: skip


@pytest.mark.parametrize("event", [*WORKER_VERBS, "rescued"])
def test_a_verb_moves_an_active_job_along_its_edge(job: UploadJob, event: str) -> None:
    verb, status, attempts, kind = {**WORKER_VERBS, "rescued": RESCUE}[event]
    held = claimed(job)
    verb(held)
    after = fresh(job)
    assert (after.status, after.attempt, after.error_kind) == (status, attempts, kind)
    assert (after.leased_by, after.leased_until) == ("", None)
    assert (after.finished_at is not None) == after.is_finished
    assert edges(job) == [("claimed", "waiting", "active"), (event, "active", status)]
    assert [entry.who for entry in history_of(job)] == ["first", "first"]
    assert (held.status, held.attempt) == (after.status, after.attempt), "the object knows what the row says"


@pytest.mark.parametrize("event", [*WORKER_VERBS, "rescued"])
@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_finished_job_is_moved_by_no_verb_of_a_worker(job: UploadJob, event: str, status: str) -> None:
    finished(job, status)
    before = (fresh(job).updated_at, edges(job))
    with pytest.raises(LeaseLost):
        {**WORKER_VERBS, "rescued": RESCUE}[event][0](fresh(job))
    assert (fresh(job).updated_at, edges(job)) == before


@pytest.mark.parametrize("event", [*WORKER_VERBS, "progress"])
def test_a_worker_given_up_for_dead_cannot_overwrite_its_successor(job: UploadJob, event: str) -> None:
    dead = claimed(job, "dead")
    fresh(job).rescue(now=SILENT)
    successor = claimed(job, "successor", now=SILENT)
    with pytest.raises(LeaseLost):
        if event == "progress":
            dead.save_progress(now=SILENT, progress=99, remote_id="x1")
        else:
            WORKER_VERBS[event][0](dead)
    after = fresh(job)
    assert (after.status, after.leased_by, after.progress, after.remote_id) == ("active", "successor", 0, "")
    successor.complete(now=SILENT)
    assert fresh(job).status == "completed"


@pytest.mark.parametrize("first", WORKER_VERBS)
@pytest.mark.parametrize("second", [*WORKER_VERBS, "rescued"])
def test_of_two_that_move_an_active_job_one_wins(job: UploadJob, first: str, second: str) -> None:
    winner = claimed(job)
    loser = fresh(job)
    WORKER_VERBS[first][0](winner)
    with pytest.raises(LeaseLost):
        {**WORKER_VERBS, "rescued": RESCUE}[second][0](loser)
    assert fresh(job).status == WORKER_VERBS[first][1]
    assert len(edges(job)) == 2


@pytest.mark.parametrize("second", WORKER_VERBS)
def test_a_rescue_wins_over_the_worker_it_gave_up(job: UploadJob, second: str) -> None:
    worker = claimed(job)
    fresh(job).rescue(now=SILENT)
    with pytest.raises(LeaseLost):
        WORKER_VERBS[second][0](worker)
    assert edges(job)[-1] == ("rescued", "active", "waiting")


def test_a_lease_renewed_since_recovery_looked_is_not_taken(job: UploadJob) -> None:
    worker = claimed(job)
    looked_at = fresh(job)
    worker.save_progress(now=SILENT, leased_until=SILENT + timedelta(seconds=60))
    with pytest.raises(LeaseLost):
        looked_at.rescue(now=SILENT)
    worker.complete(now=SILENT)
    assert fresh(job).status == "completed"


def test_of_two_rescues_one_wins(job: UploadJob) -> None:
    claimed(job)
    one, other = fresh(job), fresh(job)
    one.rescue(now=SILENT)
    with pytest.raises(LeaseLost):
        other.rescue(now=SILENT)
    assert fresh(job).lost_workers == 1


# -------------------------------------------------------------------- claiming


def test_a_claim_takes_the_most_urgent_and_oldest_that_are_due(db: None) -> None:
    late, early = make_job(title="late"), make_job(title="early", not_before_at=NOW - timedelta(minutes=1))
    urgent = make_job(title="urgent", priority=-1)
    make_job(title="not yet", not_before_at=LATER)
    taken = UploadJob.objects.all().claim("w", now=NOW, limit=10)
    assert [job.pk for job in taken] == [urgent.pk, early.pk, late.pk]


@pytest.mark.parametrize("status", ["active", "completed", "failed", "cancelled"])
def test_only_a_waiting_job_is_claimed(job: UploadJob, status: str) -> None:
    if status == "active":
        claimed(job)
    else:
        finished(job, status)
    assert UploadJob.objects.filter(pk=job.pk).claim("second", now=LATER) == []


@pytest.mark.django_db(transaction=True)
def test_many_workers_claim_each_job_once() -> None:
    jobs = [make_job(title=str(number)) for number in range(12)]
    start, taken, failures = threading.Barrier(4), list[tuple[str, int]](), list[BaseException]()

    def work(token: str) -> None:
        try:
            start.wait(10)
            while got := UploadJob.objects.claim(token, now=NOW, limit=2):
                taken.extend((token, job.pk) for job in got)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(f"worker-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failures
    assert sorted(pk for _, pk in taken) == sorted(job.pk for job in jobs)
    assert dict.fromkeys(UploadJob.objects.values_list("attempt", flat=True)) == {1: None}
    assert {(pk, token) for token, pk in taken} == set(UploadJob.objects.values_list("pk", "leased_by"))


# -------------------------------------------------------------------- attempts


def test_the_outcome_of_the_last_attempt_is_counted_and_the_others_are_given_back(job: UploadJob) -> None:
    claimed(job).hold(Hold("Quota."), now=NOW, until=NOW)
    claimed(job).park(now=NOW, until=NOW, why="Encoding.")
    claimed(job).release(now=NOW)
    assert fresh(job).attempt == 0
    claimed(job).try_again(JobError("No."), now=NOW - timedelta(days=1))
    assert fresh(job).attempt == 1


def test_parking_keeps_progress_and_stage(job: UploadJob) -> None:
    held = claimed(job)
    held.save_progress(now=NOW, progress=99, stage="encoding")
    held.park(now=NOW, until=LATER, why="Encoding.")
    assert (fresh(job).progress, fresh(job).stage, fresh(job).not_before_at) == (99, "encoding", LATER)


def test_the_waits_between_attempts_follow_the_settings(job: UploadJob) -> None:
    waits = []
    for _ in range(3):
        held = claimed(job, now=LATER)
        held.try_again(JobError("No."), now=NOW)
        waits.append((held.not_before_at - NOW).total_seconds())
    assert waits == [60, 300, 300]


# -------------------------------------------------------------------- retry


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_retry_starts_over_with_a_fresh_allowance_and_keeps_the_history(
    job: UploadJob, status: str
) -> None:
    job = finished(job, status)
    used, history = job.attempt, len(edges(job))
    job.retry(who="olga", now=LATER, attempts=2)
    after = fresh(job)
    assert (after.status, after.attempt, after.max_attempts, after.not_before_at) == (
        "waiting", used, used + 2, LATER,
    )  # fmt: skip
    assert (after.progress, after.stage, after.lost_workers) == (0, "", 0)
    assert (after.cancel_requested_at, after.finished_at) == (None, None)
    assert edges(job)[history:] == [("retried", status, "waiting")]
    assert history_of(job).last().who == "olga"


@pytest.mark.parametrize("status", ["waiting", "active", "completed"])
def test_only_what_failed_or_was_cancelled_is_retried(job: UploadJob, status: str) -> None:
    if status == "active":
        claimed(job)
    finished(job, status)
    with pytest.raises(LostRace):
        fresh(job).retry(who="olga", now=LATER)
    assert fresh(job).status == status


def test_of_two_retries_one_wins(job: UploadJob) -> None:
    finished(job, "failed")
    one, other = fresh(job), fresh(job)
    one.retry(who="olga", now=LATER)
    with pytest.raises(LostRace):
        other.retry(who="vera", now=LATER)
    assert [event.who for event in history_of(job).filter(type="retried")] == ["olga"]


# -------------------------------------------------------------------- cancel


def test_a_waiting_job_is_cancelled_at_once(job: UploadJob) -> None:
    job.cancel(who="olga", now=NOW, why="Not wanted")
    after = fresh(job)
    assert (after.status, after.error_kind, after.error_message) == ("cancelled", "cancelled", "Not wanted")
    assert edges(job) == [("cancelled", "waiting", "cancelled")]


def test_an_active_job_is_asked_to_stop(job: UploadJob) -> None:
    held = claimed(job)
    fresh(job).cancel(who="olga", now=NOW)
    assert (fresh(job).status, fresh(job).cancel_requested_at) == ("active", NOW)
    held.acknowledge_cancel(now=NOW)
    assert edges(job)[1:] == [("cancel_requested", "active", "active"), ("cancelled", "active", "cancelled")]


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_finished_job_cannot_be_cancelled(job: UploadJob, status: str) -> None:
    finished(job, status)
    with pytest.raises(LostRace):
        fresh(job).cancel(who="olga", now=LATER)
    assert fresh(job).status == status


def test_a_cancel_that_meets_a_claim_reaches_the_worker(job: UploadJob) -> None:
    seen_by_olga = fresh(job)
    claimed(job)
    seen_by_olga.cancel(who="olga", now=NOW)
    assert (fresh(job).status, fresh(job).cancel_requested_at) == ("active", NOW)


def test_a_claim_that_meets_a_cancel_finds_nothing(job: UploadJob) -> None:
    fresh(job).cancel(who="olga", now=NOW)
    assert UploadJob.objects.claim("w", now=LATER) == []


@pytest.mark.parametrize("event", ["attempt_failed", "held", "parked", "released", "rescued"])
def test_a_job_asked_to_stop_never_goes_back_to_the_line(job: UploadJob, event: str) -> None:
    held = claimed(job)
    fresh(job).cancel(who="olga", now=NOW)
    {**WORKER_VERBS, "rescued": RESCUE}[event][0](held)
    after = fresh(job)
    assert (after.status, after.error_kind, after.leased_by) == ("cancelled", "cancelled", "")
    assert edges(job)[-1] == ("cancelled", "active", "cancelled")


def test_a_lost_job_that_was_asked_to_stop_is_cancelled(job: UploadJob) -> None:
    claimed(job)
    fresh(job).cancel(who="olga", now=NOW)
    fresh(job).rescue(now=SILENT)
    assert (fresh(job).status, fresh(job).error_kind) == ("cancelled", "cancelled")


def test_work_that_was_done_when_the_stop_came_is_completed(job: UploadJob) -> None:
    held = claimed(job)
    fresh(job).cancel(who="olga", now=NOW)
    held.complete(now=NOW)
    assert fresh(job).status == "completed"


# -------------------------------------------------------------------- lost workers


def test_a_job_that_loses_three_workers_stops(job: UploadJob) -> None:
    for lost in range(1, MOST_LOST_WORKERS):
        claimed(job, f"worker-{lost}", now=SILENT)
        fresh(job).rescue(now=SILENT)
        assert (fresh(job).status, fresh(job).lost_workers, fresh(job).attempt) == ("waiting", lost, 0)
    claimed(job, "host:1:2:3#4", now=SILENT)
    fresh(job).rescue(now=SILENT)
    after = fresh(job)
    assert (after.status, after.error_kind) == ("failed", ErrorKind.LOST_WORKER)
    assert after.error_message == (
        "The worker host:1:2:3 stopped answering; "
        "it was the 3rd worker lost on this job, so the job is stopped"
    )


def test_a_worker_that_reports_back_starts_the_count_of_lost_ones_anew(job: UploadJob) -> None:
    claimed(job)
    fresh(job).rescue(now=SILENT)
    claimed(job, now=SILENT).park(now=SILENT, until=SILENT, why="Encoding.")
    assert fresh(job).lost_workers == 0


def test_stale_are_active_jobs_whose_lease_ran_out_or_that_never_had_one(job: UploadJob) -> None:
    held = claimed(job)
    assert held.leased_until
    just_after = held.leased_until + timedelta(milliseconds=1)
    assert not UploadJob.objects.stale(held.leased_until).exists()
    assert UploadJob.objects.stale(just_after).exists()
    UploadJob.objects.update(leased_until=None)
    assert not UploadJob.objects.stale(NOW + timedelta(minutes=30)).exists()
    assert UploadJob.objects.stale(NOW + timedelta(minutes=31)).exists()


def test_a_person_lets_a_waiting_job_go_on_at_once(job: UploadJob) -> None:
    claimed(job).hold(Hold("Quota."), now=NOW, until=SILENT)
    fresh(job).wake(who="olga", now=LATER, why="Looked at it")
    assert fresh(job).not_before_at == LATER
    assert edges(job)[-1] == ("woken", "waiting", "waiting")
    claimed(job, now=LATER)
    with pytest.raises(LostRace):
        fresh(job).wake(who="olga", now=LATER)


# -------------------------------------------------------------------- any order of verbs


@pytest.mark.parametrize("seed", range(40))
def test_no_sequence_of_verbs_leaves_a_job_claimable_twice(job: UploadJob, seed: int) -> None:
    """Whatever old copies of the row do in whatever order: one holder at most, each move in the history."""
    chance = random.Random(seed)
    verbs = [*[verb for verb, *_ in WORKER_VERBS.values()], RESCUE[0]]
    copies = [fresh(job)]
    for _ in range(25):
        match chance.randrange(5):
            case 0 | 1:
                before = fresh(job)
                got = UploadJob.objects.claim(f"token-{chance.random()}", now=SILENT + timedelta(days=1))
                again = UploadJob.objects.claim("a second one", now=SILENT + timedelta(days=1))
                assert not again
                assert bool(got) == before.is_waiting
                copies += got
            case 2:
                copies.append(fresh(job))
            case 3:
                person = chance.choice(copies)
                decide = chance.choice([person.cancel, person.retry, person.wake])
                with contextlib.suppress(LostRace):
                    decide(who="olga", now=NOW)
            case _:
                actor = chance.choice(copies)
                held_before, owner = fresh(job).is_active, fresh(job).leased_by
                try:
                    chance.choice(verbs)(actor)
                except LeaseLost:
                    assert fresh(job).leased_by == owner
                else:
                    assert held_before
        row = fresh(job)
        assert row.is_active == bool(row.leased_by)
        assert row.is_active == (row.leased_until is not None)
    moves = edges(job)
    assert all(after[1] == before[2] for before, after in itertools.pairwise(moves))
    assert not moves or moves[-1][2] == fresh(job).status


def test_whoever_has_a_long_name_fits_into_the_history(job: UploadJob) -> None:
    # Django's user names may have 150 characters; PostgreSQL refuses what is longer than its column.
    longest = "o" * 150
    job.cancel(who=longest, now=NOW)
    events.record(job, "noted", now=NOW, who=longest)
    told = history_of(job).values_list("who", flat=True)
    assert [len(who) for who in told] == [Event._meta.get_field("who").max_length] * 2
