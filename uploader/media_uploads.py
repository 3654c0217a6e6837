"""Media uploads: the files of posts, each brought to the platform by a job of its own."""

from __future__ import annotations

import uuid
from datetime import datetime
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from jobs import runner
from uploader.destinations import Destination
from uploader.platforms.errors import Rejected
from uploader.upload_jobs import UploadJob, UploadType

# What OnlySocial takes, by the end of a file's name.
CONTENT_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/x-m4v",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
}


def create_media_upload(
    destination: Destination,
    *,
    library_path: str = "",
    media_path: str = "",
    url: str = "",
    size_bytes: int | None = None,
    title: str = "",
    now: datetime,
) -> UploadJob:
    """A waiting job for one file: in the library, below MEDIA_ROOT, or at an address. Exactly one is given.

    When it is completed `remote_id` is the platform's integer id of the file, by which posts name it.
    Raises Rejected for a file of a type the platform does not take.
    """
    given = [each for each in (library_path, media_path, url) if each]
    if len(given) != 1:
        raise ValueError("Give one of library_path, media_path and url")
    if not destination.is_for_posts:
        raise Rejected(f"{destination} takes whole videos, no posts. Choose an OnlySocial destination.")
    name = PurePosixPath(unquote(urlsplit(url).path) if url else given[0]).name
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in CONTENT_TYPES:
        raise Rejected(f"“{name}” is of no type OnlySocial takes ({', '.join(CONTENT_TYPES)}).")
    job = UploadJob.objects.create(
        destination=destination,
        upload_type=UploadType.MEDIA,
        library_path=library_path,
        media_path=media_path,
        media_url=url,
        media_name=f"job-{uuid.uuid4()}{suffix}",
        title=(title or name)[:255],
        max_attempts=destination.attempts,
        bytes_total=size_bytes or 0,
        not_before_at=now,
        created_at=now,
        updated_at=now,
    )
    runner.wake(job.lane)
    return job


def content_type_of(job: UploadJob) -> str:
    return CONTENT_TYPES[PurePosixPath(job.media_name).suffix]
