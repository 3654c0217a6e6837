"""The clock of the product: once a second it does what is due. Any number of tickers may run at once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone

from jobs import recovery, supervisor, workers

log = logging.getLogger(__name__)

TICK_SECONDS = 0.5
BEAT_SECONDS = 5.0
LANE = "ticker"


@dataclass
class Duty:
    """Something to do every so many seconds."""

    do: Callable[[datetime], object]
    every_seconds: float
    last_at: float = field(default=float("-inf"))


_duties: dict[str, Duty] = {}


def register(name: str, do: Callable[[datetime], object], *, every_seconds: float) -> None:
    """Have `do(now)` called by every ticker; it must bear being called by several at once."""
    _duties[name] = Duty(do, every_seconds)


register("recovery", recovery.recover, every_seconds=1)
register("beat", lambda now: workers.beat(LANE, now), every_seconds=BEAT_SECONDS)
register("live messages", recovery.forget_live_messages, every_seconds=60)
register("dead workers", recovery.forget_dead_workers, every_seconds=600)


def tick(now: datetime) -> list[str]:
    """One pass of every duty but the beat, for cron users and tests; an error of one does not stop the others.

    Returns those that could not be done.
    """
    return [name for name, duty in _duties.items() if name != "beat" and not perform(name, duty, now)]


def perform(name: str, duty: Duty, now: datetime) -> bool:
    """Was the duty done? What went wrong is in the log."""
    try:
        duty.do(now)
    except DatabaseError as error:
        log.warning("Duty “%s” could not be done this time: %s", name, error)
        connection.close_if_unusable_or_obsolete()
    except Exception:
        log.exception("Duty “%s” failed", name)
    else:
        return True
    return False


def run(stop: threading.Event) -> None:
    """Tick until `stop` is set."""
    while not stop.is_set():
        started = time.monotonic()
        now = timezone.now()
        for name, duty in _duties.items():
            if started - duty.last_at >= duty.every_seconds:
                duty.last_at = started
                perform(name, duty, now)
        close_old_connections()
        supervisor.beat(worked=True)
        stop.wait(max(0.0, TICK_SECONDS - (time.monotonic() - started)))
