"""A person's decisions about a transcode job. Each refusal is a sentence an operator can act on."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from jobs import runner
from jobs.errors import LostRace
from uploader.catalog import Episode, Film
from uploader.deciding import Refused as Refused
from uploader.deciding import cancel as cancel
from uploader.transcoding import workfiles
from uploader.transcoding.transcode_jobs import AlreadyUnderWay, TranscodeJob, create_transcode


def start(video: Episode | Film, *, now: datetime) -> TranscodeJob:
    """Queue the transcoding of `video`. Raises Refused."""
    try:
        with transaction.atomic():
            job = create_transcode(video, now=now)
            runner.wake(job.lane)
    except AlreadyUnderWay as error:
        raise Refused(str(error)) from error
    return job


def retry(job: TranscodeJob, *, who: str, now: datetime) -> None:
    """Queue a failed or cancelled job again under a fresh client id; finished pieces are used. Raises Refused."""
    if not job.can_retry:
        raise Refused(f"already {job.get_status_display().lower()}")
    if job.video is None:
        raise Refused("its video is no longer in the catalog")
    try:
        with transaction.atomic():
            job.retry(who=who, now=now)
            runner.wake(job.lane)
    except LostRace as error:
        raise Refused("changed meanwhile, or another job transcodes the same video") from error


def clean_up(job: TranscodeJob) -> int:
    """Remove what a job that is over left of its work; its package stays. Gives the files. Raises Refused."""
    if not job.is_finished:
        raise Refused(f"is still {job.get_status_display().lower()}")
    job.pieces.all().delete()
    return workfiles.remove_work(job.pk)


def delete(job: TranscodeJob) -> None:
    """Delete a job that is over, with its work, its logs and its package. Raises Refused."""
    if not job.is_finished:
        raise Refused(f"is still {job.get_status_display().lower()}: cancel it first")
    if workfiles.is_being_uploaded(job.package_path):
        raise Refused("its package is still being uploaded: cancel its uploads first")
    number, package = job.pk, job.package_path
    with transaction.atomic():
        job.delete()
        transaction.on_commit(lambda: workfiles.remove_work(number))
        transaction.on_commit(lambda: workfiles.remove_package(package))
