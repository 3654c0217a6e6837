"""The clock of the weekly windows: when it takes, how many, and what becomes of what it took."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError

from jobs.errors import Hold, JobError
from jobs.events import Event, history_of
from schedules import scheduling, slot_clock, slot_line, slots
from schedules.blackouts import Blackout
from schedules.slot_videos import SlotVideo
from schedules.upload_slots import LONG_AGO, SlotOccurrence, UploadSlot
from tests.schedules.slot_rows import (
    MORNING,
    NOON,
    WEEK,
    account,
    count_of,
    in_line,
    make_films,
    make_slot,
    person,
    states,
)
from uploader.catalog import Series
from uploader.destinations import Destination
from uploader.ledger import LedgerEntry
from uploader.upload_jobs import UploadJob

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


class Broken(JobError):
    """It is broken."""

    permanent = True


@pytest.fixture
def main(db: None) -> Destination:
    return account()


def claimed(video: SlotVideo, *, now: datetime = MORNING) -> UploadJob:
    """A worker takes the video's job."""
    video.refresh_from_db()
    [job] = UploadJob.objects.filter(pk=video.job_id).claim("worker#1", now=now)
    return job


def titles(videos: list[SlotVideo]) -> list[str]:
    return [video.video.title for video in videos]


# -------------------------------------------------------------------- limits


def test_one_upload_in_the_morning_and_one_in_the_afternoon(main: Destination) -> None:
    """The seed's sample: one between 9:00 and 11:59, one between 12:00 and 17:59, two on Monday."""
    make_slot(main)
    make_slot(main, start_time=time(12), end_time=time(17, 59, 59), slot_name="afternoon")
    waiting = in_line(4, main)
    begun = []
    at = datetime(2026, 3, 2, tzinfo=UTC)
    while at < datetime(2026, 3, 3, tzinfo=UTC):
        begun += [(video.pk, at) for video in slot_clock.tick(at)]
        at += timedelta(minutes=10)
    assert begun == [
        (waiting[0].pk, datetime(2026, 3, 2, 3, 30, tzinfo=UTC)),
        (waiting[1].pk, datetime(2026, 3, 2, 6, 30, tzinfo=UTC)),
    ]


def test_the_last_second_of_a_window_still_counts(main: Destination) -> None:
    make_slot(main)
    in_line(1, main)
    assert slots.find_active_slot(NOON - SECOND) is not None
    assert slots.find_active_slot(NOON) is None


def test_a_window_takes_up_to_its_limit_and_not_one_more(main: Destination) -> None:
    slot = make_slot(main, max_uploads=3)
    in_line(5, main)
    assert titles(slot_clock.tick(MORNING)) == ["Film 1", "Film 2", "Film 3"]
    assert slot_clock.tick(MORNING + SECOND) == []
    assert slots.get_upload_count_for_slot(slot, date(2026, 3, 2)) == 3
    assert slot_clock.tick(NOON) == [], "closed"
    assert titles(slot_clock.tick(MORNING + WEEK)) == ["Film 4", "Film 5"]


def test_large_windows_are_filled_in_several_passes(main: Destination) -> None:
    make_slot(main, max_uploads=150)
    make_slot(main, max_uploads=60, end_time=time(20))
    in_line(250, main)
    assert [len(slot_clock.tick(MORNING)) for _ in range(4)] == [100, 100, 10, 0]


def test_the_count_of_a_window_across_midnight_belongs_to_its_occurrence(main: Destination) -> None:
    late = make_slot(main, start_time=time(22), end_time=time(2), max_uploads=2)
    in_line(4, main)
    evening = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)  # 22:30 in Kolkata
    assert late.occurs_on == date(2026, 3, 2)
    first = slot_clock.tick(evening)
    assert len(first) == 2
    assert slot_clock.tick(datetime(2026, 3, 2, 19, 0, tzinfo=UTC)) == [], "00:30: the same occurrence, full"
    assert len(slot_clock.tick(evening + WEEK)) == 2


def test_the_count_survives_the_deletion_of_what_was_counted(main: Destination) -> None:
    slot = make_slot(main)
    in_line(2, main)
    [video] = slot_clock.tick(MORNING)
    SlotVideo.objects.filter(pk=video.pk).delete()
    assert slot_clock.tick(MORNING + SECOND) == []
    assert count_of(slot) == 1


def test_an_upload_that_ends_failed_gives_its_place_back(main: Destination) -> None:
    slot = make_slot(main)
    first, second = in_line(2, main)
    slot_clock.tick(MORNING)
    claimed(first).fail(Broken(), now=MORNING)
    assert (states(first), count_of(slot)) == (["failed"], 0)
    assert titles(slot_clock.tick(MORNING + SECOND)) == ["Film 2"]
    assert states(first, second) == ["failed", "pending"]


def test_a_place_is_given_back_once_and_to_the_occurrence_it_was_of(main: Destination) -> None:
    slot = make_slot(main, max_uploads=2)
    first, second, third = in_line(3, main)
    slot_clock.tick(MORNING)
    job = claimed(first)
    assert titles(slot_clock.tick(MORNING + WEEK)) == ["Film 3"]
    job.fail(Broken(), now=MORNING + WEEK)
    assert count_of(slot) == 1, "the count of the present week is untouched"
    assert slots.get_upload_count_for_slot(slot, date(2026, 3, 2)) == 1
    # A person retries the job itself and it fails again: it held no place any more.
    UploadJob.objects.get(pk=job.pk).retry(who="olga", now=MORNING + WEEK)
    claimed(first, now=MORNING + WEEK).fail(Broken(), now=MORNING + WEEK)
    assert slots.get_upload_count_for_slot(slot, date(2026, 3, 2)) == 1
    assert states(first, second, third) == ["failed", "pending", "pending"]


def test_a_window_with_nothing_to_begin_is_looked_at_once_a_minute_and_when_something_is_added(
    main: Destination, django_assert_num_queries: Any
) -> None:
    slot = make_slot(main, max_uploads=5)
    slot_clock.tick(MORNING)
    slot.refresh_from_db()
    assert slot.look_at == MORNING + timedelta(minutes=1)
    with django_assert_num_queries(4):  # a transaction's two, what is over, what is to be looked at
        slot_clock.tick(MORNING + SECOND)
    in_line(1, main)
    assert len(slot_clock.tick(MORNING + SECOND)) == 1
    Destination.objects.update(paused_at=MORNING)
    in_line(1, main, first=2)
    slot_clock.tick(MORNING + SECOND)
    Destination.objects.update(paused_at=None)
    assert slot_clock.tick(MORNING + 59 * SECOND) == []
    assert len(slot_clock.tick(MORNING + 61 * SECOND)) == 1


# -------------------------------------------------------------------- whose, and in which order


def test_a_persons_videos_fill_only_that_persons_windows(main: Destination) -> None:
    make_slot(main, user=person("ada"), max_uploads=5)
    in_line(2, main, user=person("bob"))
    assert slot_clock.tick(MORNING) == []
    in_line(1, account("other"), user=person("ada"), first=10)
    assert slot_clock.tick(MORNING) == [], "and only those of the same destination"
    in_line(1, main, user=person("ada"), first=20)
    assert titles(slot_clock.tick(MORNING)) == ["Film 20"]


def test_the_oldest_goes_first_unless_a_priority_says_otherwise(main: Destination) -> None:
    make_slot(main, max_uploads=3)
    waiting = in_line(3, main)
    slot_line.set_priority([waiting[2]], -1, who="olga", now=MORNING)
    assert titles(slot_clock.tick(MORNING)) == ["Film 3", "Film 1", "Film 2"]


def test_overlapping_windows_count_each_for_itself_and_the_first_to_close_takes_first(
    main: Destination,
) -> None:
    long = make_slot(main, end_time=time(18), max_uploads=2)
    short = make_slot(main, max_uploads=1, slot_name="short")
    in_line(5, main)
    begun = slot_clock.tick(MORNING)
    assert [(video.video.title, video.slot_id) for video in begun] == [
        ("Film 1", short.pk),
        ("Film 2", long.pk),
        ("Film 3", long.pk),
    ]
    assert slot_clock.tick(MORNING + SECOND) == []


# -------------------------------------------------------------------- what an operator changes


def test_a_raised_limit_lets_more_go_and_a_lowered_one_stops_at_what_has_begun(main: Destination) -> None:
    slot = make_slot(main, max_uploads=2)
    in_line(9, main)
    assert len(slot_clock.tick(MORNING)) == 2
    slot.max_uploads = 3
    slot.save()
    assert len(slot_clock.tick(MORNING)) == 1
    slot.max_uploads = 1
    slot.save()
    assert slot_clock.tick(MORNING) == []
    assert count_of(slot) == 3


def test_a_window_switched_off_starts_nothing_and_keeps_its_count(main: Destination) -> None:
    slot = make_slot(main, max_uploads=2)
    [first, *_] = in_line(5, main)
    SlotVideo.objects.claim(slot, limit=1, now=MORNING)
    assert slot.switch(on=False, who="olga", now=MORNING)
    assert not slot.switch(on=False, who="olga", now=MORNING)
    assert slot_clock.tick(MORNING) == []
    assert states(first) == ["pending"], "what has begun goes on"
    slot.switch(on=True, who="olga", now=MORNING)
    assert len(slot_clock.tick(MORNING)) == 1, "one place of two is left"
    assert [event.type for event in history_of(slot)] == ["switched_off", "switched_on"]


def test_other_times_on_the_same_day_keep_the_days_count(main: Destination) -> None:
    slot = make_slot(main)
    in_line(2, main)
    slot_clock.tick(MORNING)
    slot.start_time, slot.end_time = time(10), time(20)
    slot.save()
    assert slot_clock.tick(MORNING + timedelta(hours=3)) == []


def test_a_window_moved_to_another_day_and_back_finds_its_count(main: Destination) -> None:
    slot = make_slot(main)
    in_line(3, main)
    slot_clock.tick(MORNING)
    for day in ("tuesday", "monday"):
        slot.day = day
        slot.save()
        assert slot_clock.tick(MORNING + SECOND) == []
    assert count_of(slot) == 1
    assert not SlotOccurrence.objects.exists(), "a count stands in one place"


def test_saving_a_form_that_was_open_meanwhile_loses_no_count(main: Destination) -> None:
    slot = make_slot(main)
    in_line(2, main)
    in_a_form = UploadSlot.objects.get(pk=slot.pk)
    slot_clock.tick(MORNING)
    in_a_form.slot_name = "early"
    in_a_form.save()
    assert slot_clock.tick(MORNING + SECOND) == []
    assert count_of(slot) == 1


def test_a_window_that_passed_while_nothing_ran_is_not_made_up_for(main: Destination) -> None:
    slot = make_slot(main, max_uploads=2, now=MORNING - 5 * WEEK)
    in_line(20, main)
    assert len(slot_clock.tick(MORNING)) == 2, "five weeks late: this week's places and no more"
    assert count_of(slot) == 2


def test_the_row_tells_the_occurrence_in_utc(main: Destination) -> None:
    slot = make_slot(main, time_zone="Europe/Berlin", now=MORNING - WEEK)
    assert (slot.opens_at, slot.closes_at) == (
        datetime(2026, 2, 23, 8, 0, tzinfo=UTC),
        datetime(2026, 2, 23, 11, 0, tzinfo=UTC),
    )
    assert slot_clock.roll_on(slot.closes_at) == 1
    slot.refresh_from_db()
    assert slot.occurs_on == date(2026, 3, 2)
    assert slot_clock.roll_on(slot.opens_at) == 0


# -------------------------------------------------------------------- what keeps it from starting


@pytest.mark.parametrize(
    "columns",
    [
        {"is_active": False},
        {"paused_at": MORNING},
        {"held_until": NOON, "held_reason": "Quota", "held_kind": "quota"},
    ],
)
def test_nothing_starts_at_a_destination_that_may_not_be_used(
    columns: dict[str, Any], main: Destination
) -> None:
    slot = make_slot(main)
    waiting = in_line(1, main)
    Destination.objects.update(**columns)
    assert slot_clock.tick(MORNING) == []
    assert (states(*waiting), count_of(slot)) == (["initiate"], 0), "waiting is not failing"


def test_a_blackout_lets_nothing_start(main: Destination) -> None:
    slot = make_slot(main, user=person())
    elsewhere = make_slot(account("other"))
    in_line(1, main)
    in_line(1, elsewhere.destination, first=5)
    Blackout.objects.create(
        name="Holi", first_on=date(2026, 3, 2), last_on=date(2026, 3, 3), destination=main
    )
    assert titles(slot_clock.tick(MORNING)) == ["Film 5"]
    assert count_of(slot) == 0
    assert titles(slot_clock.tick(MORNING + WEEK)) == ["Film 1"]


def test_a_blackout_from_midnight_on_ends_a_window_that_crosses_it(main: Destination) -> None:
    make_slot(main, start_time=time(22), end_time=time(2))
    in_line(1, main)
    Blackout.objects.create(name="Holi", first_on=date(2026, 3, 3), last_on=date(2026, 3, 3))
    midnight = datetime(2026, 3, 2, 18, 30, tzinfo=UTC)
    assert slots.find_active_slot(midnight) is None
    assert slots.find_active_slot(midnight - SECOND) is not None


def test_no_more_is_taken_than_the_days_quota_lets_and_the_rest_waits() -> None:
    main = account(max_videos_per_day=3)
    slot = make_slot(main, max_uploads=5)
    waiting = in_line(5, main)
    LedgerEntry.objects.create(destination=main, at=MORNING - timedelta(hours=20))
    assert len(slot_clock.tick(MORNING)) == 2
    assert slot_clock.tick(MORNING + SECOND) == [], "what waits for a worker counts as well"
    assert states(*waiting) == ["pending", "pending", "initiate", "initiate", "initiate"]
    assert count_of(slot) == 2
    main.refresh_from_db()
    assert main.held_until is None
    LedgerEntry.objects.bulk_create(LedgerEntry(destination=main, at=MORNING) for _ in range(2))
    UploadJob.objects.update(status="completed")
    assert slot_clock.tick(MORNING + timedelta(minutes=2)) == []
    main.refresh_from_db()
    assert main.held_until == MORNING + timedelta(hours=4), "until the oldest leaves the day"
    assert len(slot_clock.tick(main.held_until)) == 0, "by then the window is closed"


def test_a_video_over_the_quota_alone_fails_and_leaves_its_place_to_the_next(main: Destination) -> None:
    Destination.objects.update(max_seconds_per_day=30)
    make_slot(main)
    in_line(2, main)
    assert titles(slot_clock.tick(MORNING)) == ["Film 1"], "its job says why it never fits"


def test_windows_that_wait_for_an_allowance_keep_no_others_from_theirs(
    main: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot_clock, "WINDOWS_AT_ONCE", 2)
    full = account("full", max_videos_per_day=1)
    [film] = make_films(1, first=5)
    UploadJob.objects.create(destination=full, film=film, title="On its way", not_before_at=MORNING)
    for number in range(3):
        user = person(f"user-{number}")
        make_slot(full, user=user)
        in_line(1, full, user=user, first=10 + number)
    make_slot(main, end_time=time(18))
    in_line(1, main)
    begun = [video for _ in range(4) for video in slot_clock.tick(MORNING)]
    assert titles(begun) == ["Film 1"], "theirs close first, and nothing fits"
    later = MORNING + timedelta(minutes=2)
    UploadJob.objects.filter(title="On its way").update(status="cancelled")
    assert len(slot_clock.tick(later)) == 1, "they are looked at again, and one fits"


def test_a_window_that_makes_no_sense_any_more_is_switched_off_and_the_others_go_on(
    main: Destination,
) -> None:
    lost, slot = make_slot(main, user=person("ada")), make_slot(main)
    in_line(1, main)
    # As after an update of the time zones' own tables.
    UploadSlot.objects.filter(pk=lost.pk).update(time_zone="Mars/Olympus", closes_at=LONG_AGO)
    assert [video.slot_id for video in slot_clock.tick(MORNING)] == [slot.pk]
    lost.refresh_from_db()
    assert not lost.is_active
    [event] = history_of(lost)
    assert (event.type, event.who) == ("switched_off", "clock")
    assert event.why.startswith("There is no time zone “Mars/Olympus”.")


# -------------------------------------------------------------------- the job and the video


def test_the_states_of_the_requirement_follow_the_upload_job(main: Destination) -> None:
    make_slot(main)
    [video] = in_line(1, main)
    assert states(video) == ["initiate"]
    slot_clock.tick(MORNING)
    assert states(video) == ["pending"]
    job = claimed(video)
    assert states(video) == ["uploading"]
    job.complete(now=MORNING)
    assert states(video) == ["success"]
    assert [(event.old, event.new) for event in history_of(video)] == [
        ("", "initiate"),
        ("initiate", "pending"),
        ("pending", "uploading"),
        ("uploading", "success"),
    ]


def test_a_failed_upload_ends_failed_with_its_cause(main: Destination) -> None:
    make_slot(main)
    [video] = in_line(1, main)
    slot_clock.tick(MORNING)
    claimed(video).fail(Broken("The file is no video"), now=MORNING)
    video.refresh_from_db()
    assert (video.status, video.error_message) == ("failed", "The file is no video")


def test_an_attempt_that_failed_or_was_held_keeps_the_place(main: Destination) -> None:
    slot = make_slot(main)
    [video] = in_line(1, main)
    slot_clock.tick(MORNING)
    claimed(video).try_again(JobError("No connection"), now=MORNING)
    assert (states(video), count_of(slot)) == (["pending"], 1)
    later = MORNING + timedelta(minutes=5)
    claimed(video, now=later).hold(Hold("Quota"), now=later, until=NOON)
    assert (states(video), count_of(slot)) == (["pending"], 1)
    assert slot_clock.tick(later) == []


def test_a_cancelled_upload_ends_failed_and_gives_its_place_back(main: Destination) -> None:
    slot = make_slot(main)
    [video] = in_line(1, main)
    slot_clock.tick(MORNING)
    slot_line.cancel(video, who="olga", now=MORNING)
    video.refresh_from_db()
    assert (video.status, video.error_kind, count_of(slot)) == ("failed", "cancelled", 0)


def test_an_upload_that_was_retried_by_hand_is_followed_and_counts_to_no_window(main: Destination) -> None:
    slot = make_slot(main)
    [video] = in_line(1, main)
    slot_clock.tick(MORNING)
    job = claimed(video)
    job.fail(Broken(), now=MORNING)
    job.retry(who="olga", now=MORNING)
    video.refresh_from_db()
    assert (video.status, video.slot_id, count_of(slot)) == ("pending", None, 0)
    claimed(video).complete(now=MORNING)
    assert states(video) == ["success"]


def test_a_failed_video_that_is_retried_takes_its_own_job_up_again(main: Destination) -> None:
    make_slot(main)
    [video] = in_line(1, main)
    slot_clock.tick(MORNING)
    job = claimed(video)
    job.fail(Broken(), now=MORNING)
    video.refresh_from_db()
    slot_line.retry(video, who="olga", now=MORNING)
    assert states(video) == ["initiate"]
    assert titles(slot_clock.tick(MORNING)) == ["Film 1"]
    assert UploadJob.objects.get().status == "waiting"


def test_open_pages_hear_of_every_change(main: Destination) -> None:
    make_slot(main)
    in_line(1, main)
    before = Event.objects.filter(type="slots_changed").count()
    slot_clock.tick(MORNING)
    told = Event.objects.filter(topic="queue", type="slots_changed")
    assert told.count() == before + 1
    assert told.last().data == {"destination": "main"}


# -------------------------------------------------------------------- never twice


def test_a_video_that_was_delivered_by_another_way_meanwhile_is_not_sent_again(main: Destination) -> None:
    slot = make_slot(main)
    first, _ = in_line(2, main)
    UploadJob.objects.create(destination=main, film=first.film, title="By hand", status="completed")
    assert slot_clock.tick(MORNING) == []
    assert (states(first), count_of(slot)) == (["success"], 0)
    assert titles(slot_clock.tick(MORNING)) == ["Film 2"], "its place goes to the next one"


def test_an_upload_under_way_is_joined_not_doubled(main: Destination) -> None:
    make_slot(main)
    [video] = in_line(1, main)
    job = UploadJob.objects.create(destination=main, film=video.film, title="By hand", not_before_at=MORNING)
    UploadJob.objects.claim("worker#1", now=MORNING)
    slot_clock.tick(MORNING)
    video.refresh_from_db()
    assert (video.job_id, video.status) == (job.pk, "uploading")
    assert UploadJob.objects.count() == 1


def test_a_job_that_may_have_left_the_video_on_the_platform_is_taken_up(main: Destination) -> None:
    make_slot(main)
    [video] = in_line(1, main)
    job = UploadJob.objects.create(
        destination=main, film=video.film, title="x", status="failed", create_intended_at=MORNING
    )
    slot_clock.tick(MORNING)
    video.refresh_from_db()
    assert video.job_id == job.pk
    assert UploadJob.objects.get().status == "waiting"


def test_of_the_hourly_queue_and_a_line_an_episode_is_in_one(
    make_series: Callable[..., Series], destination: Destination
) -> None:
    harbour, train = make_series("Harbour", 2), make_series("Train", 2)
    scheduling.schedule_series(harbour, destination, who="olga", now=MORNING)
    rows, refused = slot_line.add_videos(
        [*harbour.episodes.all(), *train.episodes.all()], user=person(), destination=destination,
        who="olga", now=MORNING,
    )  # fmt: skip
    assert [row.episode.series.title for row in rows if row.episode] == ["Train", "Train"]
    assert {why for _, why in refused} == {
        "It stands in the hourly queue of Main. Take its series out of it first."
    }
    with pytest.raises(scheduling.AlreadyScheduled):
        scheduling.schedule_series(train, destination, who="olga", now=MORNING)


def test_the_table_itself_refuses_a_video_twice_at_a_destination(main: Destination) -> None:
    [video] = in_line(1, main)
    with pytest.raises(IntegrityError):
        SlotVideo.objects.create(
            user=person("bob"), destination=main, film=video.film, position=1, status="initiate"
        )


# -------------------------------------------------------------------- recovery


def test_a_video_stuck_at_pending_for_more_than_thirty_minutes_goes_back_to_the_line(
    main: Destination,
) -> None:
    slot = make_slot(main)
    [video] = in_line(1, main)
    assert slots.find_next_video_to_upload(slot, now=MORNING, who="a script") == video
    assert slots.reset_stale_pending_videos(MORNING + timedelta(minutes=30)) == []
    assert slots.reset_stale_pending_videos(MORNING + timedelta(minutes=30, seconds=1)) == [video]
    assert (states(video), count_of(slot)) == (["initiate"], 0)


def test_a_slow_upload_that_lives_is_never_reset(main: Destination) -> None:
    make_slot(main)
    [video] = in_line(1, main)
    slot_clock.tick(MORNING)
    assert slots.reset_stale_pending_videos(MORNING + timedelta(days=1)) == [], "its job waits for a worker"
    claimed(video)
    assert slots.reset_stale_pending_videos(MORNING + timedelta(days=1)) == [], "its lease is recovery's"
    assert states(video) == ["uploading"]


def test_a_dead_worker_is_found_by_its_lease_and_the_video_keeps_its_place(main: Destination) -> None:
    slot = make_slot(main)
    [video] = in_line(1, main)
    slot_clock.tick(MORNING)
    claimed(video).rescue(now=MORNING + timedelta(minutes=2))
    assert (states(video), count_of(slot)) == (["pending"], 1)


@pytest.mark.parametrize(("ended", "becomes"), [("completed", "success"), ("failed", "failed")])
def test_a_video_that_did_not_hear_of_its_jobs_end_follows_it(
    ended: str, becomes: str, main: Destination
) -> None:
    make_slot(main)
    [video] = in_line(1, main)
    slot_clock.tick(MORNING)
    UploadJob.objects.update(status=ended)
    slots.reset_stale_pending_videos(NOON)
    assert states(video) == [becomes]


# -------------------------------------------------------------------- for cron users


def test_the_windows_are_looked_at_by_every_tick(main: Destination, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.management.commands.tick.timezone.now", lambda: MORNING)
    make_slot(main)
    [video] = in_line(1, main)
    call_command("tick")
    assert states(video) == ["pending"]
