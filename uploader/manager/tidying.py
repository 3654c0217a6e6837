"""What goes by itself after a while: jobs off the list, temporary files of failures, rows and events nobody needs.

Rows that may prove a delivery stay for ever: without them a video would be uploaded a second time.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from jobs.events import Event
from jobs.lifecycle import Status
from uploader.manager import leftovers, many
from uploader.manager.kinds import KINDS, TRANSCODING, UPLOAD, Kind

log = logging.getLogger(__name__)

AT_ONCE = 5000
# Failures older than this had their files removed long ago.
FILES_LOOKED_FOR = timedelta(days=60)
WHO = "clean-up"


def tidy(now: datetime) -> dict[str, int]:
    """Everything that is due; gives how much of each went."""
    done = {
        "cleared": sum(clear_old(kind, now=now) for kind in KINDS.values()),
        "files": sum(remove_files(kind, now=now) for kind in KINDS.values()),
        "rows": drop_rows(now),
        "events": drop_events(now),
    }
    if any(done.values()):
        log.info("Cleaned up: %s", ", ".join(f"{count} {what}" for what, count in done.items() if count))
    return done


def age(days: int, now: datetime) -> datetime | None:
    """What ended before this is due; nothing is, when the setting is 0."""
    return now - timedelta(days=days) if days else None


def clear_old(kind: Kind, *, now: datetime) -> int:
    """Take jobs off the list that ended long ago; of failures only those that somebody took care of."""
    before = age(settings.JOBS_LISTED_DAYS, now)
    if before is None:
        return 0
    done_with = Q(status__in=(Status.COMPLETED, Status.CANCELLED)) | Q(
        status=Status.FAILED, handled_at__isnull=False
    )
    rows: QuerySet[Any] = kind.model._default_manager.filter(done_with, finished_at__lt=before)
    return many.clear(kind, "all", who=WHO, now=now, rows=rows)


def remove_files(kind: Kind, *, now: datetime) -> int:
    """Remove the temporary files of jobs that failed or were cancelled some days ago."""
    before = age(settings.JOBS_FILES_DAYS, now)
    if before is None:
        return 0
    rows = kind.model._default_manager.filter(
        status__in=(Status.FAILED, Status.CANCELLED),
        finished_at__lt=before,
        finished_at__gte=before - FILES_LOOKED_FOR,
    )
    count = 0
    for job in rows.order_by("pk").iterator(chunk_size=500):
        if any(path.exists() for place in leftovers.places(job) if (path := leftovers.inside(place))):
            count += leftovers.remove(job, who=WHO, now=now).files
    return count


def drop_rows(now: datetime) -> int:
    """Delete rows that were cleared long ago and prove nothing."""
    before = age(settings.JOBS_KEPT_DAYS, now)
    if before is None:
        return 0
    ended = {"status__in": (Status.FAILED, Status.CANCELLED), "cleared_at__lt": before}
    uploads = UPLOAD.model._default_manager.filter(**ended, remote_id="", create_intended_at=None, package="")
    transcodings = TRANSCODING.model._default_manager.filter(**ended, package_path="")
    return sum(drop(rows) for rows in (uploads, transcodings))


def drop_events(now: datetime) -> int:
    """Delete the history of long ago."""
    before = age(settings.HISTORY_KEPT_DAYS, now)
    return drop(Event.objects.filter(at__lt=before)) if before else 0


def drop(rows: QuerySet[Any]) -> int:
    """Delete in portions, so that nobody waits for long."""
    count = 0
    while ids := list(rows.order_by("pk").values_list("pk", flat=True)[:AT_ONCE]):
        rows.model._default_manager.filter(pk__in=ids).delete()
        count += len(ids)
    return count
