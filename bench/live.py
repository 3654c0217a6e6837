"""How long a worker's progress takes to reach the pages, and whether any of it is lost.

    python bench/live.py [--database-url postgres://…] [--pages 50] [--rate 20] [--seconds 15] [--json]

Starts a real daphne on a fresh database of its own (a SQLite file; or a PostgreSQL database that it creates
beside the one of --database-url or DATABASE_URL, and drops again), opens the pages as WebSocket clients with
tokens, and lets another process publish. Half-way every page drops its connection and comes back with
`after=` about a second later, as live.js does. Beside it, in the same run, the plain way: a client that asks
the event table every 250 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

BASELINE_SECONDS = 0.25
AWAY_SECONDS = 1.0
PATIENCE_SECONDS = 20


@contextlib.contextmanager
def fresh_database(url: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database that is gone afterwards."""
    if not url or url.startswith("sqlite"):
        yield f"sqlite:///{folder / 'bench.sqlite3'}"
        return
    import psycopg

    name = f"slotcast_bench_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
        try:
            yield url.partition("?")[0].rpartition("/")[0] + f"/{name}"
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def prepare() -> str:
    """Create the tables as the models stand, and a staff user; gives the user's token."""
    import django
    from django.core.management import call_command

    django.setup()
    from django.apps import apps
    from django.conf import settings

    # Without migrations the tables are made from the models, in a second.
    settings.MIGRATION_MODULES = {app.label: None for app in apps.get_app_configs()}
    call_command("migrate", run_syncdb=True, verbosity=0)
    from django.contrib.auth import get_user_model
    from knox.models import AuthToken

    return AuthToken.objects.create(get_user_model().objects.create_user("bench", is_staff=True))[1]


def write(rate: float, seconds: float) -> None:
    """The worker: publish progress at `rate`, each event stamped with the moment before it is written."""
    import django

    django.setup()
    from django.utils import timezone

    from jobs.events import publish

    started = time.time()
    for number in range(int(rate * seconds)):
        time.sleep(max(0.0, started + number / rate - time.time()))
        publish(
            "uploads",
            "upload_progress",
            {"number": number, "progress": number % 100, "sent": time.time()},
            now=timezone.now(),
        )


def poll_table(seconds: float) -> None:
    """The plain way: ask the table every 250 ms for what is new; prints the delays in milliseconds."""
    import django

    django.setup()
    from jobs.events import Event

    last, until, delays = 0, time.time() + seconds, []
    while time.time() < until:
        for id, data in (
            Event.objects.filter(id__gt=last, topic="uploads").order_by("id").values_list("id", "data")
        ):
            delays.append((time.time() - data["sent"]) * 1000)
            last = id
        time.sleep(BASELINE_SECONDS)
    print(json.dumps(delays))


class Page:
    """One open page: remembers what it received, and how late."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token
        self.last: int | None = None
        self.numbers: list[int] = []
        self.delays: list[float] = []
        self.ready = asyncio.Event()

    async def watch(self, total: int, half: int) -> None:
        """Receive `total` events, away once at `half`; what was sent while it was away is not timed."""
        await self.listen(lambda: len(self.numbers) >= half)
        await asyncio.sleep(AWAY_SECONDS * random.uniform(0.5, 1.5))
        await self.listen(lambda: self.numbers[-1] == total - 1)

    async def listen(self, enough: Callable[[], bool]) -> None:
        from websockets.asyncio.client import connect

        live_since = 0.0
        after = "" if self.last is None else f"&after={self.last}"
        headers = {"Authorization": f"Bearer {self.token}"}
        async with connect(f"{self.url}?topics=uploads{after}", additional_headers=headers) as connection:
            async for text in connection:
                now, envelope = time.time(), json.loads(text)
                self.last = envelope["id"]
                if envelope["type"] == "hello":
                    live_since = now
                    self.ready.set()
                    continue
                self.numbers.append(envelope["data"]["number"])
                if envelope["data"]["sent"] > live_since:
                    self.delays.append((now - envelope["data"]["sent"]) * 1000)
                if enough():
                    return


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def itself(environment: dict[str, str], *arguments: str, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, str(Path(__file__).resolve()), *arguments]
    return subprocess.Popen(command, env=environment, text=True, **options)


async def until_listening(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(PATIENCE_SECONDS * 20):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        if server.poll() is not None:
            raise SystemExit("daphne did not start")
        await asyncio.sleep(0.05)
    raise SystemExit("daphne does not listen")


async def measure(
    pages: int, rate: float, seconds: float, token: str, environment: dict[str, str]
) -> dict[str, Any]:
    port = free_port()
    daphne = [
        sys.executable,
        "-m",
        "daphne",
        "-v",
        "0",
        "-b",
        "127.0.0.1",
        "-p",
        str(port),
        "config.asgi:application",
    ]
    web = {**environment, "SLOTCAST_PROCESS": "web"}
    server = subprocess.Popen(daphne, cwd=ROOT, env=web)
    others: list[subprocess.Popen[str]] = []
    try:
        await until_listening(port, server)
        total = int(rate * seconds)
        opened = [Page(f"ws://127.0.0.1:{port}/ws/live/", token) for _ in range(pages)]
        watching = [asyncio.create_task(page.watch(total, total // 2)) for page in opened]
        await asyncio.wait_for(asyncio.gather(*(page.ready.wait() for page in opened)), PATIENCE_SECONDS)
        baseline = itself(environment, "--poll", str(seconds + 2), stdout=subprocess.PIPE)
        writer = itself(environment, "--write", str(rate), str(seconds))
        others = [baseline, writer]
        await asyncio.wait(watching, timeout=seconds + PATIENCE_SECONDS)
        for task in watching:
            task.cancel()
        answer, _ = await asyncio.to_thread(baseline.communicate)
        await asyncio.to_thread(writer.wait)
        return result(opened, total, json.loads(answer))
    finally:
        for process in (server, *others):
            process.terminate()
            process.wait()


def result(pages: list[Page], total: int, polled: list[float]) -> dict[str, Any]:
    live = spread([delay for page in pages for delay in page.delays])
    plain = spread(polled)
    return {
        "pages": len(pages),
        "events": total,
        "delivered": sum(len(set(page.numbers)) for page in pages),
        "lost": sum(total - len(set(page.numbers)) for page in pages),
        "duplicates": sum(len(page.numbers) - len(set(page.numbers)) for page in pages),
        "out_of_order": sum(page.numbers != sorted(page.numbers) for page in pages),
        "live_ms": live,
        "polling_ms": plain,
        "ratio_p50": round(live["p50"] / plain["p50"], 3),
        "ratio_p99": round(live["p99"] / plain["p99"], 3),
    }


def spread(delays: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(delays, n=100, method="inclusive")
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1), "max": round(max(delays), 1)}


def report(kind: str, found: dict[str, Any]) -> str:
    ways = [("worker to page", found["live_ms"]), ("plain polling", found["polling_ms"])]
    return "\n".join(
        [
            f"live events on {kind}: {found['pages']} pages, {found['events']} events, every page away once",
            *(
                f"  {name:<15}  p50 {ms['p50']:7.1f} ms   p99 {ms['p99']:7.1f} ms   max {ms['max']:7.1f} ms"
                for name, ms in ways
            ),
            f"  ratio            p50 {found['ratio_p50']:7.3f}      p99 {found['ratio_p99']:7.3f}",
            f"  delivered {found['delivered']}, lost {found['lost']}, duplicates {found['duplicates']},"
            f" pages out of order {found['out_of_order']}",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure live events from a worker to open pages.")
    parser.add_argument("--database-url", default=os.environ.get("DATABASE_URL", ""))
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--rate", type=float, default=20, help="events a second")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", nargs=2, type=float, help=argparse.SUPPRESS)
    parser.add_argument("--poll", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if options.write:
        write(*options.write)
        return 0
    if options.poll:
        poll_table(options.poll)
        return 0
    with tempfile.TemporaryDirectory() as folder, fresh_database(options.database_url, Path(folder)) as url:
        os.environ.update(DATABASE_URL=url, SLOTCAST_VAR=folder, PYTHONPATH=str(ROOT), REDIS_URL="")
        token = prepare()
        found = asyncio.run(measure(options.pages, options.rate, options.seconds, token, dict(os.environ)))
    kind = "SQLite" if url.startswith("sqlite") else "PostgreSQL"
    print(json.dumps({"database": kind, **found}) if options.json else report(kind, found))
    return 1 if found["lost"] or found["duplicates"] else 0


if __name__ == "__main__":
    sys.exit(main())
