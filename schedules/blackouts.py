"""Dates on which nothing starts: what they are, and what they make of a window's occurrence.

A date is the local one of the window's own zone. An occurrence that starts on a blacked-out date is skipped whole,
also the part of it after midnight; one that runs across midnight into a blacked-out date ends at that midnight.
Yearly means the same calendar days every year from the first date on: 29 February in leap years only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from datetime import time as wall_time
from typing import Self

from django.core.exceptions import ValidationError
from django.db import models

from schedules.windows import Occurrence, at_wall, in_words, resolve, zone_of
from uploader.destinations import Destination

YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Rule:
    """A blackout as the pure rules need it. `destination` is an id; None: everywhere."""

    name: str
    first_on: date
    last_on: date
    is_yearly: bool = False
    destination: int | None = None

    def covers(self, day: date) -> bool:
        """Does nothing start on `day`?"""
        if not self.is_yearly:
            return self.first_on <= day <= self.last_on
        if day < self.first_on:
            return False
        first, last, asked = month_day(self.first_on), month_day(self.last_on), month_day(day)
        if self.first_on.year == self.last_on.year:
            return first <= asked <= last
        # Across the turn of the year.
        return asked >= first or asked <= last


class BlackoutQuerySet(models.QuerySet["Blackout"]):
    def at(self, destination: int | None) -> Self:
        """Those that hold for a destination: its own and the global ones. None: only the global ones."""
        return self.filter(models.Q(destination=None) | models.Q(destination=destination))

    def rules(self) -> list[Rule]:
        """As values for the pure rules, in the order of their first dates; one query."""
        rows = self.order_by("first_on", "id")
        return [
            Rule(*row) for row in rows.values_list("name", "first_on", "last_on", "is_yearly", "destination")
        ]


class Blackout(models.Model):
    """Dates, once or every year, on which nothing starts: everywhere or at one destination."""

    name = models.CharField(max_length=80, help_text="What people call it, for instance “Diwali”")
    first_on = models.DateField("first date")
    last_on = models.DateField("last date", help_text="Included; the same as the first date for a single day")
    is_yearly = models.BooleanField("every year", default=False)
    destination = models.ForeignKey(
        Destination,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="blackouts",
        help_text="Empty: at every destination",
    )

    objects = BlackoutQuerySet.as_manager()

    class Meta:
        ordering = ("first_on", "id")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(last_on__gte=models.F("first_on")),
                name="blackout_ends_after_it_begins",
                violation_error_message="The last date is before the first one.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.dates})"

    @property
    def rule(self) -> Rule:
        return Rule(self.name, self.first_on, self.last_on, self.is_yearly, self.destination_id)

    @property
    def dates(self) -> str:
        """“25 December 2026”, “24–26 December 2026, every year”."""
        first, last = self.first_on, self.last_on
        if first == last:
            shown = in_words(first)
        elif (first.year, first.month) == (last.year, last.month):
            shown = f"{first.day}–{in_words(last)}"
        else:
            shown = f"{in_words(first)} – {in_words(last)}"
        return f"{shown}, every year" if self.is_yearly else shown

    def clean(self) -> None:
        if self.is_yearly and self.first_on and self.last_on and self.last_on - self.first_on >= YEAR:
            raise ValidationError({"last_on": "What comes every year must be shorter than a year."})


def month_day(day: date) -> tuple[int, int]:
    return day.month, day.day


def at_destination(rules: Iterable[Rule], destination: int | None) -> list[Rule]:
    """Those of `rules` that hold there: its own and the global ones."""
    return [rule for rule in rules if rule.destination is None or rule.destination == destination]


def covering(rules: Sequence[Rule], day: date) -> Rule | None:
    """The first rule under which nothing starts on `day`; None: things may start."""
    return next((rule for rule in rules if rule.covers(day)), None)


def applied(occurrence: Occurrence, rules: Sequence[Rule]) -> Occurrence:
    """The occurrence as the blackouts leave it: as it was, ending at a midnight, or with its `blackout` named."""
    if not rules:
        return occurrence
    day = occurrence.starts_on
    if rule := covering(rules, day):
        return replace(occurrence, blackout=rule.name)
    zone = zone_of(occurrence.window.zone)
    while True:
        day += timedelta(days=1)
        midnight, _ = resolve(at_wall(day, wall_time.min), zone)
        if midnight >= occurrence.ends_at:
            return occurrence
        if rule := covering(rules, day):
            ends = f"{rule.name} on {in_words(day)}: it ends at midnight."
            return replace(occurrence, ends_at=midnight, why=f"{occurrence.why} {ends}".lstrip())
