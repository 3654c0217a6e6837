"""A person's decisions about an upload job. Each refusal is a sentence an operator can act on."""

from __future__ import annotations

import os
from datetime import datetime

from django.db import transaction

from jobs import runner
from jobs.errors import LostRace, Refusal
from jobs.lifecycle import TrackedJob
from uploader.upload_jobs import UploadJob, UploadType, delivered


class Refused(Refusal):
    """The decision cannot be carried out; the message says why."""


def retry(job: UploadJob, *, who: str, now: datetime, attempts: int | None = None) -> None:
    """Queue a failed or cancelled upload again; its history and what the platform already has stay.

    It has so many `attempts`, or as many as its destination gives. Raises Refused.
    """
    if not job.can_retry:
        raise Refused(f"already {job.get_status_display().lower()}")
    if job.is_of_package:
        refuse_without_files(job)
    elif job.video is None and not job.remote_id:
        raise Refused("its video is no longer in the catalog")
    video = job.video if job.upload_type == UploadType.VIDEO else None
    if video is not None and (other := delivered(video, job.destination)):
        raise Refused(f"its video was delivered by upload {other.pk}")
    try:
        with transaction.atomic():
            job.retry(who=who, now=now, attempts=attempts or job.destination.attempts)
            runner.wake(job.lane)
    except LostRace as error:
        raise Refused("changed meanwhile, or another upload of the same video is under way") from error


def refuse_without_files(job: UploadJob) -> None:
    """Raises Refused when what the job would send has been removed since."""
    if not os.path.exists(job.local_path):
        raise Refused("its files are gone; transcode the video again")


def cancel(job: TrackedJob, *, who: str, now: datetime) -> None:
    """Stop a waiting upload at once, ask the worker of an active one to stop. Raises Refused.

    Afterwards `job.is_active` tells which of the two it was.
    """
    if job.is_active and job.cancel_requested_at:
        raise Refused("was asked to stop already")
    if not job.can_cancel:
        raise Refused(f"already {job.get_status_display().lower()}")
    try:
        job.cancel(who=who, now=now, why=f"Cancelled by {who}")
    except LostRace as error:
        raise Refused("has finished meanwhile") from error
