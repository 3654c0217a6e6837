"""Schedules of pipeline jobs: cron lines in their own time zone, fired by whichever ticker comes first."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, models, transaction
from django.utils import timezone

from jobs.events import record
from jobs.pipeline import starting
from jobs.pipeline.pipeline_jobs import LINKS, JobType, PipelineJob
from jobs.pipeline.subjects import Edition, Segment, Source, Work

log = logging.getLogger(__name__)

SCHEDULE = "schedule"


def default_zone() -> str:
    return settings.TIME_ZONE


def types_only(value: Any) -> None:
    """Raises ValidationError for anything but a list of job types."""
    if not isinstance(value, list) or any(item not in JobType.values for item in value):
        raise ValidationError(
            f'A list of job types, such as ["clean", "embed"]; of: {", ".join(JobType.values)}.'
        )


def an_object(value: Any) -> None:
    """Raises ValidationError for anything but names and values."""
    if not isinstance(value, dict):
        raise ValidationError('Names and values, such as {"scriptType": "scrape-novel"}.')


def occurrences(cron: str, zone: str, after: datetime) -> Iterator[datetime]:
    """The moments of a cron line after `after`, in UTC; none for a date that never comes. Raises CronSimError.

    As Debian's cron: what falls into the spring gap runs right after it, what comes twice in autumn runs once.
    """
    for moment in CronSim(cron, after.astimezone(ZoneInfo(zone))):
        yield moment.astimezone(UTC)


class PipelineSchedule(models.Model):
    """A pipeline job, and what follows it, at every moment of a cron line."""

    name = models.CharField(max_length=100, unique=True)
    job_type = models.CharField(max_length=16, choices=JobType)
    input = models.JSONField(
        default=dict, blank=True, validators=[an_object], help_text="The input of the job, as JSON"
    )
    then = models.JSONField(
        default=list, blank=True, validators=[types_only],
        help_text='Types that follow it, each once the one before succeeded: ["clean", "embed"]',
    )  # fmt: skip
    source = models.ForeignKey(Source, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    work = models.ForeignKey(Work, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    edition = models.ForeignKey(Edition, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    segment = models.ForeignKey(Segment, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    cron = models.CharField(
        max_length=100,
        help_text="Minute, hour, day of month, month, day of week: 15 3 * * * is every day at 03:15",
    )
    time_zone = models.CharField(
        max_length=64, default=default_zone, help_text="Whose clock the times are of"
    )
    is_active = models.BooleanField("active", default=True)
    priority = models.SmallIntegerField(default=0, help_text="Lower goes first")
    max_attempts = models.PositiveSmallIntegerField("attempts", default=3)
    warn_after_hours = models.PositiveIntegerField(
        default=26, help_text="Without a success for so long, the page warns"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    next_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_success_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Before this nothing was expected of it.
    switched_on_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_job = models.ForeignKey(
        PipelineJob, null=True, blank=True, on_delete=models.SET_NULL, editable=False, related_name="+"
    )
    # What `next_at` was reckoned from.
    reckoned_for = models.CharField(max_length=200, blank=True, editable=False)

    class Meta:
        ordering = ("name",)
        indexes = (
            # What the ticker asks every second.
            models.Index(
                fields=["next_at"], condition=models.Q(is_active=True), name="pipeline_schedule_due"
            ),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.time_zone not in available_timezones():
            raise ValidationError(
                {"time_zone": "The name of a time zone, such as Europe/Rome or Asia/Kolkata."}
            )
        if len(self.cron.split()) != 5:
            raise ValidationError({"cron": "Five fields, with spaces between: 15 3 * * *"})
        try:
            if self.next_after(timezone.now()) is None:
                raise ValidationError({"cron": "This never comes."})
        except CronSimError as error:
            raise ValidationError({"cron": f"{error}."}) from error

    def save(self, *args: Any, **kwargs: Any) -> None:
        """The next moment is reckoned anew when the line, its zone or the switch has changed."""
        reckoned_for = f"{self.cron}|{self.time_zone}|{self.is_active}"
        if reckoned_for != self.reckoned_for:
            self.reckoned_for = reckoned_for
            now = timezone.now()
            self.next_at = self.next_after(now) if self.is_active else None
            self.switched_on_at = now if self.is_active else None
        super().save(*args, **kwargs)

    def next_after(self, now: datetime) -> datetime | None:
        """The next moment; None when there is none. Raises CronSimError."""
        return next(occurrences(self.cron, self.time_zone, now), None)

    @property
    def steps(self) -> list[tuple[str, dict[str, Any]]]:
        """What one firing makes: the job, and those that follow it with the same input but its script."""
        rest = {name: value for name, value in self.input.items() if name != "scriptType"}
        return [(self.job_type, self.input), *((job_type, rest) for job_type in self.then)]

    def run(self, *, who: str, now: datetime) -> list[PipelineJob]:
        """Make its jobs now. Raises Refused."""
        links = {f"{name}_id": getattr(self, f"{name}_id") for name in LINKS}
        with transaction.atomic():
            jobs = starting.chain(
                self.steps, who=who, now=now, priority=self.priority, max_attempts=self.max_attempts,
                schedule=self, **links,
            )  # fmt: skip
            self.last_at, self.last_job = now, jobs[0]
            PipelineSchedule.objects.filter(pk=self.pk).update(last_at=now, last_job=jobs[0])
            record(self, "fired", now=now, who=who, data={"jobs": [str(job.pk) for job in jobs]})
        return jobs


def note_success(job: PipelineJob, now: datetime) -> None:
    """What a schedule is there for was done: it is not overdue."""
    if job.schedule_id is not None:
        rows = PipelineSchedule.objects.filter(pk=job.schedule_id, job_type=job.job_type)
        rows.update(last_success_at=now)


def tick(now: datetime) -> list[PipelineJob]:
    """Fire what is due, each once however many tickers there are, and however many moments were missed."""
    started: list[PipelineJob] = []
    due = PipelineSchedule.objects.filter(is_active=True, next_at__lte=now)
    for pk in due.order_by("next_at").values_list("pk", flat=True):
        with transaction.atomic():
            rows = due.filter(pk=pk)
            if connection.features.has_select_for_update_skip_locked:
                rows = rows.select_for_update(skip_locked=True, of=("self",))
            if schedule := rows.first():
                started += fire(schedule, now)
    return started


def fire(schedule: PipelineSchedule, now: datetime) -> list[PipelineJob]:
    """One moment has come: make the jobs, unless those of the last time are still under way."""
    jobs: list[PipelineJob] = []
    try:
        schedule.next_at = schedule.next_after(now)
        if (last := schedule.last_job) is not None and not last.is_finished:
            record(
                schedule, "skipped", now=now, who=SCHEDULE, why=f"{last} of the last time is {last.status}"
            )
        else:
            jobs = schedule.run(who=f"{SCHEDULE} {schedule.name}"[:80], now=now)
    except (CronSimError, starting.Refused, ValueError, TypeError) as error:
        # One that cannot be fired must not keep the others from it, nor be tried every second.
        log.warning("Schedule %s could not be fired: %s", schedule, error)
        record(schedule, "refused", now=now, who=SCHEDULE, why=str(error))
        if isinstance(error, CronSimError):
            schedule.next_at = None
    PipelineSchedule.objects.filter(pk=schedule.pk).update(next_at=schedule.next_at)
    return jobs
