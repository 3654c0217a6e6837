"""Several clocks, claims and people after the same windows at the same moment, in processes of their own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time as time_module
from collections.abc import Iterator
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

# Few at once, so that the processes meet again and again.
CLOCK = """
import sys, django
django.setup()
from datetime import datetime
from django.db import OperationalError
from schedules import slot_clock
slot_clock.WINDOWS_AT_ONCE, slot_clock.VIDEOS_AT_ONCE = 3, 2
now = datetime.fromisoformat(sys.argv[1])
begun, fill = [], slot_clock.fill
def noting(slot, **options):
    found = fill(slot, **options)
    begun.extend(str(video.pk) for video in found)
    return found
slot_clock.fill = noting
slot_clock.look_around(now)
print("ready", flush=True)
sys.stdin.readline()
quiet = 0
while quiet < 20:
    before = len(begun)
    try:
        slot_clock.tick(now)
    except OperationalError:
        pass  # kept out for too long by the others: the ticker, too, goes on to its next pass
    quiet = 0 if len(begun) > before else quiet + 1
print(" ".join(begun), flush=True)
"""
# A clock that has taken a video and not yet committed it.
HOLDING = """
import sys, django
django.setup()
from datetime import datetime
from schedules import slot_clock
now = datetime.fromisoformat(sys.argv[1])
def hold(videos, *args, **kwargs):
    assert videos
    print("holding", flush=True)
    sys.stdin.readline()
slot_clock.give_jobs = hold
print("ready", flush=True)
sys.stdin.readline()
slot_clock.tick(now)
"""
# A caller of the seed's functions that takes video after video, in a window of its own.
CLAIMING = """
import sys, django
django.setup()
from datetime import datetime
from django.db import OperationalError
from schedules import slots
from schedules.upload_slots import UploadSlot
now = datetime.fromisoformat(sys.argv[1])
slot = UploadSlot.objects.order_by("max_uploads")[int(sys.argv[2])]
print("ready", flush=True)
sys.stdin.readline()
taken, video = [], slot
while video is not None:
    try:
        video = slots.find_next_video_to_upload(slot, now=now, who="a script")
    except OperationalError:
        continue  # kept out for too long by the others
    taken += [str(video.pk)] if video else []
print(" ".join(taken), flush=True)
"""
PATIENCE_SECONDS = 120


@contextlib.contextmanager
def clocks(
    count: int, folder: Path, secret: str, script: str = CLOCK
) -> Iterator[list[subprocess.Popen[str]]]:
    """So many processes that tick at MORNING until nothing begins any more, once they are told to go."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SLOTCAST_PROCESS": "worker",
        "SLOTCAST_VAR": str(folder),
        "DATABASE_URL": database_url(),
        "SECRET_KEY": secret,
        "PYTHONWARNINGS": "ignore",
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, MORNING.isoformat(), str(number)],
            cwd=django_settings.BASE_DIR,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    try:
        for process in started:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def go(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()


def begun_by(processes: list[subprocess.Popen[str]]) -> list[int]:
    """The rows that each says to have begun, and what is left, if anything, begun here."""
    said = [process.communicate(timeout=PATIENCE_SECONDS)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    begun = [int(pk) for line in said for pk in line.split()]
    # A window that was full when it was looked at rests for a minute, also when it has room since.
    while found := slot_clock.tick(MORNING + slot_clock.REST):
        begun += [video.pk for video in found]
    return begun


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
    with clocks(4, tmp_path, settings.SECRET_KEY) as processes:
        go(processes)
        begun = begun_by(processes)
    assert len(begun) == len(set(begun)) == 11 * 12 + 20, "none twice, none lost"
    assert set(SlotVideo.objects.exclude(status="initiate").values_list("pk", flat=True)) == set(begun)
    assert SlotVideo.objects.filter(status="pending", holds_place=True).count() == len(begun)
    assert UploadJob.objects.count() == len(begun)
    assert Event.objects.filter(type="taken").count() == len(begun)
    assert UploadSlot.objects.aggregate(all=Sum("taken"))["all"] == len(begun)
    for slot in UploadSlot.objects.all():
        assert slot.videos.count() == slot.taken <= slot.max_uploads


@pytest.mark.processes
def test_processes_after_one_line_take_every_video_once(tmp_path: Path, settings: Any) -> None:
    main = account()
    # A window each, so that nothing but the claim of the video itself stands between them.
    for number in range(4):
        make_slot(main, max_uploads=100 + number, start_time=time(9, number))
    waiting = in_line(80, main)
    with clocks(4, tmp_path, settings.SECRET_KEY, CLAIMING) as processes:
        go(processes)
        said = [process.communicate(timeout=PATIENCE_SECONDS)[0] for process in processes]
    taken = [int(pk) for line in said for pk in line.split()]
    assert sorted(taken) == [video.pk for video in waiting], "none twice, none lost"
    assert UploadSlot.objects.aggregate(all=Sum("taken"))["all"] == 80
    assert Event.objects.filter(type="taken").count() == 80


@pytest.mark.processes
def test_a_limit_that_changes_while_clocks_run_is_never_passed(tmp_path: Path, settings: Any) -> None:
    main = account()
    slot = make_slot(main, max_uploads=1)
    in_line(60, main)
    with clocks(3, tmp_path, settings.SECRET_KEY) as processes:
        go(processes)
        for limit in range(2, 30):
            row = UploadSlot.objects.get(pk=slot.pk)
            row.max_uploads = limit
            row.save()
            slot_clock.roll_on(MORNING)
            found = UploadSlot.objects.get(pk=slot.pk)
            assert found.taken <= limit
        begun = begun_by(processes)
    assert len(begun) == len(set(begun)) == 29, "none twice, none lost"
    assert count_of(slot) == slot.videos.count() == SlotVideo.objects.filter(holds_place=True).count() == 29


@pytest.mark.processes
def test_a_clock_killed_in_the_middle_of_a_claim_takes_nothing_with_it(tmp_path: Path, settings: Any) -> None:
    main = account()
    slot = make_slot(main, max_uploads=3)
    waiting = in_line(3, main)
    with clocks(1, tmp_path, settings.SECRET_KEY, HOLDING) as [process]:
        go([process])
        assert process.stdout
        assert process.stdout.readline() == "holding\n"
        assert (states(*waiting), count_of(slot)) == (["initiate"] * 3, 0), "not committed"
        process.kill()
        process.wait(PATIENCE_SECONDS)
    begun: list[int] = []
    until = time_module.monotonic() + PATIENCE_SECONDS
    # The server may notice a moment later that its client is gone.
    while len(begun) < 3 and time_module.monotonic() < until:
        begun += [video.pk for video in slot_clock.tick(MORNING)]
    assert sorted(begun) == [video.pk for video in waiting]
    assert (states(*waiting), count_of(slot)) == (["pending"] * 3, 3)


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
