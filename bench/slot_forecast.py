"""The forecast of 1,000 videos over a year of windows, beside the plainest loop that could give the same times."""

from __future__ import annotations

import statistics
import sys
import time as clock
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta

from bench.ground import Figure, main

VIDEOS = 1_000
ROUNDS = 15
WEEK = timedelta(days=7)
NOW = datetime(2026, 1, 5, tzinfo=UTC)
STARTS = (time(6), time(12), time(18))


def measure(kind: str) -> list[Figure]:
    # Only the measured process has Django set up.
    from schedules.blackouts import Rule
    from schedules.slot_forecast import Item, Line, expect
    from schedules.windows import DAYS, Window
    from uploader.ledger import Limits, Size

    windows = [
        Window(day, start, time(start.hour + 2, 59, 59), "Europe/Berlin", key=number * len(STARTS) + part)
        for number, day in enumerate(DAYS)
        for part, start in enumerate(STARTS)
    ]
    items = [Item(row, Size(1, 1200, 10**9)) for row in range(VIDEOS)]
    line = [Line(1, windows, items)]
    rules = [Rule(f"Feast {month}", NOW.date().replace(month=month), NOW.date().replace(month=month), True)
             for month in range(1, 13)]  # fmt: skip

    def free() -> None:
        found = expect(line, now=NOW, limits=Limits(None, None, None))
        assert len(found.placed) == VIDEOS

    def limited() -> None:
        found = expect(line, now=NOW, limits=Limits(15, 36_000, None), rules=rules)
        assert len(found.placed) == VIDEOS

    def plain() -> None:
        assert len(by_hand(windows)) == VIDEOS

    rounds = [(spent(free), spent(limited), spent(plain)) for _ in range(ROUNDS)]
    names = ("no limits", "limits and blackouts")
    return [
        figure(name, [one[place] for one in rounds], [one[2] for one in rounds])
        for place, name in enumerate(names)
    ]


def by_hand(windows: list) -> dict[int, datetime]:
    """Every window a week later each time, its zone looked up for each date, in order: no limits, no reasons."""
    from zoneinfo import ZoneInfo

    zone = ZoneInfo("Europe/Berlin")
    starts = []
    for window in windows:
        day = NOW.date() + timedelta(days=window.weekday)
        for _ in range(53):
            starts.append(datetime.combine(day, window.start, zone).astimezone(UTC))
            day += WEEK
    return dict(zip(range(VIDEOS), sorted(starts), strict=False))


def spent(work: Callable[[], None]) -> float:
    started = clock.perf_counter()
    work()
    return clock.perf_counter() - started


def figure(name: str, ours: list[float], plain: list[float]) -> Figure:
    took, beside = statistics.median(ours), statistics.median(plain)
    ratio = statistics.median(one / other for one, other in zip(ours, plain, strict=True))
    return Figure(
        f"slot forecast: {VIDEOS:,} videos over a year, {name}",
        f"{took * 1000:.0f} ms",
        f"a plain loop {beside * 1000:.1f} ms",
        ratio,
        "<= 200 ms",
        took <= 0.2,
    )


if __name__ == "__main__":
    sys.exit(main(measure, ["sqlite"]))
