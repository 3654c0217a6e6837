"""What live clients hear when a job ends: JobCompleted, JobFailed, JobCancelled (seed 001, “Progress Updates”).

The fourth event of the requirement, uploadProgress, is told while bytes move (`uploader.live`). Whatever else
becomes of a job is told on the topic `queue`, so that `jobs` carries what the requirement names.
"""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from jobs.events import Event, job_changed, publish
from jobs.lifecycle import Status
from jobs.tending import TendedJob
from uploader import live
from uploader.transcoding import live as transcoding_live
from uploader.transcoding.transcode_jobs import TranscodeJob
from uploader.upload_jobs import UploadJob

ENDS = {Status.COMPLETED: "JobCompleted", Status.FAILED: "JobFailed", Status.CANCELLED: "JobCancelled"}
# A claim is told by the progress that follows it.
SILENT = {"claimed"}


@receiver(job_changed, sender=UploadJob)
@receiver(job_changed, sender=TranscodeJob)
def announce(sender: type[TendedJob], job: Any, event: Event, **_: Any) -> None:
    """Tell live clients what has just become of the job, in the transaction that did it."""
    if event.type in SILENT:
        return
    if event.old == event.new or event.new not in ENDS:
        publish("queue", "job_changed", {**identity(job), "what": event.type}, now=event.at)
    else:
        publish("jobs", ENDS[Status(event.new)], {**reached(job), **outcome(job)}, now=event.at)


def identity(job: UploadJob | TranscodeJob) -> dict[str, Any]:
    return live.identity(job) if isinstance(job, UploadJob) else transcoding_live.identity(job)


def reached(job: UploadJob | TranscodeJob) -> dict[str, Any]:
    """Which job it is; of a transcoding also how far each of its counts came."""
    return live.identity(job) if isinstance(job, UploadJob) else transcoding_live.progress_of(job)


def outcome(job: TendedJob) -> dict[str, Any]:
    """How far it came, and why it stopped where it did, by the names of the requirement's columns."""
    is_completed = job.status == Status.COMPLETED
    return {
        "progress": 100 if is_completed else job.progress,
        "failedReason": None if is_completed else job.get_error_kind_display() or None,
        "errorMessage": None if is_completed else job.error_message or None,
        "errorKind": None if is_completed else job.error_kind or None,
    }
