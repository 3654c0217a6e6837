"""The file of a media upload, opened where it is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

from uploader import fetching, kept_files, library
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
    file = _opened_here(job)
    if file is None:
        shared = kept_files.open_shared(job.media_path)
        # Under a name that is never written to again.
        yield Source(cast("BinaryIO", shared), shared.size_bytes, lambda: None)
        return
    with file:
        before = os.fstat(file.fileno())

        def refuse_changed() -> None:
            if library.fingerprint(os.fstat(file.fileno())) != library.fingerprint(before):
                raise SourceChanged(f"“{job.title}” changed during the upload.")

        yield Source(file, before.st_size, refuse_changed)


def _opened_here(job: UploadJob) -> BinaryIO | None:
    """None: an uploaded file that is not on this machine."""
    if job.library_path:
        library.complete(job.library_path)
        return library.open_video(job.library_path)
    with contextlib.suppress(library.FileMissing):
        return kept_files.open_here(job.media_path)
    return None
