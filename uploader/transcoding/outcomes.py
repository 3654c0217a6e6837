"""What follows from a transcode job's change: its pieces stop with it, and its files go."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from jobs.events import Event, job_changed
from jobs.lifecycle import Status
from uploader.transcoding import workfiles
from uploader.transcoding.transcode_jobs import TranscodeJob


def connect() -> None:
    job_changed.connect(follow, sender=TranscodeJob, dispatch_uid="transcoding outcomes")


def follow(sender: type[TranscodeJob], job: TranscodeJob, event: Event, **_: Any) -> None:
    """Called in the transaction of the change."""
    if event.type == "cancel_requested" or event.new in (Status.CANCELLED, Status.FAILED):
        # Their workers look twice a second.
        job.pieces.filter(status=Status.ACTIVE).update(cancel_requested_at=event.at)
    if event.new not in (Status.CANCELLED, Status.FAILED) or event.old == event.new:
        return
    if not workfiles.is_kept_for_a_retry(job, event.at):
        drop(job)


def drop(job: TranscodeJob) -> None:
    """Forget what was made for a job that ended without a package; its files go when that is committed."""
    left, job.package_path = job.package_path, ""
    job.pieces.all().delete()
    TranscodeJob.objects.filter(pk=job.pk).update(package_path="")
    transaction.on_commit(lambda: workfiles.remove_work(job.pk))
    transaction.on_commit(lambda: workfiles.remove_package(left))
