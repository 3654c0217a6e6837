"""Runs moved in single steps, for scripts of the old shape: `update_job_status(job_id, "running")` … `"success"`."""

from __future__ import annotations

import atexit
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from django.db import transaction
from django.utils import timezone

from jobs.errors import Cancelled, JobError, LeaseLost, LostRace
from jobs.pipeline.holding import Stopped, end, hold
from jobs.pipeline.pipeline_jobs import PipelineJob, RunBy, Status, columns_of
from jobs.pipeline.plain import plain
from jobs.pipeline.trackers import Tracker
from jobs.running import new_token
from jobs.workers import process_id


class IllegalTransition(LostRace):
    """The job is not in a state from which it may go there."""


# What this process runs.
_held: dict[uuid.UUID, tuple[Tracker, ExitStack]] = {}


def update_job_status(
    job_id: uuid.UUID | str,
    status: str,
    output: dict[str, Any] | None = None,
    error: str | None = None,
) -> PipelineJob:
    """Move a job that this process runs, filling in what follows from it; gives the job as it is now.

    `running`: started_at is now, attempt one more; a failed one begins anew. `success`, `failed`: finished_at is
    now, with the output or the error. Raises `IllegalTransition` for any other way, `PipelineJob.DoesNotExist`.
    """
    job = PipelineJob.objects.get(pk=job_id)
    match status:
        case Status.RUNNING:
            return _begin(job)
        case Status.SUCCESS | Status.FAILED if job.pk in _held:
            return _end(job, status, output, error)
        case Status.FAILED if job.status == Status.QUEUED:
            job.output = None if output is None else plain(output)
            _move_or_refuse(job, status, lambda: job.give_up(JobError(error or ""), now=timezone.now()))
            return job
        case Status.QUEUED:
            _move_or_refuse(job, status, lambda: job.retry(who=process_id(), now=timezone.now()))
            return job
        case Status.CANCELLED if job.pk in _held:
            return _end(job, status, output, error)
        case Status.CANCELLED:
            _move_or_refuse(job, status, lambda: job.cancel(who=process_id(), now=timezone.now()))
            return job
    if status not in Status.values:
        raise ValueError(f"There is no status “{status}”. Statuses: {', '.join(Status.values)}.")
    raise refusal(job, status)


def attach_job(job_id: uuid.UUID | str, **links: Any) -> None:
    """Say what a job is about once that is known, in whatever state it is: `edition_id=…`."""
    columns = columns_of(links)
    PipelineJob.objects.filter(pk=job_id).update(updated_at=timezone.now(), **columns)


def tracker_of(job_id: uuid.UUID) -> Tracker:
    """The tracker of a job begun by `update_job_status` in this process. Raises KeyError."""
    return _held[job_id][0]


def _begin(job: PipelineJob) -> PipelineJob:
    now = timezone.now()

    def begin() -> None:
        with transaction.atomic():
            if job.can_retry:
                job.retry(who=process_id(), now=now)
            job.begin(new_token(process_id()), now=now)

    _move_or_refuse(job, Status.RUNNING, begin)
    stack = ExitStack()
    _held[job.pk] = (hold(job, stack), stack)
    return job


def _end(job: PipelineJob, status: str, output: dict[str, Any] | None, error: str | None) -> PipelineJob:
    tracker, stack = _held.pop(job.pk)
    stack.close()
    tracker.output.update(output or {})
    outcome: JobError | None = None
    if status == Status.FAILED:
        outcome = JobError(error or "The script failed and did not say why")
    elif status == Status.CANCELLED:
        outcome = Cancelled()
    end(tracker, outcome)
    if status != Status.SUCCESS:
        tracker.job.refresh_from_db()
    return tracker.job


def _move_or_refuse(job: PipelineJob, status: str, move: Callable[[], None]) -> None:
    try:
        move()
    except (LostRace, LeaseLost) as lost:
        raise refusal(job, status) from lost


def refusal(job: PipelineJob, status: str) -> IllegalTransition:
    """Why the job may not go there, as the row is now."""
    row = PipelineJob.objects.filter(pk=job.pk).values("status", "run_by", "open_needs").first()
    if row is None:
        return IllegalTransition(f"{job} is no longer there.")
    if status == Status.RUNNING and row["open_needs"]:
        return IllegalTransition(f"{job} waits for {row['open_needs']} other jobs.")
    if row["run_by"] == RunBy.WORKER and row["status"] == Status.QUEUED:
        return IllegalTransition(f"{job} is run by our workers.")
    return IllegalTransition(f"{job} is {row['status']} and cannot become {status} from here.")


@atexit.register
def _end_what_is_held() -> None:
    """A script that ends without a word about its job has failed."""
    for job_id in list(_held):
        tracker, stack = _held.pop(job_id)
        stack.close()
        end(tracker, Stopped("The script ended without saying how it went"))
