"""The rolling 24-hour account of what each destination was given: count, duration, bytes.

An entry is reserved before a byte moves and stays until the video is known not to count.
Limits: Dailymotion, “Rate limiting” (15 videos and 10 hours a day on ordinary accounts).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction
from django.dispatch import receiver

from jobs.events import Event, job_changed
from uploader.catalog import Episode, Film
from uploader.destinations import Destination
from uploader.platforms.errors import QuotaReached, Rejected
from uploader.upload_jobs import UploadJob

DAY = timedelta(hours=24)


class LedgerEntry(models.Model):
    """One video that counts against a destination's day."""

    destination = models.ForeignKey(Destination, on_delete=models.CASCADE, related_name="ledger")
    job = models.OneToOneField(UploadJob, null=True, on_delete=models.SET_NULL, related_name="ledger_entry")
    at = models.DateTimeField()
    duration_seconds = models.FloatField(default=0)
    size_bytes = models.BigIntegerField(default=0)

    class Meta:
        ordering = ("at",)
        verbose_name_plural = "ledger entries"
        indexes = (
            # The last 24 hours of one destination.
            models.Index(fields=["destination", "at"], name="ledger_window"),
        )

    def __str__(self) -> str:
        return f"{self.destination} {self.at:%Y-%m-%d %H:%M}"


@dataclass(frozen=True)
class Size:
    """What one video takes of an allowance."""

    count: int = 1
    seconds: float = 0
    bytes: int = 0


def size_of(video: Episode | Film) -> Size:
    """What the video takes, as far as it was probed."""
    return Size(1, video.duration_seconds or 0, video.size_bytes or 0)


@dataclass(frozen=True)
class Limits:
    """A destination's allowance per rolling 24 hours; None: no limit."""

    count: int | None
    seconds: float | None
    bytes: int | None

    @classmethod
    def of(cls, destination: Destination) -> Limits:
        return cls(
            destination.max_videos_per_day, destination.max_seconds_per_day, destination.max_bytes_per_day
        )

    @property
    def is_none(self) -> bool:
        """Is nothing limited?"""
        return self.count is None and self.seconds is None and self.bytes is None

    def broken_by(self, used: Size) -> str:
        """Which limit `used` would break, as words; empty: none."""
        if self.count is not None and used.count > self.count:
            return f"{self.count} {'video' if self.count == 1 else 'videos'} in 24 hours"
        if self.seconds is not None and used.seconds > self.seconds:
            return f"{self.seconds / 3600:g} hours of video in 24 hours"
        if self.bytes is not None and used.bytes > self.bytes:
            return f"{self.bytes / 1e9:g} GB in 24 hours"
        return ""


def free_at(
    entries: list[tuple[datetime, Size]], size: Size, limits: Limits, *, now: datetime
) -> tuple[datetime, str]:
    """When `size` fits beside `entries` (oldest first), and which limit it waits for ("" = fits at `now`).

    Pure: the forecast and the reservation both ask it.
    """
    window = [(at, used) for at, used in entries if at > now - DAY]
    count = size.count + sum(used.count for _, used in window)
    seconds = size.seconds + sum(used.seconds for _, used in window)
    total = size.bytes + sum(used.bytes for _, used in window)
    waits_for = limits.broken_by(Size(count, seconds, total))
    at = now
    for entry_at, used in window:
        if not limits.broken_by(Size(count, seconds, total)):
            break
        count, seconds, total = count - used.count, seconds - used.seconds, total - used.bytes
        at = entry_at + DAY
    return at, waits_for


def entries_of(destination: Destination, *, now: datetime) -> list[tuple[datetime, Size]]:
    """The window's entries, oldest first."""
    rows = LedgerEntry.objects.filter(destination=destination, at__gt=now - DAY).order_by("at")
    return [(e.at, Size(1, e.duration_seconds, e.size_bytes)) for e in rows]


def refuse_oversized(destination: Destination, size: Size) -> None:
    """Raises Rejected when the platform would never take a video of this size, on however empty a day."""
    if allowance := Limits.of(destination).broken_by(size):
        raise Rejected(
            f"The video alone is more than {destination} takes: {allowance}. "
            "Raise the destination's limit if it is wrong, then retry."
        )
    if destination.max_video_bytes is not None and size.bytes > destination.max_video_bytes:
        raise Rejected(
            f"The file has {size.bytes:,} bytes; {destination} takes at most {destination.max_video_bytes:,}."
        )
    if destination.max_video_seconds is not None and size.seconds > destination.max_video_seconds:
        raise Rejected(
            f"The video lasts {size.seconds / 60:.0f} minutes; {destination} takes at most "
            f"{destination.max_video_seconds / 60:.0f}."
        )


def reserve(job: UploadJob, size: Size, *, now: datetime) -> None:
    """Enter the job's video in the ledger, once. Raises Rejected (too large) or QuotaReached (until when)."""
    with transaction.atomic():
        # The destination's row is the lock: two workers cannot both take the last place.
        destination = Destination.objects.select_for_update().get(pk=job.destination_id)
        refuse_oversized(destination, size)
        if LedgerEntry.objects.filter(job=job, at__gt=now - DAY).exists():
            return
        at, waits_for = free_at(entries_of(destination, now=now), size, Limits.of(destination), now=now)
        if waits_for:
            raise QuotaReached(f"{destination} has had its {waits_for}.", until=at)
        LedgerEntry.objects.update_or_create(
            job=job,
            defaults={
                "destination": destination,
                "at": now,
                "duration_seconds": size.seconds,
                "size_bytes": size.bytes,
            },
        )


def count_from(job: UploadJob, *, now: datetime) -> None:
    """The job's video was created at `now`: its 24 hours begin."""
    LedgerEntry.objects.filter(job=job).update(at=now)


def keep(job: UploadJob) -> None:
    """The job's video counts although it is gone from the platform; another one of the job counts anew."""
    LedgerEntry.objects.filter(job=job).update(job=None)


def give_back(job: UploadJob) -> None:
    """The job's video was never created: it does not count."""
    LedgerEntry.objects.filter(job=job).delete()


@receiver(job_changed, sender=UploadJob)
def settle(sender: type[UploadJob], job: UploadJob, event: Event, **_: Any) -> None:
    """A job that ended without a creation ever being asked for gives its place back."""
    if event.type in ("failed", "cancelled") and not job.remote_id and job.create_intended_at is None:
        give_back(job)
