"""The routes of the stand-in for OnlySocial, and what the sandbox's control may ask of it."""

from __future__ import annotations

import asyncio
import hmac
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from aiohttp import web

from sandbox.clock import Clock
from sandbox.onlysocial import errors
from sandbox.onlysocial.chunked import ChunkedRoutes
from sandbox.onlysocial.media import MediaRoutes
from sandbox.onlysocial.posts import PostRoutes
from sandbox.onlysocial.settings import PREFIX as SETTINGS_PREFIX
from sandbox.onlysocial.settings import SHARED, field_of
from sandbox.onlysocial.state import State, iso_ms
from sandbox.platform import Addresses, Call, Handler, Route

API_PATH = "/onlysocial/os/api"
MINUTE = 60.0


class OnlySocial:
    name = "onlysocial"
    title = "OnlySocial"

    def __init__(self, *, clock: Clock, addresses: Addresses) -> None:
        self.state = State(clock)
        self._addresses = addresses
        self._media = MediaRoutes(self.state, addresses)
        self._posts = PostRoutes(self.state, addresses)
        self._chunked = ChunkedRoutes(self.state, self._media)

    def urls(self) -> dict[str, Any]:
        settings = self.state.settings
        return {"api": self._addresses.api + API_PATH, "workspace": settings.workspace}

    def routes(self) -> Sequence[Route]:
        return list(self._routes())

    def _routes(self) -> Iterator[Route]:
        media, posts, chunked = self._media, self._posts, self._chunked
        table: list[tuple[str, str, str, Handler]] = [
            ("accounts", "GET", "/accounts", self._list_accounts),
            ("account", "GET", "/accounts/{uuid}", self._get_account),
            ("upload_media", "POST", "/media", media.upload),
            ("list_media", "GET", "/media", media.listing),
            ("delete_media", "DELETE", "/media", media.delete),
            ("chunked", "POST", "/media/chunked/initiate", chunked.initiate),
            ("chunked", "POST", "/media/chunked/{uuid}/upload", chunked.upload),
            ("chunked", "POST", "/media/chunked/{uuid}/complete", chunked.complete),
            ("chunked", "DELETE", "/media/chunked/{uuid}", chunked.abandon),
            ("get_media", "GET", "/media/{uuid}", media.get),
            ("create_post", "POST", "/posts", posts.create),
            ("list_posts", "GET", "/posts", posts.listing),
            ("publish_post", "POST", "/posts/schedule/{uuid}", posts.publish),
            ("approve_post", "POST", "/posts/approve/{uuid}", posts.approve),
            ("get_post", "GET", "/posts/{uuid}", posts.get),
            ("edit_post", "PUT", "/posts/{uuid}", posts.edit),
            ("delete_post", "DELETE", "/posts/{uuid}", posts.delete),
        ]
        base = f"{API_PATH}/{{workspace}}"
        for name, method, path, handler in table:
            yield Route(
                name,
                method,
                base + path,
                self._guarded(handler),
                "onlysocial",
                streams=name == "upload_media",
            )
        for path in sorted({path for _, _, path, _ in table}):
            yield Route("unknown", "*", base + path, self._guarded(_wrong_method), "onlysocial")
        yield Route("unknown", "*", API_PATH + "/{tail:.*}", self._guarded(_unknown), "onlysocial")

    def _guarded(self, handler: Handler) -> Handler:
        """The handler behind what every request must pass, its answer held back for the set delay."""

        async def answer(call: Call) -> web.StreamResponse:
            loop = asyncio.get_running_loop()
            answered_at = loop.time() + self.state.settings.delay_ms / 1000
            try:
                self._admit(call)
                response = await handler(call)
            except errors.Refusal as refusal:
                response = refusal.response()
            if (left := answered_at - loop.time()) > 0:
                await asyncio.sleep(left)
            return response

        return answer

    def _admit(self, call: Call) -> None:
        """Raises the refusal of a request that is not even looked at."""
        request, settings = call.request, self.state.settings
        host = f"http://{request.host}"
        if request.path.endswith("/"):
            raise errors.Redirected(301, host + request.path.rstrip("/"))
        if "application/json" not in request.headers.get("Accept", ""):
            raise errors.Redirected(302, f"{host}/login")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        is_known = scheme == "Bearer" and hmac.compare_digest(token.encode(), settings.token.encode())
        if not is_known or settings.token_revoked:
            raise errors.Unauthenticated
        if request.match_info.get("workspace", settings.workspace) != settings.workspace:
            raise errors.NotFound("Workspace not found.")
        self._count()

    def _count(self) -> None:
        """Laravel's throttle: so many requests in a minute. Raises TooMany."""
        limit, now, asked = self.state.settings.requests_per_minute, self.state.clock(), self.state.asked_at
        if limit is None:
            return
        while asked and asked[0] <= now - MINUTE:
            del asked[0]
        if len(asked) >= limit:
            left = math.ceil(asked[0] + MINUTE - now) if asked else int(MINUTE)
            raise errors.TooMany(
                headers={
                    "X-RateLimit-Limit": f"{limit:g}",
                    "X-RateLimit-Remaining": "0",
                    "Retry-After": str(left),
                    "X-RateLimit-Reset": str(math.ceil(now) + left),
                }
            )
        asked.append(now)

    async def _list_accounts(self, call: Call) -> web.Response:
        return web.json_response({"data": [self._account(a) for a in self.state.settings.accounts]})

    async def _get_account(self, call: Call) -> web.Response:
        for account in self.state.settings.accounts:
            if account.uuid == call.request.match_info["uuid"]:
                return web.json_response(self._account(account))
        raise errors.NotFound

    def _account(self, account: Any) -> dict[str, Any]:
        return {**asdict(account), "image": None, "data": {}, "created_at": iso_ms(0)}

    # ---------------------------------------------------------------- the control

    def error_body(self, dialect: str, status: int) -> object:
        return errors.default_body(status)

    def rows(self, kind: str) -> list[dict[str, Any]]:
        match kind:
            case "posts":
                return [self._posts.shown(post) for post in self.state.posts.values()]
            case "media":
                return [self._shown_media(each) for each in self.state.media.values()]
            case "uploads":
                return list(self.state.receiving.values())
        return []

    def _shown_media(self, media: Any) -> dict[str, Any]:
        return {
            **self._media.answer(media),
            "id": media.id,
            "size": media.size,
            "sha1": media.sha1,
            "platform": "onlysocial",
        }

    def approve(self, uuid: str) -> bool:
        """A person at the platform approves; whether there was something to approve."""
        post = self.state.posts.get(uuid)
        if post is None or not post.awaits_approval:
            return False
        self.state.approve(post)
        return True

    def usage(self) -> dict[str, Any]:
        return {"posts": len(self.state.posts), "media": len(self.state.media)}

    def settings(self) -> dict[str, Any]:
        own = self.state.settings.as_json()
        return {name if name in SHARED else SETTINGS_PREFIX + name: value for name, value in own.items()}

    def has_setting(self, name: str) -> bool:
        return field_of(name) is not None

    def change_settings(self, changes: Mapping[str, Any]) -> None:
        named = ((field_of(name), value) for name, value in changes.items())
        self.state.settings.change({name: value for name, value in named if name})

    def revoke_tokens(self) -> int:
        """Its tokens are made by hand and never renewed: the setting `onlysocial_token_revoked` takes one away."""
        return 0

    def reset(self) -> None:
        self.state.reset()
        self._chunked.forget()

    def close(self) -> None:
        self._chunked.forget()

    def dump(self) -> dict[str, Any]:
        return self.state.dump()

    def load(self, saved: Mapping[str, Any]) -> None:
        self.state.load(saved)


async def _unknown(call: Call) -> web.StreamResponse:
    raise errors.NotFound


async def _wrong_method(call: Call) -> web.StreamResponse:
    raise errors.WrongMethod
