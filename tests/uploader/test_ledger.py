"""The rolling account of a destination: who gets a place, who waits until when, who gives his back."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.errors import JobError
from jobs.running import new_token
from tests.conftest import NOW
from uploader import ledger
from uploader.destinations import Destination
from uploader.ledger import DAY, LedgerEntry, Limits, Size, free_at
from uploader.platforms.errors import QuotaReached, Rejected
from uploader.upload_jobs import UploadJob

HOUR = timedelta(hours=1)
ONE = Size(1, 600, 1_000_000)


@pytest.fixture
def destination(db: None) -> Destination:
    return Destination.objects.create(name="main", title="Main", max_videos_per_day=2)


def make_job(destination: Destination, **columns: Any) -> UploadJob:
    return UploadJob.objects.create(
        **{"destination": destination, "title": "Harbour", "not_before_at": NOW, **columns}
    )


def reserve(destination: Destination, *, at: datetime, size: Size = ONE) -> UploadJob:
    job = make_job(destination)
    ledger.reserve(job, size, now=at)
    return job


# -------------------------------------------------------------------- when there is room

NONE = Limits(None, None, None)
ROOM: list[tuple[list[tuple[float, Size]], Size, Limits, float, str]] = [
    # entries (hours ago), what is asked for, limits; in how many hours it fits, what it waits for
    ([], ONE, NONE, 0, ""),
    ([(1, ONE)] * 100, ONE, NONE, 0, ""),
    ([(5, ONE)], ONE, Limits(2, None, None), 0, ""),
    ([(5, ONE), (1, ONE)], ONE, Limits(2, None, None), 19, "2 videos in 24 hours"),
    ([(24, ONE), (1, ONE)], ONE, Limits(2, None, None), 0, ""),
    ([(23.5, ONE), (1, ONE)], ONE, Limits(2, None, None), 0.5, "2 videos in 24 hours"),
    ([(1, ONE)], ONE, Limits(1, None, None), 23, "1 video in 24 hours"),
    ([(9, ONE), (5, ONE), (1, ONE)], ONE, Limits(1, None, None), 23, "1 video in 24 hours"),
    ([(3, ONE)], ONE, Limits(None, 1199, None), 21, "0.333056 hours of video in 24 hours"),
    ([(3, ONE)], ONE, Limits(None, 1200, None), 0, ""),
    ([(3, ONE)], ONE, Limits(None, None, 1_999_999), 21, "0.002 GB in 24 hours"),
    ([(9, ONE), (3, Size(1, 1200, 0))], Size(1, 1300, 0), Limits(None, 2400, None), 21,
     "0.666667 hours of video in 24 hours"),
]  # fmt: skip


@pytest.mark.parametrize(("entries", "size", "limits", "hours", "waits_for"), ROOM)
def test_a_video_fits_as_soon_as_enough_has_left_the_window(
    entries: list[tuple[float, Size]], size: Size, limits: Limits, hours: float, waits_for: str
) -> None:
    rows = [(NOW - timedelta(hours=ago), used) for ago, used in entries]
    at, reason = free_at(rows, size, limits, now=NOW)
    assert ((at - NOW) / HOUR, reason) == (hours, waits_for)


@pytest.mark.parametrize("seed", range(30))
def test_no_24_hours_ever_hold_more_than_the_limits(seed: int) -> None:
    chance = random.Random(seed)
    limits = Limits(chance.randint(1, 6), chance.choice([None, 4000.0]), chance.choice([None, 5000]))
    entries: list[tuple[datetime, Size]] = []
    now = NOW
    for _ in range(40):
        size = Size(1, chance.uniform(1, 3900), chance.randint(1, 4900))
        at, _reason = free_at(entries, size, limits, now=now)
        assert at >= now
        entries.append((at, size))
        now = at + timedelta(minutes=chance.randint(0, 120))
    for end, _ in entries:
        window = [size for at, size in entries if end - DAY < at <= end]
        used = Size(len(window), sum(s.seconds for s in window), sum(s.bytes for s in window))
        assert not limits.broken_by(used)


# -------------------------------------------------------------------- reserving


def test_a_place_is_taken_once_by_a_job(destination: Destination) -> None:
    job = reserve(destination, at=NOW)
    ledger.reserve(job, ONE, now=NOW + HOUR)
    entry = LedgerEntry.objects.get()
    assert (entry.job, entry.at, entry.duration_seconds, entry.size_bytes) == (job, NOW, 600, 1_000_000)


def test_who_finds_no_place_is_told_when_there_will_be_one(destination: Destination) -> None:
    reserve(destination, at=NOW - 5 * HOUR)
    reserve(destination, at=NOW)
    with pytest.raises(QuotaReached, match="has had its 2 videos in 24 hours") as caught:
        reserve(destination, at=NOW)
    assert caught.value.until == NOW + 19 * HOUR
    assert LedgerEntry.objects.count() == 2
    reserve(destination, at=NOW + 19 * HOUR)


def test_a_place_that_grew_old_is_taken_anew(destination: Destination) -> None:
    job = reserve(destination, at=NOW - DAY)
    ledger.reserve(job, ONE, now=NOW)
    assert LedgerEntry.objects.get().at == NOW


def test_an_old_place_is_not_worth_more_than_the_limits(destination: Destination) -> None:
    job = reserve(destination, at=NOW - DAY)
    reserve(destination, at=NOW)
    reserve(destination, at=NOW)
    with pytest.raises(QuotaReached):
        ledger.reserve(job, ONE, now=NOW)


def test_destinations_are_counted_apart(destination: Destination) -> None:
    other = Destination.objects.create(name="other", max_videos_per_day=1)
    reserve(destination, at=NOW)
    reserve(destination, at=NOW)
    reserve(other, at=NOW)


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ({"max_video_bytes": 999_999}, "The file has 1,000,000 bytes; Main takes at most 999,999."),
        ({"max_video_seconds": 300}, "The video lasts 10 minutes; Main takes at most 5."),
        ({"max_seconds_per_day": 300}, "The video alone is more than Main takes: 0.0833333 hours of video"),
        ({"max_bytes_per_day": 500_000}, "The video alone is more than Main takes: 0.0005 GB in 24 hours."),
        ({"max_videos_per_day": 0}, "The video alone is more than Main takes: 0 videos in 24 hours."),
    ],
)
def test_what_never_fits_is_refused_and_not_waited_for(
    limits: dict[str, int], sentence: str, destination: Destination
) -> None:
    Destination.objects.update(**limits)
    with pytest.raises(Rejected) as caught:
        reserve(destination, at=NOW)
    assert sentence in str(caught.value)
    assert not LedgerEntry.objects.exists()


def test_without_limits_everything_fits(destination: Destination) -> None:
    Destination.objects.update(
        max_videos_per_day=None, max_seconds_per_day=None, max_video_bytes=None, max_video_seconds=None
    )
    for _ in range(30):
        reserve(destination, at=NOW, size=Size(1, 10**6, 10**12))


# -------------------------------------------------------------------- given back or kept


def ended(job: UploadJob, how: str, **columns: Any) -> None:
    UploadJob.objects.filter(pk=job.pk).update(**columns)
    if how == "cancelled while it waits":
        UploadJob.objects.get(pk=job.pk).cancel(who="olga", now=NOW)
        return
    (held,) = UploadJob.objects.filter(pk=job.pk).claim(new_token("w"), now=timezone.now())
    match how:
        case "failed":
            held.fail(JobError("No."), now=NOW)
        case "cancelled":
            held.acknowledge_cancel(now=NOW)
        case "lost for the third time":
            UploadJob.objects.filter(pk=job.pk).update(lost_workers=2)
            UploadJob.objects.get(pk=job.pk).rescue(now=NOW)


ENDS = ("failed", "cancelled", "cancelled while it waits", "lost for the third time")


@pytest.mark.parametrize("how", ENDS)
def test_a_job_that_ends_without_a_video_gives_its_place_back(how: str, destination: Destination) -> None:
    ended(reserve(destination, at=NOW), how)
    assert not LedgerEntry.objects.exists()


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("known", [{"remote_id": "x1"}, {"create_intended_at": NOW}])
def test_a_job_that_may_have_made_a_video_keeps_its_place(
    how: str, known: dict[str, Any], destination: Destination
) -> None:
    ended(reserve(destination, at=NOW), how, **known)
    assert LedgerEntry.objects.count() == 1


def test_a_job_that_will_be_tried_again_keeps_its_place(destination: Destination) -> None:
    job = reserve(destination, at=NOW)
    (held,) = UploadJob.objects.filter(pk=job.pk).claim(new_token("w"), now=NOW)
    held.try_again(JobError("No."), now=NOW)
    assert LedgerEntry.objects.count() == 1


def test_the_24_hours_begin_with_the_creation(destination: Destination) -> None:
    job = reserve(destination, at=NOW)
    ledger.count_from(job, now=NOW + HOUR)
    assert LedgerEntry.objects.get().at == NOW + HOUR


def test_what_was_published_counts_when_its_job_makes_another(destination: Destination) -> None:
    job = reserve(destination, at=NOW)
    ledger.keep(job)
    ledger.reserve(job, ONE, now=NOW)
    assert LedgerEntry.objects.count() == 2
    ledger.give_back(job)
    assert LedgerEntry.objects.count() == 1


def test_what_a_deleted_job_published_counts_on(destination: Destination) -> None:
    reserve(destination, at=NOW).delete()
    assert LedgerEntry.objects.get().job is None
    assert len(ledger.entries_of(destination, now=NOW)) == 1
