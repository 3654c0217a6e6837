"""The forecast as it is read from the rows, the dry run of a change, and the clock that then does what was promised."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs import runner
from schedules import slot_clock, slot_plans
from schedules.blackouts import Blackout
from schedules.slot_plans import Standing
from schedules.slot_videos import SlotVideo
from schedules.upload_schedules import ScheduledUpload, UploadSchedule
from schedules.upload_slots import UploadSlot
from schedules.windows import DAYS
from tests.schedules.slot_rows import MORNING, account, in_line, make_slot, person
from uploader import ledger
from uploader.catalog import Episode, Series
from uploader.destinations import Destination
from uploader.ledger import LedgerEntry, Size
from uploader.upload_jobs import UploadJob

pytestmark = pytest.mark.django_db

TUESDAY = datetime(2026, 3, 3, 3, 30, tzinfo=UTC)


@pytest.fixture
def main() -> Destination:
    return account()


def every_day(destination: Destination, **columns: object) -> list[UploadSlot]:
    return [make_slot(destination, day=day, **columns) for day in DAYS]


def times(rows: Sequence[SlotVideo], standing: Standing) -> list[datetime]:
    return [standing.forecast.placed[row.pk].at for row in rows]


# -------------------------------------------------------------------- as it stands


def test_the_forecast_reads_line_windows_and_what_was_taken(main: Destination) -> None:
    slots = every_day(main)
    slots[0].take(1, now=MORNING)
    rows = in_line(2, main)
    standing = Standing.of(main, now=MORNING)
    assert times(rows, standing) == [TUESDAY, TUESDAY + timedelta(days=1)]
    assert standing.forecast.ends == {person().pk: TUESDAY + timedelta(days=1)}


def test_a_switched_off_window_is_none_and_a_line_without_one_says_so(main: Destination) -> None:
    make_slot(main, is_active=False)
    [row] = in_line(1, main)
    assert "no window that is switched on" in Standing.of(main, now=MORNING).forecast.unplaced[row.pk]


def test_a_destination_that_is_off_held_or_paused_shows_in_the_forecast(main: Destination) -> None:
    every_day(main)
    [row] = in_line(1, main)
    main.pause(who="olga", now=MORNING, until=TUESDAY + timedelta(hours=1))
    assert times([row], Standing.of(main, now=MORNING)) == [TUESDAY + timedelta(hours=1)]
    main.pause(who="olga", now=MORNING)
    standing = Standing.of(main, now=MORNING)
    assert times([row], standing) == [MORNING]
    assert standing.forecast.notes == [
        "Main is paused without an end: these times hold if it is resumed now."
    ]
    Destination.objects.update(is_active=False)
    main.refresh_from_db()
    assert "switched off" in Standing.of(main, now=MORNING).forecast.unplaced[row.pk]


def test_a_video_the_destination_never_takes_says_why(main: Destination) -> None:
    Destination.objects.update(max_video_seconds=30)
    main.refresh_from_db()
    make_slot(main)
    [row] = in_line(1, main)
    assert Standing.of(main, now=MORNING).forecast.unplaced[row.pk] == (
        "The video lasts 1 minutes; Main takes at most 0."
    )


def test_reading_costs_the_same_however_long_the_line_is(main: Destination) -> None:
    Destination.objects.update(max_videos_per_day=5)
    main.refresh_from_db()
    every_day(main)
    in_line(3, main)
    with CaptureQueriesContext(connection) as few:
        _ = Standing.of(main, now=MORNING).forecast
    in_line(40, main, first=100)
    with CaptureQueriesContext(connection) as many:
        _ = Standing.of(main, now=MORNING).forecast
    assert len(many) == len(few) <= 8


# -------------------------------------------------------------------- what a change would do


def test_a_smaller_limit_moves_videos_and_nothing_is_saved(main: Destination) -> None:
    slots = every_day(main, max_uploads=2)
    in_line(8, main)
    slot = UploadSlot.objects.get(pk=slots[0].pk)
    slot.max_uploads = 1
    run = slot_plans.of_slot(slot, now=MORNING)
    assert run.sentence == "4 videos move."
    assert run.details == ["The line of user-123 for Main is empty on 6 March 2026 instead of 5 March 2026."]
    assert UploadSlot.objects.get(pk=slot.pk).max_uploads == 2


def test_switching_the_only_window_off_leaves_videos_without_one(main: Destination) -> None:
    slot = make_slot(main)
    in_line(1, main)
    slot.is_active = False
    assert slot_plans.of_slot(slot, now=MORNING).sentence == "One video has no window."
    assert slot_plans.of_slot(slot, now=MORNING, is_deleted=True).sentence == "One video has no window."


def test_a_new_window_shows_what_it_gains_and_what_it_overlaps(main: Destination) -> None:
    make_slot(main)
    in_line(3, main)
    new = UploadSlot(
        user=person(),
        destination=main,
        day="monday",
        start_time=time(11),
        end_time=time(13),
        slot_name="noon",
    )
    run = slot_plans.of_slot(new, now=MORNING)
    assert run.sentence == "2 videos move."
    assert run.details[-1] == (
        "It overlaps with Monday 09:00–11:59 morning → Main: "
        "each fills up to its own limit, the one that closes first in front."
    )


def test_neighbours_do_not_overlap_be_they_a_second_apart_or_meet_in_one(main: Destination) -> None:
    make_slot(main)
    for start in (time(12), time(11, 59, 59)):
        new = UploadSlot(
            user=person(), destination=main, day="monday", start_time=start, end_time=time(17, 59, 59)
        )
        assert slot_plans.of_slot(new, now=MORNING).details == []


def test_a_window_that_moves_to_another_destination_is_told_for_both(main: Destination) -> None:
    other = account("other")
    slot = make_slot(main)
    in_line(1, main)
    in_line(1, other, first=50)
    slot.destination = other
    assert (
        slot_plans.of_slot(slot, now=MORNING).sentence
        == "Main: One video has no window. Other: One video gets a window."
    )


def test_a_blackout_moves_what_was_planned_on_its_dates(main: Destination) -> None:
    every_day(main)
    in_line(3, main)
    holi = Blackout(name="Holi", first_on=date(2026, 3, 3), last_on=date(2026, 3, 4))
    run = slot_plans.of_blackout(holi, now=MORNING)
    assert run.sentence == "2 videos move."
    assert run.details == ["The line of user-123 for Main is empty on 6 March 2026 instead of 4 March 2026."]
    assert not Blackout.objects.exists()
    holi.save()
    assert slot_plans.of_blackout(holi, now=MORNING).is_quiet
    assert slot_plans.of_blackout(holi, now=MORNING, is_deleted=True).sentence == "2 videos move."
    elsewhere = Blackout(
        name="x", first_on=date(2026, 3, 2), last_on=date(2026, 3, 2), destination=account("other")
    )
    assert slot_plans.of_blackout(elsewhere, now=MORNING).sentence == "No video moves."


def test_more_videos_stand_before_a_row_or_at_the_end(main: Destination) -> None:
    every_day(main)
    rows = in_line(2, main)
    standing = Standing.of(main, now=MORNING)
    behind = standing.with_more(person().pk, [Size(), Size()])
    assert list(behind.forecast.placed) == [rows[0].pk, rows[1].pk, -1, -2]
    before = standing.with_more(person().pk, [Size()], before=rows[1].pk)
    assert list(before.forecast.placed) == [rows[0].pk, -1, rows[1].pk]
    assert str(standing.difference(before)) == "One video moves."


# -------------------------------------------------------------------- and then it is done


def test_the_forecast_is_what_the_clock_then_does() -> None:
    """Two people, windows that overlap and cross midnight, a limit that holds, a blackout: four days of passes."""
    main = account(max_videos_per_day=3)
    yours = person("yours")
    for day in DAYS[:4]:
        make_slot(main, day=day, max_uploads=2)
        make_slot(main, day=day, start_time=time(11), end_time=time(14, 59, 59), slot_name="long")
        make_slot(main, day=day, user=yours, start_time=time(22), end_time=time(1, 59, 59), max_uploads=3)
    Blackout.objects.create(name="Holi", first_on=date(2026, 3, 4), last_on=date(2026, 3, 4))
    in_line(9, main)
    in_line(5, main, user=yours, first=50)
    LedgerEntry.objects.create(destination=main, at=MORNING - timedelta(hours=21))
    main.refresh_from_db()
    promised = {
        row: place.at
        for row, place in Standing.of(main, now=MORNING).forecast.placed.items()
        if place.at < MORNING + timedelta(days=4)
    }
    assert len(promised) >= 8
    began = {}
    for number in range(4 * 24 * 12):
        now = MORNING + timedelta(minutes=5 * number)
        while begun := slot_clock.tick(now):
            for video in begun:
                began[video.pk] = now
                [job] = UploadJob.objects.filter(pk=video.job_id).claim("worker#1", now=now)
                ledger.reserve(job, ledger.size_of(video.video), now=now)
                runner.settle(job, None, now=now)
    assert began == promised


def test_what_the_hourly_queue_uploads_meanwhile_is_reckoned_with() -> None:
    main = account(max_videos_per_day=1)
    every_day(main)
    rows = in_line(1, main)
    LedgerEntry.objects.create(destination=main, at=MORNING - timedelta(hours=1))
    assert times(rows, Standing.of(main, now=MORNING)) == [TUESDAY + timedelta(minutes=30)]
    series = Series.objects.create(title="Harbour")
    episode = Episode.objects.create(series=series, index_sequence=1, path="harbour/01.mp4")
    ScheduledUpload.objects.create(
        schedule=UploadSchedule.objects.create(series=series, destination=main, position=1),
        destination=main, series=series, episode=episode, position=1,
        scheduled_at=TUESDAY + timedelta(minutes=30),
    )  # fmt: skip
    assert times(rows, Standing.of(main, now=MORNING)) == [TUESDAY + timedelta(days=1, minutes=30)]
