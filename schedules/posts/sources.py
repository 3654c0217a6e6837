"""Where the video of a post comes from, checked before anything is saved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from django.conf import settings

from uploader import fetching, kept_files, library
from uploader.platforms.errors import PlatformError
from uploader.platforms.onlysocial import MEDIA_BYTES

# What OnlySocial takes (Mixpost's own default: video/mp4, video/x-m4v).
SUFFIXES = (".mp4", ".m4v")


class BadSource(Exception):
    """The video cannot be used."""

    code = "invalid_video"
    status = 400


class TooLarge(BadSource):
    """The file is larger than the platform takes."""

    code = "too_large"
    status = 413


class WrongType(BadSource):
    """The file is no video the platform takes."""

    code = "wrong_type"
    status = 415


class Missing(BadSource):
    """There is no such file."""

    code = "file_missing"
    status = 404


class StorageAway(BadSource):
    """The storage does not take the file now."""

    code = "storage_unavailable"
    status = 503


@dataclass(frozen=True)
class Source:
    """One of the three, and its size where it is known."""

    library_path: str = ""
    media_path: str = ""
    url: str = ""
    size_bytes: int | None = None

    @property
    def filename(self) -> str:
        path = unquote(urlsplit(self.url).path) if self.url else self.library_path or self.media_path
        return PurePosixPath(path).name


def from_library(path: str) -> Source:
    """A file of the library. Raises BadSource."""
    require_suffix(path)
    try:
        size = library.complete(path).st_size
        with library.open_video(path) as file:
            require_mp4(file, path)
    except library.FileMissing as error:
        raise Missing(str(error)) from error
    except library.LibraryError as error:
        raise BadSource(str(error)) from error
    require_size(size, path)
    return Source(library_path=path, size_bytes=size)


def from_upload(name: str, kept: Path, size_bytes: int) -> Source:
    """A file that came with the request and lies below MEDIA_ROOT; where there is a storage, it goes there.

    Calls out: never inside a transaction. Raises BadSource.
    """
    require_suffix(name)
    require_size(size_bytes, name)
    with kept.open("rb") as file:
        require_mp4(file, name)
    path = kept.relative_to(settings.MEDIA_ROOT).as_posix()
    try:
        kept_files.share(path)
    except PlatformError as error:
        shown = library.shown(PurePosixPath(name).name[:100])
        raise StorageAway(f"The video {shown} could not be kept: {error} Try again in a moment.") from error
    return Source(media_path=path, size_bytes=size_bytes)


def from_url(url: str) -> Source:
    """An address on Spaces, asked for its size; one that does not answer now is taken all the same.

    Calls out: never inside a transaction. Raises BadSource.
    """
    require_suffix(unquote(urlsplit(url).path))
    try:
        with fetching.opened(url) as (_, size_bytes):
            require_size(size_bytes, urlsplit(url).path)
            return Source(url=url, size_bytes=size_bytes)
    except fetching.SourceGone as error:
        raise Missing(str(error)) from error
    except fetching.AddressRefused as error:
        raise BadSource(str(error)) from error
    except fetching.SourceAway:
        return Source(url=url)


def require_suffix(name: str) -> None:
    if PurePosixPath(name).suffix.lower() not in SUFFIXES:
        raise WrongType(
            f"{library.shown(PurePosixPath(name).name[:100])} is no MP4 video; OnlySocial takes "
            f"{' and '.join(SUFFIXES)} only."
        )


def require_size(size_bytes: int, name: str) -> None:
    shown = library.shown(PurePosixPath(name).name[:100])
    if size_bytes == 0:
        raise BadSource(f"{shown} is empty.")
    if size_bytes > MEDIA_BYTES:
        raise TooLarge(
            f"{shown} has {size_bytes:,} bytes; OnlySocial takes at most {MEDIA_BYTES:,} (100 MB) per video. "
            "Make it smaller."
        )


def require_mp4(file: BinaryIO, name: str) -> None:
    """An MP4 begins with a box `ftyp`: ISO/IEC 14496-12, 4.3."""
    if file.read(12)[4:8] != b"ftyp":
        raise WrongType(f"{library.shown(PurePosixPath(name).name[:100])} is no MP4 video inside.")
