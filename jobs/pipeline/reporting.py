"""External scripts report their runs: announced, running, renewed by every report, ended; repeats change nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from jobs.errors import JobError, LeaseLost, LostRace
from jobs.events import Event, subject_of
from jobs.pipeline import live
from jobs.pipeline.announcing import new_job, save_new
from jobs.pipeline.pipeline_jobs import LINKS, PipelineJob, RunBy, Status
from jobs.pipeline.plain import LONGEST_ERROR, plain, text, without_secrets
from jobs.pipeline.tokens import PipelineToken
from jobs.running import new_token

# What a report may say of a run beside its status.
COLUMNS = ("progress", "stage", "output")


class Conflict(Exception):
    """The job is not in a state in which this can be reported; the message says why."""


def announce(
    job_type: str,
    input: dict[str, Any] | None,
    *,
    who: str,
    now: datetime,
    job_id: UUID | None = None,
    reporter: PipelineToken | None = None,
    begin: bool = False,
    **links: Any,
) -> tuple[PipelineJob, bool]:
    """A job that an external script runs, and whether it is new: one announced again under its id is the same.

    Raises Conflict when the id is somebody else's job.
    """
    with transaction.atomic():
        if job_id and (known := PipelineJob.objects.filter(pk=job_id).first()):
            if known.reporter_id != (reporter.pk if reporter else None) or known.job_type != job_type:
                raise Conflict("There is another job of this id.")
            return known, False
        job = new_job(job_type, input, run_by=RunBy.EXTERNAL, now=now, **links)
        job.reporter = reporter
        if job_id:
            job.pk = job_id
        save_new(job, who=who)
        if begin:
            job.begin(lease_of(who), now=now)
    return job, True


def report(job_id: UUID, said: dict[str, Any], *, who: str, now: datetime) -> PipelineJob:
    """What an external script says of its run. Every report renews the lease of a running one.

    `said` may have status, progress, stage, output, error, log (lines), source, work, edition, segment, and
    `attempt`, by which a script that was given up for dead and is slow to notice speaks of its own attempt only.
    Raises PipelineJob.DoesNotExist, Conflict.
    """
    with transaction.atomic():
        job = PipelineJob.objects.select_for_update(of=("self",)).get(pk=job_id)
        if job.run_by != RunBy.EXTERNAL:
            raise Conflict("This job is not reported from outside: ours run it.")
        if said.get("attempt") not in (None, job.attempt):
            raise Conflict(f"This is attempt {job.attempt} of the job; attempt {said['attempt']} is over.")
        try:
            _move(job, said, who=who, now=now)
        except (LostRace, LeaseLost) as lost:
            raise Conflict(f"The job is {job.status}.") from lost
        _write_lines(job, said.get("log") or [], now=now)
    return job


def _move(job: PipelineJob, said: dict[str, Any], *, who: str, now: datetime) -> None:
    status = said.get("status") or job.status
    columns = {name: said[name] for name in COLUMNS if name in said}
    if "output" in columns:
        columns["output"] = plain(columns["output"])
    columns |= {f"{link}_id": getattr(said[link], "pk", None) for link in LINKS if link in said}
    if job.is_finished:
        if "status" not in said and (columns or said.get("log")):
            # A script that was given up, or stopped by a person, learns of it before it has gone on to its end.
            raise Conflict(f"The job is {job.status}.")
        _from_the_end(job, status, who=who, now=now)
    elif job.status == Status.QUEUED:
        _from_the_line(job, status, said, who=who, now=now)
    elif status == Status.QUEUED:
        raise Conflict("A running job does not go back to the line: report how it ended.")
    if job.status == Status.RUNNING:
        job.renew(now=now, **columns)
        _end(job, status, said, who=who, now=now)
    elif job.status == Status.QUEUED and columns:
        PipelineJob.objects.filter(pk=job.pk).update(updated_at=now, **columns)
        job.refresh_from_db()
    if columns and status == job.status:
        live.tell(job)


def _from_the_end(job: PipelineJob, status: str, *, who: str, now: datetime) -> None:
    """An ended job may begin anew; the report of the same end, or a heartbeat, may come late and changes nothing."""
    if status in (Status.QUEUED, Status.RUNNING) and job.can_retry:
        job.retry(who=who, now=now)
        if status == Status.RUNNING:
            job.begin(lease_of(who), now=now)
    elif status != job.status:
        raise Conflict(f"The job is {job.status} and cannot become {status}.")


def _from_the_line(job: PipelineJob, status: str, said: dict[str, Any], *, who: str, now: datetime) -> None:
    if status == Status.RUNNING:
        job.begin(lease_of(who), now=now)
    elif status == Status.FAILED:
        job.give_up(_error(said), now=now)
    elif status == Status.CANCELLED:
        job.cancel(who=who, now=now, why="Cancelled by its script")
    elif status == Status.SUCCESS:
        raise Conflict("The job has not begun: report it as running first.")


def _end(job: PipelineJob, status: str, said: dict[str, Any], *, who: str, now: datetime) -> None:
    match status:
        case Status.SUCCESS:
            job.complete(now=now)
        case Status.FAILED:
            job.fail(_error(said), now=now)
        case Status.CANCELLED:
            job.acknowledge_cancel(now=now)


def _error(said: dict[str, Any]) -> JobError:
    told = without_secrets(text(said.get("error") or "", LONGEST_ERROR))
    return JobError(told or "The script failed and did not say why")


def _write_lines(job: PipelineJob, lines: list[str], *, now: datetime) -> None:
    Event.objects.bulk_create(
        Event(at=now, type="log", attempt=job.attempt, why=text(line, 2000), **subject_of(job))
        for line in lines
    )


def lease_of(who: str) -> str:
    return new_token(f"external:{who}"[:80])
