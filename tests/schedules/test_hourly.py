"""The hourly queue of seed 000: order, pace, retries, skips, resume, removal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import ErrorKind, Hold, JobError
from jobs.events import Event
from schedules import decisions, hourly, refusals, scheduling
from schedules.upload_schedules import HourlyQueue, OnFailure, ScheduledUpload, Status, UploadSchedule
from tests.conftest import NOW, make_destination
from uploader.catalog import Episode, Series
from uploader.destinations import Destination
from uploader.ledger import LedgerEntry
from uploader.upload_jobs import UploadJob

HOUR = timedelta(hours=1)
ELEVEN = NOW.replace(hour=11, minute=0)
MakeSeries = Callable[..., Series]


def times(series: Series) -> list[datetime | None]:
    return list(series.scheduled_uploads.order_by("position").values_list("scheduled_at", flat=True))


def statuses(series: Series) -> list[str]:
    return list(series.scheduled_uploads.order_by("position").values_list("status", flat=True))


def schedule(series: Series, destination: Destination, **more: Any) -> list[ScheduledUpload]:
    return scheduling.schedule_series(series, destination, who="olga", now=NOW, **more)


def finish(row: ScheduledUpload, *, now: datetime, error: JobError | None = None) -> None:
    """What the worker does with the row's job, without a platform."""
    from jobs import runner

    [job] = UploadJob.objects.filter(pk=row.job_id).claim("worker#1", now=now)
    runner.settle(job, error, now=now)
    row.refresh_from_db()


def start_one(now: datetime) -> ScheduledUpload:
    [row] = hourly.tick(now)
    return row


# -------------------------------------------------------------------- adding


def test_one_episode_an_hour_from_the_next_full_hour_on(
    make_series: MakeSeries, destination: Destination
) -> None:
    harbour = make_series("Harbour", 3)
    schedule(harbour, destination)
    assert times(harbour) == [ELEVEN, ELEVEN + HOUR, ELEVEN + 2 * HOUR]
    assert statuses(harbour) == ["pending"] * 3


def test_the_second_series_follows_the_first(make_series: MakeSeries, destination: Destination) -> None:
    harbour, train = make_series("Harbour", 2), make_series("Train", 2)
    schedule(harbour, destination)
    schedule(train, destination)
    assert times(train) == [ELEVEN + 2 * HOUR, ELEVEN + 3 * HOUR]


def test_destinations_have_lines_side_by_side(
    make_series: MakeSeries, destination: Destination, platform: Any
) -> None:
    other = make_destination(platform, "other", interval_seconds=600)
    harbour = make_series("Harbour", 2)
    schedule(harbour, destination)
    schedule(harbour, other)
    mine = ScheduledUpload.objects.filter(destination=other).order_by("position")
    assert [row.scheduled_at for row in mine] == [NOW, NOW + HOUR / 6]
    assert len(hourly.tick(ELEVEN)) == 2


def test_a_series_with_a_missing_episode_is_refused_with_the_list(
    make_series: MakeSeries, destination: Destination, library: Path
) -> None:
    harbour = make_series("Harbour", 3)
    (library / "harbour" / "02.mp4").unlink()
    with pytest.raises(refusals.NotAllReady, match=r"Episode 2.*missing") as refused:
        schedule(harbour, destination)
    assert [episode.index_sequence for episode, _ in refused.value.missing] == [2]
    assert not ScheduledUpload.objects.exists()


def test_a_series_without_episodes_is_refused(destination: Destination) -> None:
    with pytest.raises(refusals.NoEpisodes, match="no episodes yet"):
        schedule(Series.objects.create(title="Empty"), destination)


def test_the_same_series_twice_is_refused(make_series: MakeSeries, destination: Destination) -> None:
    harbour = make_series("Harbour", 2)
    schedule(harbour, destination)
    with pytest.raises(refusals.AlreadyScheduled):
        schedule(harbour, destination)
    assert ScheduledUpload.objects.count() == 2


def test_an_episode_added_later_can_be_scheduled_later(
    make_series: MakeSeries, destination: Destination
) -> None:
    harbour = make_series("Harbour", 2)
    schedule(harbour, destination)
    Episode.objects.create(series=harbour, index_sequence=3, path="harbour/02.mp4")
    [row] = schedule(harbour, destination)
    assert (row.episode.index_sequence, row.scheduled_at) == (3, ELEVEN + 2 * HOUR)


def test_what_was_delivered_once_is_never_scheduled_again(
    make_series: MakeSeries, destination: Destination
) -> None:
    harbour = make_series("Harbour", 1)
    schedule(harbour, destination)
    finish(start_one(ELEVEN), now=ELEVEN)
    assert hourly.archive(ELEVEN + timedelta(days=31)) == 1
    assert not UploadSchedule.objects.exists()
    with pytest.raises(refusals.AlreadyScheduled):
        schedule(harbour, destination)


def test_live_clients_hear_that_a_series_was_scheduled(
    make_series: MakeSeries, destination: Destination
) -> None:
    schedule(make_series("Harbour", 2), destination)
    event = Event.objects.get(topic="uploads", type="upload_scheduled")
    assert event.data == {"seriesTitle": "Harbour", "episodesScheduled": 2}


# -------------------------------------------------------------------- the tick


def test_nothing_starts_before_its_hour(make_series: MakeSeries, destination: Destination) -> None:
    schedule(make_series("Harbour", 1), destination)
    assert hourly.tick(ELEVEN - timedelta(milliseconds=1)) == []
    assert start_one(ELEVEN).status == Status.UPLOADING


def test_one_at_a_time_and_strictly_in_order(make_series: MakeSeries, destination: Destination) -> None:
    harbour, train = make_series("Harbour", 2), make_series("Train", 1)
    schedule(harbour, destination)
    schedule(train, destination)
    now, order = ELEVEN, []
    for _ in range(3):
        row = start_one(now)
        assert hourly.tick(now + 10 * HOUR) == [], "nothing else starts while one is uploading"
        finish(row, now=now)
        order.append(str(row.episode))
        now += HOUR
    assert order == ["Harbour – Episode 1", "Harbour – Episode 2", "Train – Episode 1"]


def test_title_and_description_come_from_the_series(
    make_series: MakeSeries, destination: Destination
) -> None:
    schedule(make_series("Harbour", 1, intro="Boats come and go."), destination)
    job = start_one(ELEVEN).job
    assert job is not None
    assert (job.title, job.description) == ("Harbour - Episode 1", "Boats come and go.")


def test_five_hours_of_standstill_move_the_plan_and_cause_no_burst(
    make_series: MakeSeries, destination: Destination
) -> None:
    harbour = make_series("Harbour", 6)
    schedule(harbour, destination)
    back = ELEVEN + 5 * HOUR + timedelta(minutes=20)
    starts = []
    now = back
    while len(starts) < 6:
        for row in hourly.tick(now):
            starts.append(now)
            finish(row, now=now)
        now += timedelta(minutes=1)
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert starts[0] == back
    assert gaps == [HOUR] * 5
    queue = HourlyQueue.objects.get()
    assert queue.shifted_at == back
    assert "5 h 20 min" in queue.shifted_why


def test_an_upload_longer_than_the_interval_moves_the_next_one(
    make_series: MakeSeries, destination: Destination
) -> None:
    harbour = make_series("Harbour", 3)
    schedule(harbour, destination)
    first = start_one(ELEVEN)
    finish(first, now=ELEVEN + 2 * HOUR)
    second_at = ELEVEN + 2 * HOUR + timedelta(seconds=1)
    start_one(second_at)
    assert times(harbour)[2] == second_at + HOUR


def test_a_paused_destination_starts_nothing_and_bursts_nothing_when_resumed(
    make_series: MakeSeries, destination: Destination
) -> None:
    schedule(make_series("Harbour", 4), destination)
    destination.pause(who="olga", now=NOW, why="Maintenance")
    assert hourly.tick(ELEVEN + 3 * HOUR) == []
    destination.resume(who="olga", now=ELEVEN + 3 * HOUR)
    finish(start_one(ELEVEN + 3 * HOUR), now=ELEVEN + 3 * HOUR)
    assert hourly.tick(ELEVEN + 3 * HOUR + timedelta(minutes=59)) == []


def test_a_destination_paused_until_a_time_resumes_by_itself(
    make_series: MakeSeries, destination: Destination
) -> None:
    schedule(make_series("Harbour", 1), destination)
    destination.pause(who="olga", now=NOW, until=ELEVEN + HOUR)
    assert hourly.tick(ELEVEN + HOUR - timedelta(seconds=1)) == []
    assert start_one(ELEVEN + HOUR)


def test_a_reached_quota_holds_the_destination_before_anything_starts(
    make_series: MakeSeries, destination: Destination
) -> None:
    schedule(make_series("Harbour", 1), destination)
    for number in range(15):
        LedgerEntry.objects.create(destination=destination, at=NOW - HOUR - timedelta(minutes=number))
    assert hourly.tick(ELEVEN) == []
    destination.refresh_from_db()
    assert destination.held_kind == ErrorKind.QUOTA
    free = NOW - HOUR - timedelta(minutes=14) + timedelta(hours=24)
    assert destination.held_until == free
    row = start_one(free)
    assert row.retry_count == 0


# -------------------------------------------------------------------- failures


def test_three_failures_skip_the_episode_and_the_next_one_goes_on(
    make_series: MakeSeries, destination: Destination
) -> None:
    harbour = make_series("Harbour", 2)
    schedule(harbour, destination)
    row = start_one(ELEVEN)
    now = ELEVEN
    for failures in (1, 2):
        finish(row, now=now, error=JobError("The line broke"))
        assert (row.status, row.retry_count) == (Status.FAILED, failures)
        assert hourly.tick(now) == [], "a waiting retry holds up the line"
        job = row.job
        assert job is not None
        job.refresh_from_db()
        now = job.not_before_at
    finish(row, now=now, error=JobError("The line broke"))
    assert (row.status, row.retry_count, row.error_message) == (Status.SKIPPED, 3, "The line broke")
    assert start_one(ELEVEN + HOUR).episode.index_sequence == 2


def test_a_corrupt_or_missing_file_is_skipped_at_once(
    make_series: MakeSeries, destination: Destination
) -> None:
    class Missing(JobError):
        kind = ErrorKind.REJECTED
        permanent = True

    schedule(make_series("Harbour", 1), destination)
    row = start_one(ELEVEN)
    finish(row, now=ELEVEN, error=Missing("File missing"))
    assert (row.status, row.error_kind) == (Status.SKIPPED, "rejected")


def test_a_hold_uses_no_attempt(make_series: MakeSeries, destination: Destination) -> None:
    schedule(make_series("Harbour", 1), destination)
    row = start_one(ELEVEN)
    finish(row, now=ELEVEN, error=Hold("Wait", delay_seconds=60))
    assert (row.status, row.retry_count, row.is_in_flight) == (Status.PENDING, 0, True)
    finish(row, now=ELEVEN + timedelta(seconds=60))
    assert row.status == Status.COMPLETED


def test_with_the_hold_policy_a_failed_episode_pauses_its_series(
    make_series: MakeSeries, destination: Destination
) -> None:
    harbour, train = make_series("Harbour", 2), make_series("Train", 1)
    schedule(harbour, destination, on_failure=OnFailure.HOLD)
    schedule(train, destination)
    row = start_one(ELEVEN)

    class Broken(JobError):
        permanent = True

    finish(row, now=ELEVEN, error=Broken("It is broken"))
    paused = UploadSchedule.objects.get(series=harbour)
    assert paused.is_paused
    assert "It is broken" in paused.paused_reason
    assert start_one(ELEVEN + HOUR).episode.series == train


def test_the_four_events_carry_the_fields_of_the_requirement(
    make_series: MakeSeries, destination: Destination
) -> None:
    harbour = make_series("Harbour", 1)
    schedule(harbour, destination)
    row = start_one(ELEVEN)
    finish(row, now=ELEVEN, error=JobError("The line broke"))
    finish(row, now=ELEVEN + HOUR)
    common = {
        "episodeId": row.episode_id,
        "seriesId": harbour.pk,
        "seriesTitle": "Harbour",
        "episodeIndex": 1,
    }
    sent = {event.type: event.data for event in Event.objects.filter(topic="uploads")}
    assert sent["upload_error"] == {**common, "error": "The line broke"}
    assert sent["upload_complete"] == common


# -------------------------------------------------------------------- a person's decisions


def test_removal_takes_pending_and_failed_and_keeps_completed(
    make_series: MakeSeries, destination: Destination
) -> None:
    harbour, train = make_series("Harbour", 4), make_series("Train", 1)
    schedule(harbour, destination)
    schedule(train, destination)
    finish(start_one(ELEVEN), now=ELEVEN)
    failing = start_one(ELEVEN + HOUR)
    finish(failing, now=ELEVEN + HOUR, error=JobError("The line broke"))
    assert scheduling.unschedule_series(harbour, who="olga", now=ELEVEN + HOUR) == 3
    assert statuses(harbour) == ["completed"]
    assert UploadJob.objects.get(pk=failing.job_id).status == "cancelled"
    assert times(train) == [ELEVEN + 2 * HOUR]


def test_removal_lets_a_running_upload_finish(make_series: MakeSeries, destination: Destination) -> None:
    harbour = make_series("Harbour", 2)
    schedule(harbour, destination)
    row = start_one(ELEVEN)
    [job] = UploadJob.objects.filter(pk=row.job_id).claim("worker#1", now=ELEVEN)
    assert scheduling.unschedule_series(harbour, who="olga", now=ELEVEN) == 1
    assert statuses(harbour) == ["uploading"]
    job.complete(now=ELEVEN)
    assert statuses(harbour) == ["completed"]


def test_waiting_series_can_be_reordered(make_series: MakeSeries, destination: Destination) -> None:
    first, second = make_series("Harbour", 2), make_series("Train", 2)
    schedule(first, destination)
    schedule(second, destination)
    ids = [UploadSchedule.objects.get(series=series).pk for series in (second, first)]
    decisions.reorder(destination, ids, who="olga", now=NOW)
    assert times(second) == [ELEVEN, ELEVEN + HOUR]
    assert times(first) == [ELEVEN + 2 * HOUR, ELEVEN + 3 * HOUR]


def test_reordering_an_outdated_line_is_refused(make_series: MakeSeries, destination: Destination) -> None:
    schedule(make_series("Harbour", 1), destination)
    with pytest.raises(refusals.Refused, match="changed meanwhile"):
        decisions.reorder(destination, [], who="olga", now=NOW)


def test_a_paused_series_steps_aside_and_comes_back(
    make_series: MakeSeries, destination: Destination
) -> None:
    first, second = make_series("Harbour", 2), make_series("Train", 1)
    schedule(first, destination)
    schedule(second, destination)
    paused = UploadSchedule.objects.get(series=first)
    decisions.pause_series(paused, who="olga", now=NOW)
    assert times(first) == [None, None]
    assert times(second) == [ELEVEN]
    decisions.resume_series(UploadSchedule.objects.get(pk=paused.pk), who="olga", now=NOW)
    assert times(first) == [ELEVEN, ELEVEN + HOUR]
    assert times(second) == [ELEVEN + 2 * HOUR]


def test_upload_now_goes_first_and_leaves_the_rhythm_alone(
    make_series: MakeSeries, destination: Destination
) -> None:
    harbour = make_series("Harbour", 3)
    rows = schedule(harbour, destination)
    decisions.upload_now(rows[2], who="olga", now=NOW)
    started = start_one(NOW)
    assert started.episode.index_sequence == 3
    finish(started, now=NOW)
    assert times(harbour)[:2] == [ELEVEN, ELEVEN + HOUR]
    assert start_one(ELEVEN).episode.index_sequence == 1


def test_upload_now_waits_for_the_running_upload(make_series: MakeSeries, destination: Destination) -> None:
    rows = schedule(make_series("Harbour", 3), destination)
    running = start_one(ELEVEN)
    decisions.upload_now(rows[2], who="olga", now=ELEVEN)
    assert hourly.tick(ELEVEN) == []
    finish(running, now=ELEVEN)
    assert start_one(ELEVEN).episode.index_sequence == 3


def test_a_skipped_episode_is_retried_with_the_same_job(
    make_series: MakeSeries, destination: Destination
) -> None:
    class Broken(JobError):
        permanent = True

    schedule(make_series("Harbour", 1), destination)
    row = start_one(ELEVEN)
    finish(row, now=ELEVEN, error=Broken("It is broken"))
    decisions.retry(row, who="olga", now=ELEVEN)
    again = start_one(ELEVEN)
    assert (again.pk, again.job_id, again.retry_count) == (row.pk, row.job_id, 0)
    finish(again, now=ELEVEN)
    assert again.status == Status.COMPLETED


def test_a_failed_episode_is_retried_at_once(make_series: MakeSeries, destination: Destination) -> None:
    schedule(make_series("Harbour", 1), destination)
    row = start_one(ELEVEN)
    finish(row, now=ELEVEN, error=JobError("The line broke"))
    decisions.retry(row, who="olga", now=ELEVEN)
    finish(row, now=ELEVEN)
    assert row.status == Status.COMPLETED


def test_only_failed_or_skipped_episodes_are_retried(
    make_series: MakeSeries, destination: Destination
) -> None:
    [row] = schedule(make_series("Harbour", 1), destination)
    with pytest.raises(refusals.Refused, match="only failed or skipped"):
        decisions.retry(row, who="olga", now=NOW)


def test_cancelling_the_upload_ends_it_as_skipped(make_series: MakeSeries, destination: Destination) -> None:
    schedule(make_series("Harbour", 1), destination)
    row = start_one(ELEVEN)
    decisions.cancel_upload(row, who="olga", now=ELEVEN)
    row.refresh_from_db()
    assert (row.status, row.error_kind, row.retry_count) == (Status.SKIPPED, "cancelled", 0)


# -------------------------------------------------------------------- troubleshooting


def test_an_upload_stuck_at_uploading_is_reset_after_thirty_minutes(
    make_series: MakeSeries, destination: Destination
) -> None:
    schedule(make_series("Harbour", 1), destination)
    row = start_one(ELEVEN)
    ScheduledUpload.objects.filter(pk=row.pk).update(job=None)
    assert hourly.reset_stuck(ELEVEN + timedelta(minutes=29)) == []
    [reset] = hourly.reset_stuck(ELEVEN + timedelta(minutes=31))
    reset.refresh_from_db()
    assert reset.status == Status.PENDING
    assert start_one(ELEVEN + timedelta(minutes=31)).pk == row.pk


def test_a_slow_but_living_upload_is_not_reset(make_series: MakeSeries, destination: Destination) -> None:
    schedule(make_series("Harbour", 1), destination)
    row = start_one(ELEVEN)
    UploadJob.objects.filter(pk=row.job_id).claim("worker#1", now=ELEVEN)
    assert hourly.reset_stuck(ELEVEN + timedelta(hours=3)) == []


def test_completed_rows_older_than_thirty_days_are_archived(
    make_series: MakeSeries, destination: Destination
) -> None:
    schedule(make_series("Harbour", 2), destination)
    finish(start_one(ELEVEN), now=ELEVEN)
    assert hourly.archive(ELEVEN + timedelta(days=30)) == 0
    assert hourly.archive(ELEVEN + timedelta(days=30, seconds=1)) == 1
    assert UploadJob.objects.filter(status="completed").count() == 1


def test_the_queries_of_the_requirement_work_as_written(
    make_series: MakeSeries, destination: Destination
) -> None:
    from django.db import connection

    schedule(make_series("Harbour", 2), destination)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.id, e.title, e.path, e.index_sequence FROM episodes e "
            "JOIN upload_schedule us ON e.id = us.episode_id WHERE us.status = 'pending'"
        )
        assert [row[3] for row in cursor.fetchall()] == [1, 2]
        cursor.execute(
            "SELECT * FROM upload_schedule WHERE status = 'pending' AND scheduled_at <= %s ORDER BY scheduled_at",
            [ELEVEN],
        )
        assert len(cursor.fetchall()) == 1


def test_an_episode_that_no_day_could_hold_does_not_hold_up_the_line(
    make_series: MakeSeries, destination: Destination
) -> None:
    schedule(make_series("Harbour", 1), destination)
    Destination.objects.update(max_seconds_per_day=600)
    Episode.objects.update(duration_seconds=601)
    LedgerEntry.objects.create(destination=destination, at=NOW - HOUR, duration_seconds=1)
    assert start_one(ELEVEN), "its job is refused with the reason"


def test_an_episode_delivered_by_another_way_meanwhile_is_not_delivered_again(
    make_series: MakeSeries, destination: Destination
) -> None:
    harbour = make_series("Harbour", 2)
    schedule(harbour, destination)
    started = start_one(ELEVEN)
    UploadJob.objects.get(pk=started.job_id).cancel(who="olga", now=ELEVEN)
    ScheduledUpload.objects.all().delete()
    schedule(harbour, destination)
    # Its former job, which stands in no line any more, is retried by hand and delivers the video.
    job = UploadJob.objects.get()
    job.retry(who="olga", now=ELEVEN)
    [claimed] = UploadJob.objects.claim("worker#1", now=ELEVEN)
    claimed.save_progress(now=ELEVEN, remote_id="x1")
    claimed.complete(now=ELEVEN)

    assert hourly.tick(ELEVEN + HOUR) == []
    row = ScheduledUpload.objects.get(position=1)
    assert (row.status, row.dailymotion_video_id, row.job_id) == (Status.COMPLETED, "x1", job.pk)
    assert UploadJob.objects.count() == 1
    assert start_one(ELEVEN + 2 * HOUR).episode.index_sequence == 2


def test_a_reset_that_breaks_off_half_way_is_done_by_the_next(
    make_series: MakeSeries, destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule(make_series("Harbour", 1), destination)
    row = start_one(ELEVEN)
    ScheduledUpload.objects.filter(pk=row.pk).update(job=None)
    later = ELEVEN + timedelta(minutes=31)

    def broken(*args: Any, **more: Any) -> None:
        raise RuntimeError("the process died here")

    with monkeypatch.context() as patch:
        patch.setattr(hourly, "retry", broken)
        with pytest.raises(RuntimeError):
            hourly.reset_stuck(later)
    assert [found.pk for found in hourly.reset_stuck(later)] == [row.pk]


def test_a_series_of_a_thousand_episodes_is_removed_with_few_questions(
    make_series: MakeSeries, destination: Destination, django_assert_max_num_queries: Any
) -> None:
    harbour = make_series("Harbour", 40)
    schedule(harbour, destination)
    with django_assert_max_num_queries(25):
        assert scheduling.unschedule_series(harbour, who="olga", now=NOW) == 40


def test_a_whole_line_moves_with_few_questions(
    make_series: MakeSeries, destination: Destination, django_assert_max_num_queries: Any
) -> None:
    first, second = make_series("Harbour", 40), make_series("Train", 40)
    schedule(first, destination)
    schedule(second, destination)
    line = UploadSchedule.objects.get(series=first)
    with django_assert_max_num_queries(25) as asked:
        decisions.pause_series(line, who="olga", now=NOW)
    assert times(second) == [ELEVEN + HOUR * number for number in range(40)]
    assert times(first) == [None] * 40
    assert not any("CASE" in query["sql"] for query in asked.captured_queries), "one UPDATE for all alike"
    decisions.resume_series(line, who="olga", now=NOW)
    assert times(first) + times(second) == [ELEVEN + HOUR * number for number in range(80)]
