"""What follows from a transcode job's change: its pieces stop with it, its files go, live clients hear of it."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from jobs.events import Event, job_changed, publish
from jobs.lifecycle import Status
from uploader.transcoding import live, workfiles
from uploader.transcoding.transcode_jobs import TranscodeJob

ENDED = {
    Status.COMPLETED: "JobCompleted",
    Status.FAILED: "JobFailed",
    Status.CANCELLED: "JobCancelled",
}


def connect() -> None:
    job_changed.connect(follow, sender=TranscodeJob, dispatch_uid="transcoding outcomes")


def follow(sender: type[TranscodeJob], job: TranscodeJob, event: Event, **_: Any) -> None:
    """Called in the transaction of the change."""
    if event.type == "cancel_requested" or event.new in (Status.CANCELLED, Status.FAILED):
        # Their workers look twice a second.
        job.pieces.filter(status=Status.ACTIVE).update(cancel_requested_at=event.at)
    if event.old == event.new or event.new not in ENDED:
        return
    if event.new != Status.COMPLETED and not workfiles.is_kept_for_a_retry(job, event.at):
        drop(job)
    told = {**live.progress_of(job), "error": job.error_message, "errorKind": job.error_kind}
    publish("jobs", ENDED[Status(event.new)], told, now=event.at)


def drop(job: TranscodeJob) -> None:
    """Forget what was made for a job that ended without a package; its files go when that is committed."""
    left, job.package_path = job.package_path, ""
    job.pieces.all().delete()
    TranscodeJob.objects.filter(pk=job.pk).update(package_path="")
    transaction.on_commit(lambda: workfiles.remove_work(job.pk))
    transaction.on_commit(lambda: workfiles.remove_package(left))
