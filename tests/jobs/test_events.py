"""The history of tracked things."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group

from jobs import events
from jobs.events import Event, history_of
from tests.conftest import NOW

pytestmark = pytest.mark.django_db


def test_the_same_line_for_many_rows_is_the_one_that_each_would_have_been_given() -> None:
    groups = [Group.objects.create(name=f"group {number}") for number in range(3)]
    line = {"old": "here", "new": "there", "who": "o" * 200, "why": "A “reason” with 100 % and {braces}"}
    events.record_many(groups, "moved", now=NOW, **line)
    events.record_many([], "moved", now=NOW)
    told = list(Event.objects.values())
    assert [one["subject_id"] for one in told] == [str(group.pk) for group in groups]
    Event.objects.all().delete()
    for group in groups:
        events.record(group, "moved", now=NOW, **line)
    singly = list(Event.objects.values())
    assert [{**one, "id": 0} for one in told] == [{**one, "id": 0} for one in singly]
    assert [event.envelope["data"] for event in history_of(groups[0])] == [{}]
