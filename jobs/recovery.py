"""Finds what was left behind: jobs whose worker died, lanes whose task was lost, workers long gone."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from jobs import runner
from jobs.errors import LeaseLost, LostRace
from jobs.events import Event
from jobs.lifecycle import TrackedJob
from jobs.workers import Worker

log = logging.getLogger(__name__)

# A page that was away for longer loads its state anew instead of replaying.
LIVE_MESSAGES_KEPT = timedelta(hours=1)
FORGOTTEN_AT_ONCE = 5000


def rescue_stale(now: datetime) -> list[TrackedJob]:
    """Take back every job whose lease ran out. One that cannot be rescued never hides the next."""
    rescued: list[TrackedJob] = []
    for model in runner.job_models():
        for job in model._default_manager.stale(now).order_by("pk"):
            try:
                job.rescue(now=now)
            except (LeaseLost, LostRace):
                continue
            except Exception:
                log.exception("%s could not be taken back from its lost worker", job)
                continue
            log.warning("%s: %s", job, job.error_message or "taken back")
            rescued.append(job)
    return rescued


def forget_dead_workers(now: datetime) -> int:
    """Drop the rows of processes not seen for an hour."""
    return Worker.objects.filter(seen_at__lt=now - timedelta(hours=1)).delete()[0]


def forget_live_messages(now: datetime) -> int:
    """Drop what was sent to live pages an hour ago and more; histories stay."""
    old = Event.objects.exclude(topic="").filter(at__lt=now - LIVE_MESSAGES_KEPT)
    return Event.objects.filter(pk__in=old.order_by("pk").values("pk")[:FORGOTTEN_AT_ONCE]).delete()[0]


def recover(now: datetime) -> list[TrackedJob]:
    """One pass: rescue, then wake the lanes that have something to claim."""
    rescued = rescue_stale(now)
    runner.wake_waiting(now)
    return rescued
