"""The file of a media upload, opened where it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from django.conf import settings

from jobs.errors import JobError
from uploader import fetching, library
from uploader.platforms.errors import SourceChanged
from uploader.upload_jobs import UploadJob


@dataclass(frozen=True)
class Source:
    """An open file: its bytes, how many, and a check that nobody wrote to it meanwhile."""

    file: BinaryIO
    size_bytes: int
    refuse_changed: Callable[[], None]


@contextmanager
def opened(job: UploadJob) -> Iterator[Source]:
    """Raises the operator's sentence: `library.LibraryError`, `fetching.AddressRefused`, `SourceGone` …"""
    if job.media_url:
        with fetching.opened(job.media_url) as (stream, size):
            # Of a length told before its first byte; a stream of another length is noticed while it is read.
            yield Source(cast("BinaryIO", stream), size, lambda: None)
        return
    with _opened_here(job) as file:
        before = os.fstat(file.fileno())

        def refuse_changed() -> None:
            if library.fingerprint(os.fstat(file.fileno())) != library.fingerprint(before):
                raise SourceChanged(f"“{job.title}” changed during the upload.")

        yield Source(file, before.st_size, refuse_changed)


def _opened_here(job: UploadJob) -> BinaryIO:
    if job.library_path:
        library.complete(job.library_path)
        return library.open_video(job.library_path)
    return open_kept(job.media_path)


def open_kept(path: str) -> BinaryIO:
    """The file at `path` below MEDIA_ROOT. Raises LibraryError."""
    base = Path(os.path.realpath(settings.MEDIA_ROOT))
    real = Path(os.path.realpath(base / path))
    if not path.strip() or "\0" in path or not real.is_relative_to(base) or real == base:
        raise library.OutsideLibrary(f"File {library.shown(path)} is not among the uploaded files.")
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
