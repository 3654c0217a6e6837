"""Several clocks, claims and people after the same windows at the same moment, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db.models import Sum

from jobs.errors import JobError
from jobs.events import Event
from schedules import slot_clock, slot_line, slots
from schedules.refusals import Refused
from schedules.slot_videos import SlotVideo
from schedules.upload_slots import UploadSlot
from tests.schedules.slot_rows import (
    MORNING,
    account,
    count_of,
    in_line,
    make_films,
    make_slot,
    person,
    states,
)
from tests.schedules.test_races import at_once
from tests.uploader.test_upload_races import together
from tests.uploader.test_upload_survival import database_url
from uploader.upload_jobs import UploadJob

pytestmark = pytest.mark.django_db(transaction=True)

CLOCK = """
import sys, django
django.setup()
from datetime import datetime
from schedules import slot_clock
now = datetime.fromisoformat(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
begun, quiet = [], 0
while quiet < 20:
    found = slot_clock.tick(now)
    quiet = 0 if found else quiet + 1
    begun += [str(video.pk) for video in found]
print(" ".join(begun), flush=True)
"""


def clocks(count: int, folder: Path, secret: str) -> list[subprocess.Popen[str]]:
    """So many processes that tick at MORNING until nothing begins any more, once they are told to go."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SLOTCAST_VAR": str(folder),
        "DATABASE_URL": database_url(),
        "SECRET_KEY": secret,
        "PYTHONWARNINGS": "ignore",
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-c", CLOCK, MORNING.isoformat()],
            cwd=django_settings.BASE_DIR,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    for process in started:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    return started


def go(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()


def begun_by(processes: list[subprocess.Popen[str]]) -> list[int]:
    said = [process.communicate(timeout=120)[0] for process in processes]
    return [int(pk) for line in said for pk in line.split()]


@pytest.mark.processes
def test_clocks_in_several_processes_take_every_video_once_and_pass_no_limit(
    tmp_path: Path, settings: Any
) -> None:
    main = account()
    people = [person(f"user-{number}") for number in range(12)]
    for number, user in enumerate(people):
        # Two windows that overlap after the same line; the last person's have more room than videos.
        limit = 30 if number == len(people) - 1 else 8
        make_slot(main, user=user, max_uploads=limit)
        make_slot(main, user=user, max_uploads=4, end_time=time(14), slot_name="long")
        in_line(20, main, user=user, first=1 + 20 * number)
    processes = clocks(4, tmp_path, settings.SECRET_KEY)
    go(processes)
    begun = begun_by(processes)
    assert len(begun) == len(set(begun)) == 11 * 12 + 20
    assert SlotVideo.objects.filter(status="pending", holds_place=True).count() == len(begun)
    assert UploadJob.objects.count() == len(begun)
    assert Event.objects.filter(type="taken").count() == len(begun)
    assert UploadSlot.objects.aggregate(all=Sum("taken"))["all"] == len(begun)
    for slot in UploadSlot.objects.all():
        assert slot.videos.count() == slot.taken <= slot.max_uploads


@pytest.mark.processes
def test_a_limit_that_changes_while_clocks_run_is_never_passed(tmp_path: Path, settings: Any) -> None:
    main = account()
    slot = make_slot(main, max_uploads=1)
    in_line(60, main)
    processes = clocks(3, tmp_path, settings.SECRET_KEY)
    go(processes)
    for limit in range(2, 30):
        row = UploadSlot.objects.get(pk=slot.pk)
        row.max_uploads = limit
        row.save()
        slot_clock.roll_on(MORNING)
        found = UploadSlot.objects.get(pk=slot.pk)
        assert found.taken <= limit
    begun = begun_by(processes)
    begun += [video.pk for video in slot_clock.tick(MORNING)]
    assert len(begun) == len(set(begun))
    assert count_of(slot) == slot.videos.count() == SlotVideo.objects.filter(holds_place=True).count() <= 29


def test_the_last_place_of_a_window_is_taken_once() -> None:
    main = account()
    slot = make_slot(main)
    in_line(8, main)
    taken = at_once(4, lambda: slots.find_next_video_to_upload(slot, now=MORNING, who="a script"))
    assert sum(video is not None for video in taken) == 1
    assert count_of(slot) == 1


def test_a_place_given_back_while_the_window_rolls_on_is_counted_where_it_belongs() -> None:
    main = account()
    slot = make_slot(main, max_uploads=3)
    in_line(3, main)
    slot_clock.tick(MORNING)
    jobs = UploadJob.objects.claim("worker#1", now=MORNING, limit=3)
    later = slot.closes_at
    together(
        lambda: slot_clock.roll_on(later),
        *[lambda job=job: job.fail(JobError("No"), now=later) for job in jobs],
    )
    slot_clock.roll_on(later)
    assert slot.occurs_on is not None
    assert slots.get_upload_count_for_slot(slot, slot.occurs_on) == 0
    assert count_of(slot) == 0


def test_the_same_films_added_by_two_people_at_once_stand_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    main = account()
    films = make_films(5)
    monkeypatch.setattr("uploader.catalog.VideoFile.readiness", lambda video, now: "")
    users = [person("ada"), person("bob")]

    def add() -> object:
        user = users.pop()
        return slot_line.add_videos(films, user=user, destination=main, who=user.username, now=MORNING)

    results = together(add, add)
    assert SlotVideo.objects.count() == 5
    assert SlotVideo.objects.values("user").distinct().count() == 1
    assert all(isinstance(result, slot_line.Added | Refused) for result in results)


def test_a_video_taken_out_while_a_window_takes_it_is_one_or_the_other() -> None:
    main = account()
    slot = make_slot(main)
    [row] = in_line(1, main)
    together(
        lambda: slot_clock.fill(slot, now=MORNING),
        lambda: slot_line.remove_videos([row], who="olga", now=MORNING),
    )
    if SlotVideo.objects.exists():
        assert (states(row), count_of(slot), UploadJob.objects.count()) == (["pending"], 1, 1)
    else:
        assert (count_of(slot), UploadJob.objects.count()) == (0, 0)
