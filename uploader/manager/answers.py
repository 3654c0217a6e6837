"""An upload job as programs read it: the columns of the requirement by its names, and what else is known."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from jobs.lifecycle import Status
from uploader.catalog import Episode
from uploader.upload_jobs import JOB_TYPES, UploadJob, UploadType

# The requirement has two queues; subtitles stand in that of the renditions.
QUEUES = {**JOB_TYPES, UploadType.SUBTITLE: JOB_TYPES[UploadType.HLS]}
# A rendition of sound alone has a label of this beginning.
SOUND = "audio"


def stamp(at: datetime | None) -> str | None:
    """A time as JavaScript writes it."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def resource_of(job: Any) -> dict[str, Any]:
    """What the job is about: film or episode, its id and name."""
    video = job.video
    kind = "film" if job.film_id else "episode" if job.episode_id else None
    return {
        "resourceType": kind,
        "resourceId": job.film_id or job.episode_id,
        "resourceName": str(video)[:255] if video else job.title,
        "filmId": job.film_id,
        "episodeId": job.episode_id,
        "seasonId": video.season_id if isinstance(video, Episode) else None,
    }


def upload(job: UploadJob) -> dict[str, Any]:
    """One row of `GET /v1/studio/upload-jobs`."""
    cancelled = job.status == Status.CANCELLED
    failed = job.status == Status.FAILED
    return {
        "id": job.pk,
        "jobId": job.pk,
        "queueName": QUEUES[UploadType(job.upload_type)],
        "jobType": job.job_type,
        "status": job.status,
        "progress": job.progress,
        **resource_of(job),
        "filename": filename(job),
        "uploadType": job.upload_type,
        **paths(job),
        "clientId": job.client_id,
        "canCancel": job.can_cancel and job.cancel_requested_at is None,
        "cancelledAt": stamp(job.finished_at) if cancelled else None,
        "failedReason": (job.get_error_kind_display() or "Failed") if failed else None,
        "errorMessage": job.error_message or None,
        "createdAt": stamp(job.created_at),
        "updatedAt": stamp(job.updated_at),
        # Beyond the requirement.
        "destination": job.destination.name,
        "stage": job.stage or None,
        "attempt": job.attempt,
        "maxAttempts": job.max_attempts,
        "errorKind": job.error_kind or None,
        "cancelRequested": job.cancel_requested_at is not None and not job.is_finished,
        "bytesSent": job.bytes_sent,
        "bytesTotal": job.bytes_total,
        "bytesPerSecond": round(job.bytes_per_second),
        "secondsLeft": job.seconds_left if job.is_active else None,
        "filesDone": job.files_done,
        "filesTotal": job.files_total,
        "remoteId": job.remote_id or None,
        "remoteUrl": job.remote_url or None,
        "notBefore": stamp(job.not_before_at),
        "startedAt": stamp(job.started_at),
        "finishedAt": stamp(job.finished_at),
    }


def paths(job: UploadJob) -> dict[str, Any]:
    """Where the files lie here and belong there, and what is known of them."""
    is_subtitle = job.upload_type == UploadType.SUBTITLE
    languages = job.details.get("subtitleLanguages") or (
        [job.language] if is_subtitle and job.language else []
    )
    return {
        "contentType": content_of(job),
        "label": job.label or None,
        "hlsDir": local_of(job, UploadType.HLS),
        "masterPlaylistPath": local_of(job, UploadType.MASTER_PLAYLIST),
        "subtitlePath": local_of(job, UploadType.SUBTITLE),
        "uploadPath": job.s3_path or None,
        "initialMetadata": None if is_subtitle else job.details or None,
        "subtitleMetadata": job.details or None if is_subtitle else None,
        "subtitleLanguages": languages,
        "bucketName": bucket_of(job),
    }


def content_of(job: UploadJob) -> str:
    """ "video", "audio", "subtitle" or "playlist"."""
    return "audio" if job.label.startswith(SOUND) else job.content_type


def local_of(job: UploadJob, upload_type: UploadType) -> str | None:
    return job.local_path or None if job.upload_type == upload_type else None


def bucket_of(job: UploadJob) -> str | None:
    """The bucket it goes to; a folder of this machine has none."""
    if not job.destination.is_storage:
        return None
    if job.destination.credentials_from_environment:
        parts = urlsplit(settings.STORAGE["url"])
        return parts.netloc or None if parts.scheme == "s3" else None
    return job.destination.bucket or None


def filename(job: UploadJob) -> str | None:
    """The name of the file, or folder, that goes up; of an address only what stands before its “?”."""
    if job.upload_type == UploadType.VIDEO:
        path = job.video.path if job.video else ""
    else:
        path = (
            getattr(job, "local_path", "") or job.library_path or job.media_path
            or job.media_url.partition("?")[0]
        )  # fmt: skip
    return PurePosixPath(path).name or None
