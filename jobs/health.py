"""Is the installation able to work: the database, the workers, the ticker."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, connection, models

from jobs import ticker
from jobs.workers import Worker

SILENT_AFTER = timedelta(seconds=30)


def tick_age_seconds(now: datetime) -> float | None:
    """Seconds since a ticker's last pass; None: there never was one."""
    last = Worker.objects.filter(lane=ticker.LANE).aggregate(at=models.Max("seen_at"))["at"]
    return None if last is None else max(0.0, (now - last).total_seconds())


def is_ticking(now: datetime) -> bool:
    age = tick_age_seconds(now)
    return age is not None and age < SILENT_AFTER.total_seconds()


def readiness(now: datetime) -> tuple[bool, dict[str, Any]]:
    """(ready?, what was found): the database answers, workers live, the ticker ticks."""
    try:
        connection.ensure_connection()
        workers = Worker.objects.filter(seen_at__gt=now - SILENT_AFTER).exclude(lane=ticker.LANE).count()
        age = tick_age_seconds(now)
    except DatabaseError as error:
        return False, {"database": f"does not answer: {type(error).__name__}"}
    found = {"database": "ok", "workers": workers, "tickAgeSeconds": None if age is None else round(age, 1)}
    return workers > 0 and age is not None and age < SILENT_AFTER.total_seconds(), found
