"""What goes by itself of video jobs: off the list, temporary files of failures, rows that nobody needs.

Rows that may prove a delivery stay for ever: without them a video would be uploaded a second time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet

from jobs import tidying
from jobs.lifecycle import Status
from jobs.tidying import Round
from uploader.manager import leftovers, many
from uploader.manager.kinds import KINDS, TRANSCODING, UPLOAD

# Failures older than this had their files removed long ago.
FILES_LOOKED_FOR = timedelta(days=60)
WHO = "clean-up"


def register() -> None:
    tidying.register("jobs taken off the list", clear_old)
    tidying.register("temporary files of failed or cancelled jobs", remove_files)
    tidying.register("video jobs that proved nothing", drop_rows)


def clear_old(round_: Round) -> int:
    """Take jobs off the list that ended long ago; of failures only those that somebody took care of."""
    before = round_.before(round_.days.listed)
    if before is None:
        return 0
    done_with = Q(status__in=(Status.COMPLETED, Status.CANCELLED)) | Q(
        status=Status.FAILED, handled_at__isnull=False
    )
    count = 0
    for kind in KINDS.values():
        rows: QuerySet[Any] = kind.model._default_manager.filter(done_with, finished_at__lt=before)
        count += many.clear(kind, "all", who=WHO, now=round_.now, rows=rows)
    return count


def remove_files(round_: Round) -> int:
    """Remove the temporary files of jobs that failed or were cancelled some days ago."""
    before = round_.before(round_.days.files)
    if before is None:
        return 0
    count = 0
    for kind in KINDS.values():
        rows = kind.model._default_manager.filter(
            status__in=(Status.FAILED, Status.CANCELLED),
            finished_at__lt=before,
            finished_at__gte=before - FILES_LOOKED_FOR,
        )
        for job in rows.order_by("pk").iterator(chunk_size=500):
            if any(path.exists() for place in leftovers.places(job) if (path := leftovers.inside(place))):
                count += leftovers.remove(job, who=WHO, now=round_.now).files
    return count


def drop_rows(round_: Round) -> int:
    """Delete rows that left the list long ago and prove nothing."""
    before = round_.before(round_.days.kept)
    if before is None:
        return 0
    ended = {"status__in": (Status.FAILED, Status.CANCELLED), "cleared_at__lt": before}
    uploads = UPLOAD.model._default_manager.filter(**ended, remote_id="", create_intended_at=None, package="")
    transcodings = TRANSCODING.model._default_manager.filter(**ended, package_path="")
    return sum(round_.drop(rows) for rows in (uploads, transcodings))
