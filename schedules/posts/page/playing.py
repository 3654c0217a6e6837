"""The video of a post for the player of its page, in pieces: nobody holds a whole file in memory."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from jobs.errors import JobError
from schedules.boards import LARGEST_ID
from schedules.pages import staff
from schedules.posts.videos import PostVideo
from uploader import kept_files, library

# What one answer holds; a player asks for the next piece by itself (RFC 9110, 14.2).
PIECE_BYTES = 2_000_000
RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


@require_safe
@staff
def video(request: HttpRequest, post_id: int, position: int) -> HttpResponse:
    """A piece of the video as `Range` asks for it; without one the first piece. 404: it is not here."""
    row = get_object_or_404(PostVideo, post=min(post_id, LARGEST_ID), position=min(position, 32_000))
    try:
        with opened(row) as (size, read):
            start, end = asked(request.headers.get("Range", ""), size)
            if start >= size:
                return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
            answer = HttpResponse(read(start, end), status=206, content_type="video/mp4")
    except (JobError, OSError) as error:
        raise Http404(str(error)) from error
    answer.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    answer.headers["Accept-Ranges"] = "bytes"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cache-Control"] = "private, max-age=600"
    return answer


@contextmanager
def opened(row: PostVideo) -> Iterator[tuple[int, Callable[[int, int], bytes]]]:
    """How large the video is, and what gives its bytes from one place to before another.

    Raises JobError, OSError; a video at an address is not ours to play.
    """
    if row.url:
        raise library.FileMissing(f"{row} lies at its address.")
    file = open_here(row)
    if file is None:
        shared = kept_files.open_shared(row.media_path)
        yield shared.size_bytes, shared.read_at
        return
    with file:

        def read(start: int, end: int) -> bytes:
            file.seek(start)
            return file.read(end - start)

        yield os.fstat(file.fileno()).st_size, read


def open_here(row: PostVideo) -> BinaryIO | None:
    """None: an uploaded file that is not on this machine."""
    if row.library_path:
        return library.open_video(row.library_path)
    with suppress(library.FileMissing):
        return kept_files.open_here(row.media_path)
    return None


def asked(header: str, size: int) -> tuple[int, int]:
    """(first byte, byte behind the last) of the piece to send."""
    found = RANGE.fullmatch(header.strip())
    start, end = 0, size
    if found and found[1]:
        start = int(found[1])
        end = min(int(found[2]) + 1, size) if found[2] else size
    elif found and found[2]:
        start = max(0, size - int(found[2]))
    return start, min(max(end, start), start + PIECE_BYTES)
