"""Why a job has not run yet, as sentences an operator can act on."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from jobs import workers
from jobs.lifecycle import TrackedJob
from uploader.upload_jobs import REMOVING, UploadJob, UploadType

# Jobs ahead of one are counted no further.
MOST_COUNTED = 10_000


def why_not_running(job: TrackedJob, now: datetime) -> str:
    """What the job waits for at `now`, the farthest obstacle first; empty: it is running."""
    if job.is_finished:
        return of_finished(job)
    if job.is_active:
        return of_active(job, now)
    of_upload = [job.destination.why_not_now(now), of_package(job)] if isinstance(job, UploadJob) else []
    obstacles = [*of_upload, of_time(job, now), of_workers(job, now)]
    return " ".join(obstacle for obstacle in obstacles if obstacle) or of_line(job, now)


def of_finished(job: TrackedJob) -> str:
    ended = f"{job.get_status_display()} at {local(job.finished_at)}." if job.finished_at else "Ended."
    if not job.can_retry:
        return ended
    reason = f" {sentence(job.error_message)}" if job.error_message else ""
    return f"{ended}{reason} It runs again when somebody retries it."


def of_active(job: TrackedJob, now: datetime) -> str:
    if job.leased_until and job.leased_until < now:
        return "Its worker has stopped answering; the job is taken back within a minute."
    if job.cancel_requested_at:
        return f"It was asked to stop at {local(job.cancel_requested_at)} and stops at its next step."
    return ""


def of_time(job: TrackedJob, now: datetime) -> str:
    if job.not_before_at <= now:
        return ""
    reason = f" {sentence(job.error_message)}" if job.error_message else ""
    return f"It waits until {local(job.not_before_at)}.{reason}"


def of_package(job: UploadJob) -> str:
    """A master playlist waits for everything it names; nothing of a package moves while it is being deleted."""
    if job.is_of_package and job.remote_status == REMOVING:
        return "Its package is being deleted from the storage."
    if job.upload_type != UploadType.MASTER_PLAYLIST:
        return ""
    parts = UploadJob.objects.unfinished().filter(destination_id=job.destination_id, package=job.package)
    labels = list(parts.exclude(pk=job.pk).order_by("pk").values_list("label", flat=True))
    return f"It waits for {', '.join(labels)} of its package." if labels else ""


def of_workers(job: TrackedJob, now: datetime) -> str:
    if workers.alive(now).filter(lane=job.lane).exists():
        return ""
    return f"No worker of the lane “{job.lane}” is alive. Start one with “manage.py worker”."


def of_line(job: TrackedJob, now: datetime) -> str:
    """How many are claimed before it, in the order of `claim`."""
    earlier = (
        Q(priority__lt=job.priority)
        | Q(priority=job.priority, not_before_at__lt=job.not_before_at)
        | Q(priority=job.priority, not_before_at=job.not_before_at, pk__lt=job.pk)
    )
    rows = type(job)._default_manager.claimable(now).filter(earlier)
    ahead = rows[:MOST_COUNTED].count()
    if not ahead:
        return "It is due; the next free worker takes it."
    word = "upload" if isinstance(job, UploadJob) else "job"
    many = f"{ahead} {word}{' is' if ahead == 1 else 's are'}"
    return f"It is due; {many}{' and more' if ahead == MOST_COUNTED else ''} ahead of it."


def sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def local(at: datetime) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M %Z}"
