"""What follows from every change of a pipeline job, in the transaction that makes it."""

from __future__ import annotations

from typing import Any

from jobs.events import Event, job_changed
from jobs.pipeline import live
from jobs.pipeline.pipeline_jobs import PipelineJob


def listen() -> None:
    job_changed.connect(changed, sender=PipelineJob, dispatch_uid="pipeline outcomes")


def changed(sender: type[PipelineJob], job: PipelineJob, event: Event, **_: Any) -> None:
    live.tell(job)
