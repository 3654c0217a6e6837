"""Uploaded files: below MEDIA_ROOT, and where STORAGE_URL names a storage, moved there for every machine to read.

A file has the same name in both places; whoever opens one looks here first. What was moved leaves a mark behind, by
which this machine takes away from the storage what nothing came of, and never anything of somebody else's.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from jobs.errors import JobError
from uploader import library
from uploader.platforms.errors import PlatformError
from uploader.transfer import places
from uploader.transfer.errors import NotAPlace, ObjectMissing
from uploader.transfer.local_files import LocalFile
from uploader.transfer.places import Bucket
from uploader.transfer.sending import PARTS_AT_ONCE, Sending
from uploader.transfer.storage import Storage

log = logging.getLogger(__name__)

MARK = ".shared"
# What one request to the storage brings, and so much is held in memory.
PIECE_BYTES = 4 * 1024 * 1024


class FileAway(JobError):
    """The storage of uploaded files does not answer as it should; it is tried again."""


class StoredFile:
    """A file in the storage, read from its first byte to its last, a piece at a time."""

    def __init__(self, storage: Storage, path: str, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._storage, self._path = storage, path
        self._at, self._piece = 0, memoryview(b"")

    def seekable(self) -> bool:
        return False

    def read(self, size: int) -> bytes:
        """Raises OSError when the storage gives it no longer."""
        if not self._piece and self._at < self.size_bytes:
            body = self.read_at(self._at, min(self._at + PIECE_BYTES, self.size_bytes))
            self._at += len(body)
            self._piece = memoryview(body)
        given, self._piece = bytes(self._piece[:size]), self._piece[size:]
        return given

    def read_at(self, start: int, end: int) -> bytes:
        """The bytes from `start` to before `end`. Raises OSError."""
        try:
            return self._storage.read(self._path, start=start, end=end).body
        except PlatformError as error:
            raise OSError(str(error)) from error


class _Unwatched:
    def progress(self, done: int, total: int) -> None:
        """Nobody asks how far it is."""


def here(path: str) -> Path:
    """Where the file lies on this machine, if it does. Raises OutsideLibrary."""
    base = Path(os.path.realpath(settings.MEDIA_ROOT))
    real = Path(os.path.realpath(base / path)) if "\0" not in path else base
    if not path.strip() or not real.is_relative_to(base) or real == base:
        raise library.OutsideLibrary(f"File {library.shown(path)} is not among the uploaded files.")
    return real


def open_here(path: str) -> BinaryIO:
    """The file below MEDIA_ROOT. Raises LibraryError."""
    real = here(path)
    try:
        opened_file = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as exc:
        raise library.FileMissing(
            f"The uploaded file {library.shown(path)} is gone. Upload it again."
        ) from exc
    except OSError as exc:
        raise JobError(
            f"The uploaded file {library.shown(path)} cannot be opened ({exc.strerror}); it is tried again."
        ) from exc
    return library.regular(opened_file, path)


# -------------------------------------------------------------------- the storage all machines share


def storage() -> Storage | None:
    """Where uploaded files are shared; None: nobody chose a storage. Raises what opening it raises."""
    return Storage(places.of_environment()) if settings.STORAGE["is_chosen"] else None


def share(path: str) -> None:
    """Move a file to the storage, if there is one. Calls out. Raises PlatformError; the file is here then."""
    shared = storage()
    if shared is None:
        return
    file = here(path)
    marked(file).touch()
    with Sending(shared, _Unwatched(), at_once=PARTS_AT_ONCE) as sending:
        sending.send([LocalFile(file, path, file.stat().st_size)], {})
    file.unlink()


def open_shared(path: str) -> StoredFile:
    """The file in the storage. Raises FileMissing, FileAway: its troubles are not those of a platform."""
    here(path)
    try:
        shared = storage()
        stored = shared.head(path) if shared else None
    except PlatformError as error:
        raise FileAway(
            f"The uploaded file {library.shown(path)} cannot be read now: {error} It is tried again."
        ) from error
    if shared is None or stored is None:
        raise library.FileMissing(f"The uploaded file {library.shown(path)} is gone. Upload it again.")
    return StoredFile(shared, path, stored.size_bytes)


def forget(file: Path) -> None:
    """Remove an uploaded file from wherever it is; nothing came of it. What the storage keeps is tried later."""
    file.unlink(missing_ok=True)
    mark = marked(file)
    if not mark.exists():
        return
    path = file.relative_to(settings.MEDIA_ROOT).as_posix()
    try:
        if shared := storage():
            with contextlib.suppress(ObjectMissing):
                shared.delete([path])
    except PlatformError as error:
        log.warning("The uploaded file %s could not be deleted from the storage: %s", path, error)
        os.utime(mark)
        return
    mark.unlink(missing_ok=True)


def marked(file: Path) -> Path:
    return file.with_name(file.name + MARK)


# -------------------------------------------------------------------- questions


def why_missing(path: str) -> str:
    """Why the file cannot be read, as far as this machine can tell without asking; empty: it can."""
    if settings.STORAGE["is_chosen"] or here(path).is_file():
        return ""
    return f"The uploaded file {path} is gone. Duplicate the post with a new file."


def is_there(path: str) -> bool:
    """Asks the storage where the file is not here; one that does not answer is believed to have it."""
    if here(path).is_file():
        return True
    try:
        open_shared(path)
    except library.FileMissing:
        return False
    except FileAway:
        pass
    return True


def address(path: str) -> str:
    """Where the file is in a bucket; empty while it is here."""
    if not settings.STORAGE["is_chosen"] or here(path).is_file():
        return ""
    try:
        place = places.of_environment()
    except NotAPlace:
        return ""
    if not isinstance(place, Bucket):
        return ""
    return "/".join(filter(None, (place.address, place.prefix, path)))
