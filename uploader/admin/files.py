"""What the admin says of video files, and what it does with many of them at once."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.errors import JobError
from uploader import library
from uploader.catalog import Episode, Film, VideoFile

# How many reasons one message holds before it only counts.
MOST_REASONS = 8
BADGES = {
    "Ready": "success",
    "Not probed": "info",
    "Changed": "warning",
    "Unreachable": "warning",
    "Not ready": "danger",
}


def badge_of(video: VideoFile) -> str:
    """What a list says of a file: what its last probe found, and whether it is still the same file."""
    if video.probed_at is None:
        return "Not probed"
    if video.probe_error:
        return "Not ready"
    try:
        status = library.complete(video.path)
    except library.LibraryUnavailable:
        return "Unreachable"
    except library.LibraryError:
        return "Not ready"
    return "Ready" if video.fingerprint == library.fingerprint(status) else "Changed"


def thumbnail(poster: str, of: object, *, width: int = 96) -> SafeString | str:
    if not poster:
        return "–"
    return format_html(
        '<img src="{}{}" alt="Poster of {}" width="{}" loading="lazy" style="border-radius: 4px">',
        settings.MEDIA_URL,
        poster,
        of,
        width,
    )


def counted(done: int, word: str, failed: list[str]) -> str:
    """ "3 ready, 1 not: Episode 7 of Harbour: file missing …"."""
    text = f"{done} {word}"
    if failed:
        more = f" … and {len(failed) - MOST_REASONS} more" if len(failed) > MOST_REASONS else ""
        text += f", {len(failed)} not: {' '.join(failed[:MOST_REASONS])}{more}"
    return text


def probe_again(request: HttpRequest, videos: Iterable[Episode | Film]) -> None:
    done, failed = 0, []
    for video in videos:
        try:
            video.probe(timezone.now())
        except library.LibraryUnavailable as error:
            failed.append(str(error))
            break
        if why := video.readiness(timezone.now()):
            failed.append(why)
        else:
            done += 1
    level = messages.WARNING if failed else messages.SUCCESS
    messages.add_message(request, level, counted(done, "ready", failed))


def make_posters(request: HttpRequest, videos: Iterable[Episode | Film]) -> None:
    done, failed = 0, []
    for video in videos:
        try:
            video.make_poster()
            done += 1
        except library.LibraryUnavailable as error:
            failed.append(str(error))
            break
        except JobError as error:
            failed.append(f"{video.subject}: {error}")
    level = messages.WARNING if failed else messages.SUCCESS
    messages.add_message(request, level, counted(done, "made", failed))
