"""Decisions about many jobs at once: so many are done in one go, and the reasons of what was refused are told."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from jobs import runner
from jobs.events import Event, subject_of
from jobs.lifecycle import Status
from jobs.reports import Report
from jobs.tending import TendedJob
from uploader.deciding import Refused
from uploader.manager import verbs
from uploader.manager.kinds import Kind

# More rows than these are not decided about in one request.
MOST_AT_ONCE = 500
# Clearing is one statement for so many.
CLEARED_AT_ONCE = 5000
CLEAR = {
    "completed": (Status.COMPLETED,),
    "failed": (Status.FAILED,),
    "cancelled": (Status.CANCELLED,),
    "all": (Status.COMPLETED, Status.FAILED, Status.CANCELLED),
}
# What each verb makes of a job, for the report.
DONE = {
    "retry": "queued again",
    "cancel": "cancelled or being stopped",
    "cleanup": "cleaned up",
    "sync": "looked at",
    "delete": "deleted",
    "handle": "marked as handled",
}


def decide(name: str, rows: QuerySet[Any], *, who: str, now: datetime, per_minute: int = 0) -> Report:
    """Do it to every job of `rows`, which are of one kind, as many as one request can bear.

    Retried `per_minute`, they come back in doses instead of all at once; zero: all at once.
    """
    report, spacing = Report(), timedelta(seconds=60 / per_minute) if per_minute else timedelta(0)
    ids = list(rows.values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
    if len(ids) > MOST_AT_ONCE:
        report.leave(rows.count() - MOST_AT_ONCE)
    found = rows.model._default_manager.in_bulk(ids[:MOST_AT_ONCE])
    # The oldest first: so they were asked for.
    for place, job in enumerate(found[pk] for pk in reversed(ids[:MOST_AT_ONCE]) if pk in found):
        try:
            if name == "retry" and spacing:
                verbs.retry(job, who=who, now=now, at=now + place * spacing)
            else:
                verbs.VERBS[name](job, who=who, now=now)
        except Refused as reason:
            report.refuse(reason)
        else:
            report.count(DONE[name])
    return report


def clear(kind: Kind, which: str, *, who: str, now: datetime, rows: QuerySet[Any] | None = None) -> int:
    """Take every job off the list that ended as `which` says (a key of CLEAR); gives how many."""
    listed: QuerySet[Any] = (kind.model._default_manager.all() if rows is None else rows).filter(
        status__in=CLEAR[which], cleared_at=None
    )
    count = 0
    while batch := list(listed.order_by("pk").values_list("pk", "status", "attempt")[:CLEARED_AT_ONCE]):
        ids = [pk for pk, _, _ in batch]
        with transaction.atomic():
            still = kind.model._base_manager.filter(pk__in=ids, status__in=CLEAR[which], cleared_at=None)
            done = still.update(cleared_at=now, updated_at=now)
            Event.objects.bulk_create(
                Event(
                    at=now, type="cleared", who=who[:80], old=status, new=status, attempt=attempt,
                    **subject_of(kind.model(pk=pk)),
                )
                for pk, status, attempt in batch
            )  # fmt: skip
        count += done
        if not done:
            break
    return count


def fix_stuck(kind: Kind, *, now: datetime) -> list[tuple[TendedJob, str]]:
    """Put every stuck or orphaned job right, and tell the workers again; what was done, job by job."""
    fixed = []
    for job in suspects(kind, now=now):
        if said := verbs.put_right(job, now=now):
            fixed.append((job, said))
    if kind.model._default_manager.claimable(now).exists():
        runner.wake(kind.model.lane)
    return fixed


def suspects(kind: Kind, *, now: datetime) -> Iterable[TendedJob]:
    """Jobs without a living worker, and waiting ones without a video."""
    rows = kind.model._default_manager.select_related(*kind.related)
    yield from rows.stale(now).order_by("pk").iterator(chunk_size=500)
    orphaned = rows.filter(status=Status.WAITING, film=None, episode=None)
    yield from orphaned.order_by("pk").iterator(chunk_size=500)
