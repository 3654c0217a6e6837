"""What the control room shows of weekly windows and of posts."""

from __future__ import annotations

import re
from datetime import time, timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from jobs.errors import ErrorKind
from schedules import slot_clock
from schedules.blackouts import Blackout
from schedules.posts.models import PostStatus, ScheduledPost
from tests.schedules.conftest import MakePost
from tests.schedules.slot_rows import MORNING, account, in_line, make_slot

pytestmark = pytest.mark.django_db


def card(client: Client, name: str) -> str:
    answer = client.get("/", {"parts": name}, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_without_windows_the_card_says_so(viewer_client: Client) -> None:
    assert "No window is set up" in card(viewer_client, "windows-card")
    assert "Weekly windows" in viewer_client.get("/").content.decode()


def test_the_card_tells_what_is_open_what_opens_next_and_what_failed(viewer_client: Client) -> None:
    with time_machine.travel(MORNING, tick=False):
        main = account()
        make_slot(main, max_uploads=3)
        make_slot(main, day="tuesday", slot_name="later")
        make_slot(main, is_active=False, slot_name="dark", start_time=time(8))
        rows = in_line(5, main)
        slot_clock.tick(MORNING)
        rows[0].refresh_from_db()
        rows[0].fail("rejected", "The file is no video.", now=MORNING)
        words = card(viewer_client, "windows-card")
        assert "2 in line 2 being uploaded 1 failed this week" in words
        assert "Film 1" in words and "The file is no video." in words
        assert re.search(r"open morning 2 of 3 · closes", words)
        assert re.search(r"later opens .* for 1", words)
        assert "dark" not in words
        Blackout.objects.create(name="Holi", first_on=MORNING.date(), last_on=MORNING.date())
        assert "Skipped: Holi" in card(viewer_client, "windows-card")


def test_the_card_costs_the_same_however_many_windows_there_are(viewer_client: Client) -> None:
    with time_machine.travel(MORNING, tick=False):
        main = account()
        make_slot(main)
        card(viewer_client, "windows-card")
        with CaptureQueriesContext(connection) as few:
            card(viewer_client, "windows-card")
        for minute in range(1, 9):
            make_slot(main, start_time=time(9, minute))
        with CaptureQueriesContext(connection) as many:
            assert "and 5 more open" in card(viewer_client, "windows-card")
    assert len(many) - len(few) <= 1, "beyond what is shown they are counted"


def test_posts_are_counted_due_today_at_risk_and_missed(viewer_client: Client, make_post: MakePost) -> None:
    with time_machine.travel(MORNING, tick=False):
        make_post(at=MORNING + timedelta(seconds=30))
        make_post(at=MORNING + timedelta(days=3))
        missed = make_post(at=MORNING - timedelta(hours=2))
        ScheduledPost.objects.filter(pk=missed.pk).update(
            status=PostStatus.FAILED, error_kind=ErrorKind.MISSED, updated_at=MORNING
        )
        assert "1 due today 1 at risk 1 missed this week" in card(viewer_client, "posts-card")
