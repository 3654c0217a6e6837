"""What people decide about the line: order, pauses, retries, what goes at once, what stops."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from jobs import events, runner
from jobs.errors import LostRace
from schedules.refusals import Refused
from schedules.replanning import changed, plan
from schedules.upload_schedules import (
    OPEN,
    HourlyQueue,
    OnFailure,
    ScheduledUpload,
    Status,
    UploadSchedule,
)
from uploader.destinations import Destination


def reorder(destination: Destination, schedule_ids: list[int], *, who: str, now: datetime) -> None:
    """Put the series of the line into the given order. Raises Refused when the list is not that line's."""
    with transaction.atomic():
        queue = HourlyQueue.locked(destination)
        schedules = {
            schedule.pk: schedule
            for schedule in UploadSchedule.objects.filter(
                destination=destination, uploads__status__in=OPEN
            ).distinct()
        }
        if set(schedule_ids) != set(schedules) or len(schedule_ids) != len(schedules):
            raise Refused("The line has changed meanwhile. Look at it again, then reorder.")
        positions = sorted(schedule.position for schedule in schedules.values())
        for schedule_id, position in zip(schedule_ids, positions, strict=True):
            UploadSchedule.objects.filter(pk=schedule_id).update(position=position)
        events.record(queue, "reordered", now=now, who=who)
        plan(queue, now=now)
        changed(destination, now=now)


def pause_series(schedule: UploadSchedule, *, who: str, now: datetime, why: str = "") -> None:
    """Nothing of the series starts until it is resumed; the next series takes its hours."""
    with transaction.atomic():
        queue = HourlyQueue.locked(schedule.destination)
        found = UploadSchedule.objects.filter(pk=schedule.pk, paused_at=None)
        if not found.update(paused_at=now, paused_by=who, paused_reason=why):
            raise Refused(f"{schedule.series.title} is paused already.")
        events.record(schedule, "paused", now=now, who=who, why=why)
        plan(queue, now=now)
        changed(schedule.destination, now=now)


def resume_series(schedule: UploadSchedule, *, who: str, now: datetime) -> None:
    """The series takes its place in the line again; the plan behind it moves back."""
    with transaction.atomic():
        queue = HourlyQueue.locked(schedule.destination)
        found = UploadSchedule.objects.filter(pk=schedule.pk, paused_at__isnull=False)
        if not found.update(paused_at=None, paused_by="", paused_reason=""):
            raise Refused(f"{schedule.series.title} is not paused.")
        events.record(schedule, "resumed", now=now, who=who)
        plan(queue, now=now)
        changed(schedule.destination, now=now)


def set_on_failure(schedule: UploadSchedule, policy: str, *, who: str, now: datetime) -> None:
    """What happens when an episode has used its attempts."""
    if policy not in OnFailure.values:
        raise Refused(f"“{policy}” is not a policy: skip or hold.")
    with transaction.atomic():
        UploadSchedule.objects.filter(pk=schedule.pk).update(on_failure=policy)
        events.record(schedule, "policy_changed", now=now, who=who, why=OnFailure(policy).label)
        changed(schedule.destination, now=now)


def retry(row: ScheduledUpload, *, who: str, now: datetime) -> None:
    """Try a skipped or failed episode again: at once if its job still waits, else at the front of the line."""
    with transaction.atomic():
        queue = HourlyQueue.locked(row.destination)
        row.refresh_from_db()
        if not row.can_retry:
            raise Refused(f"{row.episode} is {row.status}; only failed or skipped episodes are retried.")
        job = row.job
        if job is not None and job.is_waiting:
            job.wake(who=who, now=now, why="Retried by hand")
            runner.wake(job.lane)
        else:
            row.reopen(who=who, now=now, is_in_flight=False, expedited_at=now, scheduled_at=now)
        plan(queue, now=now)
        changed(row.destination, now=now)


def upload_now(row: ScheduledUpload, *, who: str, now: datetime) -> None:
    """Put a pending episode at the very front: it starts as soon as nothing else of the destination runs."""
    with transaction.atomic():
        queue = HourlyQueue.locked(row.destination)
        row.refresh_from_db()
        if not row.can_expedite:
            raise Refused(f"{row.episode} is {row.status}; only waiting episodes can be uploaded now.")
        ScheduledUpload.objects.filter(pk=row.pk, status=Status.PENDING, is_in_flight=False).update(
            expedited_at=now, scheduled_at=now
        )
        events.record(row, "expedited", now=now, who=who)
        plan(queue, now=now)
        changed(row.destination, now=now)


def cancel_upload(row: ScheduledUpload, *, who: str, now: datetime) -> None:
    """Stop the episode's upload; it ends as skipped."""
    if row.job is None or not row.can_cancel:
        raise Refused(f"{row.episode} is not being uploaded.")
    try:
        row.job.cancel(who=who, now=now, why=f"Cancelled by {who}")
    except LostRace as error:
        raise Refused(f"{row.episode} has finished meanwhile.") from error
