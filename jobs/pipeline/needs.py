"""Dependencies between pipeline jobs: what succeeds lets its dependants go, what failed holds them with the reason.

A job runs once `open_needs` is 0. It is counted when the job is made, its needs locked meanwhile, and counted down in
the transaction in which each of them succeeds; success is final, so no job is counted down twice for the same need.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import connection, models

from jobs import runner
from jobs.pipeline import live
from jobs.pipeline.pipeline_jobs import LINKS, PipelineJob, Status

if TYPE_CHECKING:
    from django.db.models import QuerySet

HELD = "Held: "
IS_NEEDED = "SELECT 1 FROM jobs_pipelinejob_needs WHERE to_pipelinejob_id = %s LIMIT 1"
# A chain longer than this is told the reason as far as here.
FURTHEST = 1000


def lock(ids: Iterable[UUID | str]) -> list[PipelineJob]:
    """The jobs of these ids, locked until the transaction ends. Raises ValueError when one is not there."""
    wanted = list(dict.fromkeys(str(each) for each in ids))
    found = list(
        PipelineJob._base_manager.select_for_update(of=("self",)).filter(pk__in=wanted).order_by("pk")
    )
    if missing := set(wanted) - {str(job.pk) for job in found}:
        raise ValueError(f"There is no pipeline job {', '.join(sorted(missing))} to wait for.")
    return found


def met(job: PipelineJob, now: datetime) -> None:
    """`job` has succeeded: count its dependants down, and wake those that waited for nothing else."""
    if not is_needed(job):
        return
    waiting = PipelineJob._base_manager.filter(needs=job.pk, open_needs__gt=0)
    if not waiting.update(open_needs=models.F("open_needs") - 1, updated_at=now):
        return
    runner.wake(PipelineJob.lane)
    for dependant in dependants_of(job):
        hand_on(job, dependant)
        if dependant.open_needs == 0 and dependant.error_message.startswith(HELD):
            say(dependant, "")
        else:
            live.tell(dependant)


def is_needed(job: PipelineJob) -> bool:
    """Does anything wait for it? Asked for every job that ends, so without the detour over the models.

    Whoever makes a dependant locks this job's row, which the caller has changed: so none is overlooked.
    """
    with connection.cursor() as cursor:
        cursor.execute(IS_NEEDED, [job.pk if connection.features.has_native_uuid_field else job.pk.hex])
        return cursor.fetchone() is not None


def hand_on(job: PipelineJob, dependant: PipelineJob) -> None:
    """What `job` found out it was about, its dependant is about too, unless that was said otherwise."""
    found = {
        name: getattr(job, name)
        for name in (f"{link}_id" for link in LINKS)
        if getattr(dependant, name) is None and getattr(job, name) is not None
    }
    if found:
        PipelineJob._base_manager.filter(pk=dependant.pk).update(**found)
        for name, value in found.items():
            setattr(dependant, name, value)


def refresh(job: PipelineJob) -> None:
    """`job` ended without success, or is queued again: tell everything behind it why it is held, or that it is not."""
    frontier = [job] if is_needed(job) else []
    for _ in range(FURTHEST):
        if not frontier:
            return
        dependant = frontier.pop()
        for each in dependants_of(dependant):
            reason = why_held(each)
            if each.error_message != reason and (reason or each.error_message.startswith(HELD)):
                say(each, reason)
                frontier.append(each)


def why_held(job: PipelineJob) -> str:
    """The reason a job in the line will not run by itself; empty when what it needs is under way."""
    needs = list(job.needs.exclude(status=Status.SUCCESS).order_by("pk"))
    for need in needs:
        if need.status == Status.FAILED:
            cause = need.error_message.rstrip(".") or "no reason given"
            return f"{HELD}{need}{short(need)} failed: {cause}. Retry it, or cancel this."
        if need.status == Status.CANCELLED:
            return f"{HELD}{need}{short(need)} was cancelled. Retry it, or cancel this."
    return next((need.error_message for need in needs if need.error_message.startswith(HELD)), "")


def dependants_of(job: PipelineJob) -> QuerySet[PipelineJob]:
    return PipelineJob._base_manager.filter(needs=job.pk, status=Status.QUEUED)


def say(job: PipelineJob, reason: str) -> None:
    """Write the reason where an error stands, and tell the pages."""
    job.error_message = reason
    PipelineJob._base_manager.filter(pk=job.pk, status=Status.QUEUED).update(error_message=reason)
    live.tell(job)


def short(job: PipelineJob) -> str:
    """What tells it from other runs of the same script; one without a script is called by it already."""
    return f" ({str(job.pk)[-8:]})" if job.script else ""
