"""What the benchmarks stand on: a database of their own, processes that are gone afterwards, and one table."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.live import ROOT, fresh_database

POSTGRES = "postgres://root@127.0.0.1:5432/"
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
PATIENCE_SECONDS = 90


@dataclass(frozen=True)
class Figure:
    """One line of the table: what was measured, beside what, and what is to be reached."""

    name: str
    measured: str
    peer: str
    ratio: float | None
    goal: str
    reached: bool | None  # None: told, but nothing is to be reached


class LeftOut(Exception):
    """Something that the benchmark needs is not here; the message says what."""


# -------------------------------------------------------------------- running one


def main(measure: Callable[[str], list[Figure]], databases: Sequence[str]) -> int:
    """Run `measure` once per database, each in a process and on a database of its own; print what was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true", help="one figure per line, for programs")
    parser.add_argument("--on", choices=DATABASES, help="only on this database")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        return measure_here(measure, options.on)
    figures, left_out = [], []
    for kind in [options.on] if options.on else databases:
        found, why = in_its_own_process(kind)
        figures += found
        left_out += why
    tell(figures, left_out, as_json=options.json)
    return 0


def measure_here(measure: Callable[[str], list[Figure]], kind: str) -> int:
    try:
        with ground(kind):
            figures = measure(kind)
    except LeftOut as why:
        print(json.dumps({"left_out": str(why)}))
        return 0
    for figure in figures:
        print(json.dumps(asdict(figure)))
    return 0


def in_its_own_process(kind: str) -> tuple[list[Figure], list[str]]:
    module = sys.modules["__main__"].__spec__
    assert module is not None
    command = [sys.executable, "-m", module.name, "--here", "--on", kind]
    found = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if found.returncode:
        return [], [f"{module.name} on {DATABASES[kind]} broke off (exit {found.returncode})."]
    return read(found.stdout)


def read(output: str) -> tuple[list[Figure], list[str]]:
    rows = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    left_out = [row["left_out"] for row in rows if "left_out" in row]
    return [Figure(**row) for row in rows if "left_out" not in row], left_out


def tell(figures: Iterable[Figure], left_out: Iterable[str], *, as_json: bool) -> None:
    if as_json:
        for figure in figures:
            print(json.dumps(asdict(figure)), flush=True)
        for why in left_out:
            print(json.dumps({"left_out": why}), flush=True)
    else:
        print(table(list(figures)))
        for why in left_out:
            print(f"Left out: {why}")


def table(figures: list[Figure]) -> str:
    head = ("figure", "measured", "beside it", "ratio", "to reach", "")
    rows = [
        (
            figure.name,
            figure.measured,
            figure.peer,
            "" if figure.ratio is None else f"{figure.ratio:.3g}",
            figure.goal,
            {True: "reached", False: "MISSED", None: ""}[figure.reached],
        )
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows]
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


# -------------------------------------------------------------------- the ground itself


@contextlib.contextmanager
def ground(kind: str) -> Iterator[Path]:
    """An empty database with tables and an environment that nothing of this machine leaks into."""
    url = postgres() if kind == "postgresql" else ""
    # Who is told to stop drops its database first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with (
        tempfile.TemporaryDirectory(prefix="slotcast-bench-") as folder,
        fresh_database(url, Path(folder)) as own,
    ):
        for name in list(os.environ):
            if name.startswith(("DAILYMOTION_", "UPLOAD_", "SANDBOX_", "SLOTCAST_", "DEMO", "REDIS_URL")):
                del os.environ[name]
        os.environ.update(
            DATABASE_URL=own,
            SLOTCAST_VAR=folder,
            SLOTCAST_ENV_FILE=os.devnull,
            LIBRARY_ROOT=folder,
            LOG_LEVEL="ERROR",
            PYTHONPATH=str(ROOT),
            DJANGO_SETTINGS_MODULE="bench.settings",
            ENCODING_POLL_SECONDS="0.2",
            # As a worker: connections are kept.
            SLOTCAST_PROCESS="worker",
        )
        make_tables()
        yield Path(folder)
        from django.db import connections

        connections.close_all()


def postgres() -> str:
    """The address of the server to measure on. Raises LeftOut when none answers."""
    import psycopg

    given = os.environ.get("DATABASE_URL", "")
    url = given if given.startswith("postgres") else POSTGRES
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.Error as error:
        why = str(error).strip().partition("\n")[0]
        raise LeftOut(f"PostgreSQL does not answer ({why}). Set DATABASE_URL to measure on one.") from error
    return url


def make_tables() -> None:
    """Create the tables as the models stand: without migrations that takes a second."""
    import django
    from django.core.management import call_command

    django.setup()
    from django.apps import apps
    from django.conf import settings

    settings.MIGRATION_MODULES = {app.label: None for app in apps.get_app_configs()}
    call_command("migrate", run_syncdb=True, verbosity=0)


@contextlib.contextmanager
def running(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A process of this Python, asked to stop on the way out."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        process.kill()
        process.wait()


@contextlib.contextmanager
def worker(lanes: str, count: int) -> Iterator[None]:
    """`manage.py worker`, with all `count` worker processes of `lanes` ready."""
    from jobs.workers import Worker

    with running("manage.py", "worker", "--lanes", lanes) as process:

        def all_there() -> bool:
            if process.poll() is not None:
                raise SystemExit("manage.py worker ended before its workers were there.")
            found = set(Worker.objects.values_list("pk", "lane"))
            return sum(lane != "ticker" for _, lane in found) >= count and any(
                lane == "ticker" for _, lane in found
            )

        wait_for(all_there, "the workers")
        time.sleep(1)
        yield
    Worker.objects.all().delete()


def wait_for(
    ready: Callable[[], bool], what: str, *, seconds: float = PATIENCE_SECONDS, every: float = 0.1
) -> None:
    until = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > until:
            raise SystemExit(f"Waited {seconds:.0f} seconds for {what}.")
        time.sleep(every)


# -------------------------------------------------------------------- numbers


def percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def spread(values: Sequence[float]) -> str:
    """Milliseconds in words, of seconds."""
    p50, p99, most = percentile(values, 50), percentile(values, 99), max(values)
    return f"p50 {p50 * 1000:.0f}, p99 {p99 * 1000:.0f}, max {most * 1000:.0f} ms"
