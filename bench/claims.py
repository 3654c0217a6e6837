"""Claims of the weekly windows from many processes against a bare SKIP LOCKED loop on the same server."""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
from datetime import timedelta
from subprocess import Popen

from bench.ground import DATABASES, Figure, main, running

PROCESSES = {"postgresql": 16, "sqlite": 4}
VIDEOS = 10_000
WINDOWS = 100
ROUNDS = 5


def measure(kind: str) -> list[Figure]:
    prepare()
    found: dict[str, list[float]] = {"ours": [], "begun": [], "bare": []}
    modes = ["ours", "begun", *(["bare"] if kind == "postgresql" else [])]
    with contextlib.ExitStack() as stack:
        claimers = [
            stack.enter_context(running("-m", "bench.claimer", str(number)))
            for number in range(PROCESSES[kind])
        ]
        for claimer in claimers:
            claimer.stdout.readline()
        for _ in range(ROUNDS):
            for mode in modes:
                start_over()
                found[mode].append(rate(claimers, mode))
                check(mode)
    return figures(kind, found)


def figures(kind: str, found: dict[str, list[float]]) -> list[Figure]:
    ours, begun = statistics.median(found["ours"]), statistics.median(found["begun"])
    where = f"{PROCESSES[kind]} processes, {DATABASES[kind]}"
    peer, ratio, goal, reached = "", None, "0 twice, 0 lost", True
    if found["bare"]:
        peer = f"bare SKIP LOCKED loop {statistics.median(found['bare']):,.0f}"
        ratio = statistics.median(a / b for a, b in zip(found["ours"], found["bare"], strict=True))
        goal, reached = f"{goal}, >= 0.8", ratio >= 0.8
    return [
        Figure(f"claims: {VIDEOS:,} videos, {where}", f"{ours:,.0f} claims/s", peer, ratio, goal, reached),
        Figure(
            f"claims: with the upload jobs, {where}",
            f"{begun:,.0f} videos/s",
            "",
            None,
            "0 twice, 0 lost",
            True,
        ),
    ]


def prepare() -> None:
    """So many windows of as many people, all open, with room for their whole lines; and the bare table."""
    from django.contrib.auth.models import User
    from django.db import connection
    from django.utils import timezone

    from schedules.slot_videos import SlotVideo
    from schedules.upload_slots import UploadSlot
    from uploader.catalog import Film
    from uploader.destinations import Destination

    now = timezone.now()
    films = Film.objects.bulk_create(
        Film(title=f"Film {n}", path=f"{n}.mp4", duration_seconds=60, size_bytes=1000, fingerprint=str(n))
        for n in range(VIDEOS)
    )
    people = User.objects.bulk_create(User(username=f"user-{n}") for n in range(WINDOWS))
    place = Destination.objects.create(
        name="bench", credentials_from_environment=True, max_videos_per_day=None, max_seconds_per_day=None
    )
    UploadSlot.objects.bulk_create(
        UploadSlot(
            user=person, destination=place, day="monday", start_time="00:00", end_time="23:59:59",
            max_uploads=VIDEOS // WINDOWS, occurs_on=now.date(),
            look_at=now, opens_at=now - timedelta(hours=1), closes_at=now + timedelta(hours=10),
        )
        for person in people
    )  # fmt: skip
    SlotVideo.objects.bulk_create(
        SlotVideo(user=people[number % WINDOWS], destination=place, film=film, position=number)
        for number, film in enumerate(films)
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE bench_bare_line (id bigint PRIMARY KEY, position bigint, status varchar(16))"
        )
        cursor.execute("CREATE INDEX bench_bare_head ON bench_bare_line (position) WHERE status = 'initiate'")
        cursor.execute("INSERT INTO bench_bare_line SELECT id, position, 'initiate' FROM schedules_slotvideo")


def start_over() -> None:
    """Everything waits again, and the tables are as tidy as after a vacuum."""
    from django.db import connection

    from jobs.events import Event
    from schedules.slot_videos import SlotVideo
    from schedules.upload_slots import UploadSlot
    from uploader.upload_jobs import UploadJob

    SlotVideo.objects.update(status="initiate", slot=None, occurrence_on=None, holds_place=False, job=None)
    UploadSlot.objects.update(taken=0)
    UploadJob.objects.all().delete()
    Event.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE bench_bare_line SET status = 'initiate'")
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE")


def rate(claimers: list[Popen[str]], mode: str) -> float:
    """Claims a second from the first one's start to the last one's end."""
    for claimer in claimers:
        claimer.stdin.write(f"{mode}\n")
        claimer.stdin.flush()
    answers = [json.loads(claimer.stdout.readline()) for claimer in claimers]
    if sum(count for count, _, _ in answers) != VIDEOS:
        raise SystemExit(f"{sum(count for count, _, _ in answers)} claims of {VIDEOS} videos")
    return VIDEOS / (max(ended for _, _, ended in answers) - min(began for _, began, _ in answers))


def check(mode: str) -> None:
    """Every video was taken once, and counted once."""
    from django.db.models import Sum

    from jobs.events import Event
    from schedules.slot_videos import SlotVideo
    from schedules.upload_slots import UploadSlot
    from uploader.upload_jobs import UploadJob

    if mode == "bare":
        return
    told = Event.objects.filter(type="taken").values("subject_id").distinct().count()
    counted = UploadSlot.objects.aggregate(all=Sum("taken"))["all"]
    pending = SlotVideo.objects.filter(status="pending").count()
    jobs = UploadJob.objects.count() if mode == "begun" else VIDEOS
    if {told, Event.objects.filter(type="taken").count(), counted, pending, jobs} != {VIDEOS}:
        raise SystemExit(f"{told} videos told, {counted} counted, {pending} taken, {jobs} jobs of {VIDEOS}")


if __name__ == "__main__":
    sys.exit(main(measure, ["sqlite", "postgresql"]))
