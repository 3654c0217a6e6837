"""Which hour each episode gets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from schedules.planning import hours_from, is_late, moved, next_start

HOUR = timedelta(hours=1)
LONDON = ZoneInfo("Europe/London")
KOLKATA = ZoneInfo("Asia/Kolkata")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "interval", "zone", "expected"),
    [
        ("2026-03-02 10:30", HOUR, ZoneInfo("UTC"), "2026-03-02 11:00"),
        ("2026-03-02 10:00", HOUR, ZoneInfo("UTC"), "2026-03-02 10:00"),
        ("2026-03-02 10:00:00.000001", HOUR, ZoneInfo("UTC"), "2026-03-02 11:00"),
        ("2026-03-02 23:59", HOUR, ZoneInfo("UTC"), "2026-03-03 00:00"),
        # A full hour in India is a half hour in UTC.
        ("2026-03-02 10:10", HOUR, KOLKATA, "2026-03-02 10:30"),
        # Longer intervals begin at a full hour, shorter ones at a full interval.
        ("2026-03-02 10:30", 6 * HOUR, ZoneInfo("UTC"), "2026-03-02 11:00"),
        ("2026-03-02 10:31", HOUR / 4, ZoneInfo("UTC"), "2026-03-02 10:45"),
        # The hour that the clock skips, and the hour it shows twice.
        ("2026-03-29 00:30", HOUR, LONDON, "2026-03-29 01:00"),
        ("2026-10-25 00:30", HOUR, LONDON, "2026-10-25 01:00"),
    ],
)
def test_the_first_episode_starts_at_the_next_full_hour(
    now: str, interval: timedelta, zone: ZoneInfo, expected: str
) -> None:
    assert next_start(at(now), interval, zone) == at(expected)


def test_every_hour_is_elapsed_time_even_when_the_clock_changes() -> None:
    first = datetime(2026, 3, 29, 0, 0, tzinfo=LONDON).astimezone(UTC)
    times = hours_from(first, HOUR)
    assert [next(times) - first for _ in range(4)] == [0 * HOUR, HOUR, 2 * HOUR, 3 * HOUR]


def test_only_rows_whose_time_changes_are_written() -> None:
    first = at("2026-03-02 11:00")
    rows = [(1, first), (2, None), (3, first + 2 * HOUR), (4, first)]
    assert moved(rows, hours_from(first, HOUR)) == {2: first + HOUR, 4: first + 3 * HOUR}


def test_a_start_a_little_late_leaves_the_plan_alone() -> None:
    planned = at("2026-03-02 11:00")
    assert not is_late(planned + timedelta(seconds=179), planned, HOUR)
    assert is_late(planned + timedelta(seconds=181), planned, HOUR)
    assert not is_late(planned + timedelta(seconds=1), planned, timedelta(seconds=2))
