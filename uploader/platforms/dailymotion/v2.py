"""The current dialect: JSON, `client_credentials`, publishing at creation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from uploader.platforms.dailymotion.dialects import PAGE_SIZE, Call
from uploader.platforms.dailymotion.records import (
    AccountLimits,
    Identity,
    NewVideo,
    Profile,
    RemoteVideo,
    VideoState,
)
from uploader.platforms.errors import CredentialsRejected, Rejected
from uploader.platforms.values import flag, integer, moment, text, words

FIELDS = "video_id,title,is_published,processing,visibility,video_url,published_at,created_at,tags,source"


class V2:
    name = "v2"
    api_url = "https://api.dailymotion.com/v2"
    token_url = "https://oauth2.dailymotion.com/v2/token"  # noqa: S105 - an address

    def identify(self, profile_id: str) -> Call:
        return Call("GET", "/me")

    def identity(self, body: Mapping[str, Any], profile_id: str) -> Identity:
        """The configured profile, or the only one; with several and none configured the choice stays open."""
        rows = body.get("profiles")
        profiles = tuple(
            Profile(text(row.get("profile_id")), text(row.get("name")))
            for row in (rows if isinstance(rows, list) else [])
            if isinstance(row, dict) and text(row.get("profile_id"))
        )
        reached = ", ".join(f"{profile.name} ({profile.profile_id})" for profile in profiles) or "none"
        if profile_id and profile_id not in [profile.profile_id for profile in profiles]:
            raise CredentialsRejected(
                f"The key does not reach the profile {profile_id}; it reaches {reached}."
            )
        if not profiles:
            raise CredentialsRejected("The key reaches no profile.")
        wanted = profile_id or (profiles[0].profile_id if len(profiles) == 1 else "")
        name = next((profile.name for profile in profiles if profile.profile_id == wanted), "")
        return Identity(wanted, name or text(body.get("username")), profiles)

    def limits_request(self) -> Call | None:
        return None

    def limits(self, body: Mapping[str, Any]) -> AccountLimits:
        return AccountLimits()

    def open_upload(self) -> Call:
        return Call("POST", "/files/upload_sessions")

    def create(self, profile_id: str, uploaded_url: str, video: NewVideo) -> Call:
        if video.category == "shortfilms":
            raise Rejected(
                "The category shortfilms is gone from the current Dailymotion API. Choose another."
            )
        body: dict[str, Any] = {
            "title": video.title,
            "description": video.description,
            "tags": list(video.tags),
            "category": video.category,
            "visibility": video.visibility,
            "is_for_kids": video.is_for_kids,
            "source": {"file_url": uploaded_url},
        }
        if video.language:
            body["language"] = video.language
        if video.visibility == "password":
            body["password"] = video.password
        return Call("POST", f"/profiles/{quote(profile_id, safe='')}/videos", json_body=body)

    def get(self, video_id: str) -> Call:
        return Call("GET", _path(video_id), params={"fields": FIELDS})

    def video(self, body: Mapping[str, Any]) -> RemoteVideo:
        processing, source = _object(body.get("processing")), _object(body.get("source"))
        status = text(processing.get("encoding_status"))
        state = _state(status, is_published=flag(body.get("is_published")))
        return RemoteVideo(
            text(body.get("video_id")),
            title=text(body.get("title")),
            state=state,
            status=status,
            progress=_progress(processing, state),
            url=text(body.get("video_url")),
            tags=words(body.get("tags")),
            checksum=text(source.get("checksum")),
            created_at=moment(body.get("created_at")),
            failure="Dailymotion could not encode the video." if state is VideoState.FAILED else "",
        )

    def first_page(self, profile_id: str, *, created_after: datetime, tag: str) -> Call:
        params = {
            "page": "1",
            "page_size": str(PAGE_SIZE),
            "sort": "-created_at",
            "created_after": created_after.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "fields": FIELDS,
        }
        if tag:
            params["tags"] = tag
        return Call("GET", f"/profiles/{quote(profile_id, safe='')}/videos", params=params)

    def next_page(self, call: Call, body: Mapping[str, Any]) -> Call | None:
        """
        `next` is followed until it is null. A number is a page; of an address only the query is taken, so
        that the token goes nowhere but to the configured API.
        """
        following = (_object(body.get("pagination")) or body).get("next")
        if not following:
            return None
        page = integer(following)
        changes = {"page": str(page)} if page else dict(parse_qsl(urlsplit(text(following)).query))
        return replace(call, params={**(call.params or {}), **changes})

    def listed(self, body: Mapping[str, Any]) -> Sequence[Any]:
        rows = body.get("data")
        return rows if isinstance(rows, list) else []

    def publish(self, video_id: str) -> Call:
        return Call("PATCH", _path(video_id), json_body={"visibility": "public"})

    def edit(
        self, video_id: str, *, title: str | None, description: str | None, tags: tuple[str, ...] | None
    ) -> Call:
        changes = {"title": title, "description": description, "tags": None if tags is None else list(tags)}
        given = {name: value for name, value in changes.items() if value is not None}
        return Call("PATCH", _path(video_id), json_body=given)

    def delete(self, video_id: str) -> Call:
        return Call("DELETE", _path(video_id))


def _path(video_id: str) -> str:
    return f"/videos/{quote(video_id, safe='')}"


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _state(status: str, *, is_published: bool) -> VideoState:
    if status == "error":
        return VideoState.FAILED
    return VideoState.PUBLISHED if status == "encoded" and is_published else VideoState.PENDING


def _progress(processing: Mapping[str, Any], state: VideoState) -> int | None:
    if state is VideoState.PUBLISHED:
        return 100
    progress = integer(processing.get("encoding_progress"))
    return progress if progress is not None and 0 <= progress <= 100 else None
