"""The routes of the stand-in for Dailymotion, and what the sandbox's control may ask of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from aiohttp import web

from sandbox.clock import Clock
from sandbox.dailymotion import errors, limits
from sandbox.dailymotion.legacy import Legacy
from sandbox.dailymotion.settings import Settings
from sandbox.dailymotion.state import State
from sandbox.dailymotion.token_routes import TokenRoutes
from sandbox.dailymotion.tokens import Tokens
from sandbox.dailymotion.upload import UploadRoutes
from sandbox.dailymotion.v2 import V2
from sandbox.dailymotion.xupload import PieceRoutes
from sandbox.platform import Addresses, Call, Handler, Route

PREFIX = "/dailymotion"
API_PATHS = {"v2": f"{PREFIX}/v2", "partner": f"{PREFIX}/partner/rest", "public": f"{PREFIX}/public"}
TOKEN_PATHS = {
    "v2": f"{PREFIX}/v2/token",
    "partner": f"{PREFIX}/partner/oauth/v1/token",
    "public": f"{PREFIX}/public/oauth/token",
}


class Dailymotion:
    name = "dailymotion"
    title = "Dailymotion"

    def __init__(self, *, clock: Clock, addresses: Addresses) -> None:
        self.state = State(clock)
        self._addresses = addresses
        self._tokens = Tokens(self.state)
        self._token_routes = TokenRoutes(self.state, self._tokens)
        self._uploads = UploadRoutes(self.state, addresses)
        self._pieces = PieceRoutes(self.state, self._uploads)
        self._v2 = V2(self.state, self._tokens, self._uploads, addresses)

    def routes(self) -> Sequence[Route]:
        older = [*self._legacy_routes("partner"), *self._legacy_routes("public")]
        return [*self._v2_routes(), *older, *self._upload_routes()]

    def _v2_routes(self) -> Iterator[Route]:
        v2 = self._v2
        yield Route("token", "POST", TOKEN_PATHS["v2"], self._token_routes.v2, "v2")
        table: list[tuple[str, str, str, Handler]] = [
            ("me", "GET", "/me", v2.me),
            ("open_upload", "POST", "/files/upload_sessions", v2.open_upload),
            ("create", "POST", "/profiles/{profile_id}/videos", v2.create),
            ("list", "GET", "/profiles/{profile_id}/videos", v2.listing),
            ("get", "GET", "/videos/{id}", v2.get),
            ("edit", "PATCH", "/videos/{id}", v2.edit),
            ("delete", "DELETE", "/videos/{id}", v2.delete),
        ]
        yield from _mounted("v2", table)

    def _legacy_routes(self, dialect: str) -> Iterator[Route]:
        legacy = Legacy(dialect, self.state, self._tokens, self._uploads)
        token = self._token_routes.partner if dialect == "partner" else self._token_routes.public
        yield Route("token", "POST", TOKEN_PATHS[dialect], token, dialect)
        table: list[tuple[str, str, str, Handler]] = [
            ("me", "GET", "/me", legacy.me),
            ("me", "GET", "/auth", legacy.auth),
            ("logout", "GET", "/logout", legacy.logout),
            ("open_upload", "GET", "/file/upload", legacy.open_upload),
            ("create", "POST", "/user/{profile_id}/videos", legacy.create),
            ("create", "POST", "/me/videos", legacy.create),
            ("list", "GET", "/user/{profile_id}/videos", legacy.listing),
            ("list", "GET", "/me/videos", legacy.listing),
            ("get", "GET", "/video/{id}", legacy.get),
            ("edit", "POST", "/video/{id}", legacy.edit),
            ("delete", "DELETE", "/video/{id}", legacy.delete),
        ]
        yield from _mounted(dialect, table)

    def _upload_routes(self) -> Iterator[Route]:
        receive, progress = self._pieces.receive, self._uploads.progress
        yield Route("upload", "POST", "/upload", receive, "upload", listener="upload", streams=True)
        yield Route("progress", "GET", "/progress", progress, "upload", listener="upload")
        yield Route("unknown", "*", "/{tail:.*}", _unknown_upload, "upload", listener="upload")

    def error_body(self, dialect: str, status: int) -> object:
        return errors.default_body(dialect, status)

    def urls(self) -> dict[str, Any]:
        api = self._addresses.api
        return {name: {"api": api + API_PATHS[name], "token": api + TOKEN_PATHS[name]} for name in API_PATHS}

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Oldest first, of all accounts: `videos`, or `uploads`, their sessions."""
        now = self.state.clock()
        match kind:
            case "videos":
                return [video.as_json(now) for video in self.state.videos.values()]
            case "uploads":
                return [session.as_json() for session in self.state.sessions.values()]
        return []

    def usage(self) -> dict[str, Any]:
        """What each account used of its day."""
        accounts = self.state.settings.accounts
        return {a.profile_id: limits.used_today(self.state, a.profile_id) for a in accounts}

    def settings(self) -> dict[str, Any]:
        return self.state.settings.as_json()

    def has_setting(self, name: str) -> bool:
        return any(f.name == name for f in fields(Settings))

    def change_settings(self, changes: Mapping[str, Any]) -> None:
        self.state.settings.change(changes)

    def revoke_tokens(self) -> int:
        return self._tokens.revoke_all()

    def reset(self) -> None:
        """Videos, uploads, tokens and the day's ledger are forgotten; settings are as at the start."""
        self._tokens.revoke_all()
        self._pieces.forget()
        self.state.reset()

    def close(self) -> None:
        self._pieces.forget()

    def dump(self) -> dict[str, Any]:
        return self.state.dump()

    def load(self, saved: Mapping[str, Any]) -> None:
        self.state.load(saved)


def _mounted(dialect: str, table: Sequence[tuple[str, str, str, Handler]]) -> Iterator[Route]:
    base = API_PATHS[dialect]
    for name, method, path, handler in table:
        yield Route(name, method, base + path, _answering(dialect, handler), dialect)
    paths = {path for _, _, path, _ in table}
    for path in sorted(paths):
        yield Route("unknown", "*", base + path, _answering(dialect, _wrong_method), dialect)
    yield Route("unknown", "*", base + "/{tail:.*}", _answering(dialect, _unknown), dialect)


def _answering(dialect: str, handler: Handler) -> Handler:
    """The handler, its refusals worded as this dialect does."""

    async def answer(call: Call) -> web.StreamResponse:
        try:
            return await handler(call)
        except errors.Refusal as refusal:
            return errors.response(dialect, refusal)

    return answer


async def _unknown(call: Call) -> web.StreamResponse:
    raise errors.NotFound("Resource", call.request.path, "path")


async def _wrong_method(call: Call) -> web.StreamResponse:
    raise errors.WrongMethod(f"{call.request.method} is not allowed here.")


async def _unknown_upload(call: Call) -> web.StreamResponse:
    return web.json_response(errors.default_body("upload", 404), status=404)
