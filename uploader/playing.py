"""Packages played back in the page, from whatever storage they are in.

The files come through here, piece by piece: the browser needs neither keys nor an address of the storage, the bucket
no rule for other sites, and a folder has no address at all.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Any

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from jobs.errors import JobError
from jobs.lifecycle import Status
from jobs.pages import forbidden, framed, is_partial, partial, staff
from uploader import package_uploads
from uploader.transfer.errors import ObjectMissing
from uploader.transfer.headers import HEADERS, headers_of
from uploader.transfer.places import Place
from uploader.transfer.storage import Storage
from uploader.upload_jobs import REMOVED, REMOVING, UploadJob, UploadType

# So much is held in memory at once; what is longer is passed on in pieces.
PIECE_BYTES = 4 * 1024 * 1024
# A path of a package: nothing that is hidden, upwards, absolute, or read in two ways.
PATH = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*){0,8}", re.ASCII)
RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


@require_safe
@staff
def play(request: HttpRequest, job_id: int) -> HttpResponse:
    """The player of a package, as a page or as the piece of one. `job_id` is the job of its master playlist."""
    if not request.user.has_perm("uploader.view_uploadjob"):
        return forbidden(request)
    job = package_of(job_id)
    context = {"job": job, "source": reverse("package-file", args=[job.pk, master_name(job)])}
    if is_partial(request):
        return partial(request, "uploader/_player.html", context)
    return framed(
        request, "uploader/player.html", f"Play {job.title.rpartition(' · ')[0] or job.title}", context
    )


@require_safe
def package_file(request: HttpRequest, job_id: int, path: str) -> HttpResponseBase:
    """One file of a package, or the range of it that is asked for (RFC 9110, 14)."""
    user: Any = request.user
    if not (user.is_active and user.is_staff and user.has_perm("uploader.view_uploadjob")):
        return HttpResponse("Sign in to play this.", status=403, content_type="text/plain")
    if not PATH.fullmatch(path) or not path.endswith(tuple(HEADERS)):
        raise Http404
    job = package_of(job_id)
    key = f"{package_uploads.folder_of(job)}/{path}"
    try:
        return answered(request, opened(job.destination.place), key)
    except ObjectMissing as error:
        raise Http404 from error
    except JobError as error:
        return HttpResponse(str(error), status=502, content_type="text/plain; charset=utf-8")


def package_of(job_id: int) -> UploadJob:
    """The completed job of a master playlist whose package is still there. Raises Http404."""
    jobs = UploadJob.objects.filter(upload_type=UploadType.MASTER_PLAYLIST, status=Status.COMPLETED)
    job = jobs.exclude(remote_status__in=(REMOVING, REMOVED)).filter(pk=job_id)
    found = job.select_related("destination").first()
    if found is None:
        raise Http404
    return found


def master_name(job: UploadJob) -> str:
    return job.s3_path.removeprefix(f"{package_uploads.folder_of(job)}/")


@lru_cache(maxsize=8)
def opened(place: Place) -> Storage:
    """A storage whose connections are kept from one request to the next."""
    return Storage(place)


def answered(request: HttpRequest, storage: Storage, key: str) -> HttpResponseBase:
    """The object, whole or in part. Raises what the storage raises."""
    stored = storage.head(key)
    if stored is None:
        raise ObjectMissing
    size = stored.size_bytes
    wanted = range_of(request.headers.get("Range", ""), size)
    if wanted is None:
        answer: HttpResponseBase = HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    else:
        start, end = wanted
        status = 206 if (start, end) != (0, size) else 200
        answer = body_of(request, storage, key, start, end)
        answer.status_code = status
        answer["Content-Length"] = str(end - start)
        if status == 206:
            answer["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    answer["Content-Type"] = headers_of(key)["Content-Type"]
    answer["Accept-Ranges"] = "bytes"
    # A package's folder is never written to again; but it may be deleted, which its playlists have to tell.
    is_playlist = key.endswith(".m3u8")
    answer["Cache-Control"] = "private, no-cache" if is_playlist else "private, max-age=3600"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


def body_of(request: HttpRequest, storage: Storage, key: str, start: int, end: int) -> HttpResponseBase:
    if request.method == "HEAD" or start == end:
        return HttpResponse()
    if end - start <= PIECE_BYTES:
        return HttpResponse(storage.read(key, start=start, end=end).body)
    return StreamingHttpResponse(pieces(storage, key, start, end))


async def pieces(storage: Storage, key: str, start: int, end: int) -> AsyncIterator[bytes]:
    read = sync_to_async(storage.read, thread_sensitive=False)
    for at in range(start, end, PIECE_BYTES):
        yield (await read(key, start=at, end=min(at + PIECE_BYTES, end))).body


def range_of(header: str, size: int) -> tuple[int, int] | None:
    """From where to before where; the whole for no or a strange header; None when nothing of it is there."""
    found = RANGE.fullmatch(header.strip())
    if found is None or not (found[1] or found[2]):
        return 0, size
    if not found[1]:
        last = int(found[2])
        return (max(0, size - last), size) if last and size else None
    start, end = int(found[1]), int(found[2]) + 1 if found[2] else size
    if start >= size or end <= start:
        return None if start >= size else (0, size)
    return start, min(end, size)
