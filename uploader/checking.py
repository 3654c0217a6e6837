"""The look at a video's file directly before work begins on it."""

from __future__ import annotations

from django.utils import timezone

from jobs.errors import ErrorKind, JobError
from uploader import library
from uploader.catalog import Episode, Film


class NotReady(JobError):
    """The video's file cannot be used as it is."""

    kind = ErrorKind.REJECTED
    permanent = True


def checked(video: Episode | Film | None) -> Episode | Film:
    """The video, with its file checked now.

    Raises NotReady with the operator's sentence, and LibraryUnavailable, which is no fault of the file.
    """
    if video is None:
        raise NotReady("The video was deleted from the catalog.")
    try:
        library.complete(video.path)
    except library.LibraryUnavailable:
        raise
    except library.LibraryError:
        pass  # told by readiness, with the video's name
    if reason := video.readiness(timezone.now()):
        raise NotReady(reason)
    return video
