"""What an upload job's fate means for its place on the hourly queue, in the same transaction."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver
from django.utils import timezone

from jobs import events
from jobs.errors import ErrorKind, LostRace
from jobs.events import Event, job_changed
from schedules import decisions, replanning
from schedules.upload_schedules import OnFailure, ScheduledUpload
from uploader.live import upload_moved
from uploader.upload_jobs import UploadJob, UploadType


@receiver(job_changed, sender=UploadJob)
def follow(sender: type[UploadJob], job: UploadJob, event: Event, **_: Any) -> None:
    """Move the episode's row with its job and tell live clients."""
    row = row_of(job) if job.upload_type == UploadType.VIDEO else None
    if row is None:
        return
    now = event.at
    try:
        match event.type:
            case "claimed" if row.status != "uploading":
                row.go_on(now=now)
            case "retried" if row.can_retry:
                row.reopen(who=event.who, now=now, is_in_flight=True)
            case "attempt_failed":
                row.fail(job.error_kind, job.error_message, now=now)
                tell(row, "upload_error", now=now, error=job.error_message)
            case "held":
                row.hold(job.error_kind, job.error_message, now=now)
            case "failed":
                give_up(row, job, now=now)
                tell(row, "upload_error", now=now, error=job.error_message)
            case "cancelled":
                row.skip(ErrorKind.CANCELLED, event.why or job.error_message, now=now)
            case "completed":
                row.complete(job.remote_id, now=now)
                tell(row, "upload_complete", now=now)
            case _:
                return
    except LostRace:
        # A person or recovery moved the row meanwhile; the job's own history still tells what happened.
        return
    replanning.changed(row.destination, now=now)


def row_of(job: UploadJob) -> ScheduledUpload | None:
    return (
        ScheduledUpload.objects.filter(job_id=job.pk)
        .select_related("episode__series", "destination", "schedule__series", "schedule__destination")
        .first()
    )


def give_up(row: ScheduledUpload, job: UploadJob, *, now: Any) -> None:
    """Skip the episode, or hold its series, as the series' policy says."""
    row.skip(job.error_kind, job.error_message, now=now)
    if row.schedule.on_failure == OnFailure.HOLD and not row.schedule.is_paused:
        decisions.pause_series(
            row.schedule,
            who="policy",
            now=now,
            why=f"{row.episode} could not be uploaded: {job.error_message}",
        )


@receiver(upload_moved, sender=UploadJob)
def note_progress(sender: type[UploadJob], job: UploadJob, percent: int, **_: Any) -> None:
    row = row_of(job)
    if row is not None:
        # Of a worker given up for dead it may come when the row is finished.
        ScheduledUpload.objects.filter(pk=row.pk, status="uploading").update(upload_progress=percent)
        tell(row, "upload_progress", now=timezone.now(), progress=percent)


def tell(row: ScheduledUpload, type_: str, *, now: Any, **more: Any) -> None:
    """One of the four events of seed 000, with its fields."""
    events.publish(
        "uploads",
        type_,
        {
            "episodeId": row.episode_id,
            "seriesId": row.series_id,
            "seriesTitle": row.episode.series.title,
            "episodeIndex": row.episode.index_sequence,
            **more,
        },
        now=now,
    )
