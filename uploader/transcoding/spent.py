"""Finished packages of this machine that have done their duty: all of them is in the storage, and was looked at there.

What is played comes from the storage, be it a bucket or a folder; a package is only needed here for its uploads and
their retries.
"""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from jobs.events import record
from jobs.lifecycle import Status
from jobs.tidying import Round
from uploader.transcoding import workfiles
from uploader.transcoding.packages import BadPackage, Package
from uploader.transcoding.transcode_jobs import TranscodeJob
from uploader.upload_jobs import PACKAGE_TYPES, REMOVED, REMOVING, UploadJob, UploadType

WHO = "clean-up"


def remove_spent(round_: Round) -> int:
    """Remove the packages whose uploads need them no more; gives how many.

    Asks about what lies on the disk, as `workfiles.sweep`: there are many more jobs than packages here.
    """
    count = 0
    for job in workfiles.jobs_of_packages():
        why = why_spent(job, round_)
        if why and forget(job, round_, why):
            workfiles.remove_package(job.package_path)
            count += 1
    return count


def forget(job: TranscodeJob, round_: Round, why: str) -> bool:
    """Write that the package is no longer here, first: what dies before its folder is gone is made up for."""
    if job.package_removed_at is not None:
        return True
    with transaction.atomic():
        rows = TranscodeJob.objects.filter(pk=job.pk, status=Status.COMPLETED, package_removed_at=None)
        if rows.update(package_removed_at=round_.now, updated_at=round_.now) != 1:
            return False
        record(job, "package_removed", now=round_.now, who=WHO, why=why, attempt=job.attempt)
    return True


def why_spent(job: TranscodeJob, round_: Round) -> str:
    """Why the job's package is needed here no more; empty: it is."""
    if job.package_removed_at is not None:
        return "It was to be removed"
    if job.status != Status.COMPLETED:
        return ""
    uploads = uploads_of(job)
    if not uploads or not all(upload.is_finished for upload in uploads):
        return ""
    if any(upload.status != Status.COMPLETED for upload in uploads):
        # A retry may need it, as long as there is all of it.
        return "" if is_whole(job) else "Files of it are gone, so nothing of it can be uploaded any more"
    before = round_.before(round_.days.packages)
    last = max(upload.finished_at for upload in uploads if upload.finished_at)
    if before is None or last >= before or not is_in_storage(uploads):
        return ""
    return f"All of it is in the storage since {last:%Y-%m-%d %H:%M} UTC"


def uploads_of(job: TranscodeJob) -> list[UploadJob]:
    """The uploads of the job's package."""
    rows: QuerySet[UploadJob] = UploadJob.objects.filter(
        film=job.film_id, episode=job.episode_id, upload_type__in=PACKAGE_TYPES
    )
    return [row for row in rows if str(row.details.get("root", "")).endswith(f"/{job.package_path}")]


def is_in_storage(uploads: list[UploadJob]) -> bool:
    """The master playlist is there, which was stored when all else was; and nobody took it out again."""
    return any(upload.upload_type == UploadType.MASTER_PLAYLIST for upload in uploads) and not any(
        upload.remote_status in (REMOVING, REMOVED) for upload in uploads
    )


def is_whole(job: TranscodeJob) -> bool:
    try:
        Package.load(Path(settings.TRANSCODE_ROOT) / job.package_path)
    except BadPackage:
        return False
    return True
