"""One decision about many rows of the queue, and the report of what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from jobs.errors import LostRace
from jobs.reports import Report
from schedules import refusals

# More rows than this are not decided about in one request.
MOST_AT_ONCE = 1000

# Takes the row, who decides and when; says in a word or two what was done, or raises what `hourly` raises.
Decision = Callable[[Any, str, datetime], str]


def decide(request: HttpRequest, rows: Iterable[Any], decision: Decision) -> None:
    """Decide the same about each row; report for how many it was done, and why not for the others."""
    report = Report()
    if isinstance(rows, QuerySet):
        report.leave(max(rows.count() - MOST_AT_ONCE, 0))
        rows = list(rows[:MOST_AT_ONCE])
    for row in rows:
        try:
            report.count(decision(row, request.user.get_username(), timezone.now()))
        except (refusals.Refused, LostRace) as refusal:
            report.refuse(refusal)
    report.tell(request)
