"""Pipeline jobs made: queued, with the first line of their history; whoever is to run them begins them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from jobs.pipeline import live
from jobs.pipeline.pipeline_jobs import JobType, PipelineJob, RunBy, columns_of
from jobs.pipeline.plain import plain, text
from jobs.workers import process_id


def create_job(
    job_type: str,
    input: dict[str, Any] | None = None,
    *,
    run_by: str = RunBy.SCRIPT,
    **links: Any,
) -> uuid.UUID:
    """A queued job, attempt 0, that the caller is going to run; gives its id.

    `create_job("scrape", {"url": …})`, or `create_job(job_type="scrape", work_id=…, edition_id=…, input={…})`.
    `links` are `source`, `work`, `edition`, `segment`, each as a row or as `…_id`. Raises ValueError for an
    unknown type, TypeError for an unknown link.
    """
    job = new_job(job_type, input, run_by=run_by, now=timezone.now(), **links)
    save_new(job)
    return job.pk


def new_job(
    job_type: str, input: dict[str, Any] | None, *, run_by: str, now: datetime, **links: Any
) -> PipelineJob:
    """A queued job, unsaved. Raises ValueError for an unknown type, TypeError for what is no link or no input."""
    if job_type not in JobType.values:
        raise ValueError(f"There is no job type “{job_type}”. Types: {', '.join(JobType.values)}.")
    given = plain({} if input is None else input)
    if not isinstance(given, dict):
        raise TypeError("The input of a pipeline job is an object: names and values.")
    return PipelineJob(
        job_type=job_type,
        input=given,
        script=text(str(given.get("scriptType") or ""), 100)[:100],
        run_by=run_by,
        not_before_at=now,
        created_at=now,
        updated_at=now,
        **columns_of(links),
    )


def save_new(job: PipelineJob, *, who: str = "") -> None:
    """Insert the job with the first line of its history, and tell the pages."""
    with transaction.atomic():
        job.save(force_insert=True)
        job._event("created", old="", new=job.status, now=job.created_at, who=who or process_id()).save(
            force_insert=True
        )
        live.tell(job)
