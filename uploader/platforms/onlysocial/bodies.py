"""The bodies of OnlySocial's requests about posts, in the documented form and in the older one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from uploader.platforms.onlysocial.answers import ids_of, objects
from uploader.platforms.onlysocial.records import Draft, PostFormat

YOUTUBE_TITLE_CHARACTERS = 100
# The same for every post: no repetition, no link shortener.
_PLAIN: Mapping[str, Any] = {
    "tags": [],
    "until_date": None,
    "until_time": "",
    "repeat_frequency": None,
    "short_link_provider": None,
    "short_link_provider_id": None,
}
# No date: a post is published by a request of its own, and without one nothing goes out by itself.
_UNDATED = {"date": None, "time": "", "timezone": "UTC"}


def new_post(draft: Draft, form: PostFormat) -> dict[str, Any]:
    """The body of `POST /posts`."""
    if form is PostFormat.LEGACY:
        version = {
            "account_id": draft.account_id,
            "content": [draft.caption],
            "media_ids": [str(media_id) for media_id in draft.media_ids],
            "is_original": True,
        }
        return {
            "accounts": [draft.account_id],
            "versions": [version],
            "post_type": draft.post_type.value,
        }
    return {
        "accounts": [draft.account_id],
        **_UNDATED,
        **_PLAIN,
        "versions": [
            {
                "account_id": 0,
                "is_original": True,
                "content": [{"body": draft.caption, "media": list(draft.media_ids), "url": ""}],
                "options": options(draft),
            }
        ],
    }


def options(draft: Draft) -> dict[str, Any]:
    """What a post is on its provider. Providers not named here take none."""
    kind = draft.post_type.value
    match draft.provider:
        case "instagram" | "instagram_direct":
            return {draft.provider: {"type": kind, "collaborators": []}}
        case "facebook_page":
            return {"facebook_page": {"type": kind}}
        case "youtube":
            return {"youtube": {"title": _title(draft.caption), "status": "public"}}
        case "tiktok":
            return {"tiktok": _tiktok(f"account-{draft.account_id}")}
        case _:
            return {}


def _title(caption: str) -> str:
    first = caption.strip().partition("\n")[0].strip()
    return first[:YOUTUBE_TITLE_CHARACTERS] or "Video"


def _tiktok(account: str) -> dict[str, Any]:
    off = ("allow_duet", "allow_stitch", "content_disclosure", "brand_organic_toggle", "brand_content_toggle")
    return {
        "privacy_level": {account: "PUBLIC_TO_EVERYONE"},
        "allow_comments": {account: True},
        **{name: {account: False} for name in off},
    }


def dated(post: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """The body of `PUT /posts/{uuid}` that gives a post as it was read its moment: to the minute, in UTC."""
    moment = at.astimezone(UTC)
    return {
        **_PLAIN,
        "accounts": ids_of(post.get("accounts")),
        "tags": ids_of(post.get("tags")),
        "versions": [_requested(each) for each in objects(post.get("versions"))],
        "date": f"{moment:%Y-%m-%d}",
        "time": f"{moment:%H:%M}",
        "timezone": "UTC",
    }


def _requested(version: Mapping[str, Any]) -> dict[str, Any]:
    """A version as it was read: its media are objects there, integers in a request."""
    content = [{**each, "media": ids_of(each.get("media"))} for each in objects(version.get("content"))]
    return {**version, "content": content}
