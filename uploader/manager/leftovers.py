"""Temporary files of jobs, and their removal: these and no others.

Temporary is what lies below TRANSCODE_ROOT: films at work, and packages on their way to a storage. Nothing of
the library, of the storage or of another job is ever touched: each path is checked after every link in it was
followed.
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.template.defaultfilters import filesizeformat

from jobs.events import record
from jobs.tending import TendedJob
from uploader.transcoding.transcode_jobs import TranscodeJob
from uploader.transcoding.workfiles import work_folder
from uploader.upload_jobs import UploadJob

log = logging.getLogger(__name__)


@dataclass
class Removed:
    files: int = 0
    bytes: int = 0

    def __str__(self) -> str:
        return f"{self.files} file{'s' if self.files != 1 else ''} ({filesizeformat(self.bytes)}) removed"


def places(job: TendedJob) -> list[Path]:
    """The files and folders that exist for this job alone, whether they are there or not."""
    if isinstance(job, TranscodeJob):
        return [work_folder(job.pk)]
    return [Path(job.local_path)] if isinstance(job, UploadJob) and job.local_path else []


def inside(path: Path) -> Path | None:
    """The real path, when it lies below TRANSCODE_ROOT and is not the root itself; links lead nowhere else."""
    root = Path(settings.TRANSCODE_ROOT).resolve()
    try:
        real = (root / path).resolve()
    except (OSError, RuntimeError):
        return None
    # A link is removed as one, and its target stays.
    if (root / path).is_symlink():
        return None
    return (
        real if real != root and real.is_relative_to(root) and len(real.relative_to(root).parts) > 1 else None
    )


def remove(job: TendedJob, *, who: str, now: datetime) -> Removed:
    """Remove the job's temporary files and reset how far it was; its history says so."""
    removed = Removed()
    for place in places(job):
        path = inside(place)
        if path is None:
            log.warning("%s: %s is no temporary file, it stays", job, place)
            continue
        clear(path, removed)
    with transaction.atomic():
        if isinstance(job, TranscodeJob):
            # What they were is gone: a retry begins anew.
            job.pieces.all().delete()
        reset(job, now=now)
        record(job, "cleaned_up", now=now, who=who, why=str(removed), attempt=job.attempt)
    return removed


def reset(job: TendedJob, *, now: datetime) -> None:
    columns: dict[str, Any] = {"progress": 0, "stage": "", "updated_at": now}
    for name in ("bytes_sent", "files_done", "frames_done", "stage_progress"):
        if any(field.name == name for field in job._meta.concrete_fields):
            columns[name] = 0
    ended = (job.states.failed, job.states.cancelled)
    type(job)._base_manager.filter(pk=job.pk, status__in=ended).update(**columns)


def clear(path: Path, removed: Removed) -> None:
    """Remove a file, or a folder with everything in it, and count."""
    if path.is_dir():
        for each in path.rglob("*"):
            if each.is_file() and not each.is_symlink():
                removed.files += 1
                removed.bytes += each.stat().st_size
        shutil.rmtree(path, ignore_errors=True)
    elif path.is_file():
        removed.files += 1
        removed.bytes += path.stat().st_size
        path.unlink(missing_ok=True)
