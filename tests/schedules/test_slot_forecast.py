"""When each video in a line for weekly windows will go, by hand and against a clock that looks every minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.blackouts import Rule, applied
from schedules.slot_forecast import Forecast, Item, Line, Place, compare, expect
from schedules.windows import DAYS, Window
from uploader.ledger import DAY, Limits, Size

# A Monday, half past ten in UTC, four in the afternoon in Kolkata.
NOW = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
FREE = Limits(None, None, None)
MINUTE = timedelta(minutes=1)


def window(
    day: str, start: str, end: str, limit: int = 1, *, key: int = 1, zone: str = "Asia/Kolkata"
) -> Window:
    return Window(day, time.fromisoformat(start), time.fromisoformat(end), zone, limit, key)


def items(count: int, first: int = 1, *, seconds: float = 60) -> list[Item]:
    return [Item(row, Size(1, seconds, 1)) for row in range(first, first + count)]


def daily(limit: int = 1, *, zone: str = "Asia/Kolkata") -> list[Window]:
    return [
        window(day, "09:00", "11:59:59", limit, key=key, zone=zone) for key, day in enumerate(DAYS, start=1)
    ]


def forecast(windows: list[Window], waiting: list[Item], **options: object) -> Forecast:
    return expect([Line(1, windows, waiting)], now=NOW, **{"limits": FREE, **options})  # type: ignore[arg-type]


def days(found: Forecast) -> list[int]:
    return [place.at.day for place in found.placed.values()]


# -------------------------------------------------------------------- windows and limits


def test_videos_go_at_the_start_of_each_window_up_to_its_limit() -> None:
    found = forecast([window("tuesday", "09:00", "11:59:59", 2)], items(3))
    start = datetime(2026, 3, 3, 3, 30, tzinfo=UTC)
    assert [place.at for place in found.placed.values()] == [start, start, start + timedelta(days=7)]
    assert found.ends == {1: start + timedelta(days=7)}
    assert found.counts() == {(1, date(2026, 3, 3)): [1, 2], (1, date(2026, 3, 10)): [3]}
    assert not found.unplaced and not found.notes


def test_an_open_window_takes_at_once_what_it_still_has_room_for() -> None:
    open_now = window("monday", "15:00", "17:59:59", 3)
    found = forecast([open_now], items(2), taken={(1, date(2026, 3, 2)): 2})
    assert found.placed[1].at == NOW
    assert found.placed[2].at == datetime(2026, 3, 9, 9, 30, tzinfo=UTC)


def test_of_two_open_windows_the_one_that_closes_first_is_filled_first() -> None:
    windows = [
        window("tuesday", "09:00", "17:59:59", key=1),
        window("tuesday", "09:00", "11:59:59", key=2),
    ]
    found = forecast(windows, items(2))
    assert [place.occurrence.window.key for place in found.placed.values()] == [2, 1]


def test_a_person_s_windows_take_that_person_s_videos_only() -> None:
    mine = Line(1, [window("tuesday", "09:00", "11:59:59", 5)], items(1))
    yours = Line(2, [window("wednesday", "09:00", "11:59:59", 5, key=2)], items(1, 10))
    found = expect([mine, yours], now=NOW, limits=FREE)
    assert (found.placed[1].at.day, found.placed[10].at.day) == (3, 4)


def test_a_line_without_windows_and_one_too_long_say_why() -> None:
    found = forecast([], items(1))
    assert found.unplaced == {1: "Its line has no window that is switched on. Make one, or switch one on."}
    found = forecast([window("tuesday", "09:00", "11:59:59")], items(200))
    assert len(found.placed) == 105
    assert found.unplaced[200] == "No window has room for it before 3 March 2028."


# -------------------------------------------------------------------- the allowance


def test_a_full_day_holds_what_follows_and_says_which_day_it_is() -> None:
    found = forecast([window("tuesday", "00:00", "23:59:59", 3)], items(3), limits=Limits(2, None, None))
    start = datetime(2026, 3, 2, 18, 30, tzinfo=UTC)
    assert [place.at for place in found.placed.values()] == [start, start, start + timedelta(days=7)]
    assert found.notes == [
        "The limit of 2 videos in 24 hours is reached on 3 March 2026: what has a window then waits."
    ]


def test_a_window_that_is_still_open_when_the_allowance_is_free_takes_the_rest() -> None:
    used = [(NOW - timedelta(hours=20), Size()), (NOW - timedelta(hours=20), Size())]
    found = forecast(
        [window("monday", "15:00", "23:59:59", 2)], items(2), limits=Limits(2, None, None), used=used
    )
    assert [place.at for place in found.placed.values()] == [NOW + timedelta(hours=4)] * 2


def test_a_video_over_the_whole_allowance_has_no_window_and_takes_no_place() -> None:
    waiting = [Item(1, Size(1, 50_000, 1)), Item(2, Size()), Item(3, Size(), "The file is too large.")]
    found = forecast([window("tuesday", "09:00", "11:59:59")], waiting, limits=Limits(None, 36_000, None))
    assert list(found.placed) == [2]
    assert found.unplaced == {
        1: "The video alone is more than the allowance: 10 hours of video in 24 hours.",
        3: "The file is too large.",
    }


def test_what_other_ways_upload_meanwhile_uses_the_allowance_too() -> None:
    booked = [(datetime(2026, 3, 3, 3, 0, tzinfo=UTC), Size())]
    found = forecast(
        [window("tuesday", "09:00", "11:59:59")], items(1), limits=Limits(1, None, None), booked=booked
    )
    assert found.placed[1].at.day == 10


def test_the_destination_s_pause_ends_before_anything_goes() -> None:
    found = forecast(daily(), items(2), not_before=datetime(2026, 3, 4, 4, tzinfo=UTC))
    assert [place.at for place in found.placed.values()] == [
        datetime(2026, 3, 4, 4, tzinfo=UTC),
        datetime(2026, 3, 5, 3, 30, tzinfo=UTC),
    ]


# -------------------------------------------------------------------- blackouts and local time


def test_a_blackout_moves_everything_behind_it() -> None:
    found = forecast(daily(), items(3), rules=[Rule("Holi", date(2026, 3, 3), date(2026, 3, 4))])
    assert days(found) == [5, 6, 7]


def test_a_window_in_the_spring_gap_is_where_the_clock_puts_it() -> None:
    berlin = window("sunday", "02:30", "03:29:59", zone="Europe/Berlin")
    found = expect([Line(1, [berlin], items(1))], now=datetime(2026, 3, 28, tzinfo=UTC), limits=FREE)
    assert found.placed[1].at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert "does not exist" in found.placed[1].occurrence.why


# -------------------------------------------------------------------- before and after


def test_what_a_change_moves_is_told_in_a_sentence() -> None:
    before = forecast(daily(2), items(16))
    assert str(compare(before, before)) == "No video moves."
    halved = forecast(daily(1), items(16))
    assert str(compare(before, halved)) == "15 videos move."
    one_left = forecast([], items(1))
    assert str(compare(forecast(daily(), items(1)), one_left)) == "One video has no window."
    assert str(compare(one_left, forecast(daily(), items(1)))) == "One video gets a window."


def test_the_sentence_of_a_change_that_moves_some_and_leaves_one() -> None:
    def found(hours: dict[int, int], left: list[int]) -> Forecast:
        occurrence = daily()[0].next_occurrence(NOW)
        placed = {row: Place(occurrence, NOW + timedelta(hours=hour)) for row, hour in hours.items()}
        return Forecast(placed=placed, unplaced=dict.fromkeys(left, "none"))

    before = found({row: row for row in range(15)}, [])
    after = found({row: row + 1 for row in range(14)}, [14])
    assert str(compare(before, after)) == "14 videos move, one has no window."


# -------------------------------------------------------------------- against the clock


def clock(lines: list[Line], limits: Limits, rules: list[Rule], minutes: int) -> dict[int, datetime]:
    """What a clock that looks every minute does: the windows open now, the one that closes first in front."""
    waiting = {line.owner: list(line.items) for line in lines}
    counts: dict[tuple[int, date], int] = {}
    given: list[tuple[datetime, Size]] = []
    went: dict[int, datetime] = {}
    held_until = NOW
    occurrences = [
        (line.owner, applied(occurrence, rules))
        for line in lines
        for candidate in line.windows
        for occurrence in candidate.occurrences(NOW, NOW + MINUTE * minutes)
    ]
    for moment in (NOW + MINUTE * number for number in range(minutes)):
        if moment < held_until:
            continue
        found = [(one.ends_at, one, owner) for owner, one in occurrences if one.is_open_at(moment)]
        for _, occurrence, owner in sorted(
            found, key=lambda one: (one[0], one[1].starts_at, one[1].window.key)
        ):
            key = (occurrence.window.key, occurrence.date)
            while waiting[owner] and counts.get(key, 0) < occurrence.window.limit:
                in_window = [at for at, _ in given if at > moment - DAY]
                if limits.count is not None and len(in_window) >= limits.count:
                    held_until = max(held_until, in_window[-limits.count] + DAY)
                    break
                counts[key] = counts.get(key, 0) + 1
                given.append((moment, Size()))
                went[waiting[owner].pop(0).row] = moment
    return went


clocks = st.sampled_from(["Asia/Kolkata", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"])
starts = st.integers(0, 47).map(lambda half: time(half // 2, half % 2 * 30))


@st.composite
def some_windows(draw: st.DrawFn, first_key: int) -> list[Window]:
    found = []
    for number in range(draw(st.integers(0, 4))):
        start = draw(starts)
        end = (
            datetime.combine(date(2026, 1, 1), start) + timedelta(minutes=draw(st.integers(1, 1440)))
        ).time()
        last_second = (datetime.combine(date(2026, 1, 2), end) - timedelta(seconds=1)).time()
        found.append(
            Window(
                draw(st.sampled_from(DAYS)), start, last_second, draw(clocks), draw(st.integers(1, 4)),
                key=first_key + number,
            )
        )  # fmt: skip
    return found


@settings(derandomize=True, deadline=None, max_examples=200)
@given(
    some_windows(1), some_windows(10), st.integers(0, 12), st.integers(0, 6),
    st.one_of(st.none(), st.integers(1, 3)), st.lists(st.integers(0, 9), max_size=2),
)  # fmt: skip
def test_the_forecast_is_what_a_clock_that_looks_every_minute_does(
    mine: list[Window], yours: list[Window], many: int, more: int, limit: int | None, dark: list[int]
) -> None:
    lines = [Line(1, mine, items(many)), Line(2, yours, items(more, 100))]
    limits = Limits(limit, None, None)
    dates = [NOW.date() + timedelta(days=days) for days in dark]
    rules = [Rule("Dark", day, day) for day in dates]
    promised = expect(lines, now=NOW, limits=limits, rules=rules)
    minutes = 8 * 24 * 60
    end = NOW + MINUTE * minutes
    went = clock(lines, limits, rules, minutes)
    assert went == {row: place.at for row, place in promised.placed.items() if place.at < end}
    for (key, _), rows in promised.counts().items():
        assert len(rows) <= next(w.limit for w in [*mine, *yours] if w.key == key)
