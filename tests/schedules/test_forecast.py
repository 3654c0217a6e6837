"""When each waiting episode will really go."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from schedules import forecast, hourly, scheduling
from schedules.forecast import Item, expect
from schedules.upload_schedules import ScheduledUpload
from tests.conftest import NOW
from uploader import ledger
from uploader.catalog import Series
from uploader.destinations import Destination
from uploader.ledger import LedgerEntry, Limits, Size

HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)
FREE = Limits(None, None, None)


def line(count: int, *, seconds: float = 60, size: int = 1) -> list[Item]:
    return [Item(n, 1, NOW + HOUR * n, Size(1, seconds, size)) for n in range(count)]


def test_without_limits_everything_goes_as_planned() -> None:
    found = expect(line(3), limits=FREE, used=[], not_before=NOW)
    assert found.expected == {0: NOW, 1: NOW + HOUR, 2: NOW + 2 * HOUR}
    assert found.ends == {1: NOW + 2 * HOUR}
    assert found.notes == []


def test_the_sixteenth_video_waits_for_the_next_day_and_moves_what_follows() -> None:
    found = expect(line(17), limits=Limits(15, None, None), used=[], not_before=NOW)
    assert found.expected[14] == NOW + 14 * HOUR
    assert found.expected[15] == NOW + DAY
    assert found.expected[16] == NOW + DAY + HOUR
    assert found.notes == ["1 episode waits for the limit of 15 videos in 24 hours."]


def test_what_was_used_before_counts() -> None:
    used = [(NOW - 20 * HOUR, Size(1, 30_000, 0))]
    found = expect(line(1, seconds=7000), limits=Limits(None, 36_000, None), used=used, not_before=NOW)
    assert found.expected[0] == NOW + 4 * HOUR


def test_a_pause_moves_the_whole_line_by_as_much_as_its_head() -> None:
    found = expect(line(2), limits=FREE, used=[], not_before=NOW + 5 * HOUR)
    assert found.expected == {0: NOW + 5 * HOUR, 1: NOW + 6 * HOUR}


def test_no_limit_is_ever_broken_in_any_24_hours() -> None:
    found = expect(line(100, seconds=3000), limits=Limits(15, 36_000, None), used=[], not_before=NOW)
    times = sorted(found.expected.values())
    for start in times:
        window = [at for at in times if start <= at < start + DAY]
        assert len(window) <= 12, "twelve times 3000 seconds are ten hours"


def test_the_forecast_of_a_destination_reads_its_line_and_ledger(
    make_series: Callable[..., Series], destination: Destination
) -> None:
    rows = scheduling.schedule_series(make_series("Harbour", 2), destination, who="olga", now=NOW)
    for number in range(14):
        LedgerEntry.objects.create(destination=destination, at=NOW - HOUR * number)
    found = forecast.of(destination, now=NOW)
    first, second = (ScheduledUpload.objects.get(pk=row.pk) for row in rows)
    assert first.scheduled_at is not None
    assert found.expected[first.pk] == first.scheduled_at
    assert found.expected[second.pk] == max(first.scheduled_at + HOUR, NOW - 13 * HOUR + DAY)
    assert found.ends[first.schedule_id] == found.expected[second.pk]


def test_the_forecast_is_what_the_tick_then_does(
    make_series: Callable[..., Series], destination: Destination
) -> None:
    from tests.schedules.test_hourly import finish
    from uploader import ledger

    Destination.objects.filter(pk=destination.pk).update(max_videos_per_day=2)
    destination.refresh_from_db()
    rows = scheduling.schedule_series(make_series("Harbour", 5), destination, who="olga", now=NOW)
    promised = forecast.of(destination, now=NOW).expected
    now, started = NOW, {}
    while len(started) < 5:
        for row in hourly.tick(now):
            assert row.job is not None
            started[row.pk] = now
            ledger.reserve(row.job, Size(1, 1, 1), now=now)
            finish(row, now=now)
        now += timedelta(minutes=5)
    assert started == {row.pk: promised[row.pk] for row in rows}


def test_without_limits_a_line_s_length_counts_once_not_squared(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = []
    free_at = ledger.free_at

    def counting(window: list[tuple[datetime, Size]], *args: Any, **options: Any) -> tuple[datetime, str]:
        looked_at.append(len(window))
        return free_at(window, *args, **options)

    monkeypatch.setattr(ledger, "free_at", counting)
    items = [Item(n, 1, NOW + timedelta(seconds=n), Size(1, 60, 1)) for n in range(20_000)]
    found = expect(items, limits=FREE, used=[], not_before=NOW)
    assert found.ends == {1: NOW + timedelta(seconds=19_999)}
    assert len(looked_at) == 20_000 and sum(looked_at) == 0
