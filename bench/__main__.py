"""`make bench`: every benchmark, one table. `python -m bench NAME` runs one;
`python -m bench.NAME --help` tells more."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

from bench.ground import DATABASES, Figure, LeftOut, postgres, read, tell
from bench.live import ROOT

NAMES = (
    "upload", "tracking", "live", "start", "jobs", "tick", "claims", "windows", "slot_forecast", "publish", "preupload",
    "transcode", "storage", "pipeline", "manager",
)  # fmt: skip
# What the pages are promised, in milliseconds.
LIVE_P99 = {"sqlite": 300, "postgresql": 100}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure the product; see docs/benchmarks.md."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(NAMES)} (default: all)")
    parser.add_argument("--json", action="store_true", help="one figure per line, for programs")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    figures: list[Figure] = []
    left_out: list[str] = []
    for name in options.names or NAMES:
        started = time.monotonic()
        print(f"{name} …", end=" ", file=sys.stderr, flush=True)
        found, why = live() if name == "live" else outcome(["-m", f"bench.{name}", "--json"])
        figures += found
        left_out += why
        print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    tell(figures, left_out, as_json=options.json)
    return 0


def outcome(arguments: list[str]) -> tuple[list[Figure], list[str]]:
    found = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    if found.returncode:
        return [], [f"{' '.join(arguments)} broke off (exit {found.returncode})."]
    return read(found.stdout)


def live() -> tuple[list[Figure], list[str]]:
    """The figures of `bench/live.py`, which is a program of its own."""
    figures: list[Figure] = []
    left_out: list[str] = []
    for kind in DATABASES:
        try:
            url = postgres() if kind == "postgresql" else ""
        except LeftOut as why:
            left_out.append(str(why))
            continue
        command = [sys.executable, "bench/live.py", "--json", "--database-url", url]
        environment = {**os.environ, "SLOTCAST_ENV_FILE": os.devnull, "LOG_LEVEL": "ERROR"}
        # It ends with an error when something was lost, and says what all the same.
        output = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False
        ).stdout
        with contextlib.suppress(IndexError):
            figures += live_figures(kind, json.loads(output.splitlines()[-1]))
            continue
        left_out.append(f"bench/live.py on {DATABASES[kind]} broke off.")
    return figures, left_out


def live_figures(kind: str, found: dict) -> Iterator[Figure]:
    ours, plain = found["live_ms"], found["polling_ms"]
    yield Figure(
        f"live: worker to {found['pages']} pages, {DATABASES[kind]}",
        f"p50 {ours['p50']:.0f}, p99 {ours['p99']:.0f}, max {ours['max']:.0f} ms",
        f"asking every 250 ms: p50 {plain['p50']:.0f}, p99 {plain['p99']:.0f} ms",
        found["ratio_p99"],
        f"p99 <= {LIVE_P99[kind]} ms",
        ours["p99"] <= LIVE_P99[kind],
    )
    wrong = found["lost"] + found["duplicates"] + found["out_of_order"]
    yield Figure(
        f"live: over a reconnect of every page, {DATABASES[kind]}",
        f"{found['delivered']:,} delivered, {found['lost']} lost, {found['duplicates']} twice",
        "",
        None,
        "0 lost",
        wrong == 0,
    )


if __name__ == "__main__":
    sys.exit(main())
