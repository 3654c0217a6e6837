"""The history of a row as a table for its page, attempts newest first."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from django.db import models
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from jobs.events import Event, history_of

# So many lines are shown; the list of events has the rest.
MOST_LINES = 200


@dataclass(frozen=True)
class Attempt:
    number: int
    events: list[Event]


def history_html(row: models.Model) -> SafeString:
    """The events of `row`, newest first, under a heading for every attempt."""
    found = list(history_of(row).order_by("-id")[: MOST_LINES + 1])
    attempts = [
        Attempt(number, list(events))
        for number, events in groupby(found[:MOST_LINES], key=lambda event: event.attempt)
    ]
    context = {
        "attempts": attempts,
        "has_headings": any(attempt.number for attempt in attempts),
        "most_lines": MOST_LINES if len(found) > MOST_LINES else 0,
    }
    return mark_safe(render_to_string("jobs/_history.html", context))  # noqa: S308 - the template escapes


def spoken_type(event: Event) -> str:
    """ "attempt_failed" as a person reads it."""
    return event.type.replace("_", " ").capitalize()


def spoken_who(who: str) -> str:
    """A person's name as it is; of a lease whoever holds it: a worker's machine and process, an external script."""
    process, is_lease, _ = who.partition("#")
    if is_lease and process.startswith("external:"):
        return f"external script {process.removeprefix('external:')}"
    return f"worker {' '.join(process.split(':')[:2])}" if is_lease else who
