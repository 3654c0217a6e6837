"""The handler of `sync_assets`: files between the library and the storage (Spaces, any S3, a folder).

Input: `direction` "up" (default) or "down"; `folder` of the library, or `seriesId`; else all of it. What is there
with the same bytes is left, nothing is ever deleted, and a file that is there is never overwritten in the library.
Output: `total`, `success`, `skipped`, `failed`, `bytes`.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.trackers import Tracker
from jobs.polite.errors import Unreadable
from jobs.scraping.counting import Tally
from jobs.scraping.scripts import BadInput
from uploader import library
from uploader.catalog import Episode, Series, Subtitle
from uploader.library import LibraryError
from uploader.pipeline import placing
from uploader.platforms.errors import Unavailable
from uploader.transfer import places, sending
from uploader.transfer.local_files import LocalFile, tag_of_parts
from uploader.transfer.sending import TRIES, Sending
from uploader.transfer.storage import Storage, Stored, is_md5

# Where files of the library are in the storage.
PREFIX = "library"
PIECE_BYTES = 8 * 1024 * 1024
MOST_FILES = 200_000


def sync_assets(job: PipelineJob, progress: Tracker) -> dict[str, Any]:
    direction = job.input.get("direction", "up")
    if direction not in ("up", "down"):
        raise BadInput("“direction” is up or down.")
    folder = job.input.get("folder", "")
    if not isinstance(folder, str) or (folder and ".." in placing.parts_of(folder)):
        raise BadInput("“folder” must be a folder of the library.")
    wanted = paths_of(job.input["seriesId"]) if job.input.get("seriesId") is not None else None
    storage = Storage(places.of_environment())
    if direction == "up":
        send(progress, storage, folder.strip("/"), wanted)
    else:
        fetch(progress, storage, folder.strip("/"), wanted)
    return progress.output


def paths_of(series_id: object) -> set[str]:
    """The files of a series and its subtitles. Raises BadInput."""
    if isinstance(series_id, bool) or not isinstance(series_id, int | str) or not str(series_id).isdecimal():
        raise BadInput("“seriesId” must be the id of a series.")
    series = Series.objects.filter(pk=int(series_id) % 2**63).first()
    if series is None:
        raise BadInput(f"There is no series {series_id}.")
    episodes = Episode.objects.filter(series=series).values_list("path", flat=True)
    return {*episodes, *Subtitle.objects.filter(episode__series=series).values_list("path", flat=True)}


# -------------------------------------------------------------------- up


def send(progress: Tracker, storage: Storage, folder: str, wanted: set[str] | None) -> None:
    """Bring files of the library to the storage. Raises what the storage refuses with, LibraryError."""
    progress(0, 0, stage="looking")
    files = [file for file in files_below(folder) if wanted is None or _inner(file.key) in wanted]
    present = storage.listing(f"{PREFIX}/{folder}".rstrip("/"))
    with Sending(storage, progress) as sending:
        sending.expect(files)
        progress(0, sending.tally.bytes_total, stage="sending")
        try:
            sending.send(files, present)
        finally:
            tally = sending.tally
            progress.output.update(
                total=tally.files_total, success=tally.files_done - tally.files_kept, skipped=tally.files_kept,
                failed=tally.files_total - tally.files_done, bytes=tally.bytes_sent,
            )  # fmt: skip


def files_below(folder: str) -> Iterator[LocalFile]:
    """The complete, regular files below a folder of the library; no link is followed. Raises LibraryError."""
    base = library.root()
    start = base.joinpath(*placing.parts_of(folder)) if folder else base
    if not start.resolve().is_relative_to(base) or not start.is_dir():
        raise library.NotAFolder(f"There is no folder {library.shown(folder)} in the library.")
    count = 0
    for where, folders, names in os.walk(start, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(where, name)
            if (status := _status(path, name)) is None:
                continue
            count += 1
            if count > MOST_FILES:
                raise BadInput(f"More than {MOST_FILES:,} files at once: name a folder.")
            yield LocalFile(path, f"{PREFIX}/{path.relative_to(base).as_posix()}", status.st_size)


def _status(path: Path, name: str) -> os.stat_result | None:
    """None for what is not sent: hidden, still being written, no file."""
    if name.startswith("."):
        return None
    try:
        library.refuse_incomplete(name, path)
        status = path.lstat()
    except (LibraryError, OSError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


# -------------------------------------------------------------------- down


def fetch(progress: Tracker, storage: Storage, folder: str, wanted: set[str] | None) -> None:
    """Bring what the library lacks from the storage. Raises what the storage refuses with."""
    progress(0, 0, stage="looking")
    found = storage.listing(f"{PREFIX}/{folder}".rstrip("/"))
    keys = [key for key in sorted(found) if _is_own(key) and (wanted is None or _inner(key) in wanted)]
    tally = Tally(progress, len(keys), stage="fetching", away=(Unavailable, placing.NotWritable))
    progress.output["bytes"] = 0
    for key in keys:
        with tally.one(_inner(key)) as skip:
            if placing.exists(_inner(key)):
                skip()
                continue
            _fetch(storage, key, found[key], progress)
            progress.output["bytes"] += found[key].size_bytes
    tally.close()


def _fetch(storage: Storage, key: str, told: Stored, progress: Tracker) -> None:
    """One object, piece by piece. Raises Unreadable when other bytes come than were stored."""
    file = LocalFile(Path(_inner(key)), key, told.size_bytes)
    parts: list[hashlib._Hash] = []
    whole = hashlib.md5(usedforsecurity=False)
    with placing.placed(_inner(key)) as target:
        for start in range(0, told.size_bytes, PIECE_BYTES):
            piece = _piece(storage, key, start, told, progress)
            target.write(piece)
            whole.update(piece)
            if start % file.part_bytes == 0:
                parts.append(hashlib.md5(usedforsecurity=False))
            parts[-1].update(piece)
        tags = {whole.hexdigest(), tag_of_parts([part.hexdigest() for part in parts])}
        if not storage.is_local and _is_telling(told.tag, len(parts)) and told.tag not in tags:
            raise Unreadable(f"{library.shown(key)} came with other bytes than were stored.")


def _is_telling(tag: str, parts: int) -> bool:
    """Whether a tag can be reckoned from the bytes: what somebody else sent in other parts has another."""
    return is_md5(tag) or tag.endswith(f"-{parts}")


def _piece(storage: Storage, key: str, start: int, told: Stored, progress: Tracker) -> bytes:
    """The bytes from `start` on; asked for again when the connection breaks. Raises Unreadable, Unavailable."""
    end = min(start + PIECE_BYTES, told.size_bytes)
    for tries in range(1, TRIES + 1):
        progress.check()
        try:
            found = storage.read(key, start=start, end=end)
            break
        except Unavailable:
            if tries == TRIES:
                raise
            progress.wait(sending.FIRST_WAIT_SECONDS * 2**tries)
    if (found.size_bytes, found.tag) != (told.size_bytes, told.tag) or len(found.body) != end - start:
        raise Unreadable(f"{library.shown(key)} changed while it was fetched.")
    return found.body


def _is_own(key: str) -> bool:
    return key.startswith(f"{PREFIX}/") and not any(part.startswith(".") for part in key.split("/"))


def _inner(key: str) -> str:
    return key.removeprefix(f"{PREFIX}/")
