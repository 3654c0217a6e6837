"""Jobs a second, and the way of one job to an idle worker, against Procrastinate on the same PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from bench.ground import Figure, LeftOut, main, percentile, running, spread, wait_for, worker

JOBS = 10_000
TRIAL = 1_000
ROUNDS = 3
SINGLE = 50
WORKERS = 4
CONCURRENCIES = (1, 5)


def measure(kind: str) -> list[Figure]:
    try:
        import procrastinate  # noqa: F401
    except ImportError:
        raise LeftOut("Procrastinate is not installed: no peer for the benchmark “jobs”.") from None
    prepare_peer()
    with worker("noop", WORKERS):
        ours_single = single()
    with listening():
        peer_single = peer_one_by_one()
    best = max(CONCURRENCIES, key=lambda concurrency: peer_rate(TRIAL, concurrency))
    ours, peers = [], []
    for _ in range(ROUNDS):
        with worker("noop", WORKERS):
            ours.append(rate(JOBS))
        peers.append(peer_rate(JOBS, best))
    ratio = statistics.median(ours) / statistics.median(peers)
    p50 = percentile(ours_single, 50)
    return [
        Figure(
            f"jobs: {JOBS:,} no-op jobs, {WORKERS} workers",
            f"{statistics.median(ours):,.0f} jobs/s",
            f"Procrastinate {statistics.median(peers):,.0f} ({WORKERS} processes x {best})",
            ratio,
            ">= 3",
            ratio >= 3,
        ),
        Figure(
            "jobs: created to done, idle workers",
            spread(ours_single),
            f"Procrastinate {spread(peer_single)}",
            p50 / percentile(peer_single, 50),
            "p50 <= 50 ms",
            p50 <= 0.05,
        ),
    ]


# -------------------------------------------------------------------- ours


def rate(count: int) -> float:
    """Jobs a second from the commit that made them to the last outcome written."""
    from django.db import connection, transaction
    from django.db.models import Count, Max
    from django.utils import timezone

    from bench.noop.models import NoopJob
    from jobs import runner
    from jobs.events import Event

    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {NoopJob._meta.db_table}, {Event._meta.db_table}")
    with transaction.atomic():
        NoopJob.objects.bulk_create([NoopJob() for _ in range(count)], batch_size=1000)
        runner.wake(NoopJob.lane)
    started = timezone.now()
    wait_for(lambda: not NoopJob.objects.unfinished().exists(), "the jobs", every=0.05)
    found = NoopJob.objects.filter(status="completed", attempt=1).aggregate(Count("id"), Max("finished_at"))
    events = Event.objects.filter(subject_type="noop.noopjob").count()
    if found["id__count"] != count or events != 2 * count:
        raise SystemExit(f"{found['id__count']} of {count} jobs were done once, with {events} events")
    return count / (found["finished_at__max"] - started).total_seconds()


def single() -> list[float]:
    """Seconds from a job's creation until its work is over, one at a time."""
    from bench.noop.models import NoopJob
    from jobs import runner

    seconds = []
    for _ in range(SINGLE):
        time.sleep(random.uniform(0.1, 0.3))
        job = NoopJob.objects.create()
        runner.wake(job.lane)
        wait_for(
            lambda job=job: NoopJob.objects.filter(pk=job.pk, status="completed").exists(),
            "a job",
            every=0.02,
        )
        job.refresh_from_db()
        seconds.append((job.finished_at - job.created_at) / timedelta(seconds=1))
    return seconds


# -------------------------------------------------------------------- the peer


def conninfo() -> str:
    return os.environ["DATABASE_URL"]


def prepare_peer() -> None:
    with sync_app().open() as app:
        app.schema_manager.apply_schema()


def sync_app() -> Any:
    from procrastinate import SyncPsycopgConnector

    from bench.peer import make_app

    return make_app(SyncPsycopgConnector(conninfo=conninfo()))


def peer_rate(count: int, concurrency: int) -> float:
    """Tasks a second from the signal to start to the last outcome written."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_events CASCADE")
    with sync_app().open() as app:
        for _ in range(0, count, 500):
            app.configure_task("noop", queue="noop").batch_defer(*({} for _ in range(500)))
    with contextlib.ExitStack() as stack:
        workers = [
            stack.enter_context(running("-m", "bench.peer", conninfo(), str(concurrency)))
            for _ in range(WORKERS)
        ]
        for process in workers:
            process.stdout.readline()
        for process in workers:
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in workers:
            process.wait()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE type = 'succeeded'), extract(epoch FROM "
            "max(at) FILTER (WHERE type = 'succeeded') - min(at) FILTER (WHERE type = 'started')) "
            "FROM procrastinate_events"
        )
        done, seconds = cursor.fetchone()
    if done != count:
        raise SystemExit(f"Procrastinate did {done} of {count} tasks")
    return count / float(seconds)


@contextlib.contextmanager
def listening() -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        workers = [
            stack.enter_context(running("-m", "bench.peer", conninfo(), "listen")) for _ in range(WORKERS)
        ]
        for process in workers:
            process.stdout.readline()
        time.sleep(1)
        yield


def peer_one_by_one() -> list[float]:
    from django.db import connection

    with sync_app().open() as app:
        for _ in range(SINGLE // 2):
            time.sleep(random.uniform(0.1, 0.3))
            app.configure_task("noop", queue="noop").defer()
    time.sleep(1)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM max(at) - min(at)) FROM procrastinate_events "
            "WHERE type IN ('deferred', 'succeeded') GROUP BY job_id HAVING count(*) = 2"
        )
        return [float(seconds) for (seconds,) in cursor.fetchall()]


if __name__ == "__main__":
    sys.exit(main(measure, ["postgresql"]))
