"""Pipeline jobs over a million finished ones: throughput beside Procrastinate, the four questions, tracking, kills."""

from __future__ import annotations

import random
import signal
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta

from bench.ground import Figure, LeftOut, main, percentile, running, spread, wait_for, worker
from bench.jobs import CONCURRENCIES, TRIAL, peer_rate, prepare_peer

JOBS = 10_000
FEW, MANY = 10_000, 1_000_000
ROUNDS = 3
WORKERS = 4
SINGLE = 40
CALLS = 10_000
PAIRS = 9
KILLS = 100
AT_ONCE = 10
PATIENCE = 600


def measure(kind: str) -> list[Figure]:
    try:
        import procrastinate  # noqa: F401
    except ImportError:
        raise LeftOut("Procrastinate is not installed: no peer for the benchmark “pipeline”.") from None
    prepare_peer()
    best = max(CONCURRENCIES, key=lambda concurrency: peer_rate(TRIAL, concurrency))
    fill(FEW)
    few = questions()
    empty = [over(0) for _ in range(ROUNDS)]
    fill(MANY)
    many = questions()
    full, peers = [], []
    for _ in range(ROUNDS):
        full.append(over(MANY))
        peers.append(peer_rate(JOBS, best))
    with worker("pipeline", WORKERS):
        ours_single = single()
    rate, peer = statistics.median(full), statistics.median(peers)
    return [
        Figure(
            f"pipeline: {JOBS:,} no-op jobs over {MANY:,} finished", f"{rate:,.0f} jobs/s",
            f"Procrastinate {peer:,.0f} ({WORKERS} processes x {best})", rate / peer, ">= 3", rate / peer >= 3,
        ),
        Figure(
            "pipeline: the same over an empty table", f"{statistics.median(empty):,.0f} jobs/s",
            f"over {MANY:,} {rate:,.0f}", rate / statistics.median(empty), ">= 0.8",
            rate / statistics.median(empty) >= 0.8,
        ),
        Figure(
            "pipeline: created to begun, idle workers", spread(ours_single), "", None, "p50 <= 50 ms",
            percentile(ours_single, 50) <= 0.05,
        ),
        *(question_figure(name, few[name], many[name]) for name in few),
        *tracking(),
        kills(),
    ]  # fmt: skip


# -------------------------------------------------------------------- rows


def fill(count: int) -> None:
    """So many jobs that ended over the last ninety days, twenty that run, and sums that know them."""
    from django.db import connection
    from django.utils import timezone

    from jobs.pipeline import totals

    clear()
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO jobs_pipelinejob (id, job_type, status, run_by, script, input, output, open_needs, counted,
              handled_by, progress, stage, attempt, max_attempts, priority, not_before_at, leased_by, leased_until,
              lost_workers, error_kind, error_message, created_at, updated_at, started_at, finished_at)
            SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3)
                   || '8' || substr(md5(n::text), 4, 15))::uuid,
              CASE WHEN n %% 4 = 0 THEN 'clean' ELSE 'scrape' END, state, 'script', 'script-' || n %% 6,
              jsonb_build_object('scriptType', 'script-' || n %% 6, 'url', 'https://example.com/' || n),
              '{"total": 20, "success": 20, "failed": 0}', 0, false, '', 100, '', 1 + (random() ^ 3 * 3)::int, 3, 0, at,
              CASE WHEN state = 'running' THEN 'bench' ELSE '' END,
              CASE WHEN state = 'running' THEN now() + interval '1 day' END,
              0, '', CASE WHEN state = 'failed' THEN 'The site is down' ELSE '' END, at, at, at,
              CASE WHEN state <> 'running' THEN at + random() * interval '5 minutes' END
            FROM (SELECT n, now() - interval '90 days' * (1 - n / %s::float) - interval '10 minutes' AS at,
                    CASE WHEN n >= %s THEN 'running' WHEN random() < 0.1 THEN 'failed' ELSE 'success' END AS state
                  FROM generate_series(0, %s - 1 + 20) AS n) AS rows""",
            [count, count, count],
        )
    while totals.count_up(timezone.now()):
        pass
    tidy()


def clear() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE jobs_pipelinejob, jobs_pipelinetotal, jobs_pipelineday, jobs_event CASCADE")


def tidy() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE jobs_pipelinejob")
        cursor.execute("VACUUM ANALYZE jobs_pipelinetotal")


# -------------------------------------------------------------------- throughput


def over(finished: int) -> float:
    """Jobs a second with so many finished ones in the table already."""
    if not finished:
        clear()
    tidy()
    with worker("pipeline", WORKERS):
        return rate(JOBS)


def rate(count: int) -> float:
    """Jobs a second from the commit that made them to the last outcome written."""
    from django.db import transaction
    from django.db.models import Max
    from django.utils import timezone

    from jobs import runner
    from jobs.events import Event
    from jobs.pipeline.pipeline_jobs import PipelineJob

    Event.objects.all().delete()
    with transaction.atomic():
        now = timezone.now()
        PipelineJob.objects.bulk_create(
            [PipelineJob(job_type="clean", script="nothing", not_before_at=now) for _ in range(count)],
            batch_size=1000,
        )
        runner.wake(PipelineJob.lane)
    started = timezone.now()
    ours = PipelineJob.objects.filter(script="nothing", created_at__gte=now)
    wait_for(
        lambda: not PipelineJob.objects.filter(status="queued").exists(),
        "the jobs to begin",
        seconds=PATIENCE,
        every=0.05,
    )
    wait_for(lambda: not ours.filter(status="running").exists(), "the jobs", seconds=PATIENCE, every=0.05)
    done = ours.filter(status="success", attempt=1)
    events = Event.objects.filter(subject_type="jobs.pipelinejob").count()
    if done.count() != count or events != 2 * count:
        raise SystemExit(f"{done.count()} of {count} jobs were done once, with {events} events")
    return count / (done.aggregate(at=Max("finished_at"))["at"] - started).total_seconds()


def single() -> list[float]:
    """Seconds from a job's creation until a worker began it, one at a time."""
    from django.utils import timezone

    from jobs.pipeline.pipeline_jobs import PipelineJob
    from jobs.pipeline.starting import start

    seconds = []
    for _ in range(SINGLE):
        time.sleep(random.uniform(0.1, 0.3))
        job = start("clean", {}, who="bench", now=timezone.now())
        mine = PipelineJob.objects.filter(pk=job.pk)
        wait_for(lambda mine=mine: mine.filter(status="success").exists(), "a job", every=0.02)
        job.refresh_from_db()
        seconds.append((job.started_at - job.created_at) / timedelta(seconds=1))
    return seconds


# -------------------------------------------------------------------- the four questions


def questions() -> dict[str, float]:
    """Seconds that each of the four monitoring queries takes, read to its last row."""
    from jobs.pipeline import monitoring

    asked: dict[str, Callable[[], list]] = {
        "active": lambda: list(monitoring.active()[:100]),
        "failed": lambda: list(monitoring.failed()),
        "statistics": monitoring.statistics,
        "retry analysis": monitoring.retry_analysis,
    }
    found = {}
    for name, ask in asked.items():
        seconds = []
        for _ in range(31):
            began = time.perf_counter()
            if not ask():
                raise SystemExit(f"The question “{name}” has no answer")
            seconds.append(time.perf_counter() - began)
        found[name] = statistics.median(seconds)
    return found


def question_figure(name: str, few: float, many: float) -> Figure:
    return Figure(
        f"pipeline: {name}, {MANY:,} jobs", f"{many * 1000:.1f} ms", f"{FEW:,} jobs {few * 1000:.1f} ms", many / few,
        "<= 100 ms, <= 1.5", many <= 0.1 and many / few <= 1.5,
    )  # fmt: skip


# -------------------------------------------------------------------- tracking


PAGE = "".join(f"<div class=c><a href=/c/{n}>Chapter {n}</a><p>A word or two</p></div>" for n in range(20))


def step() -> None:
    """The least that scripts do between two reports: read a page of 1.3 KB for its twenty links."""
    from parsel import Selector

    Selector(PAGE).css("div.c > a::attr(href)").getall()


def tracking() -> list[Figure]:
    from jobs.pipeline.tracking import track
    from jobs.running import Run

    looked: list[float] = []
    look = Run.look

    def watched(run: Run) -> None:
        began = time.thread_time()
        look(run)
        looked.append(time.thread_time() - began)

    def bare() -> float:
        began = time.perf_counter()
        for _ in range(CALLS):
            step()
        return time.perf_counter() - began

    def tracked() -> float:
        began = time.perf_counter()
        with track("scrape", script="bench") as job:
            for number in range(CALLS):
                step()
                job.progress(number + 1, CALLS, "reading")
        return time.perf_counter() - began

    Run.look = watched  # type: ignore[method-assign]
    pairs = [(tracked(), bare()) if number % 2 else (bare(), tracked())[::-1] for number in range(PAIRS)]
    Run.look = look  # type: ignore[method-assign]
    with track("scrape", script="bench") as job:
        began = time.perf_counter()
        for number in range(CALLS):
            job.progress(number + 1, CALLS, "reading")
        calls = time.perf_counter() - began
    ratios = [one / other for one, other in pairs]
    ratio = statistics.median(ratios)
    error = 1.25 * statistics.stdev(ratios) / PAIRS**0.5
    bare_seconds = statistics.median(other for _, other in pairs)
    own = calls + sum(looked) / PAIRS
    return [
        Figure(
            f"pipeline: a script with {CALLS:,} progress calls",
            f"{statistics.median(one for one, _ in pairs):.3f} s",
            f"untracked {bare_seconds:.3f} s, ratio ± {error:.3f}", ratio, "<= 1.02", ratio <= 1.02,
        ),
        Figure(
            f"pipeline: the {CALLS:,} calls and the thread that looks", f"{own * 1000:.1f} ms",
            f"the script {bare_seconds:.3f} s", 1 + own / bare_seconds, "<= 1.02", own / bare_seconds <= 0.02,
        ),
    ]  # fmt: skip


# -------------------------------------------------------------------- kill -9

SCRIPT = """
import django, sys
django.setup()
from jobs.pipeline.tracking import track
print("ready", flush=True)
sys.stdin.readline()
while True:
    with track("scrape", script="killed") as job:
        for number in range(200):
            job.progress(number, 200)
            job.wait(0.002)
"""


def kills() -> Figure:
    """Scripts killed at any point: how many jobs still run once a lease has passed, or are in the sums twice."""
    from django.conf import settings
    from django.utils import timezone

    from jobs import recovery
    from jobs.pipeline import monitoring, totals
    from jobs.pipeline.pipeline_jobs import PipelineJob

    dice = random.Random(6)
    clear()
    for _ in range(KILLS // AT_ONCE):
        killed_together(dice)
    later = timezone.now() + timedelta(seconds=settings.LEASE_SECONDS + 1)
    recovery.recover(later)
    totals.count_up(later)
    jobs = PipelineJob.objects.filter(script="killed")
    left = jobs.exclude(status__in=("success", "failed")).count()
    lost = jobs.filter(error_kind="lost_worker").count()
    counted = sum(row.count for row in monitoring.statistics() if row.script == "killed")
    wrong = left + abs(counted - jobs.count())
    return Figure(
        f"pipeline: {KILLS} scripts killed at any point",
        f"{jobs.count()} jobs, {lost} ended as lost, {left} left running",
        f"{counted} in the sums", None, "0 left, each counted once", wrong == 0 and lost > 0,
    )  # fmt: skip


def killed_together(dice: random.Random) -> None:
    import contextlib

    with contextlib.ExitStack() as stack:
        scripts = [stack.enter_context(running("-c", SCRIPT)) for _ in range(AT_ONCE)]
        for script in scripts:
            script.stdout.readline()
        for script in scripts:
            script.stdin.write("go\n")
            script.stdin.flush()
        for script in scripts:
            time.sleep(dice.uniform(0, 0.15))
            script.send_signal(signal.SIGKILL)
            script.wait()


if __name__ == "__main__":
    sys.exit(main(measure, ["postgresql"]))
