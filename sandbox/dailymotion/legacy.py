"""The two older dialects, `partner` and `public`: forms, POST for updates, `id` and `owner`."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from sandbox.dailymotion import forms, limits
from sandbox.dailymotion.errors import Forbidden, Invalid, NotFound
from sandbox.dailymotion.settings import Account
from sandbox.dailymotion.state import State, Video
from sandbox.dailymotion.tokens import Token, Tokens, require_legacy_scope
from sandbox.dailymotion.upload import UploadRoutes
from sandbox.platform import Call

DEFAULT_FIELDS = ("id", "title", "channel", "owner")
USER_DEFAULT_FIELDS = ("id", "screenname")
LIST_PARAMS = frozenset({
    "page", "limit", "sort", "created_after", "created_before", "fields", "search", "tags",
    "unpublished", "private", "ids",
})  # fmt: skip
PAGE_SIZE = 10
MAX_PAGE_SIZE = 100
SCOPE = "manage_videos"


class Legacy:
    def __init__(self, dialect: str, state: State, tokens: Tokens, uploads: UploadRoutes) -> None:
        self._dialect = dialect
        self._state = state
        self._tokens = tokens
        self._uploads = uploads

    async def me(self, call: Call) -> web.Response:
        token, account = self._user(call)
        names = _fields(call, USER_DEFAULT_FIELDS)
        return web.json_response(_chosen(self._user_fields(token, account), names))

    async def auth(self, call: Call) -> web.Response:
        token, account = self._user(call)
        shown = self._user_fields(token, account)
        return web.json_response(
            _chosen(shown, ("id", "scope", "roles", "username", "screenname", "language"))
        )

    async def logout(self, call: Call) -> web.Response:
        self._tokens.logout(self._token(call))
        return web.json_response({})

    async def open_upload(self, call: Call) -> web.Response:
        token = self._manager(call)
        session = self._state.open_session(token.profile_id)
        session.expired = call.action.expire_session
        return web.json_response(self._uploads.urls(session))

    async def create(self, call: Call) -> web.Response:
        token = self._manager(call)
        self._check_profile(call, token)
        fields = _video_fields(call)
        url, values = forms.creation(forms.fields_of(call))
        if call.action.expire_session:
            self._state.files.pop(url, None)
        file = limits.uploaded_file(self._state, url=url, profile_id=token.profile_id, param="url")
        limits.check_limits(self._state, file, param="url")
        video = self._state.add_video(dialect=self._dialect, file=file, values=values)
        return web.json_response(self._shown(video, fields))

    async def listing(self, call: Call) -> web.Response:
        token = self._token(call)
        profile_id = self._listed_profile(call, token)
        query = call.request.query
        if set(query) - LIST_PARAMS:
            unknown = min(set(query) - LIST_PARAMS)
            raise Invalid(unknown, f"Unknown parameter `{unknown}'")
        page = forms.whole(query, "page", default=1, lowest=1, highest=100)
        limit = forms.whole(query, "limit", default=PAGE_SIZE, lowest=1, highest=MAX_PAGE_SIZE)
        is_owner = profile_id == token.profile_id and SCOPE in token.scopes
        found = [video for video in self._filtered(profile_id, call) if is_owner or self._is_public(video)]
        fields = _video_fields(call)
        shown = [self._shown(video, fields) for video in found[(page - 1) * limit : page * limit]]
        more = page * limit < len(found)
        envelope = {"page": page, "limit": limit, "explicit": False, "total": len(found), "has_more": more}
        return web.json_response({**envelope, "list": shown})

    async def get(self, call: Call) -> web.Response:
        token = self._token(call)
        video = self._video(call)
        is_owner = video.profile_id == token.profile_id and SCOPE in token.scopes
        if not (is_owner or self._is_public(video)):
            raise NotFound("Video", video.id)
        return web.json_response(self._shown(video, _video_fields(call)))

    async def edit(self, call: Call) -> web.Response:
        video = self._own_video(call, self._manager(call))
        fields = _video_fields(call)
        video.apply(forms.edit(forms.fields_of(call)), self._state.clock())
        return web.json_response(self._shown(video, fields))

    async def delete(self, call: Call) -> web.Response:
        del self._state.videos[self._own_video(call, self._manager(call)).id]
        return web.json_response({})

    def _token(self, call: Call) -> Token:
        return self._tokens.check(self._dialect, call.request.headers.get("Authorization"))

    def _user(self, call: Call) -> tuple[Token, Account]:
        token = self._token(call)
        account = self._state.profile(token.profile_id)
        if account is None or not token.has_user:
            raise Forbidden("There is no user behind this access token: it was given to a client alone")
        return token, account

    def _manager(self, call: Call) -> Token:
        token = self._token(call)
        path = call.request.path.split(f"/{self._dialect}", 1)[1].removeprefix("/rest")
        require_legacy_scope(token, SCOPE, method=call.request.method, path=path)
        if path.startswith("/me/"):
            self._user(call)
        return token

    def _check_profile(self, call: Call, token: Token) -> None:
        profile_id = call.request.match_info.get("profile_id", token.profile_id)
        if self._state.profile(profile_id) is None:
            raise NotFound("User", profile_id)
        if profile_id != token.profile_id:
            raise Forbidden(f"User {profile_id} is not the owner of this access token")

    def _listed_profile(self, call: Call, token: Token) -> str:
        profile_id = call.request.match_info.get("profile_id")
        if profile_id is None:
            return self._user(call)[0].profile_id
        if self._state.profile(profile_id) is None:
            raise NotFound("User", profile_id)
        return profile_id

    def _video(self, call: Call) -> Video:
        video_id = call.request.match_info["id"]
        for video in self._state.videos.values():
            if video_id in (video.id, video.private_id):
                return video
        raise NotFound("Video", video_id)

    def _own_video(self, call: Call, token: Token) -> Video:
        video = self._video(call)
        if video.profile_id != token.profile_id:
            raise Forbidden(f"Video {video.id} belongs to another user")
        return video

    def _is_public(self, video: Video) -> bool:
        return video.visibility == "public" and video.stage(self._state.clock()).status == "published"

    def _filtered(self, profile_id: str, call: Call) -> list[Video]:
        query = call.request.query
        videos = self._state.owned(profile_id)
        if query.get("sort", "recent") not in ("recent", "old"):
            raise Invalid("sort", "Invalid value for `sort' parameter")
        if query.get("sort") == "old":
            videos.reverse()
        if "created_after" in query:
            after = forms.whole(query, "created_after")
            videos = [video for video in videos if video.created_at >= after]
        if "created_before" in query:
            before = forms.whole(query, "created_before")
            videos = [video for video in videos if video.created_at <= before]
        if "tags" in query:
            wanted = set(forms.words(query["tags"]))
            videos = [video for video in videos if wanted <= set(video.tags)]
        if "search" in query:
            videos = [video for video in videos if query["search"].lower() in video.title.lower()]
        if "ids" in query:
            videos = [video for video in videos if video.id in forms.words(query["ids"])]
        if "unpublished" in query:
            unpublished = forms.boolean("unpublished", query["unpublished"])
            videos = [video for video in videos if video.is_released is not unpublished]
        if "private" in query:
            private = forms.boolean("private", query["private"])
            videos = [video for video in videos if (video.visibility == "private") is private]
        return videos

    def _user_fields(self, token: Token, account: Account) -> dict[str, Any]:
        settings = self._state.settings
        return {
            "id": account.profile_id,
            "scope": sorted(token.scopes),
            "roles": [],
            "username": account.username,
            "screenname": account.screenname,
            "language": "en",
            "limits": {"video_duration": settings.video_seconds, "video_size": settings.file_bytes},
        }

    def _shown(self, video: Video, fields: tuple[str, ...]) -> dict[str, Any]:
        return {name: VIDEO_FIELDS[name](video, self._state.clock()) for name in fields}


def _status(video: Video, now: float) -> str:
    """A private video stays `ready`: it is published to nobody."""
    status = video.stage(now).status
    return "ready" if status == "published" and video.visibility == "private" else status


def _encoding_progress(video: Video, now: float) -> int:
    stage = video.stage(now)
    return stage.encoding_progress if stage.status == "processing" else -1


VIDEO_FIELDS: dict[str, Any] = {
    "id": lambda video, now: video.id,
    "title": lambda video, now: video.title,
    "channel": lambda video, now: video.category,
    "owner": lambda video, now: video.profile_id,
    "description": lambda video, now: video.description,
    "tags": lambda video, now: video.tags,
    "status": _status,
    "encoding_progress": _encoding_progress,
    "publishing_progress": lambda video, now: video.stage(now).publishing_progress,
    "published": lambda video, now: video.is_released,
    "private": lambda video, now: video.visibility == "private",
    "private_id": lambda video, now: video.private_id,
    "explicit": lambda video, now: video.is_explicit,
    "is_created_for_kids": lambda video, now: video.is_for_kids,
    "language": lambda video, now: video.language,
    "country": lambda video, now: video.country,
    "created_time": lambda video, now: int(video.created_at),
    "updated_time": lambda video, now: int(video.updated_at),
    "duration": lambda video, now: video.duration_ms // 1000,
    "width": lambda video, now: video.width,
    "height": lambda video, now: video.height,
    "checksum": lambda video, now: video.sha1,
    "url": lambda video, now: f"https://www.dailymotion.com/video/{video.id}",
}


def _fields(call: Call, default: tuple[str, ...]) -> tuple[str, ...]:
    names = call.request.query.get("fields")
    return default if names is None else tuple(name.strip() for name in names.split(","))


def _video_fields(call: Call) -> tuple[str, ...]:
    names = _fields(call, DEFAULT_FIELDS)
    for name in names:
        if name not in VIDEO_FIELDS:
            raise Invalid("fields", f"Unknown field `{name}'")
    return names


def _chosen(values: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    for name in names:
        if name not in values:
            raise Invalid("fields", f"Unknown field `{name}'")
    return {name: values[name] for name in names}
