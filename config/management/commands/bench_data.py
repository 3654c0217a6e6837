"""`manage.py bench_data`: a catalog and a line as long as one likes, to see how the product bears them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import models, transaction
from django.utils import timezone

from schedules.upload_schedules import HourlyQueue, ScheduledUpload, UploadSchedule
from uploader.catalog import Episode, Series
from uploader.destinations import Destination

BATCH = 2000
MINUTES = 45
M = TypeVar("M", bound=models.Model)


class Command(BaseCommand):
    help = "Fill the catalog with made-up series whose episodes all stand in the line. No files are made."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--series", type=int, default=1000, help="(default: %(default)d)")
        parser.add_argument("--episodes", type=int, default=100, help="of each series (default: %(default)d)")
        parser.add_argument(
            "--destinations", type=int, default=4, help="the series take turns (default: %(default)d)"
        )
        parser.add_argument("--force", action="store_true", help="also when the catalog is not empty")

    def handle(self, *args: Any, **options: Any) -> None:
        counts = [options[name] for name in ("series", "episodes", "destinations")]
        if min(counts) < 1:
            raise CommandError("--series, --episodes and --destinations take whole numbers from 1 on.")
        if Series.objects.exists() and not options["force"]:
            raise CommandError(
                "The catalog is not empty: made-up series would stand among real ones. "
                "Use an empty database, or --force."
            )
        with transaction.atomic():
            fill(*counts, now=timezone.now())
        self.stdout.write(
            f"{counts[0] * counts[1]:,} episodes of {counts[0]:,} series wait in {counts[2]} lines."
        )


def fill(series: int, episodes: int, destinations: int, *, now: datetime) -> None:
    """Make the rows: each series on one destination's line, an hour between two of a line's episodes.

    The lines start one after the other within the hour.
    """
    taken = Series.objects.count()
    places = bulk(
        Destination,
        (
            Destination(
                name=f"bench-{taken + number}", title=f"Bench {number}", credentials_from_environment=True,
                max_videos_per_day=None, max_seconds_per_day=None,
            )
            for number in range(1, destinations + 1)
        ),
    )  # fmt: skip
    bulk(HourlyQueue, (HourlyQueue(destination=place) for place in places))
    titled = bulk(Series, (Series(title=f"Bench series {taken + number}") for number in range(1, series + 1)))
    lines = bulk(
        UploadSchedule,
        (
            UploadSchedule(series=one, destination=places[at % destinations], position=at // destinations + 1)
            for at, one in enumerate(titled)
        ),
    )
    first = {place.pk: now + timedelta(hours=at / destinations) for at, place in enumerate(places)}
    for start in range(0, series, 50):
        part = lines[start : start + 50]
        numbered = [(line, number) for line in part for number in range(1, episodes + 1)]
        made = bulk(Episode, (made_up(line.series, number, now) for line, number in numbered))
        bulk(
            ScheduledUpload,
            (
                waiting(
                    line,
                    episode,
                    first[line.destination_id] + timedelta(hours=(line.position - 1) * episodes + number),
                    now,
                )
                for (line, number), episode in zip(numbered, made, strict=True)
            ),
        )


def made_up(series: Series, number: int, now: datetime) -> Episode:
    return Episode(
        series=series,
        index_sequence=number,
        path=f"bench/{series.pk}/{number}.mp4",
        size_bytes=700_000_000,
        duration_seconds=MINUTES * 60,
        fingerprint=f"bench-{series.pk}-{number}",
        probed_at=now,
    )


def waiting(line: UploadSchedule, episode: Episode, at: datetime, now: datetime) -> ScheduledUpload:
    return ScheduledUpload(
        schedule=line,
        destination_id=line.destination_id,
        series_id=line.series_id,
        episode=episode,
        position=episode.index_sequence,
        scheduled_at=at,
        planned_at=at,
        created_at=now,
        updated_at=now,
    )


def bulk(model: type[M], rows: Iterable[M]) -> list[M]:
    """Insert the rows in batches; gives them with their ids."""
    made: list[M] = []
    iterator: Iterator[M] = iter(rows)
    insert: Callable[[list[M]], list[M]] = model._default_manager.bulk_create
    while batch := list(islice(iterator, BATCH)):
        made += insert(batch)
    return made
