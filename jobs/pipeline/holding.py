"""A run held by this process: looked after while it lasts, and told how it ended, however it ends."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

from django.utils import timezone

from jobs.errors import Cancelled, JobError, LeaseLost
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.plain import plain, told
from jobs.pipeline.trackers import Tracker
from jobs.running import Run, patiently, supervision

log = logging.getLogger(__name__)


class Stopped(JobError):
    """The script was stopped before it was done."""


def hold(job: PipelineJob, stack: ExitStack) -> Tracker:
    """Look after a job that has begun in this process until `stack` is closed."""
    log.info("Pipeline job %s is running, attempt %d", job.pk, job.attempt)
    run = Run(job)
    tracker = Tracker(job, run)
    stack.enter_context(stopped_by_sigterm())
    stack.enter_context(supervision.over(run))
    stack.enter_context(tracker.telling())
    return tracker


@contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """A polite kill ends the script by an exception, so that its job is told."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def stop(signum: int, frame: object) -> None:
        raise SystemExit(128 + signum)

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def end(tracker: Tracker, error: BaseException | None) -> None:
    """Write how the run ended. Raises `LeaseLost` when it had been given up for dead and thinks it succeeded."""
    job = tracker.job
    job.output = plain(tracker.output) if tracker.output or error is None else None
    try:
        patiently(lambda: settle(job, error, now=timezone.now()))
        log.info("Pipeline job %s: %s, attempt %d", job.pk, job.status, job.attempt)
    except LeaseLost:
        log.warning("%s was given up for dead before it ended", job)
        if error is None:
            raise


def settle(job: PipelineJob, error: BaseException | None, *, now: datetime) -> None:
    """The outcome a block's end means. Raises `LeaseLost`."""
    match error:
        case None | SystemExit(code=None | 0):
            job.complete(now=now)
        case Cancelled():
            job.acknowledge_cancel(now=now)
        case LeaseLost():
            raise LeaseLost
        case JobError():
            job.fail(error, now=now)
        case KeyboardInterrupt():
            job.fail(Stopped("Interrupted from the keyboard"), now=now)
        case SystemExit(code=code):
            job.fail(Stopped(f"The script was stopped (exit {told(error)})" if code else ""), now=now)
        case _:
            job.fail(JobError(told(error)), now=now)
