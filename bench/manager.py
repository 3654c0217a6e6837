"""`/jobs/` and its statistics with a million jobs, beside the same page with ten thousand."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import Any

from bench.ground import Figure, main

FEW, MANY = 10_000, 1_000_000
REQUESTS = 60
WARM = 5
PAGES = {
    "the page": "/jobs/",
    "its statistics, live": "/jobs/?parts=jobs-tiles,jobs-kinds",
    "failed ones of one kind of error": "/jobs/?status=failed&error=rejected",
    "one label of one destination": "/jobs/?upload=hls&label=FHD&destination=storage-1",
    "a search": "/jobs/?q=harbour+7",
    "a day long ago": "/jobs/?since={old}&until={old}",
    "a page far back": "/jobs/?before={middle}",
    "30 days of charts": "/jobs/?parts=jobs-charts&span=30d",
    "GET /v1/studio/upload-jobs": "/v1/studio/upload-jobs",
    "GET …?status=failed&type=film": "/v1/studio/upload-jobs?status=failed&type=film",
}


def measure(kind: str) -> list[Figure]:
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    settings.ROOT_URLCONF = "config.urls"
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(
        User.objects.create_superuser("root"), backend="django.contrib.auth.backends.ModelBackend"
    )
    few, many = [walk(client, count) for count in (FEW, MANY)]
    return [figure(name, few[name], many[name]) for name in PAGES]


def walk(client: Any, count: int) -> dict[str, list[float]]:
    """Make `count` jobs and ask for every page; seconds of each request."""
    from django.core.cache import cache

    middle, old = fill(count)
    times: dict[str, list[float]] = {}
    for name, address in PAGES.items():
        path = address.format(middle=middle, old=old)
        headers = {"HX-Request": "true"} if "parts=" in path else {}
        taken = []
        for number in range(REQUESTS + WARM):
            cache.clear()  # no throttle; nothing of the page is cached
            started = time.perf_counter()
            answer = client.get(path, headers=headers)
            spent = time.perf_counter() - started
            assert answer.status_code == 200, f"{path}: {answer.status_code}"
            if number >= WARM:
                taken.append(spent)
        times[name] = taken
    return times


def fill(count: int) -> tuple[int, str]:
    """`count` jobs: 90 of 100 completed, 4 failed for a dozen causes, the rest in the other states.

    They were made over the last ninety days, however many they are. Gives a job in the middle and a day long ago.
    """
    from django.db import connection
    from django.utils import timezone

    from jobs import tallies, throughput
    from uploader.catalog import Episode, Film
    from uploader.upload_jobs import UploadJob

    now = timezone.now()
    first = pattern(now)
    UploadJob.objects.exclude(pk=first).delete()
    table = UploadJob._meta.db_table
    columns = [field.column for field in UploadJob._meta.concrete_fields if not field.primary_key]
    ended, failed = "(n %% 100) < 96", "n %% 100 BETWEEN 90 AND 93"
    at = "%(now)s - (%(most)s - n) * interval '90 days' / %(most)s"
    made = {
        "tag": "'b' || lpad(to_hex(n), 10, '0')",
        "media_name": "''",
        "s3_path": "CASE WHEN n %% 3 = 0 THEN '' ELSE 'films/' || n END",
        "package": "CASE WHEN n %% 3 = 0 THEN '' ELSE 'film-' || n / 8 END",
        "local_path": "CASE WHEN n %% 3 = 0 THEN '' ELSE '/packages/' || n END",
        "upload_type": "CASE WHEN n %% 3 = 0 THEN 'video' WHEN n %% 8 = 1 THEN 'master_playlist' ELSE 'hls' END",
        "label": "CASE WHEN n %% 3 = 0 THEN '' ELSE (ARRAY['SD','HD','FHD','UHD'])[1 + n %% 4] END",
        "film_id": "CASE WHEN n %% 2 = 0 THEN (SELECT min(id) FROM {film}) + n %% 500 END",
        "episode_id": "CASE WHEN n %% 2 = 1 THEN (SELECT min(id) FROM {episode}) + n %% 2000 END",
        "destination_id": "(SELECT min(id) FROM uploader_destination WHERE name LIKE 'storage-%%') + n %% 3",
        "title": "'Harbour ' || n",
        "status": "CASE WHEN n %% 100 < 90 THEN 'completed' WHEN n %% 100 < 94 THEN 'failed' "
        "WHEN n %% 100 < 96 THEN 'cancelled' WHEN n %% 3 = 0 THEN 'completed' ELSE 'waiting' END",
        "error_kind": f"CASE WHEN {failed} "
        "THEN (ARRAY['transient','rejected','outcome_unknown','lost_worker'])[1 + (n / 100) %% 4] ELSE '' END",
        "error_message": f"CASE WHEN {failed} THEN 'It broke for reason ' || (n / 100) %% 12 ELSE '' END",
        "cause": f"CASE WHEN {failed} THEN 'It broke for reason ' || chr(65 + (n / 100) %% 12) ELSE '' END",
        # Failures of more than a week ago were taken care of.
        "handled_at": f"CASE WHEN {failed} AND n < %(most)s * 0.9 THEN %(now)s END",
        "created_at": at,
        "finished_at": f"CASE WHEN {ended} THEN {at} END",
        "started_at": f"CASE WHEN {ended} THEN {at} - interval '3 minutes' END",
        "bytes_total": "250000000",
        "bytes_sent": "250000000",
        "not_before_at": "%(now)s",
    }
    if connection.vendor != "postgresql":
        raise AssertionError("this benchmark fills PostgreSQL")
    catalog = {"film": Film._meta.db_table, "episode": Episode._meta.db_table}
    chosen = ", ".join(made.get(column, f"pattern.{column}").format(**catalog) for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {chosen} "
            f"FROM generate_series(2, %(count)s) n, {table} pattern WHERE pattern.id = %(pattern)s",
            {"count": count, "now": now, "most": count, "pattern": first},
        )
        cursor.execute("VACUUM ANALYZE")
    tallies.merge(now)
    throughput.HourDone.objects.all().delete()
    throughput.fill(UploadJob)
    assert tallies.counts(UploadJob)["total"] == count, tallies.counts(UploadJob)
    middle = UploadJob.objects.order_by("pk")[count // 2].pk
    oldest = UploadJob.objects.order_by("pk").filter(pk__gt=first)[0].created_at + timedelta(days=1)
    return middle, f"{oldest:%Y-%m-%d}"


def pattern(now: Any) -> int:
    """One job to copy, with a catalog around it; its id."""
    from uploader.catalog import Episode, Film, Series
    from uploader.destinations import Destination
    from uploader.upload_jobs import UploadJob

    if job := UploadJob.objects.order_by("pk").first():
        return job.pk
    for number in range(3):
        Destination.objects.create(
            name=f"storage-{number}", platform="spaces", credentials_from_environment=True
        )
    Film.objects.bulk_create([Film(title=f"Film {n}", path=f"films/{n}.mp4") for n in range(500)])
    series = Series.objects.bulk_create([Series(title=f"Harbour {n}") for n in range(100)])
    Episode.objects.bulk_create(
        [
            Episode(series=series[n % 100], index_sequence=n // 100 + 1, path=f"series/{n}.mp4")
            for n in range(2000)
        ]
    )
    of = Destination.objects.order_by("pk").get(name="storage-0")
    return UploadJob.objects.create(
        destination=of, title="Harbour", status="completed", finished_at=now, started_at=now
    ).pk


def figure(name: str, few: list[float], many: list[float]) -> Figure:
    ours, beside = p95(many), p95(few)
    ratio = ours / beside
    return Figure(
        f"manager: {name}, {MANY:,} jobs",
        f"p95 {ours * 1000:.0f} ms",
        f"{FEW:,} jobs: p95 {beside * 1000:.0f} ms",
        ratio,
        "<= 150 ms, <= 1.5",
        ours <= 0.15 and ratio <= 1.5,
    )


def p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]


if __name__ == "__main__":
    sys.exit(main(measure, ["postgresql"]))
