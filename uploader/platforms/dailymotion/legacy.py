"""The two older dialects, which differ in addresses, grants and whether somebody is logged in."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from uploader.platforms.dailymotion.dialects import PAGE_SIZE, Call
from uploader.platforms.dailymotion.records import (
    AccountLimits,
    Identity,
    NewVideo,
    Profile,
    RemoteVideo,
    VideoState,
)
from uploader.platforms.errors import CredentialsRejected
from uploader.platforms.values import flag, integer, moment, text, words

FIELDS = (
    "id,title,status,encoding_progress,publishing_progress,published,private,private_id,url,tags,created_time"
)
LAST_PAGE = 100  # the API serves no further one
FAILURES = {
    "rejected": "Dailymotion rejected the video.",
    "deleted": "The video was deleted on Dailymotion.",
    "encoding_error": "Dailymotion could not encode the video.",
}


class Legacy:
    """`has_user` is false where the key alone signs in: there is no /me, the profile must be configured."""

    def __init__(self, name: str, *, api_url: str, token_url: str, has_user: bool) -> None:
        self.name = name
        self.api_url = api_url
        self.token_url = token_url
        self.has_user = has_user

    def identify(self, profile_id: str) -> Call:
        """Without a user only the configured profile's videos tell whether it is there."""
        if self.has_user:
            return Call("GET", "/me", params={"fields": "id,username,screenname"})
        return Call("GET", f"{self._owner(profile_id)}/videos", params={"fields": "id", "limit": "1"})

    def identity(self, body: Mapping[str, Any], profile_id: str) -> Identity:
        found = text(body.get("id")) or profile_id
        name = text(body.get("screenname")) or text(body.get("username"))
        return Identity(profile_id or found, name, (Profile(found, name),))

    def limits_request(self) -> Call | None:
        return Call("GET", "/me", params={"fields": "limits"}) if self.has_user else None

    def limits(self, body: Mapping[str, Any]) -> AccountLimits:
        limits = body.get("limits")
        if not isinstance(limits, dict):
            return AccountLimits()
        return AccountLimits(
            max_video_seconds=integer(limits.get("video_duration")),
            max_video_bytes=integer(limits.get("video_size")),
        )

    def open_upload(self) -> Call:
        return Call("GET", "/file/upload")

    def create(self, profile_id: str, uploaded_url: str, video: NewVideo) -> Call:
        form = {
            "url": uploaded_url,
            "title": video.title,
            "description": video.description,
            "tags": ",".join(video.tags),
            "channel": video.category,
            "is_created_for_kids": _word(video.is_for_kids),
            "private": _word(video.visibility == "private"),
            "published": "true",
        }
        if video.language:
            form["language"] = video.language
        if video.visibility == "password":
            form["password"] = video.password
        return Call("POST", f"{self._owner(profile_id)}/videos", params={"fields": FIELDS}, form=form)

    def get(self, video_id: str) -> Call:
        return Call("GET", _path(video_id), params={"fields": FIELDS})

    def video(self, body: Mapping[str, Any]) -> RemoteVideo:
        status = text(body.get("status"))
        is_private = flag(body.get("private"))
        state = _state(status, is_private=is_private)
        return RemoteVideo(
            text(body.get("id")),
            title=text(body.get("title")),
            state=state,
            status=status,
            progress=_progress(body, state),
            url=_watch_url(body, is_private=is_private),
            tags=words(body.get("tags")),
            checksum=text(body.get("checksum")),
            created_at=moment(body.get("created_time")),
            failure=FAILURES.get(status, ""),
        )

    def first_page(self, profile_id: str, *, created_after: datetime, tag: str) -> Call:
        params = {
            "page": "1",
            "limit": str(PAGE_SIZE),
            "sort": "recent",
            "created_after": str(int(created_after.timestamp())),
            "fields": f"{FIELDS},checksum",
        }
        if tag:
            params["tags"] = tag
        return Call("GET", f"{self._owner(profile_id)}/videos", params=params)

    def next_page(self, call: Call, body: Mapping[str, Any]) -> Call | None:
        params = dict(call.params or {})
        page = int(params["page"])
        if not flag(body.get("has_more")) or page >= LAST_PAGE:
            return None
        return replace(call, params={**params, "page": str(page + 1)})

    def listed(self, body: Mapping[str, Any]) -> Sequence[Any]:
        rows = body.get("list")
        return rows if isinstance(rows, list) else []

    def publish(self, video_id: str) -> Call:
        return Call("POST", _path(video_id), form={"published": "true"})

    def edit(
        self, video_id: str, *, title: str | None, description: str | None, tags: tuple[str, ...] | None
    ) -> Call:
        changes = {
            "title": title,
            "description": description,
            "tags": None if tags is None else ",".join(tags),
        }
        given = {name: value for name, value in changes.items() if value is not None}
        return Call("POST", _path(video_id), form=given)

    def delete(self, video_id: str) -> Call:
        return Call("DELETE", _path(video_id))

    def _owner(self, profile_id: str) -> str:
        if profile_id:
            return f"/user/{quote(profile_id, safe='')}"
        if self.has_user:
            return "/me"
        raise CredentialsRejected(
            "A partner key signs nobody in, so Dailymotion cannot tell whose videos are meant. "
            "Set the profile ID."
        )


PARTNER = Legacy(
    "partner",
    api_url="https://partner.api.dailymotion.com/rest",
    token_url="https://partner.api.dailymotion.com/oauth/v1/token",  # noqa: S106 - an address
    has_user=False,
)
PUBLIC = Legacy(
    "public",
    api_url="https://api.dailymotion.com",
    token_url="https://api.dailymotion.com/oauth/token",  # noqa: S106 - an address
    has_user=True,
)


def _path(video_id: str) -> str:
    return f"/video/{quote(video_id, safe='')}"


def _word(value: bool) -> str:
    return "true" if value else "false"


def _state(status: str, *, is_private: bool) -> VideoState:
    if status in FAILURES:
        return VideoState.FAILED
    is_visible = status == "published" or (status == "ready" and is_private)
    return VideoState.PUBLISHED if is_visible else VideoState.PENDING


def _progress(body: Mapping[str, Any], state: VideoState) -> int | None:
    """The encoding progress is -1 whenever nothing is being encoded."""
    if state is VideoState.PUBLISHED:
        return 100
    progress = integer(body.get("encoding_progress"))
    return progress if progress is not None and 0 <= progress <= 100 else None


def _watch_url(body: Mapping[str, Any], *, is_private: bool) -> str:
    """A private video plays for others only under its private id."""
    private_id = text(body.get("private_id"))
    if is_private and private_id:
        return f"https://www.dailymotion.com/video/{private_id}"
    return text(body.get("url"))
