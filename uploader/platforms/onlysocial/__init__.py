"""OnlySocial: accounts, media, posts; published at once, at a minute, or not at all."""

from uploader.platforms.onlysocial.client import OnlySocial
from uploader.platforms.onlysocial.records import (
    MEDIA_BYTES,
    Acceptance,
    Account,
    Credentials,
    Draft,
    Identity,
    Media,
    Post,
    PostAccount,
    PostFormat,
    PostStatus,
    PostType,
    can_take,
)

__all__ = [
    "MEDIA_BYTES",
    "Acceptance",
    "Account",
    "Credentials",
    "Draft",
    "Identity",
    "Media",
    "OnlySocial",
    "Post",
    "PostAccount",
    "PostFormat",
    "PostStatus",
    "PostType",
    "can_take",
]
