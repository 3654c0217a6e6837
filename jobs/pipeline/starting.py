"""Starts pipeline jobs that our workers run: one, one that waits for others, a chain, the same again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from jobs import runner
from jobs.pipeline import needs as needed
from jobs.pipeline.announcing import new_job, save_new
from jobs.pipeline.pipeline_jobs import LINKS, PipelineJob, RunBy, Status

if TYPE_CHECKING:
    from jobs.pipeline.timetable import PipelineSchedule


class Refused(Exception):
    """The decision cannot be carried out; the message says why."""


def start(
    job_type: str,
    input: dict[str, Any] | None = None,
    *,
    who: str,
    now: datetime,
    needs: Iterable[PipelineJob | UUID | str] = (),
    priority: int = 0,
    not_before_at: datetime | None = None,
    max_attempts: int = 3,
    rerun_of: PipelineJob | None = None,
    schedule: PipelineSchedule | None = None,
    **links: Any,
) -> PipelineJob:
    """A queued job for our workers; it runs once all of `needs` succeeded, the lowest `priority` first.

    Raises Refused when nothing here does jobs of this type, ValueError for an unknown type or need, TypeError for
    an unknown link.
    """
    job = new_job(job_type, input, run_by=RunBy.WORKER, now=now, **links)
    if not settings.PIPELINE_HANDLERS.get(job_type):
        raise Refused(f"no handler does “{job_type}” here; name one in PIPELINE_HANDLERS")
    job.priority, job.max_attempts, job.rerun_of = priority, max_attempts, rerun_of
    job.not_before_at, job.schedule = not_before_at or now, schedule
    with transaction.atomic():
        before = needed.lock(each.pk if isinstance(each, PipelineJob) else each for each in needs)
        job.open_needs = sum(each.status != Status.SUCCESS for each in before)
        save_new(job, who=who)
        if before:
            job.needs.set(before)
            if reason := needed.why_held(job):
                needed.say(job, reason)
        runner.wake(job.lane)
    return job


def chain(
    steps: Sequence[tuple[str, dict[str, Any]]], *, who: str, now: datetime, **more: Any
) -> list[PipelineJob]:
    """One job per (type, input), each waiting for the one before: `[("scrape", {…}), ("clean", {}), ("embed", {})]`.

    What a later step is about is in the output of the earlier ones, which its handler finds in `job.needs`.
    """
    jobs: list[PipelineJob] = []
    with transaction.atomic():
        for job_type, given in steps:
            jobs.append(start(job_type, given, who=who, now=now, needs=jobs[-1:], **more))
    return jobs


def rerun(job: PipelineJob, *, who: str, now: datetime) -> PipelineJob:
    """A new job with the same input about the same things. Raises Refused."""
    if job.run_by == RunBy.EXTERNAL:
        raise Refused("it ran outside: start its script there")
    links = {f"{name}_id": getattr(job, f"{name}_id") for name in LINKS}
    return start(
        job.job_type, job.input, who=who, now=now, priority=job.priority, rerun_of=job,
        schedule=job.schedule, **links,
    )  # fmt: skip
