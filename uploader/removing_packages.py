"""Takes a package out of its storage when a person asks for it: the master playlist first, then all the rest."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from jobs import events
from uploader import package_uploads
from uploader.deciding import Refused
from uploader.transfer.clearing import clear
from uploader.upload_jobs import REMOVED, REMOVING, UploadJob


def remove_package(job: UploadJob, *, who: str, now: datetime) -> int:
    """Delete everything of the job's package from the storage; how many objects there were.

    Nothing of the package may be under way, and nothing starts until it is done. Calls out: never inside a
    transaction. Raises Refused, and what the storage raises; begun once, it can be asked for again.
    """
    if not job.is_of_package:
        raise Refused("is no part of a package")
    rows = UploadJob.objects.filter(destination_id=job.destination_id, package=job.package)
    with transaction.atomic():
        locked = list(rows.select_for_update().order_by("pk"))
        if busy := [row for row in locked if not row.is_finished]:
            raise Refused(
                f"{busy[0].label} of its package is {busy[0].get_status_display().lower()}; cancel it first"
            )
        rows.update(remote_status=REMOVING, updated_at=now)
    with job.destination.open_storage() as storage:
        count = clear(storage, package_uploads.folder_of(job))
    with transaction.atomic():
        rows.update(remote_status=REMOVED, remote_url="", updated_at=now)
        for row in locked:
            why = f"{count} objects of {package_uploads.folder_of(job)} were deleted from {job.destination}"
            events.record(row, "removed", now=now, who=who, why=why)
    return count
