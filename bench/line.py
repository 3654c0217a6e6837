"""One line of some length and the passes of the clock over it: a hand of the benchmark `tick`.

python -m bench.line DATABASE SERIES    makes the line, then one round for each line it reads
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from bench.ground import ground

EPISODES = 100
DESTINATIONS = 4


def prepare(series: int) -> None:
    """Fill the line, let the database look at it, and take the first pass, in which a process prepares itself."""
    from django.core.management import call_command
    from django.db import connection
    from django.utils import timezone

    from jobs import ticker

    call_command("bench_data", series=series, episodes=EPISODES, destinations=DESTINATIONS, stdout=sys.stderr)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    ticker.tick(timezone.now())


def one_round(early: datetime) -> dict[str, float]:
    """Seconds of a pass in which nothing is due, of one with recovery, and of one in which a line starts."""
    from jobs import recovery
    from schedules import hourly
    from schedules.upload_schedules import ScheduledUpload

    found = {
        "nothing due": seconds_of(lambda: hourly.tick(early)),
        "with recovery and wake": seconds_of(lambda: (hourly.tick(early), recovery.recover(early))),
    }
    # The clock is put to the moment at which the next episode is due.
    due = ScheduledUpload.objects.planned()[0].scheduled_at + timedelta(milliseconds=200)
    started: list[Any] = []
    found["one starts"] = seconds_of(lambda: started.extend(hourly.tick(due)))
    [row] = started
    row.job.cancel(who="bench", now=due)
    return found


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def plans() -> dict[str, bool]:
    """Whether the queries of the tick go through the partial indexes made for them."""
    from django.utils import timezone

    from schedules.upload_schedules import ScheduledUpload
    from uploader.destinations import Destination

    rows = ScheduledUpload.objects.filter(destination=Destination.objects.first())
    asked = {
        "scheduled_upload_head": rows.planned().filter(scheduled_at__lte=timezone.now())[:1],
        "scheduled_upload_in_flight": rows.in_flight()[:1],
    }
    return {index: index in query.explain() for index, query in asked.items()}


def main(kind: str, series: int) -> None:
    with ground(kind):
        from django.utils import timezone

        early = timezone.now()
        prepare(series)
        print(json.dumps(plans()), flush=True)
        for _ in sys.stdin:
            print(json.dumps(one_round(early)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
