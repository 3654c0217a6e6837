"""What live clients hear of pipeline jobs on the topic `pipeline`, and how the API writes a job."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from jobs.events import publish
from jobs.pipeline.pipeline_jobs import PipelineJob


def tell(job: PipelineJob, **columns: Any) -> None:
    """Publish how the job stands; `columns` are newer than the object."""
    publish("pipeline", "pipeline_job", {**brief(job), **columns}, now=timezone.now())


def brief(job: PipelineJob) -> dict[str, Any]:
    """The job without its input and output, which may be large."""
    return {
        "id": str(job.pk),
        "jobType": job.job_type,
        "script": job.script,
        "status": job.status,
        "attempt": job.attempt,
        "error": job.error_message or None,
        "progress": job.progress,
        "stage": job.stage,
        "sourceId": _id(job.source_id),
        "workId": _id(job.work_id),
        "editionId": _id(job.edition_id),
        "segmentId": _id(job.segment_id),
        "createdAt": stamp(job.created_at),
        "startedAt": stamp(job.started_at),
        "finishedAt": stamp(job.finished_at),
        "cancelRequested": job.cancel_requested_at is not None,
    }


def whole(job: PipelineJob) -> dict[str, Any]:
    """The job with its input and output."""
    return {**brief(job), "input": job.input, "output": job.output}


def _id(value: Any) -> str | None:
    return None if value is None else str(value)


def stamp(at: datetime | None) -> str | None:
    """A moment as programs read it: UTC with milliseconds, as in `2025-10-30T14:00:00.000Z`."""
    return (
        None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
