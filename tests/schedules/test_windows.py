"""When a weekly window really is: by hand here, over all zones in `test_windows_everywhere`."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from schedules.windows import DAYS, Occurrence, Window, WindowError, span

KOLKATA = "Asia/Kolkata"
BERLIN = "Europe/Berlin"
SPRING = date(2026, 3, 29)
AUTUMN = date(2026, 10, 25)
SECOND = timedelta(seconds=1)


def window(day: str, start: str, end: str, zone: str = BERLIN, limit: int = 1) -> Window:
    return Window(day, time.fromisoformat(start), time.fromisoformat(end), zone, limit)


def on(day: date, start: str, end: str, zone: str = BERLIN) -> Occurrence:
    found = window(DAYS[day.weekday()], start, end, zone).occurrence_on(day)
    assert found is not None
    return found


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc]


# -------------------------------------------------------------------- the wall clock


def test_nine_to_noon_in_kolkata_is_half_past_three_to_half_past_six_utc() -> None:
    found = on(date(2026, 3, 2), "09:00:00", "11:59:59", KOLKATA)
    assert (found.starts_at, found.ends_at) == (utc(2026, 3, 2, 3, 30), utc(2026, 3, 2, 6, 30))
    assert found.why == ""


def test_the_last_second_is_in_the_window_and_the_next_one_is_not() -> None:
    monday = window("monday", "09:00:00", "11:59:59", KOLKATA)
    noon = utc(2026, 3, 2, 6, 30)
    assert monday.occurrence_at(noon - SECOND) and monday.occurrence_at(noon - timedelta(microseconds=1))
    assert monday.occurrence_at(noon) is None
    assert monday.occurrence_at(utc(2026, 3, 2, 3, 30)) is not None
    assert monday.occurrence_at(utc(2026, 3, 2, 3, 30) - SECOND) is None


def test_neighbours_a_second_apart_leave_no_gap_and_do_not_overlap() -> None:
    morning = on(date(2026, 3, 2), "09:00:00", "11:59:59")
    assert morning.ends_at == on(date(2026, 3, 2), "12:00:00", "17:59:59").starts_at


def test_it_is_closed_on_other_days_and_promised_on_its_own_only() -> None:
    monday = window("monday", "09:00:00", "11:59:59")
    assert monday.occurrence_on(date(2026, 3, 3)) is None
    assert monday.occurrence_at(utc(2026, 3, 3, 9)) is None


def test_a_window_across_midnight_belongs_to_the_day_it_starts_on() -> None:
    late = window("friday", "22:00:00", "01:59:59", KOLKATA)
    found = late.occurrence_at(utc(2026, 3, 6, 20))
    assert found is not None and found.date == date(2026, 3, 6)
    assert found.starts_at == utc(2026, 3, 6, 16, 30) and found.length == timedelta(hours=4)
    assert late.occurrence_at(utc(2026, 3, 6, 20, 30)) is None, "half past two on Saturday"


def test_a_whole_day_and_a_day_that_begins_in_its_middle_last_24_hours() -> None:
    assert on(date(2026, 3, 2), "00:00:00", "23:59:59").length == timedelta(hours=24)
    assert on(date(2026, 3, 2), "10:00:00", "09:59:59").length == timedelta(hours=24)


def test_equal_start_and_end_are_refused_with_what_to_write_instead() -> None:
    with pytest.raises(WindowError, match="00:00:00 to 23:59:59"):
        window("monday", "09:00:00", "09:00:00")


def test_unknown_days_and_zones_are_refused() -> None:
    with pytest.raises(WindowError, match="Mittwoch"):
        window("Mittwoch", "09:00:00", "10:00:00")
    for zone in ("Mars/Olympus", "", "Europe/Ünna"):
        with pytest.raises(WindowError, match="time zone"):
            window("monday", "09:00:00", "10:00:00", zone)


def test_the_next_occurrence_starts_later_than_the_moment() -> None:
    monday = window("monday", "09:00:00", "11:59:59", KOLKATA)
    start = utc(2026, 3, 2, 3, 30)
    assert monday.next_occurrence(start - SECOND).starts_at == start
    assert monday.next_occurrence(start).starts_at == start + timedelta(days=7)


def test_occurrences_between_two_moments_include_those_cut_by_them() -> None:
    monday = window("monday", "09:00:00", "11:59:59", "UTC")
    dates = [found.date for found in monday.occurrences(utc(2026, 3, 2, 11), utc(2026, 3, 16, 9))]
    assert dates == [date(2026, 3, 2), date(2026, 3, 9)]
    dates = [found.date for found in monday.occurrences(utc(2026, 3, 2, 12), utc(2026, 3, 16, 9, 0, 1))]
    assert dates == [date(2026, 3, 9), date(2026, 3, 16)]


# -------------------------------------------------------------------- clocks go forward


def test_a_start_in_the_spring_gap_moves_forward_and_the_window_keeps_its_length() -> None:
    found = on(SPRING, "02:30:00", "03:29:59")
    assert (found.starts_at, found.ends_at) == (utc(2026, 3, 29, 1, 30), utc(2026, 3, 29, 2, 30))
    assert found.why == "02:30:00 on 29 March 2026 does not exist in Europe/Berlin: read as 03:30:00."


def test_a_window_entirely_inside_the_gap_takes_place_once() -> None:
    found = on(SPRING, "02:10:00", "02:39:59")
    assert (found.starts_at, found.ends_at) == (utc(2026, 3, 29, 1, 10), utc(2026, 3, 29, 1, 40))
    assert "read as 03:10:00" in found.why


def test_an_end_in_the_gap_moves_forward_and_says_so() -> None:
    found = on(SPRING, "01:00:00", "02:29:59")
    assert found.length == timedelta(hours=1, minutes=30)
    assert found.why == "02:29:59 on 29 March 2026 does not exist in Europe/Berlin: read as 03:29:59."


def test_a_window_over_the_gap_is_shorter_and_says_so() -> None:
    found = on(SPRING, "01:00:00", "03:59:59")
    assert found.length == timedelta(hours=2)
    assert found.why == "Clocks change meanwhile: it lasts 2 h instead of 3 h."


def test_a_window_across_midnight_into_the_gap() -> None:
    found = on(date(2026, 3, 28), "22:00:00", "04:59:59")
    assert found.length == timedelta(hours=6)
    assert found.date == date(2026, 3, 28)


def test_midnight_itself_can_be_in_the_gap() -> None:
    """Cairo goes from 23:59:59 to 01:00."""
    found = on(date(2026, 4, 24), "00:00:00", "00:59:59", "Africa/Cairo")
    assert (found.starts_at, found.length) == (utc(2026, 4, 23, 22), timedelta(hours=1))
    assert found.starts_on == found.date == date(2026, 4, 24)


def test_a_gap_of_half_an_hour() -> None:
    """Lord Howe moves its clocks by 30 minutes."""
    found = on(date(2026, 10, 4), "02:10:00", "02:19:59", "Australia/Lord_Howe")
    assert found.length == timedelta(minutes=10)
    assert "read as 02:40:00" in found.why


def test_a_zone_that_skips_a_day_has_its_windows_on_the_next() -> None:
    """There was no Friday 30 December 2011 in Samoa."""
    friday = window("friday", "09:00:00", "11:59:59", "Pacific/Apia")
    found = friday.occurrence_on(date(2011, 12, 30))
    assert found is not None
    assert (found.starts_at, found.length) == (utc(2011, 12, 30, 19), timedelta(hours=3))
    assert (found.date, found.starts_on) == (date(2011, 12, 30), date(2011, 12, 31))
    assert "does not exist in Pacific/Apia: read as 31 December 2011, 09:00:00." in found.why
    assert friday.occurrence_at(utc(2011, 12, 30, 20)) == found
    thursday = on(date(2011, 12, 29), "22:00:00", "01:59:59", "Pacific/Apia")
    assert thursday.length == timedelta(hours=4)


# -------------------------------------------------------------------- clocks go back


def test_a_window_in_the_overlap_runs_at_the_first_one_only() -> None:
    sunday = window("sunday", "02:10:00", "02:39:59")
    found = sunday.occurrence_on(AUTUMN)
    assert found is not None
    assert (found.starts_at, found.ends_at) == (utc(2026, 10, 25, 0, 10), utc(2026, 10, 25, 0, 40))
    assert "02:10:00 on 25 October 2026 comes twice in Europe/Berlin: the first one counts." in found.why
    assert sunday.occurrence_at(utc(2026, 10, 25, 0, 20)) == found
    assert sunday.occurrence_at(utc(2026, 10, 25, 1, 20)) is None, "02:20 for the second time"


def test_a_window_over_the_overlap_is_longer_and_says_so() -> None:
    found = on(AUTUMN, "01:00:00", "03:59:59")
    assert found.length == timedelta(hours=4)
    assert found.why == "Clocks change meanwhile: it lasts 4 h instead of 3 h."


@pytest.mark.parametrize(
    ("zone", "day", "first"),
    [
        # Winter is Dublin's standard by law and “summer time, negative” in some data.
        ("Europe/Dublin", date(2026, 10, 25), utc(2026, 10, 25, 0, 30)),
        # Moscow went back without summer time on either side.
        ("Europe/Moscow", date(2014, 10, 26), utc(2014, 10, 25, 21, 30)),
    ],
)
def test_the_first_of_two_is_the_earlier_one_whatever_it_is_called(
    zone: str, day: date, first: datetime
) -> None:
    assert on(day, "01:30:00", "01:39:59", zone).starts_at == first


# -------------------------------------------------------------------- other zones, other dates


def test_zones_with_half_and_quarter_hours() -> None:
    assert on(date(2026, 3, 2), "09:00:00", "09:59:59", "Asia/Kathmandu").starts_at == utc(2026, 3, 2, 3, 15)


def test_a_leap_day_has_its_window() -> None:
    found = on(date(2028, 2, 29), "09:00:00", "11:59:59", KOLKATA)
    assert found.starts_at == utc(2028, 2, 29, 3, 30)


def test_a_zone_whose_rules_change_is_read_by_the_rules_of_each_date() -> None:
    """São Paulo gave up summer time in 2019; Kazakhstan moved to one zone on 1 March 2024."""
    assert on(date(2019, 1, 7), "09:00:00", "11:59:59", "America/Sao_Paulo").starts_at.hour == 11
    assert on(date(2020, 1, 6), "09:00:00", "11:59:59", "America/Sao_Paulo").starts_at.hour == 12
    last = on(date(2024, 2, 29), "22:00:00", "00:59:59", "Asia/Almaty")
    assert last.length == timedelta(hours=4) and last.why.startswith("Clocks change")


def test_the_server_s_own_zone_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    import time as clock

    before = on(SPRING, "02:30:00", "03:29:59")
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    clock.tzset()
    try:
        assert on(SPRING, "02:30:00", "03:29:59") == before
        local = datetime(2026, 3, 29, 3, 45).astimezone(before.starts_at.tzinfo)
        assert before.window.occurrence_at(local.astimezone()) == before.window.occurrence_at(local)
    finally:
        monkeypatch.undo()
        clock.tzset()


def test_lengths_in_words() -> None:
    assert [span(timedelta(seconds=n)) for n in (0, 45, 3600, 5400, 86399)] == [
        "0 s", "45 s", "1 h", "1 h 30 min", "23 h 59 min 59 s",
    ]  # fmt: skip
