"""The hourly queue of seed 000 at work: series strictly one after the other, one episode an interval, each once."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from jobs import runner
from jobs.errors import ErrorKind, LostRace
from jobs.tidying import Round
from schedules.decisions import retry
from schedules.planning import is_late
from schedules.refusals import Refused
from schedules.replanning import changed, shift
from schedules.upload_schedules import (
    HourlyQueue,
    ScheduledUpload,
    Status,
    UploadSchedule,
)
from uploader import ledger
from uploader.catalog import Episode
from uploader.destinations import Destination
from uploader.platforms.errors import QuotaReached
from uploader.upload_jobs import UploadJob, create_upload, delivered


def tick(now: datetime) -> list[ScheduledUpload]:
    """Start what is due, at most one episode a destination. Any number of callers at once do no harm."""
    started = []
    for destination in due_destinations(now):
        row = start_next(destination, now=now)
        if row is not None:
            started.append(row)
    return started


def due_destinations(now: datetime) -> list[Destination]:
    """Usable destinations whose head of the line is due and which have nothing in flight; one query for all."""
    line = ScheduledUpload.objects.filter(destination=OuterRef("pk"))
    return list(
        Destination.objects.usable(now).filter(
            Exists(line.planned().filter(scheduled_at__lte=now)), ~Exists(line.in_flight())
        )
    )


def head_of(destination: Destination, now: datetime) -> ScheduledUpload | None:
    """The next episode of the line, if its time has come."""
    return (
        ScheduledUpload.objects.planned()
        .filter(destination=destination, scheduled_at__lte=now)
        .select_related("episode__series", "episode__season", "schedule", "destination", "job")
        .first()
    )


def start_next(destination: Destination, *, now: datetime) -> ScheduledUpload | None:
    """Start the head of the line if the destination's allowance lets it; else hold the destination."""
    with transaction.atomic():
        queue = HourlyQueue.locked(destination)
        row = head_of(destination, now)
        if row is None or ScheduledUpload.objects.in_flight().filter(destination=destination).exists():
            return None
        if done := delivered(row.episode, destination):
            row.note_delivered(done, now=now)
            changed(destination, now=now)
            return None
        if hold := quota_hold(destination, row.episode, now=now):
            destination.hold(hold, now=now, until=hold.until or now)
            return None
        job = job_for(row, now=now)
        planned_at, was_expedited = row.scheduled_at, row.expedited_at is not None
        row.start(job, now=now)
        if planned_at and not was_expedited:
            # What a person put in front leaves the rhythm of the line alone.
            queue.last_started_at = now
            queue.save(update_fields=["last_started_at"])
            if is_late(now, planned_at, destination.interval):
                shift(queue, by=now - planned_at, now=now)
        changed(destination, now=now)
        runner.wake(job.lane)
    return row


def job_for(row: ScheduledUpload, *, now: datetime) -> UploadJob:
    """The row's upload job: new, or the one an earlier try left, which knows what the platform already has."""
    open_job = UploadJob.objects.unfinished().filter(destination=row.destination, episode=row.episode).first()
    if open_job is not None:
        return open_job
    if row.job is not None and row.job.can_retry:
        row.job.retry(who="schedule", now=now, attempts=row.destination.attempts)
        return row.job
    return create_upload(row.episode, row.destination, now=now)


def quota_hold(destination: Destination, episode: Episode, *, now: datetime) -> QuotaReached | None:
    """The hold that the next episode's size makes necessary, if any."""
    size = ledger.Size(1, episode.duration_seconds or 0, episode.size_bytes or 0)
    limits = ledger.Limits.of(destination)
    if limits.broken_by(size):
        # It would never fit: the job says so and the line goes on.
        return None
    at, waits_for = ledger.free_at(ledger.entries_of(destination, now=now), size, limits, now=now)
    if not waits_for or at <= now:
        return None
    return QuotaReached(f"{destination} has had its {waits_for}.", until=at)


def reset_stuck(now: datetime) -> list[ScheduledUpload]:
    """Rows that say “uploading” though no job carries them any more (seed 000: 30 minutes): try again."""
    silent_since = now - timedelta(seconds=settings.STALE_AFTER_SECONDS)
    stuck = ScheduledUpload.objects.filter(status=Status.UPLOADING, started_at__lt=silent_since).filter(
        Q(job=None) | Q(job__status__in=("failed", "cancelled", "completed"))
    )
    reset = []
    for row in stuck.select_related("job", "episode__series", "destination"):
        try:
            if row.job is not None and row.job.status == "completed":
                row.complete(row.job.remote_id, now=now)
            else:
                # Both or neither: a failed row that is still in flight would hold up the line for ever.
                with transaction.atomic():
                    row.fail(ErrorKind.LOST_WORKER, "Upload timeout, will retry", now=now)
                    retry(row, who="recovery", now=now)
        except (LostRace, Refused):
            continue
        reset.append(row)
    return reset


def archive_old(round_: Round) -> int:
    """The rule of the clean-up (seed 000: “Archive completed uploads older than 30 days”)."""
    return archive(round_.now, days=round_.days.queue) if round_.days.queue else 0


def archive(now: datetime, *, days: int = 30) -> int:
    """Drop completed rows older than `days`; the upload jobs stay as proof of delivery. Returns how many."""
    old = ScheduledUpload.objects.filter(status=Status.COMPLETED, completed_at__lt=now - timedelta(days=days))
    count = old.delete()[0]
    for schedule in UploadSchedule.objects.filter(uploads=None).select_related("destination"):
        with transaction.atomic():
            HourlyQueue.locked(schedule.destination)
            # Asked again under the lock: somebody may just have put new episodes there.
            UploadSchedule.objects.filter(pk=schedule.pk, uploads=None).delete()
    return count
