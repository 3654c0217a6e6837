"""Windows over every zone pytz knows and twenty years, judged by the clock read the other way: moment to wall."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytz
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.windows import DAYS, SECOND, WEEK, Occurrence, Window, resolve, zone_of

FIRST, LAST = date(2017, 1, 1), date(2036, 12, 31)

# By how much clocks were moved back in those years: Lord Howe, most, Troll, Casey.
STEPS = [timedelta(minutes=minutes) for minutes in (30, 60, 120, 180)]

# The same examples in every run; what they find is the rules' doing, not the day's luck.
steady = settings(derandomize=True, deadline=None, max_examples=400)


def changes(zone: str) -> list[datetime]:
    """Moments (UTC) of those twenty years at which the zone's clock is moved."""
    moments = getattr(zone_of(zone), "_utc_transition_times", [])
    return [moment.replace(tzinfo=UTC) for moment in moments if FIRST <= moment.date() <= LAST]


ZONES = sorted(pytz.all_timezones)
MOVING = [zone for zone in ZONES if changes(zone)]
times = st.times().map(lambda at: at.replace(microsecond=0))
lengths = st.one_of(st.integers(1, 4 * 3600), st.integers(1, 86_399))


@st.composite
def windows(draw: st.DrawFn, zones: list[str] = ZONES) -> Window:
    start, length = draw(times), draw(lengths)
    end = (datetime.combine(FIRST, start) + timedelta(seconds=length)).time()
    return Window(draw(st.sampled_from(DAYS)), start, end, draw(st.sampled_from(zones)))


@st.composite
def near_changes(draw: st.DrawFn) -> tuple[Window, date]:
    """A window and a date of it within a day and a few hours of a change of its zone's clock."""
    zone = draw(st.sampled_from(MOVING))
    moment = draw(st.sampled_from(changes(zone))).astimezone(zone_of(zone))
    start = moment.replace(tzinfo=None) + timedelta(seconds=draw(st.integers(-26 * 3600, 3 * 3600)))
    end = (start + timedelta(seconds=draw(lengths))).time()
    return Window(DAYS[start.weekday()], start.time(), end, zone), start.date()


def shown(moment: datetime, zone: str) -> datetime:
    """The wall clock of the zone at a moment: unambiguous, and not what the windows are resolved by."""
    return zone_of(zone).fromutc(moment.replace(tzinfo=None)).replace(tzinfo=None)


def check(found: Occurrence) -> None:
    """What holds for every occurrence anywhere."""
    window = found.window
    wall_start = datetime.combine(found.date, window.start)
    wall_end = datetime.combine(found.date + timedelta(days=window.crosses_midnight), window.end)
    is_as_written = (
        shown(found.starts_at, window.zone) == wall_start
        and shown(found.ends_at - SECOND, window.zone) == wall_end
        and found.length == window.promise
    )
    comes_twice = any(
        shown(moment - back, window.zone) == wall or shown(moment + back, window.zone) == wall
        for wall, moment in ((wall_start, found.starts_at), (wall_end, found.ends_at - SECOND))
        for back in STEPS
    )
    assert found.starts_at < found.ends_at
    assert bool(found.why) == (not is_as_written or comes_twice), found
    assert abs(found.length - window.promise) <= timedelta(hours=24)
    assert found.date.weekday() == window.weekday
    assert window.occurrence_at(found.starts_at) == found
    assert window.occurrence_at(found.ends_at - SECOND) == found
    assert window.occurrence_at(found.ends_at) is None
    assert window.occurrence_at(found.starts_at - SECOND) is None


@steady
@given(windows(), st.integers(FIRST.year, LAST.year))
def test_a_window_occurs_once_a_week_and_never_overlaps_itself(window: Window, year: int) -> None:
    start, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    found = list(window.occurrences(start, end))
    assert 52 <= len(found) <= 54
    for one, following in pairwise(found):
        assert following.date - one.date == WEEK
        assert one.ends_at <= following.starts_at
        assert window.next_occurrence(one.starts_at) == following
    for one in found:
        assert window.occurrence_on(one.date) == one


@steady
@given(near_changes())
def test_an_occurrence_is_as_promised_or_says_how_it_differs(asked: tuple[Window, date]) -> None:
    window, day = asked
    found = window.occurrence_on(day)
    assert found is not None
    check(found)


def behaviours() -> list[str]:
    """One zone of those whose clocks show the same all those years: many names are aliases."""
    found: dict[object, str] = {}
    for zone in MOVING:
        offsets = [shown(moment, zone) - moment.replace(tzinfo=None) for moment in changes(zone)]
        found.setdefault((tuple(changes(zone)), tuple(offsets)), zone)
    return list(found.values())


def around_every_change() -> Iterator[Occurrence]:
    """Of windows that begin, end, lie and run around every change of every zone in twenty years."""
    for zone in behaviours():
        for moment in changes(zone):
            wall = shown(moment, zone)
            for before, after in ((90, 30), (30, 90), (45, 15), (20, 10), (600, 600)):
                start = wall - timedelta(minutes=before)
                end = (wall + timedelta(minutes=after) - SECOND).time()
                window = Window(DAYS[start.weekday()], start.time(), end, zone)
                found = window.occurrence_on(start.date())
                assert found is not None
                yield found


def test_around_every_change_of_every_zone_a_window_is_as_promised_or_says_so() -> None:
    count = 0
    for found in around_every_change():
        check(found)
        count += 1
    assert count > 5_000


@steady
@given(windows(), st.datetimes(datetime(2017, 1, 8), datetime(2036, 12, 20), timezones=st.just(UTC)))
def test_open_now_is_what_the_list_of_occurrences_says(window: Window, moment: datetime) -> None:
    listed = [
        found
        for found in window.occurrences(moment - WEEK, moment + WEEK)
        if found.starts_at <= moment < found.ends_at
    ]
    assert listed == [found for found in [window.occurrence_at(moment)] if found]
    coming = window.next_occurrence(moment)
    assert moment < coming.starts_at <= moment + timedelta(days=8)


@steady
@given(st.sampled_from(ZONES), st.datetimes(datetime(2017, 1, 1), datetime(2036, 12, 31)))
def test_a_time_on_the_wall_is_the_first_moment_that_shows_it(zone: str, wall: datetime) -> None:
    wall = wall.replace(microsecond=0)
    moment, fate = resolve(wall, zone_of(zone))
    is_shown = shown(moment, zone) == wall
    assert is_shown == (fate.name != "SKIPPED")
    assert not any(shown(moment - timedelta(minutes=back), zone) == wall for back in range(10, 190, 10))


@steady
@given(st.sampled_from(ZONES), st.dates(FIRST, LAST))
def test_neighbours_a_second_apart_meet_wherever_no_clock_changes(zone: str, day: date) -> None:
    morning = Window(DAYS[day.weekday()], time(9), time(11, 59, 59), zone).occurrence_on(day)
    noon = Window(DAYS[day.weekday()], time(12), time(17, 59, 59), zone).occurrence_on(day)
    assert morning and noon
    if not (morning.why or noon.why):
        assert morning.ends_at == noon.starts_at
