"""What follows from every change of a pipeline job, in the transaction that makes it."""

from __future__ import annotations

from typing import Any

from jobs.events import Event, job_changed
from jobs.pipeline import live, needs, timetable
from jobs.pipeline.pipeline_jobs import PipelineJob, Status


def listen() -> None:
    job_changed.connect(changed, sender=PipelineJob, dispatch_uid="pipeline outcomes")


def changed(sender: type[PipelineJob], job: PipelineJob, event: Event, **_: Any) -> None:
    live.tell(job)
    if event.new == event.old:
        return
    if event.new == Status.SUCCESS:
        needs.met(job, event.at)
        timetable.note_success(job, event.at)
    elif event.new in (Status.FAILED, Status.CANCELLED) or event.type == "retried":
        needs.refresh(job)
