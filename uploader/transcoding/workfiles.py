"""The files of films at work and of finished packages, all below TRANSCODE_ROOT."""

from __future__ import annotations

import errno
import logging
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from jobs.errors import ErrorKind, JobError
from jobs.lifecycle import Status
from uploader.transcoding.ffmpeg import DiskFull
from uploader.transcoding.transcode_jobs import TranscodeJob
from uploader.upload_jobs import UploadJob

log = logging.getLogger(__name__)

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
WORK, PACKAGES = "work", "packages"
# What a failed job has finished is kept so long: a retry goes on from there.
FAILED_KEPT = timedelta(days=1)
# A film that was transcoded anew keeps its former package so long.
SUPERSEDED_KEPT = timedelta(days=1)


def work_folder(job_id: int) -> Path:
    """Where everything of a job lies while it is being made."""
    return Path(settings.TRANSCODE_ROOT) / WORK / str(job_id)


def new_package_path(job: TranscodeJob) -> str:
    """A name below TRANSCODE_ROOT that no other package has."""
    return f"{PACKAGES}/{job.resource_type or 'video'}-{job.resource_id or 0}/{job.pk}-{secrets.token_hex(4)}"


@contextmanager
def disk(name: str) -> Iterator[None]:
    """What the disk refuses in here becomes a sentence about the film `name`: DiskFull, or a JobError."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DiskFull(f"{name}: {DiskFull.sign}. Make room on it, then retry.") from error
        raise JobError(
            f"{name}: the folder {settings.TRANSCODE_ROOT} cannot be used ({error.strerror or error})."
        ) from error


@contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `target` when the block ends well, and is gone otherwise."""
    making = target.with_name(f"{target.name}.{secrets.token_hex(4)}.tmp")
    making.mkdir(parents=True)
    try:
        yield making
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        making.rename(target)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def remove_work(job_id: int) -> int:
    """Remove what is left of a job's work; gives the number of files."""
    folder = work_folder(job_id)
    files = sum(path.is_file() for path in folder.rglob("*"))
    shutil.rmtree(folder, ignore_errors=True)
    return files


def remove_unfinished(job_id: int, kept: set[str]) -> None:
    """Remove what died in the middle, except folders whose name begins with one of `kept`."""
    for folder in _folders(work_folder(job_id)):
        if folder.name.partition(".")[0] not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def remove_package(package_path: str) -> None:
    """Remove a package, and the folder of its film when it was the last."""
    if not package_path:
        return
    root = Path(settings.TRANSCODE_ROOT) / package_path
    shutil.rmtree(root, ignore_errors=True)
    if root.parent.is_dir() and not any(root.parent.iterdir()):
        root.parent.rmdir()


def is_being_uploaded(package_path: str) -> bool:
    """Whether an upload that is not over needs the package."""
    root = str(Path(settings.TRANSCODE_ROOT) / package_path)
    return bool(package_path) and UploadJob.objects.unfinished().filter(details__root=root).exists()


def sweep(now: datetime) -> int:
    """Remove the work of jobs that are over or gone, packages that no job names, and those of a film that has a
    newer one. Gives how many folders.

    Asks the database about what lies on the disk, not the other way round: there are many more jobs than files.
    """
    root = Path(settings.TRANSCODE_ROOT)
    orphans = [folder for folder in _folders(root / WORK) if not _is_wanted(folder.name, now)]
    for film in _folders(root / PACKAGES):
        orphans += unnamed(root, film) + superseded(root, film, now)
    for folder in orphans:
        log.info("Removing %s, which no job needs", folder)
        if folder.parent.parent.name == PACKAGES:
            remove_package(folder.relative_to(root).as_posix())
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return len(orphans)


def jobs_of_packages() -> list[TranscodeJob]:
    """The jobs whose packages lie on this machine."""
    root = Path(settings.TRANSCODE_ROOT)
    films = _folders(root / PACKAGES)
    return [job for film in films for package in _folders(film) if (job := _job_of(package, root))]


def unnamed(root: Path, film: Path) -> list[Path]:
    """Packages of the folder `film`, whole or not, that no job names."""
    # One that is being made has a longer name: see `appearing`.
    return [
        package
        for package in _folders(film)
        if _job_of(package.with_name(package.name.partition(".")[0]), root) is None
    ]


def superseded(root: Path, film: Path, now: datetime) -> list[Path]:
    """Finished packages of the folder `film` but the newest, once that is a day old; their jobs forget them."""
    found = [(job, package) for package in _folders(film) if (job := _job_of(package, root))]
    done = sorted(
        ((job, package) for job, package in found if job.status == Status.COMPLETED),
        key=lambda pair: pair[0].pk,
    )
    if len(done) < 2 or not done[-1][0].finished_at or now - done[-1][0].finished_at < SUPERSEDED_KEPT:
        return []
    old = [(job, package) for job, package in done[:-1] if not is_being_uploaded(job.package_path)]
    TranscodeJob.objects.filter(pk__in=[job.pk for job, _ in old]).update(package_path="")
    return [package for _, package in old]


def _job_of(package: Path, root: Path) -> TranscodeJob | None:
    """The job that names the package; its id is the beginning of the package's name."""
    number = package.name.partition("-")[0]
    if not number.isdecimal():
        return None
    path = package.relative_to(root).as_posix()
    return TranscodeJob.objects.filter(pk=int(number), package_path=path).first()


def _is_wanted(name: str, now: datetime) -> bool:
    if not name.isdecimal():
        return False
    job = TranscodeJob.objects.filter(pk=int(name)).first()
    return job is not None and (not job.is_finished or is_kept_for_a_retry(job, now))


def is_kept_for_a_retry(job: TranscodeJob, now: datetime) -> bool:
    """Whether a retry of the failed job is likely to use its finished pieces."""
    return (
        job.status == Status.FAILED
        and job.error_kind in (ErrorKind.TRANSIENT, ErrorKind.LOST_WORKER)
        and (job.finished_at is None or now - job.finished_at < FAILED_KEPT)
    )


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.iterdir() if path.is_dir()) if parent.is_dir() else []
