"""The v2 dialect: JSON, PATCH, `video_id` and `profile_id`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sandbox.clock import iso
from sandbox.dailymotion import bodies, limits
from sandbox.dailymotion.errors import Forbidden, Invalid, NotFound
from sandbox.dailymotion.state import State, Video
from sandbox.dailymotion.tokens import Token, Tokens, require_v2_scope
from sandbox.dailymotion.upload import UploadRoutes
from sandbox.platform import Addresses, Call

ENCODING_STATUS = {
    "waiting": "uploaded",
    "processing": "encoding",
    "ready": "encoded",
    "published": "encoded",
    "encoding_error": "error",
    "rejected": "error",
}
FIELDS = frozenset({
    "video_id", "profile_id", "title", "description", "tags", "category", "visibility", "is_for_kids",
    "is_explicit", "is_published", "published_at", "created_at", "updated_at", "language", "country",
    "video_url", "processing", "source",
})  # fmt: skip
LIST_PARAMS = frozenset({
    "page", "page_size", "sort", "created_after", "tags", "visibility", "is_for_kids", "fields",
})  # fmt: skip
SORTS = {"created_at": False, "-created_at": True, "title": False, "-title": True}
PAGE_SIZE = 20
MAX_PAGE_SIZE = 100


class V2:
    def __init__(self, state: State, tokens: Tokens, uploads: UploadRoutes, addresses: Addresses) -> None:
        self._state = state
        self._tokens = tokens
        self._uploads = uploads
        self._addresses = addresses

    async def me(self, call: Call) -> web.Response:
        token = self._token(call, "account.read")
        account = self._state.profile(token.profile_id)
        name = account.screenname if account else ""
        profile = {"profile_id": token.profile_id, "name": name}
        return web.json_response({"user_id": f"u{token.profile_id}", "username": name, "profiles": [profile]})

    async def open_upload(self, call: Call) -> web.Response:
        token = self._token(call, "video.manage")
        if call.raw:
            raise Invalid("body", "The request takes no body.")
        session = self._state.open_session(token.profile_id)
        session.expired = call.action.expire_session
        return web.json_response(self._uploads.urls(session), status=201)

    async def create(self, call: Call) -> web.Response:
        token = self._token(call, "video.manage")
        self._check_profile(call, token)
        fields = _fields(call)
        file_url, values = bodies.creation(bodies.json_object(call))
        if call.action.expire_session:
            self._state.files.pop(file_url, None)
        param = "source.file_url"
        file = limits.uploaded_file(self._state, url=file_url, profile_id=token.profile_id, param=param)
        limits.check_limits(self._state, file, param=param)
        video = self._state.add_video(dialect="v2", file=file, values=values)
        return web.json_response(self._shown(video, fields), status=201)

    async def listing(self, call: Call) -> web.Response:
        token = self._token(call, "video.read")
        self._check_profile(call, token)
        query = call.request.query
        unknown = set(query) - LIST_PARAMS
        if unknown:
            raise Invalid(min(unknown), f"Unknown parameter {min(unknown)}.")
        found = self._filtered(token.profile_id, query)
        page = _whole(query, "page", default=1, highest=None)
        size = _whole(query, "page_size", default=PAGE_SIZE, highest=MAX_PAGE_SIZE)
        fields = _fields(call)
        shown = [self._shown(video, fields) for video in found[(page - 1) * size : page * size]]
        envelope = {
            "page": page,
            "page_size": size,
            "total": None,  # documented as nullable: a client has to follow `next`
            "next": self._page_url(call, page + 1) if page * size < len(found) else None,
            "previous": self._page_url(call, page - 1) if page > 1 else None,
        }
        if self._state.settings.list_envelope == "flat":
            return web.json_response({"data": shown, **envelope})
        return web.json_response({"data": shown, "pagination": envelope})

    async def get(self, call: Call) -> web.Response:
        token = self._token(call, "video.read")
        video = self._video(call)
        is_owner = video.profile_id == token.profile_id
        is_public = video.visibility == "public" and video.stage(self._state.clock()).status == "published"
        if not (is_owner or is_public):
            raise NotFound("Video", video.id)
        return web.json_response(self._shown(video, _fields(call)))

    async def edit(self, call: Call) -> web.Response:
        token = self._token(call, "video.manage")
        video = self._own_video(call, token)
        changes = bodies.edit(bodies.json_object(call))
        if video.is_explicit and changes.get("is_explicit") is False:
            raise Invalid("is_explicit", "is_explicit cannot be unset.")
        if changes.get("visibility") == "password" and not (changes.get("password") or video.password):
            raise Invalid("password", "A video with a password needs one.")
        if "extras" in changes:
            changes["extras"] = {**video.extras, **changes["extras"]}
        video.apply(changes, self._state.clock())
        return web.Response(status=204)

    async def delete(self, call: Call) -> web.Response:
        token = self._token(call, "video.manage")
        del self._state.videos[self._own_video(call, token).id]
        return web.Response(status=204)

    def _token(self, call: Call, scope: str) -> Token:
        token = self._tokens.check("v2", call.request.headers.get("Authorization"))
        require_v2_scope(token, scope)
        return token

    def _check_profile(self, call: Call, token: Token) -> None:
        profile_id = call.request.match_info["profile_id"]
        if self._state.profile(profile_id) is None:
            raise NotFound("Profile", profile_id, "profile_id")
        if profile_id != token.profile_id:
            raise Forbidden(f"Profile {profile_id} belongs to another account.")

    def _video(self, call: Call) -> Video:
        video_id = call.request.match_info["id"]
        video = self._state.videos.get(video_id)
        if video is None:
            raise NotFound("Video", video_id)
        return video

    def _own_video(self, call: Call, token: Token) -> Video:
        video = self._video(call)
        if video.profile_id != token.profile_id:
            raise Forbidden(f"Video {video.id} belongs to another account.")
        return video

    def _filtered(self, profile_id: str, query: Mapping[str, str]) -> list[Video]:
        videos = self._state.owned(profile_id)
        if "created_after" in query:
            after = bodies.moment("created_after", query["created_after"])
            videos = [video for video in videos if video.created_at >= after]
        if "tags" in query:
            wanted = {tag.strip() for tag in query["tags"].split(",")}
            videos = [video for video in videos if wanted <= set(video.tags)]
        if "visibility" in query:
            visibility = bodies.choice(bodies.VISIBILITIES)("visibility", query["visibility"])
            videos = [video for video in videos if video.visibility == visibility]
        if "is_for_kids" in query:
            flag = bodies.choice(("true", "false"))("is_for_kids", query["is_for_kids"]) == "true"
            videos = [video for video in videos if video.is_for_kids is flag]
        order = query.get("sort", "-created_at")
        if order not in SORTS:
            raise Invalid("sort", f"sort must be one of {', '.join(SORTS)}.")
        if order.endswith("title"):
            return sorted(videos, key=lambda video: video.title, reverse=SORTS[order])
        return videos if SORTS[order] else videos[::-1]

    def _page_url(self, call: Call, page: int) -> str:
        return self._addresses.api + str(call.request.rel_url.update_query(page=page))

    def _shown(self, video: Video, fields: frozenset[str]) -> dict[str, Any]:
        return {name: value for name, value in self._representation(video).items() if name in fields}

    def _representation(self, video: Video) -> dict[str, Any]:
        now = self._state.clock()
        stage = video.stage(now)
        shown_id = video.private_id if video.visibility == "private" else video.id
        is_published = stage.status == "published"
        encoded_at = video.created_at + video.encode_seconds
        published_at = video.published_at or (encoded_at if is_published else None)
        return {
            "video_id": video.id,
            "profile_id": video.profile_id,
            "title": video.title,
            "description": video.description,
            "tags": video.tags,
            "category": video.category,
            "visibility": video.visibility,
            "is_for_kids": video.is_for_kids,
            "is_explicit": video.is_explicit,
            "is_published": is_published,
            "published_at": iso(published_at) if published_at else None,
            "created_at": iso(video.created_at),
            "updated_at": iso(video.updated_at),
            "language": video.language,
            "country": video.country,
            "video_url": f"https://www.dailymotion.com/video/{shown_id}",
            "processing": {
                "encoding_status": ENCODING_STATUS[stage.status],
                "encoding_progress": stage.encoding_progress,
                "publishing_progress": stage.publishing_progress,
            },
            "source": {
                "duration": video.duration_ms / 1000,
                "width": video.width,
                "height": video.height,
                "checksum": video.sha1,
            },
        }


def _fields(call: Call) -> frozenset[str]:
    names = call.request.query.get("fields")
    wanted = FIELDS if names is None else frozenset(name.strip() for name in names.split(","))
    if wanted - FIELDS:
        raise Invalid("fields", f"Unknown field {min(wanted - FIELDS)}.")
    return wanted


def _whole(query: Mapping[str, str], name: str, *, default: int, highest: int | None) -> int:
    value = query.get(name, str(default))
    if not value.isdecimal() or int(value) < 1 or (highest is not None and int(value) > highest):
        raise Invalid(name, f"{name} must be a whole number from 1{f' to {highest}' if highest else ''}.")
    return int(value)
