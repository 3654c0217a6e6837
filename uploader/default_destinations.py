"""The destinations that the environment defines, and what those of each platform allow."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from uploader.accounts import Platform
from uploader.destinations import Destination
from uploader.platforms.onlysocial import MEDIA_BYTES

# OnlySocial counts no videos a day; a file has its largest size.
POST_LIMITS: dict[str, int | None] = {
    "max_videos_per_day": None,
    "max_seconds_per_day": None,
    "max_bytes_per_day": None,
    "max_video_seconds": None,
    "max_video_bytes": MEDIA_BYTES,
}

# A storage counts nothing.
STORAGE_LIMITS: dict[str, int | None] = dict.fromkeys(POST_LIMITS)


def ensure_default(now: datetime) -> Destination | None:
    """The destination `dailymotion` of the environment, made when credentials are there and it is not."""
    if not settings.DAILYMOTION["key"]:
        return None
    destination, _ = Destination.objects.get_or_create(
        name="dailymotion",
        defaults={
            "title": "Dailymotion (sandbox)" if settings.SANDBOX_URL else "Dailymotion",
            "credentials_from_environment": True,
            "created_at": now,
        },
    )
    return destination


def ensure_onlysocial(now: datetime) -> Destination | None:
    """The destination `onlysocial` of the environment, made when credentials are there and it is not."""
    if not settings.ONLYSOCIAL["key"]:
        return None
    destination, _ = Destination.objects.get_or_create(
        name="onlysocial",
        defaults={
            "title": "OnlySocial (sandbox)" if settings.SANDBOX_URL else "OnlySocial",
            "platform": Platform.ONLYSOCIAL,
            "credentials_from_environment": True,
            "created_at": now,
            **POST_LIMITS,
        },
    )
    return destination


def ensure_storage(now: datetime) -> Destination:
    """The destination `spaces` of the environment: the storage STORAGE_URL names, or a folder under var/."""
    destination, _ = Destination.objects.get_or_create(
        name="spaces",
        defaults={
            "title": "Storage",
            "platform": Platform.SPACES,
            "credentials_from_environment": True,
            "created_at": now,
            **STORAGE_LIMITS,
        },
    )
    return destination
