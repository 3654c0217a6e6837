"""From the moment an episode is due to the first byte of its upload, with workers that have nothing to do."""

from __future__ import annotations

import random
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench.ground import DATABASES, Figure, main, percentile, spread, wait_for, worker
from bench.uploading import Platform, episode_of, platform

UPLOADS = 40
APART_SECONDS = 0.4
FIRST_AFTER_SECONDS = 3
LANE, WORKERS = "upload", 4


def measure(kind: str) -> list[Figure]:
    from django.utils import timezone

    with platform() as there, worker(LANE, WORKERS):
        first = timezone.now() + timedelta(seconds=FIRST_AFTER_SECONDS)
        due = {
            f"{number}.mp4": first + timedelta(seconds=APART_SECONDS * (number + random.random()))
            for number in range(UPLOADS)
        }
        for name, at in due.items():
            schedule(there, name, at)
        if timezone.now() > first:
            raise SystemExit("The rows were made too slowly.")
        time.sleep((max(due.values()) - timezone.now()) / timedelta(seconds=1))
        wait_for(lambda: len(there.arrived) >= UPLOADS, "the uploads", seconds=30)
        # Workers end what they have begun before they are stopped.
        wait_for(all_completed, "the outcomes", seconds=30)
        arrived = {line["file"]: line["at"] for line in there.arrived}
    byte = [arrived[name] - at.timestamp() for name, at in due.items()]
    claim = [claimed(name) - at.timestamp() for name, at in due.items()]
    # The plain way beside it: looking once a minute, as cron does.
    plain = 30.0
    return [
        Figure(
            f"start: due to first byte, {DATABASES[kind]}",
            spread(byte),
            f"cron, once a minute: p50 {plain:.0f} s",
            percentile(byte, 50) / plain,
            "<= 1 s",
            max(byte) <= 1,
        ),
        Figure(f"start: due to claimed by a worker, {DATABASES[kind]}", spread(claim), "", None, "", None),
    ]


def schedule(there: Platform, name: str, at: datetime) -> None:
    """An episode alone on the line of a destination of its own."""
    from django.conf import settings

    from schedules.upload_schedules import HourlyQueue, ScheduledUpload, UploadSchedule

    number = int(name.partition(".")[0])
    path = Path(settings.LIBRARY_ROOT) / name
    path.write_bytes(b"\0" * 100_000)
    destination = there.destination(f"bench-{number}")
    episode = episode_of(path, number=number, now=at)
    HourlyQueue.objects.create(destination=destination)
    line = UploadSchedule.objects.create(series=episode.series, destination=destination, position=1)
    ScheduledUpload.objects.create(
        schedule=line,
        destination=destination,
        series=episode.series,
        episode=episode,
        position=1,
        scheduled_at=at,
        planned_at=at,
    )


def all_completed() -> bool:
    from schedules.upload_schedules import ScheduledUpload

    return ScheduledUpload.objects.filter(status="completed").count() == UPLOADS


def claimed(name: str) -> float:
    from jobs.events import Event
    from uploader.upload_jobs import UploadJob

    job: Any = UploadJob.objects.get(episode__path=name)
    return Event.objects.get(
        subject_type=job._meta.label_lower, subject_id=str(job.pk), type="claimed"
    ).at.timestamp()


if __name__ == "__main__":
    sys.exit(main(measure, ["sqlite", "postgresql"]))
