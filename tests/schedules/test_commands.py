"""The commands of the hourly queue, as an operator types them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from jobs.errors import JobError
from jobs.events import Event
from schedules import decisions, hourly, scheduling
from schedules.upload_schedules import ScheduledUpload
from tests.schedules.test_hourly import finish
from uploader.catalog import Series
from uploader.destinations import Destination
from uploader.upload_jobs import UploadJob

MakeSeries = Callable[..., Series]


def run(*arguments: Any, **options: Any) -> list[str]:
    out = io.StringIO()
    call_command(*map(str, arguments), stdout=out, **options)
    return out.getvalue().splitlines()


def test_schedule_series_prints_the_number_alone_on_the_last_line(
    make_series: MakeSeries, destination: Destination
) -> None:
    lines = run("schedule_series", make_series("Harbour", 3).pk)
    assert lines[-1] == "3"
    assert "UTC" in lines[0], "times name their zone"


def test_schedule_series_speaks_json_to_programs(make_series: MakeSeries, destination: Destination) -> None:
    series = make_series("Harbour", 2)
    [line] = run("schedule_series", series.pk, "--destination", "main", "--json")
    found = json.loads(line)
    assert (found["series"], found["destination"], found["episodes"]) == (series.pk, "main", 2)


def test_schedule_series_lists_what_is_not_ready(
    make_series: MakeSeries, destination: Destination, library: Path
) -> None:
    series = make_series("Harbour", 2)
    (library / "harbour" / "01.mp4").unlink()
    with pytest.raises(CommandError, match=r"Not ready:\n  Episode 1 of Harbour: .*missing"):
        run("schedule_series", series.pk)


@pytest.mark.parametrize("command", ["schedule_series", "unschedule_series"])
def test_an_unknown_series_or_destination_is_a_clear_error(
    command: str, make_series: MakeSeries, destination: Destination
) -> None:
    with pytest.raises(CommandError, match="There is no series 999"):
        run(command, 999)
    with pytest.raises(CommandError, match="There is no destination “nowhere”"):
        run(command, make_series("Harbour", 1).pk, "--destination", "nowhere")


def test_unschedule_series_takes_it_off_again(make_series: MakeSeries, destination: Destination) -> None:
    series = make_series("Harbour", 2)
    run("schedule_series", series.pk)
    assert run("unschedule_series", series.pk)[-1] == "2"
    assert not ScheduledUpload.objects.exists()


def test_tick_starts_what_is_due_and_run_job_delivers_it(
    make_series: MakeSeries, destination: Destination, platform: Any
) -> None:
    [row] = scheduling.schedule_series(make_series("Harbour", 1), destination, who="olga", now=timezone.now())
    decisions.upload_now(row, who="olga", now=timezone.now())
    run("tick")
    job = UploadJob.objects.get()
    lines = run("run_job", job.pk)
    assert lines[-1] == str(job.pk)
    row.refresh_from_db()
    assert (row.status, [video["title"] for video in platform.videos()]) == (
        "completed",
        ["Harbour - Episode 1"],
    )
    with pytest.raises(CommandError, match="cannot be claimed: it is completed"):
        run("run_job", job.pk)


def test_fix_stuck_takes_back_what_a_dead_worker_left(
    make_series: MakeSeries, destination: Destination
) -> None:
    past = timezone.now() - timedelta(hours=1)
    [row] = scheduling.schedule_series(make_series("Harbour", 1), destination, who="olga", now=past)
    decisions.upload_now(row, who="olga", now=past)
    hourly.tick(past)
    UploadJob.objects.all().claim("dead#1", now=past)
    assert run("fix_stuck")[-1] == "1"
    assert UploadJob.objects.get().status == "waiting"


def test_reconcile_queues_jobs_whose_creation_was_never_confirmed(
    make_series: MakeSeries, destination: Destination
) -> None:
    now = timezone.now()
    [row] = scheduling.schedule_series(make_series("Harbour", 1), destination, who="olga", now=now)
    decisions.upload_now(row, who="olga", now=now)
    [row] = hourly.tick(now)
    UploadJob.objects.update(create_intended_at=now, max_attempts=1)
    finish(row, now=now, error=JobError("No answer"))
    assert UploadJob.objects.get().status == "failed"
    assert run("reconcile")[-1] == "1"
    assert UploadJob.objects.get().status == "waiting"


@pytest.mark.parametrize("days", [-1, 0, 99_999_999])
def test_prune_refuses_an_age_that_would_drop_everything(db: None, days: int) -> None:
    Event.objects.create(at=timezone.now(), type="status")
    with pytest.raises(CommandError, match="--days takes a whole number from 1"):
        run("prune", "--days", days)
    assert Event.objects.count() == 1


def test_prune_drops_old_rows_and_events_and_keeps_the_proof(
    make_series: MakeSeries, destination: Destination
) -> None:
    past = timezone.now() - timedelta(days=40)
    [row] = scheduling.schedule_series(make_series("Harbour", 1), destination, who="olga", now=past)
    decisions.upload_now(row, who="olga", now=past)
    finish(hourly.tick(past)[0], now=past)
    lines = run("prune", "--days", "30")
    assert "1 completed rows of the hourly queue" in lines
    assert any(line.endswith(" lines of history") for line in lines)
    assert int(lines[-1]) > 1
    assert not ScheduledUpload.objects.exists()
    assert not Event.objects.filter(at__lte=past).exists()
    assert UploadJob.objects.get().status == "completed"


def test_reconcile_goes_on_behind_an_upload_it_cannot_queue(
    make_series: MakeSeries, destination: Destination
) -> None:
    now = timezone.now()
    episodes = list(make_series("Harbour", 2).episodes.order_by("index_sequence"))
    lost = [
        UploadJob.objects.create(
            destination=destination, episode=episode, title="Lost", status="failed", create_intended_at=now
        )
        for episode in episodes
    ]
    # Another job does the same already.
    UploadJob.objects.create(destination=destination, episode=episodes[0], title="Again", not_before_at=now)
    lines = run("reconcile")
    assert lines[-1] == "1"
    assert any("another upload of the same video" in line for line in lines)
    assert [UploadJob.objects.get(pk=job.pk).status for job in lost] == ["failed", "waiting"]
