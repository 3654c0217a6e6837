"""The seven functions of the requirement, its table, and a video's way through them to the platform."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction

from jobs import runner, ticker
from jobs.errors import LostRace
from jobs.events import Event
from sandbox.server import Sandbox
from schedules import slot_clock, slot_line, slots
from schedules.blackouts import Blackout
from schedules.refusals import Refused
from schedules.slot_videos import SlotVideo
from schedules.upload_slots import UploadSlot
from tests.schedules.slot_rows import (
    MORNING,
    NOON,
    WEEK,
    account,
    count_of,
    in_line,
    make_slot,
    person,
    states,
)
from uploader.catalog import Film, Series
from uploader.destinations import Destination

pytestmark = pytest.mark.django_db
MONDAY = date(2026, 3, 2)


@pytest.fixture
def main(db: None) -> Destination:
    return account()


# -------------------------------------------------------------------- the table


def test_the_table_has_the_name_and_the_columns_of_the_requirement(main: Destination) -> None:
    slot = make_slot(main)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, user_id, day, start_time, end_time, max_uploads, slot_name, is_active "
            "FROM upload_schedules WHERE user_id = %s AND day = 'monday' AND is_active",
            [slot.user_id],
        )
        [(_, user, day, start, end, most, name, _)] = cursor.fetchall()
    assert (user, day, most, name) == (slot.user_id, "monday", 1, "morning")
    assert [str(start)[:8], str(end)[:8]] == ["09:00:00", "11:59:59"]


def test_a_window_takes_one_upload_is_active_and_in_kolkata_unless_told_otherwise(main: Destination) -> None:
    slot = UploadSlot.objects.create(
        user=person(), destination=main, day="monday", start_time=time(9), end_time=time(11, 59, 59)
    )
    slot.refresh_from_db()
    assert (slot.max_uploads, slot.is_active, slot.slot_name) == (1, True, "")
    assert slot.time_zone == settings.SLOT_TIME_ZONE == "Asia/Kolkata"


def test_a_day_has_several_windows_each_with_its_own_limit(main: Destination) -> None:
    midnight = datetime(2026, 3, 1, 18, 30, tzinfo=UTC)
    early = make_slot(main, now=midnight, start_time=time(6), end_time=time(8, 59, 59), max_uploads=2)
    late = make_slot(main, now=midnight, start_time=time(20), end_time=time(22, 59, 59), max_uploads=3)
    in_line(9, main)
    begun = []
    for hour in range(24):
        begun += slot_clock.tick(midnight + timedelta(hours=hour))
    assert [video.slot_id for video in begun] == [early.pk] * 2 + [late.pk] * 3


def test_the_queries_of_the_clock_go_through_the_indexes_made_for_them(main: Destination) -> None:
    slot = make_slot(main)
    in_line(1, main)
    asked = {
        "upload_slot_due": UploadSlot.objects.due(MORNING)[:500],
        "upload_slot_ended": UploadSlot.objects.ended(MORNING)[:200],
        "slot_video_head": SlotVideo.objects.line(slot.user_id, slot.destination_id)[:5],
        "slot_video_in_flight": SlotVideo.objects.stale(MORNING)[:5],
    }
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # A table of one row is read whole, whatever indexes it has.
            cursor.execute("SET LOCAL enable_seqscan = off")
    head = asked.pop("slot_video_head")
    assert {index: index in query.explain() for index, query in asked.items()} == dict.fromkeys(asked, True)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # Nor is one row ever sorted in vain.
            cursor.execute("SET LOCAL enable_sort = off")
    assert "slot_video_head" in head.explain()


# -------------------------------------------------------------------- the seven functions


def test_the_time_is_kolkata_s_unless_another_zone_is_asked_for() -> None:
    evening = datetime(2026, 3, 1, 20, 0, 5, tzinfo=UTC)
    assert slots.get_current_time_info(evening) == slots.TimeInfo(
        "monday", MONDAY, time(1, 30, 5), "Asia/Kolkata"
    )
    assert slots.get_current_time_info(evening, "America/New_York").day == "sunday"


def test_the_active_windows_of_a_day_come_in_the_order_of_their_starts(main: Destination) -> None:
    noon = make_slot(main, start_time=time(12), end_time=time(17, 59, 59))
    morning = make_slot(main)
    make_slot(main, start_time=time(8), is_active=False)
    make_slot(main, day="tuesday")
    bobs = make_slot(main, user=person("bob"), start_time=time(7))
    assert slots.get_active_slots_for_day("monday") == [bobs, morning, noon]
    assert slots.get_active_slots_for_day("monday", user_id=morning.user_id) == [morning, noon]
    assert slots.get_active_slots_for_day("friday") == []
    with pytest.raises(Refused, match="no day"):
        slots.get_active_slots_for_day("someday")


def test_within_a_window_is_from_its_first_second_to_its_last(main: Destination) -> None:
    slot = make_slot(main)
    starts, second = datetime(2026, 3, 2, 3, 30, tzinfo=UTC), timedelta(seconds=1)
    asked = [starts - second, starts, NOON - second, NOON, MORNING + WEEK]
    assert [slots.is_within_time_slot(slot, at) for at in asked] == [False, True, True, False, True]


def test_the_count_of_a_window_is_of_one_day_only(main: Destination) -> None:
    slot = make_slot(main, max_uploads=2)
    in_line(3, main)
    slot_clock.tick(MORNING)
    slot_clock.tick(MORNING + WEEK)
    days = [MONDAY, MONDAY + WEEK, MONDAY + 2 * WEEK, MONDAY + timedelta(days=1)]
    assert [slots.get_upload_count_for_slot(slot, day) for day in days] == [2, 1, 0, 0]


def test_the_active_window_is_the_one_that_closes_first_and_has_room(main: Destination) -> None:
    long = make_slot(main, end_time=time(18))
    short = make_slot(main)
    assert slots.find_active_slot(MORNING) is None, "nothing waits"
    in_line(3, main)
    assert slots.find_active_slot(MORNING) == short
    assert slots.find_active_slot(MORNING, user_id=person("bob").pk) is None
    SlotVideo.objects.claim(short, limit=1, now=MORNING)
    assert slots.find_active_slot(MORNING) == long
    SlotVideo.objects.claim(long, limit=1, now=MORNING)
    assert slots.find_active_slot(MORNING) is None, "both are full"


def test_the_next_video_is_the_oldest_and_is_taken_with_its_place(main: Destination) -> None:
    slot = make_slot(main, max_uploads=2)
    first, second, third = in_line(3, main)
    assert slots.find_next_video_to_upload(slot, now=MORNING, who="a script") == first
    assert (states(first, second), count_of(slot)) == (["pending", "initiate"], 1)
    assert slots.find_next_video_to_upload(slot, now=MORNING, who="a script") == second
    assert slots.find_next_video_to_upload(slot, now=MORNING, who="a script") is None, "full"
    assert slots.find_next_video_to_upload(slot, now=NOON, who="a script") is None, "closed"
    assert states(third) == ["initiate"]
    assert set(Event.objects.filter(type="taken").values_list("who", flat=True)) == {"a script"}


def test_the_next_video_of_a_blacked_out_window_is_none(main: Destination) -> None:
    slot = make_slot(main)
    waiting = in_line(1, main)
    Blackout.objects.create(name="Holi", first_on=MONDAY, last_on=MONDAY)
    assert slots.find_next_video_to_upload(slot, now=MORNING, who="a script") is None
    assert (states(*waiting), count_of(slot)) == (["initiate"], 0)


def test_what_is_stuck_for_more_than_thirty_minutes_waits_again_and_leaves_its_place(
    main: Destination,
) -> None:
    slot = make_slot(main, max_uploads=2)
    stuck, fresh = in_line(2, main)
    slots.find_next_video_to_upload(slot, now=MORNING, who="a script")
    slots.find_next_video_to_upload(slot, now=MORNING + timedelta(minutes=20), who="a script")
    assert slots.reset_stale_pending_videos(MORNING + timedelta(minutes=31)) == [stuck]
    assert (states(stuck, fresh), count_of(slot)) == (["initiate", "pending"], 1)
    assert slots.find_next_video_to_upload(slot, now=MORNING + timedelta(minutes=32), who="x") == stuck


# -------------------------------------------------------------------- the claim


def test_a_video_somebody_else_has_just_taken_is_not_taken_again_and_costs_no_place(
    main: Destination,
) -> None:
    slot = make_slot(main, max_uploads=5)
    [video] = in_line(1, main)
    seen_by_both = SlotVideo.objects.get(pk=video.pk)
    assert SlotVideo.objects.take(slot, [video], now=MORNING) == [video]
    late = UploadSlot.objects.get(pk=slot.pk)
    with pytest.raises(LostRace), transaction.atomic():
        SlotVideo.objects.take(late, [seen_by_both], now=MORNING)
    assert (states(video), count_of(slot)) == (["pending"], 1)
    assert Event.objects.filter(type="taken").count() == 1


# -------------------------------------------------------------------- by the clock


def test_the_clock_looks_every_minute_or_sooner_and_takes_back_what_is_stuck() -> None:
    duties = ticker._duties
    assert duties["weekly windows"].do is slot_clock.tick
    assert duties["weekly windows"].every_seconds <= 60
    assert duties["stale slot videos"].do is slots.reset_stale_pending_videos
    assert duties["stale slot videos"].every_seconds <= 60


def test_what_a_window_takes_is_delivered_by_the_upload_job_and_ends_success_or_failed(
    make_series: Callable[..., Series], destination: Destination, platform: Sandbox, library: Any
) -> None:
    series = make_series("Harbour", 2)
    film = Film.objects.create(title="The Lighthouse", path="lighthouse.mp4")
    (library / film.path).write_bytes((library / "harbour/01.mp4").read_bytes())
    make_slot(destination, max_uploads=3)
    added = slot_line.add_videos(
        [film, *series.episodes.all()], user=person(), destination=destination, who="olga", now=MORNING
    )
    assert added.refused == []
    (library / "harbour/02.mp4").unlink()
    slot_clock.tick(MORNING)
    while runner.drain("upload"):
        pass
    assert states(*added.rows) == ["success", "success", "failed"]
    assert sorted(video["title"] for video in platform.videos()) == ["Harbour - Episode 1", "The Lighthouse"]
    failed = SlotVideo.objects.get(status="failed")
    assert "02.mp4" in failed.error_message
    assert count_of(UploadSlot.objects.get()) == 2, "what failed left its place"
