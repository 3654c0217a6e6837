"""What a person may do to one job, of either kind. Each says what it did, or refuses with a reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from jobs import runner
from jobs.errors import LeaseLost, LostRace
from jobs.lifecycle import Status
from jobs.tending import TendedJob
from uploader import deciding
from uploader.deciding import Refused
from uploader.manager import leftovers
from uploader.transcoding import deciding as transcoding_deciding
from uploader.transcoding.transcode_jobs import TranscodeJob
from uploader.upload_jobs import UploadJob, UploadType


class Verb(Protocol):
    def __call__(self, job: Any, /, *, who: str, now: datetime) -> str: ...


def retry(job: UploadJob | TranscodeJob, *, who: str, now: datetime, at: datetime | None = None) -> str:
    """Queue a failed or cancelled job again, at once or not before `at`; everything known of it stays.

    It takes a fresh client id. Raises Refused.
    """
    with transaction.atomic():
        if isinstance(job, UploadJob):
            deciding.retry(job, who=who, now=now)
        else:
            transcoding_deciding.retry(job, who=who, now=now)
        if at is not None and at > now:
            type(job)._base_manager.filter(pk=job.pk, status=Status.WAITING).update(not_before_at=at)
    return "is queued again"


def retry_failed(job: UploadJob | TranscodeJob, *, who: str, now: datetime) -> str:
    """As `retry`, of what has failed alone (seed 001: “must be 'failed'”). Raises Refused."""
    if job.status != Status.FAILED:
        raise Refused(f"it is {job.get_status_display().lower()}, and only a failed job is retried")
    return retry(job, who=who, now=now)


def cancel(job: TendedJob, *, who: str, now: datetime) -> str:
    """Stop a waiting job at once, ask the worker of an active one to stop. Raises Refused."""
    deciding.cancel(job, who=who, now=now)
    return "is being stopped" if job.is_active else "is cancelled"


def cleanup(job: TendedJob, *, who: str, now: datetime) -> str:
    """Remove the temporary files of a job that failed or was cancelled, and reset how far it was. Raises Refused."""
    if not job.can_retry:
        raise Refused(
            f"it is {job.get_status_display().lower()}: only what failed or was cancelled is cleaned up"
        )
    removed = leftovers.remove(job, who=who, now=now)
    if not removed.files:
        return "had no temporary files left"
    return f"is cleaned up: {removed}"


def delete(job: TendedJob, *, who: str, now: datetime) -> str:
    """Take a job that has ended off every list. Raises Refused.

    The row itself stays as long as it may prove that a platform has the video: what was delivered is never
    uploaded again because somebody tidied up.
    """
    if not job.is_finished:
        raise Refused(f"it is {job.get_status_display().lower()}: cancel it first")
    if not job.clear(who=who, now=now):
        raise Refused("it changed meanwhile")
    return "is deleted"


def handle(job: TendedJob, *, who: str, now: datetime) -> str:
    """Take note of a failure: it needs nobody any more. Raises Refused."""
    if job.status != Status.FAILED:
        raise Refused(f"it is {job.get_status_display().lower()}, not failed")
    if not job.mark_handled(who=who, now=now):
        raise Refused("somebody has taken care of it already")
    return "is marked as handled"


def sync(job: TendedJob, *, who: str, now: datetime) -> str:
    """Put the row and the queue right with each other; says what was found."""
    found = put_right(job, now=now)
    if found:
        return found
    if job.is_active:
        return "is in step: a worker is at it"
    if job.is_waiting:
        if job.not_before_at > now:
            return f"is in step: it waits until {timezone.localtime(job.not_before_at):%Y-%m-%d %H:%M %Z}"
        # A hint lost on the way to the workers is made up for.
        runner.wake(job.lane)
        return "is in step: it is due, and its workers were told again"
    return f"is in step: it is {job.get_status_display().lower()}"


def put_right(job: TendedJob, *, now: datetime) -> str:
    """Take a job back whose worker is gone, or end one that nothing is left of; what was wrong, or nothing."""
    if is_stuck(job, now=now):
        try:
            job.rescue(now=now)
        except (LeaseLost, LostRace):
            return ""
        if job.is_waiting:
            runner.wake(job.lane)
            return "was stuck: its worker is gone, and it waits for another one"
        return f"was stuck: its worker is gone, and it is {job.get_status_display().lower()} now"
    if job.is_waiting and is_orphaned(job):
        try:
            job.cancel(who="sync", now=now, why="What it was about is no longer in the catalog")
        except LostRace:
            return ""
        return "was orphaned: its video is no longer in the catalog, and it is cancelled"
    return ""


def is_stuck(job: TendedJob, *, now: datetime) -> bool:
    """Active without a worker that holds it (`stale`)."""
    if not job.is_active:
        return False
    if job.leased_until is not None:
        return job.leased_until < now
    silent_since = now - timedelta(seconds=settings.STALE_AFTER_SECONDS)
    return job.started_at is not None and job.started_at < silent_since


def is_orphaned(job: TendedJob) -> bool:
    """Nothing is left of what it was to bring or to make."""
    if isinstance(job, UploadJob):
        return job.upload_type == UploadType.VIDEO and job.video is None and not job.remote_id
    return getattr(job, "video", None) is None


VERBS: dict[str, Callable[..., str]] = {
    "retry": retry,
    "cancel": cancel,
    "cleanup": cleanup,
    "sync": sync,
    "delete": delete,
    "handle": handle,
}
