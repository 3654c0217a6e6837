"""The way of one part of a package to a storage: segments, then the playlist that names them; the master last.

The master playlist is what makes a package exist for a player. It goes only when every name in it, and in every
playlist it names, is in the storage with its right size; until then nobody finds the package, whatever failed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.utils import timezone

from jobs import events
from jobs.errors import Hold, Parked
from jobs.lifecycle import Status
from jobs.running import Run
from uploader import live, package_uploads
from uploader.delivering import hold_destination, refuse_to_start_now
from uploader.platforms.errors import Rejected, Unavailable
from uploader.transcoding.packages import BadPackage, Package
from uploader.transfer import hls, purging
from uploader.transfer.local_files import LocalFile
from uploader.transfer.places import Bucket
from uploader.transfer.sending import Sending, Tally
from uploader.transfer.storage import Storage, Stored
from uploader.upload_jobs import UploadJob, UploadType

log = logging.getLogger(__name__)

MOST_NAMED = 3


class PartsMissing(Rejected):
    """What the master playlist names is not all in the storage. Retry the parts; it follows by itself."""


class FilesGone(Rejected):
    """The package's files are gone. Transcode the video again."""


def deliver_package(job: UploadJob, run: Run) -> None:
    """One attempt at the job. Returns when its files are in the storage; raises what stopped it."""
    refuse_to_start_now(job)
    package = loaded(job)
    try:
        with job.destination.open_storage() as storage:
            if job.upload_type == UploadType.MASTER_PLAYLIST:
                publish(job, run, storage, package)
            else:
                bring(job, run, storage, package)
    except Parked:
        raise
    except Hold as reason:
        hold_destination(job, reason)
        raise
    job.destination.note_success(now=timezone.now())


def loaded(job: UploadJob) -> Package:
    """Raises FilesGone."""
    try:
        return package_uploads.load(job)
    except BadPackage as error:
        raise FilesGone(f"{job.title}: {error}") from error


# -------------------------------------------------------------------- a rendition, a subtitle


def bring(job: UploadJob, run: Run, storage: Storage, package: Package) -> None:
    """Bring every file of the part there: first what its playlists name, then the playlists."""
    files = files_of(job, package)
    run.stage("checking", progress=0, files_done=0, files_total=len(files), bytes_sent=0,
              bytes_total=sum(file.size_bytes for file in files), bytes_per_second=0.0)  # fmt: skip
    folder = job.s3_path.rpartition("/")[0]
    with Sending(storage, run) as sending, run.moving(noting(job, sending.tally)):
        sending.expect(files)
        present = sending.listing(folder)
        with run.undisturbed():
            run.stage("uploading")
        sending.send([file for file in files if file.path.suffix != ".m3u8"], present)
        sending.send([file for file in files if file.path.suffix == ".m3u8"], present)
    told(job, run, sending.tally)


def files_of(job: UploadJob, package: Package) -> list[LocalFile]:
    """The files of the job's part with their keys. Raises FilesGone."""
    folder = package_uploads.folder_of(job)
    for part in package.parts:
        if part.playlist.relative_to(package.root).as_posix() == job.details["playlist"]:
            return [local_file(path, package.root, folder) for path in part.files]
    raise FilesGone(
        f"{job.title}: the package has no {job.details['playlist']} any more. Transcode it again."
    )


def local_file(path: Path, root: Path, folder: str) -> LocalFile:
    """Raises FilesGone for what is no file of the package's own."""
    if path.is_symlink() or not path.resolve().is_relative_to(root.resolve()):
        raise FilesGone(f"{path.name} is no file of the package. Transcode the video again.")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise FilesGone(f"{path.name} is gone. Transcode the video again.") from error
    return LocalFile(path, f"{folder}/{path.relative_to(root).as_posix()}", size)


def noting(job: UploadJob, tally: Tally) -> Callable[[int, int, float], dict[str, Any]]:
    """What the supervising thread writes and tells, at most once a second."""

    def note(done: int, total: int, bytes_per_second: float) -> dict[str, Any]:
        job.bytes_sent, job.bytes_per_second, job.files_done = done, bytes_per_second, tally.files_done
        live.upload_progress(job, done=done, total=tally.bytes_total, bytes_per_second=bytes_per_second)
        return {"bytes_sent": done, "bytes_per_second": bytes_per_second, "files_done": tally.files_done}

    return note


def told(job: UploadJob, run: Run, tally: Tally) -> None:
    """Write how it went, with what the job's history should know."""
    run.save(bytes_sent=tally.bytes_done, files_done=tally.files_done, progress=99, bytes_per_second=0.0)
    why = f"{tally.files_done} files, {tally.bytes_done:,} bytes; {tally.files_kept} files were there already"
    data = {"bytesSent": tally.bytes_sent, "filesKept": tally.files_kept, "retries": tally.retries}
    events.record(job, "uploaded", now=timezone.now(), why=why, attempt=job.attempt, data=data)


# -------------------------------------------------------------------- the master playlist


def publish(job: UploadJob, run: Run, storage: Storage, package: Package) -> None:
    """Look whether everything named is there, then store the master playlist. Raises Parked, PartsMissing."""
    run.stage("verifying", progress=0, files_done=0, bytes_sent=0, bytes_per_second=0.0)
    refuse_unfinished(job)
    folder = package_uploads.folder_of(job)
    with Sending(storage, run) as sending, run.moving():
        missing = missing_of(job, sending.listing(folder), package)
    if missing:
        shown = ", ".join(missing[:MOST_NAMED]) + (" …" if len(missing) > MOST_NAMED else "")
        raise PartsMissing(
            f"{len(missing)} of the files the master playlist names are not in the storage: {shown}. "
            f"{advice(job)}"
        )
    # With a full lease: whoever lost it finds out here, before anything is stored.
    run.stage_for_good("publishing")
    with run.moving(), Sending(storage, run) as sending:
        master = [local_file(package.master, package.root, folder)]
        sending.expect(master)
        sending.send(master, sending.listing(folder))
    run.save(remote_url=address_of(job, storage), bytes_sent=job.bytes_total, files_done=1, progress=99)
    purge(job, storage)


def refuse_unfinished(job: UploadJob) -> None:
    """Raises Parked while a part is still under way, PartsMissing when one has failed or was cancelled."""
    parts = list(package_uploads.siblings(job).exclude(status=Status.COMPLETED))
    if any(not part.is_finished for part in parts):
        raise Parked("The parts of the package are still on their way.", delay_seconds=5)
    if parts:
        shown = ", ".join(f"{part.label} {part.get_status_display().lower()}" for part in parts)
        raise PartsMissing(f"Not all of the package is in the storage: {shown}. {advice(job)}")


def advice(job: UploadJob) -> str:
    return "Retry its parts; the master playlist follows by itself."


def missing_of(job: UploadJob, present: dict[str, Stored], package: Package) -> list[str]:
    """What is named and is not `present`, or not with the size it has here. Raises `hls.BadPlaylist`."""
    folder = package_uploads.folder_of(job)
    missing = []
    for path in sorted(hls.everything_named(package.master, package.root)):
        file = local_file(package.root / path, package.root, folder)
        stored = present.get(file.key)
        if stored is None or stored.size_bytes != file.size_bytes:
            missing.append(path)
    return missing


def address_of(job: UploadJob, storage: Storage) -> str:
    """Where the master playlist is; empty in a folder, which has no address."""
    if not isinstance(storage.place, Bucket):
        return ""
    return storage.place.address_of(job.s3_path)[:500]


def purge(job: UploadJob, storage: Storage) -> None:
    """Have the CDN forget what it knows of the package's playlists. A purge that fails fails nothing."""
    cdn = purging.of(job.destination)
    if cdn is None or not isinstance(storage.place, Bucket):
        return
    prefix = f"{storage.place.prefix}/" if storage.place.prefix else ""
    try:
        cdn.purge([f"{prefix}{package_uploads.folder_of(job)}/*"])
    except Unavailable as error:
        log.warning("%s: %s", job, error)
        why = str(error)
    else:
        why = "The CDN was told to forget the package's folder"
    events.record(job, "cdn_purge", now=timezone.now(), why=why, attempt=job.attempt)
