"""The processes that do the work, as rows: who lives, what it serves, when it was last seen."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.db import Error, connection, models
from django.utils import timezone

logger = logging.getLogger(__name__)

BEAT_SECONDS = 10.0
# Three beats missed: no longer counted among the living.
ALIVE_SECONDS = 30.0

_identity: tuple[int, str] = (0, "")


class Worker(models.Model):
    """One running process of the worker command; its id is new at every start."""

    id = models.CharField(primary_key=True, max_length=80)
    lane = models.CharField(max_length=16)
    host = models.CharField(max_length=64)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ("lane", "started_at")

    def __str__(self) -> str:
        return f"{self.lane} on {self.host} ({self.pid})"


def process_id() -> str:
    """This process's name, `host:pid:start:random`; a forked child gets one of its own."""
    global _identity
    if _identity[0] != os.getpid():
        name = f"{socket.gethostname()[:40]}:{os.getpid()}:{int(time.time())}:{uuid.uuid4().hex[:12]}"
        _identity = (os.getpid(), name)
    return _identity[1]


def beat(lane: str, now: datetime) -> None:
    """Say that this process serves `lane` and is alive; raises `django.db.Error`."""
    if not Worker.objects.filter(pk=process_id()).update(seen_at=now):
        Worker.objects.create(
            id=process_id(),
            lane=lane,
            host=socket.gethostname()[:64],
            pid=os.getpid(),
            started_at=now,
            seen_at=now,
        )


def alive(now: datetime) -> models.QuerySet[Worker]:
    """Workers seen within the last beats."""
    return Worker.objects.filter(seen_at__gte=now - timedelta(seconds=ALIVE_SECONDS))


@contextlib.contextmanager
def present(lane: str) -> Iterator[None]:
    """Keep this process's row fresh while inside, from a thread of its own; remove it on the way out."""
    left = threading.Event()
    thread = threading.Thread(target=_keep_beating, args=(lane, left), name="presence", daemon=True)
    thread.start()
    try:
        yield
    finally:
        left.set()
        thread.join(timeout=1)


def _keep_beating(lane: str, left: threading.Event) -> None:
    while True:
        _quietly(lambda: beat(lane, timezone.now()))
        if left.wait(BEAT_SECONDS):
            break
    _quietly(lambda: Worker.objects.filter(pk=process_id()).delete())


def _quietly(write: Callable[[], object]) -> None:
    """Who cannot reach the database works on; it only looks absent meanwhile."""
    try:
        write()
    except Error as exc:
        logger.debug("Presence not recorded: %s", exc)
    finally:
        # One connection less per worker between the beats.
        connection.close()
