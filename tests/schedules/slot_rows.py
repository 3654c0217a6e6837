"""What tests of the weekly windows share: a person, an account without limits, windows, videos in line."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.contrib.auth.models import User

from schedules import slot_clock, slot_line
from schedules.slot_videos import SlotVideo
from schedules.upload_slots import UploadSlot
from uploader.catalog import Film
from uploader.destinations import Destination

# A Monday, half past ten in Kolkata.
MORNING = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
NOON = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
WEEK = timedelta(days=7)


def person(name: str = "user-123") -> User:
    return User.objects.get_or_create(username=name)[0]


def account(name: str = "main", **columns: Any) -> Destination:
    limits = {"max_videos_per_day": None, "max_seconds_per_day": None, **columns}
    return Destination.objects.create(
        name=name, title=name.title(), credentials_from_environment=True, **limits
    )


def make_slot(
    destination: Destination, *, now: datetime = MORNING, user: User | None = None, **columns: Any
) -> UploadSlot:
    """Monday 09:00:00–11:59:59 in Kolkata, one upload, unless told otherwise; its occurrence found as of `now`."""
    slot = UploadSlot(
        **{
            "user": user or person(), "destination": destination, "day": "monday", "start_time": time(9),
            "end_time": time(11, 59, 59), "slot_name": "morning", **columns,
        }
    )  # fmt: skip
    slot.save()
    slot_clock.roll_on(now, only=[slot.pk])
    slot.refresh_from_db()
    return slot


def make_films(count: int, *, first: int = 1) -> list[Film]:
    """Films that were probed; no files are made."""
    return Film.objects.bulk_create(
        Film(
            title=f"Film {number}", path=f"film-{number}.mp4", size_bytes=1000, duration_seconds=60.0,
            fingerprint=f"{number}", probed_at=MORNING,
        )
        for number in range(first, first + count)
    )  # fmt: skip


def in_line(
    count: int, destination: Destination, *, user: User | None = None, first: int = 1
) -> list[SlotVideo]:
    """So many films in the line of a person, oldest first."""
    return slot_line.append(
        make_films(count, first=first), user or person(), destination, who="olga", now=MORNING - WEEK,
        priority=0, before=None,
    )  # fmt: skip


def states(*videos: SlotVideo) -> list[str]:
    """The statuses as they are in the database now."""
    found = dict(SlotVideo.objects.values_list("pk", "status"))
    return [found[video.pk] for video in videos]


def count_of(slot: UploadSlot) -> int:
    return UploadSlot.objects.get(pk=slot.pk).taken
