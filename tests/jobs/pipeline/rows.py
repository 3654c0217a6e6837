"""What tests of pipeline jobs look at: the one job there is, and what happened to it."""

from __future__ import annotations

from jobs.events import history_of
from jobs.pipeline.pipeline_jobs import PipelineJob


def the_job() -> PipelineJob:
    return PipelineJob.objects.get()


def edges(job: PipelineJob) -> list[tuple[str, str, str]]:
    return [(event.type, event.old, event.new) for event in history_of(job) if event.type != "log"]
