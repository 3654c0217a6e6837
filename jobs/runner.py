"""Runs tracked jobs. With `jobs.cluster` the only code that knows django-q2.

A queued task says "lane X has work"; whoever takes it drains the lane by claims. The rows are the truth:
a task delivered twice finds nothing to claim, a lost one is made up for by the ticker.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from django import db
from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.tasks import async_task
from redis.exceptions import RedisError

from jobs.errors import Cancelled, Hold, JobError, LeaseLost, Parked
from jobs.lifecycle import TrackedJob
from jobs.running import Released, Run, new_token, patiently, supervision
from jobs.supervisor import stopping
from jobs.workers import process_id

log = logging.getLogger(__name__)

# A drain gives its worker back after so long, so that recycling and time-outs of the cluster keep working.
DRAIN_SECONDS = 60
# A job that takes less is claimed together with others.
SHORT_SECONDS = 0.2
# A job held without a time (credentials) is looked at again after so long.
HOLD_SECONDS = 900
# What a broker that is away raises, whichever it is.
OUT_OF_REACH = (db.Error, RedisError, OSError)


class Work(NamedTuple):
    """What a lane does beside tracked jobs: rows with a life of their own."""

    is_there: Callable[[datetime], bool]
    do: Callable[[], int]  # claims and does it until none is left; gives how much was done


_works: dict[str, list[Work]] = {}
# How long the last jobs of a model took in this process, each on average.
_last_took: dict[type[TrackedJob], float] = {}


class _Pending(threading.local):
    """Lanes to wake at this thread's next commit; what a rollback leaves here is one hint too many."""

    def __init__(self) -> None:
        self.lanes: set[str] = set()


_pending = _Pending()


def job_models(lane: str | None = None) -> list[type[TrackedJob]]:
    """Every concrete job model, or those of one lane."""
    return [
        model
        for model in apps.get_models()
        if issubclass(model, TrackedJob) and (lane is None or model.lane == lane)
    ]


def serve(lane: str, is_there: Callable[[datetime], bool], do: Callable[[], int]) -> None:
    """Have the lane's workers `do` what is no tracked job whenever it `is_there`."""
    _works.setdefault(lane, []).append(Work(is_there, do))


def running_lanes() -> list[str]:
    """The lanes that have work in this installation."""
    return [lane for lane in settings.LANES if lane == "short" or job_models(lane) or lane in _works]


def has_work(lane: str, now: datetime) -> bool:
    """Is there anything that a worker of the lane could claim?"""
    return any(model._default_manager.claimable(now).exists() for model in job_models(lane)) or any(
        work.is_there(now) for work in _works.get(lane, ())
    )


def wake(lane: str) -> None:
    """Tell the lane's workers, once the transaction is committed, that there is something to claim."""
    _pending.lanes.add(lane)
    transaction.on_commit(partial(_enqueue_pending, lane))


def _enqueue_pending(lane: str) -> None:
    # However many jobs the transaction made, the first call tells the lane; what was rolled back tells nobody.
    if lane in _pending.lanes:
        _pending.lanes.discard(lane)
        enqueue(lane)


def enqueue(lane: str) -> None:
    """Queue one "lane has work" unless enough of them wait already.

    Never raises for a broker that is away: what the caller has committed stands, and a hint is repeated.
    """
    try:
        if get_broker(lane).queue_size() < settings.LANES[lane]["workers"]:
            async_task("jobs.tasks.drain", lane, cluster=lane, task_name=f"drain {lane}")
    except OUT_OF_REACH as error:
        log.warning("Lane %s was not told that it has work; the ticker tells it again: %s", lane, error)


def wake_waiting(now: datetime) -> list[str]:
    """Wake every lane that has a claimable row; the ticker's answer to lost tasks and to times that came."""
    woken = [lane for lane in running_lanes() if has_work(lane, now)]
    for lane in woken:
        enqueue(lane)
    return woken


def call_help(lane: str) -> None:
    """Wake another worker when there is more than this one can claim at once; it calls the next one."""
    now = timezone.now()
    sizes = {model: batch_size(model) for model in job_models(lane)}
    if any(model._default_manager.claimable(now)[size : size + 1].exists() for model, size in sizes.items()):
        enqueue(lane)


def batch_size(model: type[TrackedJob]) -> int:
    """How many jobs to claim at once: one while they take long, so that none waits behind another."""
    return model.claim_batch if _last_took.get(model, SHORT_SECONDS) < SHORT_SECONDS else 1


def drain(lane: str, *, seconds: float = DRAIN_SECONDS) -> int:
    """Claim and run the lane's jobs until none is due. Returns how many were run."""
    until = time.monotonic() + seconds
    count = 0
    call_help(lane)
    while not stopping() and time.monotonic() < until:
        ran = sum(run_batch(model) for model in job_models(lane))
        ran += sum(work.do() for work in _works.get(lane, ()))
        if not ran:
            break
        count += ran
    return count


def run_batch(model: type[TrackedJob]) -> int:
    """Claim a batch of the model and run each; what waits behind a slow one, or a stop, goes back to the line."""
    jobs = model._default_manager.claim(new_token(process_id()), now=timezone.now(), limit=batch_size(model))
    batch, began, ran = Batch(jobs), time.monotonic(), 0
    while job := batch.take():
        if job is not jobs[0] and stopping():
            batch.give_back(job)
        elif job is jobs[0] or still_held(job, now=timezone.now()):
            execute(job, batch)
            ran += 1
    if ran:
        _last_took[model] = (time.monotonic() - began) / ran
    return len(jobs)


class Batch:
    """Jobs that one worker claimed together; the supervising thread gives back those behind a slow one."""

    def __init__(self, jobs: list[TrackedJob]) -> None:
        self._waiting = deque(jobs)
        self._lock = threading.Lock()

    def take(self) -> TrackedJob | None:
        """The next one to run, which is then nobody else's to give back."""
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def give_back(self, *also: TrackedJob) -> None:
        """All that wait go back to the line; one that another worker has by now is left to it."""
        with self._lock:
            waiting = [*also, *self._waiting]
            self._waiting.clear()
        for job in waiting:
            with contextlib.suppress(LeaseLost):
                job.release(now=timezone.now())
        if waiting:
            enqueue(waiting[0].lane)


def still_held(job: TrackedJob, *, now: datetime) -> bool:
    """Renew the lease of a job that waited behind others of its batch; false when it was taken meanwhile."""
    if job.leased_until and job.leased_until - now > timedelta(seconds=settings.LEASE_SECONDS * 3 / 4):
        # Claimed a moment ago; the run renews it in time.
        return True
    try:
        job.save_progress(now=now, leased_until=now + timedelta(seconds=settings.LEASE_SECONDS))
    except LeaseLost:
        log.warning("%s was taken from this worker before it was begun", job)
        return False
    return True


def execute(job: TrackedJob, batch: Batch | None = None) -> None:
    """Run one claimed job to the end of its attempt and write what came of it; `batch` waits behind it."""
    run = Run(job, stopping=stopping, when_slow=batch.give_back if batch else None)
    try:
        with supervision.over(run):
            job.perform(run)
    except LeaseLost:
        log.warning("%s belongs to another worker now; stopped", job)
        return
    except JobError as error:
        outcome: JobError | None = error
    except Exception:
        log.exception("%s failed", job)
        outcome = JobError("An internal error stopped this attempt; the log of the worker has the details")
    else:
        outcome = None
    try:
        patiently(lambda: settle(job, outcome, now=timezone.now()))
    except LeaseLost:
        log.warning("%s was taken from this worker before its outcome was written", job)


def settle(job: TrackedJob, error: JobError | None, *, now: datetime) -> None:
    """Write the outcome of the attempt that ended with `error` (None: done). Raises `LeaseLost`."""
    match error:
        case None:
            job.complete(now=now)
        case Released():
            job.release(now=now)
        case Cancelled():
            job.acknowledge_cancel(now=now)
        case Parked():
            job.park(now=now, until=hold_end(error, now), why=str(error))
        case Hold():
            job.hold(error, now=now, until=hold_end(error, now))
        case _ if error.permanent or job.attempt >= job.max_attempts:
            job.fail(error, now=now)
        case _:
            job.try_again(error, now=now)


def hold_end(hold: Hold, now: datetime) -> datetime:
    if hold.until is not None:
        return max(hold.until, now)
    return now + timedelta(seconds=HOLD_SECONDS if hold.delay_seconds is None else hold.delay_seconds)
