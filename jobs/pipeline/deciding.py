"""A person's decisions about a pipeline job. Each refusal is a sentence an operator can act on."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import transaction

from jobs import runner
from jobs.errors import LostRace
from jobs.events import record
from jobs.pipeline import live, needs
from jobs.pipeline.pipeline_jobs import PipelineJob, RunBy, Status
from jobs.pipeline.starting import Refused

# So many attempts a retried job has.
ATTEMPTS = 3


def retry(job: PipelineJob, *, who: str, now: datetime) -> None:
    """Queue a failed or cancelled job again, for our workers, also when a script of ours ran it. Raises Refused."""
    if not job.can_retry:
        raise Refused(f"already {job.get_status_display().lower()}")
    if job.run_by == RunBy.EXTERNAL:
        raise Refused("it ran outside: start its script there")
    if not settings.PIPELINE_HANDLERS.get(job.job_type):
        raise Refused(f"no handler does “{job.job_type}” here; name one in PIPELINE_HANDLERS")
    try:
        with transaction.atomic():
            job.retry(who=who, now=now, attempts=ATTEMPTS)
            PipelineJob._base_manager.filter(pk=job.pk).update(run_by=RunBy.WORKER)
            job.run_by = RunBy.WORKER
            if reason := needs.why_held(job):
                needs.say(job, reason)
            runner.wake(job.lane)
    except LostRace as error:
        raise Refused("changed meanwhile") from error


def cancel(job: PipelineJob, *, who: str, now: datetime) -> None:
    """End a queued job, ask whoever runs a running one to stop. Raises Refused.

    Afterwards `job.is_active` tells which of the two it was.
    """
    if job.is_active and job.cancel_requested_at:
        raise Refused("was asked to stop already")
    if not job.can_cancel:
        raise Refused(f"already {job.get_status_display().lower()}")
    try:
        job.cancel(who=who, now=now, why=f"Cancelled by {who}")
    except LostRace as error:
        raise Refused("has finished meanwhile") from error


def release(job: PipelineJob, *, who: str, now: datetime) -> None:
    """Let a queued job run although what it needs has not succeeded. Raises Refused."""
    with transaction.atomic():
        row = PipelineJob._base_manager.select_for_update(of=("self",)).get(pk=job.pk)
        if row.status != Status.QUEUED or not row.open_needs:
            raise Refused("waits for no other job")
        row.needs.clear()
        row.open_needs, row.error_message = 0, ""
        row.save(update_fields=["open_needs", "error_message"])
        record(
            row, "released_from_needs", now=now, who=who, old=row.status, new=row.status, attempt=row.attempt
        )
        live.tell(row)
        runner.wake(row.lane)


def mark_handled(job: PipelineJob, *, who: str, now: datetime) -> None:
    """Say of a failed job that it was seen to: it no longer asks for a hand. Raises Refused."""
    rows = PipelineJob._base_manager.filter(pk=job.pk, status=Status.FAILED, handled_at=None)
    with transaction.atomic():
        if not rows.update(handled_at=now, handled_by=who[:80], updated_at=now):
            raise Refused("has not failed, or was marked already")
        job.handled_at, job.handled_by = now, who[:80]
        record(job, "handled", now=now, who=who, old=job.status, new=job.status, attempt=job.attempt)
        live.tell(job)
