"""The uploads of a package of HLS: one job per rendition, one per subtitle, one for the master playlist.

They are made by themselves when a package is ready. A package's folder in the storage is named after its content's
stamp, so that nothing is ever written over and segments may be cached for ever.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

from django.dispatch import receiver
from django.utils import timezone

from jobs import events, runner
from jobs.events import Event, job_changed
from jobs.lifecycle import Status
from uploader.catalog import Episode, Film
from uploader.default_destinations import ensure_storage
from uploader.destinations import Destination
from uploader.transcoding.packages import Package, Rendition, SubtitleTrack, package_ready
from uploader.upload_jobs import PACKAGE_TYPES, UploadJob, UploadType


@receiver(package_ready)
def upload_when_ready(sender: type, package: Package, job: Any, **_: Any) -> None:
    """In the transaction that completes the transcoding: the package's uploads are made with it, or not at all."""
    create_package_uploads(package, ensure_storage(timezone.now()), now=timezone.now())


def create_package_uploads(package: Package, destination: Destination, *, now: datetime) -> list[UploadJob]:
    """Waiting jobs for everything in the package; those of an earlier call stay as they are."""
    name = package_name(package)
    folder = f"{package.resource_type}s/{package.resource_id}/{name.rpartition('-')[2]}"
    video = video_of(package)
    common: dict[str, Any] = {
        "destination": destination,
        "package": name,
        "episode": video if isinstance(video, Episode) else None,
        "film": video if isinstance(video, Film) else None,
        "max_attempts": destination.attempts,
        "not_before_at": now,
        "created_at": now,
        "updated_at": now,
    }
    title = str(video) if video else f"{package.resource_type.title()} {package.resource_id}"
    wanted = [
        UploadJob(**common, **described, title=f"{title} · {shown}"[:255])
        for shown, described in parts_of(package, folder)
    ]
    there = set(
        destination.upload_jobs.filter(s3_path__in=[job.s3_path for job in wanted]).values_list(
            "s3_path", flat=True
        )
    )
    made = [job for job in wanted if job.s3_path not in there]
    # Another call at the same moment makes the same; the constraint lets one of each through.
    UploadJob.objects.bulk_create(made, ignore_conflicts=True)
    rows = list(destination.upload_jobs.filter(package=name).order_by("pk"))
    for row in rows:
        if row.s3_path not in there:
            events.record(row, "created", now=now, new=row.status, why="The package is ready")
    runner.wake(UploadJob.lane)
    return rows


def parts_of(package: Package, folder: str) -> list[tuple[str, dict[str, Any]]]:
    """What each job is about: what people call it, and its columns."""
    found: list[tuple[str, dict[str, Any]]] = []
    for part in package.parts:
        where = part.playlist.relative_to(package.root).as_posix()
        columns: dict[str, Any] = {
            "local_path": str(local_path_of(part)),
            "s3_path": f"{folder}/{where}",
            "files_total": len(part.files),
            "bytes_total": part.bytes,
            "language": part.language,
            "details": details_of(package, part),
        }
        if isinstance(part, Rendition):
            size = f"{part.width}x{part.height}" if part.width else ""
            columns |= {"upload_type": UploadType.HLS, "label": part.label, "resolution": size}
            found.append((part.label, columns))
        else:
            columns |= {"upload_type": UploadType.SUBTITLE, "label": part.name[:32]}
            found.append((f"{part.name} ({part.language})", columns))
    master = package.master.relative_to(package.root).as_posix()
    columns = {
        "upload_type": UploadType.MASTER_PLAYLIST,
        "label": "master",
        "local_path": str(package.master),
        "s3_path": f"{folder}/{master}",
        "files_total": 1,
        "bytes_total": package.master.stat().st_size,
        "details": {
            "root": str(package.root),
            "renditions": [part.label for part in package.renditions],
            "subtitleLanguages": [track.language for track in package.subtitles],
            "duration": package.duration_seconds,
        },
    }
    found.append(("master playlist", columns))
    return found


def local_path_of(part: Rendition | SubtitleTrack) -> Path:
    """What lies here for this part alone: a rendition's folder; subtitles share theirs, so the playlist."""
    return part.directory if isinstance(part, Rendition) else part.playlist


def details_of(package: Package, part: Rendition | SubtitleTrack) -> dict[str, Any]:
    """What is known of a part beside its columns; the package's folder is how its files are found again."""
    common = {"root": str(package.root), "playlist": part.playlist.relative_to(package.root).as_posix()}
    if isinstance(part, SubtitleTrack):
        return {**common, "name": part.name, "default": part.default, "forced": part.forced}
    return {
        **common, "kind": part.kind, "codecs": part.codecs, "bandwidth": part.bandwidth,
        "duration": package.duration_seconds,
    }  # fmt: skip


def package_name(package: Package) -> str:
    """ "film-3-0a1b2c3d4e5f": other bytes, another name. Of the files' names, sizes and times, not their content."""
    stamp = hashlib.sha256()
    for file in package.files:
        found = file.stat()
        stamp.update(
            f"{file.relative_to(package.root).as_posix()}\0{found.st_size}\0{found.st_mtime_ns}\n".encode()
        )
    return f"{package.resource_type}-{package.resource_id}-{stamp.hexdigest()[:12]}"


def video_of(package: Package) -> Episode | Film | None:
    if package.resource_type == "episode":
        return Episode.objects.filter(pk=package.resource_id).first()
    return Film.objects.filter(pk=package.resource_id).first()


def siblings(job: UploadJob) -> Any:
    """Every other job of the same package at the same destination."""
    return UploadJob.objects.filter(destination_id=job.destination_id, package=job.package).exclude(pk=job.pk)


def folder_of(job: UploadJob) -> str:
    """The package's folder in the storage: "films/3/0a1b2c3d4e5f"."""
    return "/".join(job.s3_path.split("/")[:3])


def load(job: UploadJob) -> Package:
    """The package the job is of. Raises `packages.BadPackage`."""
    return Package.load(Path(job.details["root"]))


@receiver(job_changed, sender=UploadJob)
def follow_parts(sender: type[UploadJob], job: UploadJob, event: Event, **_: Any) -> None:
    """A part that goes again takes a master playlist along that failed for want of it."""
    if job.upload_type not in PACKAGE_TYPES or job.upload_type == UploadType.MASTER_PLAYLIST:
        return
    if event.type in ("completed", "failed", "cancelled"):
        # The master playlist may be claimable now.
        runner.wake(UploadJob.lane)
    if event.type == "retried":
        failed = siblings(job).filter(upload_type=UploadType.MASTER_PLAYLIST, status=Status.FAILED)
        for master in failed:
            master.retry(who=event.who, now=event.at)
