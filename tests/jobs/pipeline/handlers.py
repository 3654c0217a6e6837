"""Handlers for the tests of the engine; what they were called with is in their outputs and in `calls`."""

from __future__ import annotations

from typing import Any

from jobs.errors import Hold, JobError
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.subjects import Work
from jobs.pipeline.trackers import Tracker

PATHS = {
    name: f"{__name__}.{function}"
    for name, function in {
        "scrape": "scrape", "clean": "echo", "embed": "echo", "match": "refuse", "summarize": "stumble",
        "entities": "hold",
    }.items()
}  # fmt: skip
calls: list[str] = []


class Never(JobError):
    """This will never work."""

    permanent = True


def scrape(job: PipelineJob, progress: Tracker) -> dict[str, Any]:
    calls.append(str(job.pk))
    progress(1, 2, "reading")
    if title := job.input.get("finds"):
        progress.attach(work=Work.objects.create(title=title))
    progress.log("Read it")
    return {"total": 1, "success": 1, "failed": 0}


def echo(job: PipelineJob, progress: Tracker) -> dict[str, Any]:
    calls.append(str(job.pk))
    return {"work": job.work_id, "before": [need.output for need in job.needs.order_by("pk")]}


def refuse(job: PipelineJob, progress: Tracker) -> None:
    raise Never


def stumble(job: PipelineJob, progress: Tracker) -> dict[str, Any]:
    progress.output["reached"] = job.attempt
    if job.attempt < job.input.get("succeeds_at", 99):
        raise RuntimeError(f"Stumbled, token=hunter2, attempt {job.attempt}")
    return {"total": 1}


def hold(job: PipelineJob, progress: Tracker) -> None:
    raise Hold("Their quota is used up.", delay_seconds=600)
