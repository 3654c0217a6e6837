"""New files in the library: whole under their name or not there at all, never over another, never outside."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import BinaryIO

from uploader import library
from uploader.library import LibraryError, OutsideLibrary, shown

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class AlreadyThere(LibraryError):
    """There is a file of this name already; it is left as it is."""


class NotWritable(LibraryError):
    """The library cannot be written to."""


def parts_of(path: str) -> tuple[str, ...]:
    """The folders and the name of a library path. Raises OutsideLibrary for what leads elsewhere."""
    pure = PurePosixPath(path)
    if not path.strip() or "\0" in path or pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise OutsideLibrary(f"Path {shown(path)} is no place in the library.")
    return pure.parts


def exists(path: str) -> bool:
    """Whether anything lies at the library path, a dangling link too. Raises OutsideLibrary."""
    parts = parts_of(path)
    return os.path.lexists(library.root().joinpath(*parts))


@contextmanager
def placed(path: str) -> Iterator[BinaryIO]:
    """A new file to write, with the folders it needs, which appears at `path` when the block ends well.

    No link is followed on the way. Raises AlreadyThere, OutsideLibrary, NotWritable.
    """
    *folders, name = parts_of(path)
    try:
        folder = _folder(folders)
    except OSError as exc:
        raise NotWritable(f"The folder of {shown(path)} cannot be opened: {exc.strerror}.") from exc
    making = f".{secrets.token_hex(8)}.tmp"
    try:
        if _lexists(name, folder):
            raise AlreadyThere(f"There is a file at {shown(path)} already; it is left as it is.")
        try:
            with os.fdopen(os.open(making, _NEW, 0o644, dir_fd=folder), "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            _appear(making, name, folder, path)
        except OSError as exc:
            raise NotWritable(f"{shown(path)} cannot be written: {exc.strerror or exc}.") from exc
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(making, dir_fd=folder)
        os.close(folder)


def _folder(names: list[str]) -> int:
    """The folder, opened from the library downwards; those that are missing are made."""
    here = os.open(library.root(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=here)
            above, here = here, os.open(name, _FOLDER, dir_fd=here)
            os.close(above)
    except OSError:
        os.close(here)
        raise
    return here


def _appear(making: str, name: str, folder: int, path: str) -> None:
    """A hard link fails when the name is taken, which a rename would not notice."""
    try:
        os.link(making, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError as exc:
        raise AlreadyThere(f"There is a file at {shown(path)} already; it is left as it is.") from exc
    except OSError:
        # A file system without hard links.
        if _lexists(name, folder):
            raise AlreadyThere(f"There is a file at {shown(path)} already; it is left as it is.") from None
        os.rename(making, name, src_dir_fd=folder, dst_dir_fd=folder)


def _lexists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
