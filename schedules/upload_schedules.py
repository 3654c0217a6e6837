"""The hourly queue's rows: series put on the queue of a destination, and each episode at its planned hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from django.db import models, transaction
from django.utils import timezone

from jobs import events
from jobs.errors import ErrorKind, LostRace
from uploader.catalog import Episode, Series
from uploader.destinations import Destination
from uploader.upload_jobs import UploadJob


class OnFailure(models.TextChoices):
    SKIP = "skip", "Skip the episode and go on"  # the default
    HOLD = "hold", "Hold the series until somebody decides"


class HourlyQueue(models.Model):
    """The line of one destination: its lock, and how its plan moved last."""

    destination = models.OneToOneField(Destination, on_delete=models.CASCADE, related_name="hourly_queue")
    last_started_at = models.DateTimeField(null=True, blank=True)
    shifted_at = models.DateTimeField(null=True, blank=True)
    shifted_seconds = models.FloatField(default=0)
    shifted_why = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"Hourly queue of {self.destination}"

    @classmethod
    def locked(cls, destination: Destination) -> HourlyQueue:
        """The destination's line, locked until the transaction ends. Call it inside a transaction."""
        cls.objects.get_or_create(destination=destination)
        return cls.objects.select_for_update().get(destination=destination)


class UploadSchedule(models.Model):
    """A series on the queue of a destination."""

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="upload_schedules")
    destination = models.ForeignKey(Destination, on_delete=models.PROTECT, related_name="upload_schedules")
    position = models.PositiveIntegerField(help_text="Place in the line of the destination")
    on_failure = models.CharField(max_length=8, choices=OnFailure, default=OnFailure.SKIP)
    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    paused_by = models.CharField(max_length=150, blank=True, editable=False)
    paused_reason = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.CharField(max_length=150, blank=True, editable=False)

    class Meta:
        ordering = ("destination", "position")
        constraints = (
            models.UniqueConstraint(fields=["destination", "series"], name="upload_schedule_series_once"),
        )

    def __str__(self) -> str:
        return f"{self.series.title} → {self.destination}"

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None


class Status(models.TextChoices):
    PENDING = "pending", "Pending"  # waits for its hour, or for the destination; the tick starts it
    UPLOADING = "uploading", "Uploading"  # its upload job is at work; the job's outcome moves it on
    COMPLETED = "completed", "Completed"  # published; final
    FAILED = "failed", "Failed"  # an attempt failed and will be repeated; the job moves it on
    SKIPPED = "skipped", "Skipped"  # given up after its attempts; a person may retry it


OPEN = (Status.PENDING, Status.UPLOADING, Status.FAILED)


class ScheduledUploadQuerySet(models.QuerySet["ScheduledUpload"]):
    def open(self) -> Self:
        """Not finished yet."""
        return self.filter(status__in=OPEN)

    def in_flight(self) -> Self:
        """Begun and not finished: these hold up their destination's line."""
        return self.filter(is_in_flight=True)

    def planned(self) -> Self:
        """Waiting for their hour, in the order of the line."""
        return self.filter(status=Status.PENDING, is_in_flight=False, scheduled_at__isnull=False).order_by(
            "scheduled_at", "id"
        )

    def counts(self) -> dict[str, int]:
        """Rows by status, and their total."""
        found = dict(self.order_by().values_list("status").annotate(models.Count("id")))
        return {
            "total": sum(found.values()),
            **{status.value: found.get(status.value, 0) for status in Status},
        }


class ScheduledUpload(models.Model):
    """One episode at its planned hour."""

    schedule = models.ForeignKey(UploadSchedule, on_delete=models.CASCADE, related_name="uploads")
    destination = models.ForeignKey(Destination, on_delete=models.PROTECT, related_name="scheduled_uploads")
    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="scheduled_uploads")
    episode = models.ForeignKey(Episode, on_delete=models.CASCADE, related_name="scheduled_uploads")
    job = models.OneToOneField(
        UploadJob, null=True, blank=True, on_delete=models.SET_NULL, related_name="scheduled_upload"
    )
    position = models.PositiveIntegerField(help_text="Place within the series")
    status = models.CharField(max_length=16, choices=Status, default=Status.PENDING, editable=False)
    # Begun and not finished: between two attempts and while held back, too.
    is_in_flight = models.BooleanField(default=False, editable=False)
    # Empty while the series is paused: an episode without a time never starts.
    scheduled_at = models.DateTimeField(null=True, blank=True)
    planned_at = models.DateTimeField(null=True, blank=True, editable=False)
    expedited_at = models.DateTimeField(null=True, blank=True, editable=False)
    dailymotion_video_id = models.CharField(max_length=64, blank=True, editable=False)
    upload_progress = models.PositiveSmallIntegerField(default=0, editable=False)
    retry_count = models.PositiveSmallIntegerField(default=0, editable=False)
    error_kind = models.CharField(max_length=16, choices=ErrorKind, blank=True, editable=False)
    error_message = models.TextField(blank=True, editable=False)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    completed_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ScheduledUploadQuerySet.as_manager()

    class Meta:
        db_table = "upload_schedule"
        ordering = ("scheduled_at", "id")
        constraints = (
            # Never twice: an episode stands in a destination's line once.
            models.UniqueConstraint(fields=["destination", "episode"], name="scheduled_upload_once"),
        )
        indexes = (
            # The tick: the head of a destination's line, however long it is.
            models.Index(
                fields=["destination", "scheduled_at", "id"],
                condition=models.Q(status="pending", is_in_flight=False, scheduled_at__isnull=False),
                name="scheduled_upload_head",
            ),
            # The tick: is something of this destination begun and not finished?
            models.Index(
                fields=["destination", "id"],
                condition=models.Q(is_in_flight=True),
                name="scheduled_upload_in_flight",
            ),
            # Series cards and the episode grid.
            models.Index(fields=["schedule", "position"], name="scheduled_upload_series"),
            # Counts by status, failures, archiving.
            models.Index(fields=["status", "completed_at"], name="scheduled_upload_status"),
        )

    def __str__(self) -> str:
        return f"{self.episode} → {self.destination}"

    @property
    def can_retry(self) -> bool:
        return self.status in (Status.SKIPPED, Status.FAILED)

    @property
    def can_expedite(self) -> bool:
        return self.status == Status.PENDING and not self.is_in_flight

    @property
    def can_cancel(self) -> bool:
        return self.is_in_flight

    # ---------------------------------------------------------------- verbs

    def start(self, job: UploadJob, *, now: datetime) -> None:
        """PENDING → UPLOADING: its hour has come."""
        self._move(
            "started", [Status.PENDING], Status.UPLOADING, now=now,
            job=job, is_in_flight=True, started_at=now, expedited_at=None,
        )  # fmt: skip

    def go_on(self, *, now: datetime) -> None:
        """PENDING | FAILED → UPLOADING: a worker took its job again."""
        self._move("went_on", [Status.PENDING, Status.FAILED], Status.UPLOADING, now=now)

    def fail(self, kind: str, message: str, *, now: datetime) -> None:
        """UPLOADING → FAILED: will be tried again."""
        self._move(
            "failed", [Status.UPLOADING, Status.PENDING], Status.FAILED, now=now, why=message,
            retry_count=self.retry_count + 1, error_kind=kind, error_message=message, upload_progress=0,
        )  # fmt: skip

    def hold(self, kind: str, message: str, *, now: datetime) -> None:
        """UPLOADING → PENDING: the destination has to wait; nothing is counted."""
        self._move(
            "held", [Status.UPLOADING], Status.PENDING, now=now, why=message,
            error_kind=kind, error_message=message, upload_progress=0,
        )  # fmt: skip

    def skip(self, kind: str, message: str, *, now: datetime) -> None:
        """any open state → SKIPPED: given up; the line goes on."""
        self._move(
            "skipped", OPEN, Status.SKIPPED, now=now, why=message,
            error_kind=kind, error_message=message, is_in_flight=False,
            retry_count=self.retry_count + (kind != ErrorKind.CANCELLED),
        )  # fmt: skip

    def complete(self, video_id: str, *, now: datetime) -> None:
        """UPLOADING → COMPLETED."""
        self._move(
            "completed", OPEN, Status.COMPLETED, now=now, dailymotion_video_id=video_id,
            upload_progress=100, error_kind="", error_message="", completed_at=now, is_in_flight=False,
        )  # fmt: skip

    def note_delivered(self, job: UploadJob, *, now: datetime) -> None:
        """PENDING → COMPLETED: another job has delivered the episode meanwhile."""
        self._move(
            "completed", [Status.PENDING], Status.COMPLETED, now=now, why=f"Delivered by upload {job.pk}",
            job=job, dailymotion_video_id=job.remote_id, upload_progress=100, error_kind="", error_message="",
            completed_at=job.finished_at or now, expedited_at=None,
        )  # fmt: skip

    def reopen(self, *, who: str, now: datetime, **columns: Any) -> None:
        """SKIPPED | FAILED → PENDING: a person wants it tried again."""
        self._move(
            "reopened", [Status.SKIPPED, Status.FAILED], Status.PENDING, now=now, who=who,
            retry_count=0, upload_progress=0, error_kind="", error_message="", **columns,
        )  # fmt: skip

    def _move(
        self,
        type_: str,
        old: Sequence[str],
        new: str,
        *,
        now: datetime,
        who: str = "",
        why: str = "",
        **columns: Any,
    ) -> None:
        """One guarded UPDATE and one event. Raises LostRace when the row was in none of the states `old`."""
        before = self.status
        with transaction.atomic():
            rows = ScheduledUpload.objects.filter(pk=self.pk, status__in=old)
            if rows.update(status=new, updated_at=now, **columns) != 1:
                raise LostRace(f"{self} is no longer {' or '.join(old)}")
            events.record(
                self, type_, now=now, old=before, new=new, who=who, why=why,
                attempt=self.retry_count,
            )  # fmt: skip
        for name, value in {"status": new, "updated_at": now, **columns}.items():
            setattr(self, name, value)
