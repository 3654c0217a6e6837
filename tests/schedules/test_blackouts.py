"""Dates on which nothing starts."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from schedules.blackouts import Blackout, Rule, applied, at_destination
from schedules.windows import Window
from uploader.destinations import Destination

LATE = Window("friday", time(22), time(1, 59, 59), "Asia/Kolkata")
FRIDAY = date(2026, 3, 6)
SATURDAY = date(2026, 3, 7)


def once(first: date, last: date | None = None, name: str = "Holi") -> Rule:
    return Rule(name, first, last or first)


def every_year(first: date, last: date | None = None) -> Rule:
    return Rule("Feast", first, last or first, is_yearly=True)


def test_a_range_covers_its_first_and_last_date() -> None:
    rule = once(date(2026, 3, 3), date(2026, 3, 5))
    assert [rule.covers(date(2026, 3, day)) for day in range(2, 7)] == [False, True, True, True, False]
    assert not rule.covers(date(2027, 3, 4))


def test_a_yearly_one_comes_every_year_from_its_first_date_on() -> None:
    rule = every_year(date(2026, 12, 25))
    assert rule.covers(date(2026, 12, 25)) and rule.covers(date(2031, 12, 25))
    assert not rule.covers(date(2025, 12, 25)) and not rule.covers(date(2031, 12, 26))


def test_a_yearly_one_may_run_over_the_turn_of_the_year() -> None:
    rule = every_year(date(2026, 12, 24), date(2027, 1, 2))
    covered = [date(2026, 12, 24), date(2027, 1, 2), date(2029, 12, 31), date(2030, 1, 1)]
    assert all(rule.covers(day) for day in covered)
    assert not any(rule.covers(day) for day in (date(2026, 1, 1), date(2027, 1, 3), date(2029, 12, 23)))


def test_a_yearly_29_february_is_one_of_leap_years_only() -> None:
    rule = every_year(date(2028, 2, 29))
    assert rule.covers(date(2028, 2, 29)) and rule.covers(date(2032, 2, 29))
    assert not any(rule.covers(date(2029, month, day)) for month, day in ((2, 28), (3, 1)))
    around = every_year(date(2028, 2, 27), date(2028, 2, 29))
    assert around.covers(date(2029, 2, 28)) and not around.covers(date(2029, 3, 1))


def test_an_occurrence_that_starts_on_such_a_date_is_skipped_with_its_name() -> None:
    found = LATE.occurrence_on(FRIDAY)
    assert found is not None
    skipped = applied(found, [once(SATURDAY + timedelta(days=1)), once(FRIDAY, name="Good Friday")])
    assert skipped.blackout == "Good Friday"
    assert not skipped.is_open_at(found.starts_at)
    assert not skipped.is_open_at(found.ends_at - timedelta(hours=1)), "its part on Saturday goes with it"


def test_the_date_is_the_local_one_of_the_window_s_zone() -> None:
    """00:30 on Saturday in Kolkata is still Friday in UTC."""
    early = Window("saturday", time(0, 30), time(2), "Asia/Kolkata").occurrence_on(SATURDAY)
    assert early is not None and early.starts_at.date() == FRIDAY
    assert applied(early, [once(SATURDAY)]).blackout == "Holi"
    assert applied(early, [once(FRIDAY)]) == early


def test_a_window_that_runs_into_such_a_date_ends_at_midnight_and_says_so() -> None:
    found = LATE.occurrence_on(FRIDAY)
    assert found is not None
    cut = applied(found, [once(SATURDAY)])
    assert cut.ends_at == datetime(2026, 3, 6, 18, 30, tzinfo=UTC)
    assert cut.why == "Holi on 7 March 2026: it ends at midnight."
    assert not cut.blackout


def test_a_window_that_ends_before_such_a_date_is_left_alone() -> None:
    whole = Window("friday", time(0), time(23, 59, 59), "Asia/Kolkata").occurrence_on(FRIDAY)
    assert whole is not None
    assert applied(whole, [once(SATURDAY)]) is whole


def test_a_global_one_holds_everywhere_and_another_at_its_destination() -> None:
    everywhere, here = once(FRIDAY), Rule("Maintenance", FRIDAY, FRIDAY, destination=1)
    assert at_destination([everywhere, here], 1) == [everywhere, here]
    assert at_destination([everywhere, here], 2) == [everywhere]


# -------------------------------------------------------------------- as rows


@pytest.mark.django_db
def test_rules_are_read_for_one_destination_or_for_all(destination: Destination) -> None:
    Blackout.objects.create(name="Diwali", first_on=date(2026, 11, 8), last_on=date(2026, 11, 9))
    Blackout.objects.create(
        name="Maintenance", first_on=FRIDAY, last_on=FRIDAY, is_yearly=True, destination=destination
    )
    assert Blackout.objects.rules() == [
        Rule("Maintenance", FRIDAY, FRIDAY, True, destination.pk),
        Rule("Diwali", date(2026, 11, 8), date(2026, 11, 9), False, None),
    ]
    assert [rule.name for rule in Blackout.objects.at(None).rules()] == ["Diwali"]
    assert len(Blackout.objects.at(destination.pk).rules()) == 2


@pytest.mark.django_db
def test_the_database_refuses_a_last_date_before_the_first() -> None:
    backwards = Blackout(name="Holi", first_on=SATURDAY, last_on=FRIDAY)
    with pytest.raises(ValidationError, match="before the first"):
        backwards.full_clean()
    with pytest.raises(IntegrityError):
        backwards.save()


@pytest.mark.django_db
def test_what_comes_every_year_is_shorter_than_a_year() -> None:
    long = Blackout(name="Always", first_on=FRIDAY, last_on=date(2027, 3, 6), is_yearly=True)
    with pytest.raises(ValidationError, match="shorter than a year"):
        long.full_clean()


def test_dates_in_words() -> None:
    def words(first: date, last: date, is_yearly: bool = False) -> str:
        return Blackout(name="x", first_on=first, last_on=last, is_yearly=is_yearly).dates

    assert words(FRIDAY, FRIDAY) == "6 March 2026"
    assert words(FRIDAY, SATURDAY, True) == "6–7 March 2026, every year"
    assert words(date(2026, 12, 24), date(2027, 1, 2)) == "24 December 2026 – 2 January 2027"
