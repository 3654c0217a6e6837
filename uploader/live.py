"""What live clients hear of uploads on the topic `jobs`."""

from __future__ import annotations

from typing import Any

from django.dispatch import Signal
from django.utils import timezone

from jobs.events import publish
from uploader.upload_jobs import UploadJob

# Sent with job=, percent= at most once a second while bytes move: for those who show it under other names.
upload_moved = Signal()


def upload_progress(job: UploadJob, *, done: int, total: int, bytes_per_second: float) -> None:
    """Publish how far the upload is."""
    percent = min(99, done * 100 // total) if total else 0
    left = (total - done) / bytes_per_second if bytes_per_second > 0 else None
    publish(
        "jobs",
        "uploadProgress",
        {
            **identity(job),
            "progress": percent,
            "stage": job.stage,
            "bytesSent": done,
            "bytesTotal": total,
            "bytesPerSecond": round(bytes_per_second),
            "secondsLeft": None if left is None else round(left, 1),
            **({"filesDone": job.files_done, "filesTotal": job.files_total} if job.is_of_package else {}),
        },
        now=timezone.now(),
    )
    upload_moved.send(sender=UploadJob, job=job, percent=percent)


def identity(job: UploadJob) -> dict[str, Any]:
    return {
        "jobId": job.pk,
        "jobType": job.job_type,
        "uploadType": job.upload_type,
        "clientId": job.client_id,
        "resourceType": "film" if job.film_id else "episode" if job.episode_id else None,
        "resourceId": job.film_id or job.episode_id,
        "resourceName": job.title,
        "label": job.label or None,
        "title": job.title,
        "destination": job.destination.name,
        "episodeId": job.episode_id,
        "filmId": job.film_id,
        "status": job.status,
        "attempt": job.attempt,
    }
