"""What live clients hear of pipeline jobs on the topic `pipeline`, and how the API writes a job."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from jobs.events import publish
from jobs.pipeline.pipeline_jobs import PipelineJob

# So many messages a process sends at once, and a second in the long run: a page follows no thousand jobs a second.
BURST = 200
PER_SECOND = 20.0
# Where more jobs end than messages were sent, one message says how many.
MANY = 50


class Limiter:
    """Lets a burst pass and then a steady few."""

    def __init__(self) -> None:
        self._left = float(BURST)
        self._at = time.monotonic()
        self._lock = threading.Lock()

    def allows(self) -> bool:
        with self._lock:
            now = time.monotonic()
            self._left = min(BURST, self._left + (now - self._at) * PER_SECOND)
            self._at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True


limiter = Limiter()


def tell(job: PipelineJob, **columns: Any) -> None:
    """Publish how the job stands; `columns` are newer than the object. In a flood of jobs most are left out."""
    if limiter.allows():
        publish("pipeline", "pipeline_job", {**brief(job), **columns}, now=timezone.now())


def tell_many(count: int) -> None:
    """Publish that so many jobs have ended, when it may be that not every one was told."""
    if count >= MANY:
        publish("pipeline", "pipeline_job", {"many": count}, now=timezone.now())


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
