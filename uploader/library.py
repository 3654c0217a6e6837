"""The library folder: the only place files are read from, and the only way a stored path becomes a file."""

import errno
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from django.conf import settings

from jobs.errors import ErrorKind, Hold, JobError

READ_BYTES = 1024 * 1024
# A download still running leaves one of these at the end of the name, or in a file of that name beside it.
INCOMPLETE_MARKS = (".part", ".partial", ".crdownload", ".download", ".tmp", ".!qB", ".!ut", ".aria2")
# A loop of links, a name the file system cannot hold, a pipe or device that nobody serves.
_BAD_NAMES = {errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENXIO, errno.ENODEV}


class LibraryError(JobError):
    """The file cannot be used as it is. Correct its path or the file, then retry."""

    kind = ErrorKind.REJECTED
    permanent = True


class OutsideLibrary(LibraryError):
    """File is not inside the library. Move it there and correct its path, then retry."""


class FileMissing(LibraryError):
    """File missing. Restore it, then retry."""


class NotAFile(LibraryError):
    """Path names no regular file. Correct the path, then retry."""


class NotAFolder(LibraryError):
    """Path names no folder. Correct the path, then retry."""


class NotReadable(LibraryError):
    """File may not be read by this process. Correct its permissions, then retry."""


class Incomplete(LibraryError):
    """File is still being downloaded. Wait for the download to finish, then retry."""


class LibraryUnavailable(Hold, LibraryError):
    """The library folder cannot be reached. Check that its disk is mounted; work goes on then."""

    kind = ErrorKind.TRANSIENT
    permanent = False


def root() -> Path:
    """The library folder with its own symbolic links resolved; raises `LibraryUnavailable`."""
    try:
        return Path(os.path.realpath(settings.LIBRARY_ROOT, strict=True))
    except OSError as exc:
        raise _unavailable(str(exc.strerror)) from exc


def shown(path: str | os.PathLike[str]) -> str:
    """`path` for people: on one line, with whatever cannot be printed escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()
                   for c in os.fspath(path))  # fmt: skip


def resolve(path: str) -> Path:
    """The regular file that the library path `path` names, with every symbolic link resolved.

    `path` is relative to LIBRARY_ROOT, with "/" between its parts. Raises `OutsideLibrary`, `FileMissing`,
    `NotAFile`, `NotReadable`, and `LibraryUnavailable` when the folder itself is gone.
    """
    real = _real(path)
    try:
        mode = real.stat().st_mode
    except OSError as exc:
        raise _translated(exc, path) from exc
    if not stat.S_ISREG(mode):
        raise NotAFile(f"Path {shown(path)} is {_kind_of(mode)}, not a file. Correct the path, then retry.")
    return real


def open_video(path: str) -> BinaryIO:
    """The file at the library path `path`, open for reading in binary; the caller closes it.

    Whatever changes between the check and the opening is noticed: the resolved path is walked from the
    library folder downwards without following a link, and the open file is asked for its type.
    Raises as `resolve` does.
    """
    base, real = root(), resolve(path)
    inner = real.relative_to(base).parts
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        folder = os.open(base, flags | os.O_DIRECTORY)
        try:
            for part in inner[:-1]:
                above, folder = folder, os.open(part, flags | os.O_DIRECTORY, dir_fd=folder)
                os.close(above)
            # Without O_NONBLOCK a FIFO put there meanwhile would hold the worker for ever.
            opened = os.open(inner[-1], flags | os.O_NONBLOCK | os.O_NOCTTY, dir_fd=folder)
        finally:
            os.close(folder)
    except OSError as exc:
        raise _translated(exc, path) from exc
    return regular(opened, path)


def regular(opened: int, name: str) -> BinaryIO:
    """The descriptor `opened` as a file object; closed with `NotAFile` unless it is a regular file."""
    mode = os.fstat(opened).st_mode
    if not stat.S_ISREG(mode):
        os.close(opened)
        raise NotAFile(f"Path {shown(name)} is {_kind_of(mode)}, not a file. Correct the path, then retry.")
    return os.fdopen(opened, "rb")


def library_path(path: Path) -> str:
    """The library path of the file `path`, its own last link not followed; raises `OutsideLibrary`."""
    return _below_root(Path(os.path.realpath(path.parent)) / path.name, path)


def folder(path: Path) -> tuple[Path, str]:
    """The folder `path` with its links resolved, and its library path.

    A relative `path` is looked for in the library, then in the current directory. Raises `FileMissing`,
    `NotAFolder`, `OutsideLibrary`; the library itself is refused too.
    """
    found = located(path)
    if not found.is_dir():
        if found.exists():
            raise NotAFolder(f"Path {shown(path)} is not a folder. Name the folder of one series.")
        raise FileMissing(f"Folder {shown(path)} is missing. Correct the path, then run the import again.")
    real = Path(os.path.realpath(found))
    inner = _below_root(real, path)
    if inner == ".":
        raise NotAFolder(f"Path {shown(path)} is the library itself. Name the folder of one series in it.")
    return real, inner


def located(path: Path) -> Path:
    """Where a `path` given by a person is: in the library if it is there, else seen from here."""
    if "\0" in str(path):
        raise NotAFile(f"Path “{shown(path)}” names no file. Correct the path, then retry.")
    inside, here = root() / path, Path.cwd() / path
    return here if os.path.lexists(here) and not os.path.lexists(inside) else inside


def _below_root(real: Path, given: Path) -> str:
    base = root()
    try:
        return real.relative_to(base).as_posix()
    except ValueError as exc:
        raise OutsideLibrary(
            f"Path {shown(given)} is not inside the library {shown(base)}. Move it there, then retry."
        ) from exc


def fingerprint(status: os.stat_result) -> str:
    """What changes whenever a file is replaced or written to: its size and time, without reading it."""
    return f"{status.st_size}-{status.st_mtime_ns}"


def complete(path: str) -> os.stat_result:
    """The status of the file at `path`, which no download is writing to.

    Raises `Incomplete`, and as `resolve` does.
    """
    refuse_incomplete(path)
    real = resolve(path)
    refuse_incomplete(path, real)
    try:
        return real.stat()
    except OSError as exc:
        raise _translated(exc, path) from exc


def refuse_incomplete(path: str, real: Path | None = None) -> None:
    """Raise `Incomplete` when the name, or a file beside `real`, says that a download is under way."""
    name = PurePosixPath(path).name
    mark = next((mark for mark in INCOMPLETE_MARKS if name.lower().endswith(mark.lower())), "")
    if not mark and real is not None:
        # lexists, not exists: a dangling link is a mark as well.
        mark = next((mark for mark in INCOMPLETE_MARKS if os.path.lexists(f"{real}{mark}")), "")
        mark = mark and f"{name}{mark} beside it"
    if mark:
        raise Incomplete(
            f"File {shown(path)} is still being downloaded ({shown(mark)}). "
            "Wait for the download to finish, then retry."
        )


def sha256(file: BinaryIO, *, on_bytes: Callable[[int], None] | None = None) -> str:
    """The checksum of `file` from its start, 64 hexadecimal digits; `on_bytes` hears every piece's length."""
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(READ_BYTES):
        digest.update(piece)
        if on_bytes:
            on_bytes(len(piece))
    return digest.hexdigest()


def _real(path: str) -> Path:
    """`path` with its links resolved, proven to lie below the library folder."""
    base = root()
    if not path.strip() or "\0" in path:
        raise NotAFile(f"Path “{shown(path)}” names no file. Correct the path, then retry.")
    if PurePosixPath(path).is_absolute():
        raise OutsideLibrary(
            f"Path {shown(path)} is absolute. Give it relative to the library {shown(base)}, then retry."
        )
    if ".." in PurePosixPath(path).parts:
        # Also when it stays inside: one file must not have two names.
        raise OutsideLibrary(
            f"Path {shown(path)} leads upwards (“..”). Give it from the library down, then retry."
        )
    try:
        real = Path(os.path.realpath(base / path, strict=True))
    except OSError as exc:
        if not Path(os.path.realpath(base / path)).is_relative_to(base):
            raise _outside(path, base) from exc
        raise _translated(exc, path) from exc
    if real == base or not real.is_relative_to(base):
        raise _outside(path, base)
    return real


def _outside(path: str, base: Path) -> OutsideLibrary:
    return OutsideLibrary(
        f"Path {shown(path)} leads outside the library {shown(base)}. "
        "Move the file there and correct its path, then retry."
    )


def _unavailable(why: str) -> LibraryUnavailable:
    return LibraryUnavailable(
        f"The library {shown(settings.LIBRARY_ROOT)} cannot be reached ({why}). "
        "Check that its disk is mounted; the work goes on by itself then.",
        delay_seconds=60,
    )


def _translated(error: OSError, path: str) -> LibraryError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        # The empty mount point of a disk that is away must not condemn every file of the library.
        with os.scandir(root()) as entries:
            if not any(entries):
                return _unavailable("it is empty")
        return FileMissing(f"File missing at {shown(path)}. Restore it, then retry.")
    if isinstance(error, PermissionError):
        return NotReadable(
            f"File {shown(path)} may not be read by this process. Correct its permissions, then retry."
        )
    if error.errno in _BAD_NAMES:
        return NotAFile(f"Path {shown(path)} cannot be opened ({error.strerror}). Correct it, then retry.")
    return _unavailable(str(error.strerror))


def _kind_of(mode: int) -> str:
    kinds = [
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISCHR, "a device"),
    ]
    return next((name for is_kind, name in kinds if is_kind(mode)), "something else")
