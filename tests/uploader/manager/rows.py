"""Jobs in every state, as the manager's tests want them."""

from __future__ import annotations

from typing import Any

from jobs.errors import ErrorKind, JobError
from tests.conftest import NOW
from uploader.catalog import Episode, Film, Season, Series
from uploader.destinations import Destination
from uploader.transcoding.transcode_jobs import TranscodeJob
from uploader.upload_jobs import UploadJob


def account(name: str = "main") -> Destination:
    return Destination.objects.get_or_create(
        name=name, defaults={"title": name.title(), "credentials_from_environment": True}
    )[0]


def film(title: str = "Tide") -> Film:
    return Film.objects.get_or_create(path=f"films/{title.lower()}.mp4", defaults={"title": title})[0]


def episode(number: int = 1, series: str = "Harbour", *, season: int | None = None) -> Episode:
    of, _ = Series.objects.get_or_create(title=series)
    stands_in = Season.objects.get_or_create(series=of, number=season)[0] if season else None
    return Episode.objects.get_or_create(
        series=of, index_sequence=number, defaults={"path": f"{series}/{number}.mp4", "season": stands_in}
    )[0]


def upload(video: Film | Episode | None = None, status: str = "waiting", **columns: Any) -> UploadJob:
    of = {"film": video} if isinstance(video, Film) else {"episode": video}
    return UploadJob.objects.create(
        **{
            "destination": account(), "title": str(video), "not_before_at": NOW, "created_at": NOW,
            "status": status, **of, **columns,
        }
    )  # fmt: skip


def failed(video: Film | Episode, message: str = "The platform said no.", **columns: Any) -> UploadJob:
    job = held(upload(video, **columns))
    error = JobError(message)
    error.kind = ErrorKind.REJECTED
    job.fail(error, now=NOW)
    return UploadJob.objects.get(pk=job.pk)


def held(job: UploadJob, *, now: Any = NOW) -> UploadJob:
    """The job in the hands of a worker."""
    (claimed,) = UploadJob.objects.filter(pk=job.pk).claim(f"worker:{job.pk}#1", now=now)
    return claimed


def transcoding(video: Film | Episode | None = None, status: str = "waiting", **columns: Any) -> TranscodeJob:
    of = {"film": video} if isinstance(video, Film) else {"episode": video}
    return TranscodeJob.objects.create(
        **{
            "resource_name": str(video), "source_path": "films/tide.mp4", "not_before_at": NOW,
            "created_at": NOW, "status": status, **of, **columns,
        }
    )  # fmt: skip
