"""Posts: made, dated, published, read back, deleted."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from sandbox.onlysocial.bodies import checked_post, checked_post_now, parsed
from sandbox.onlysocial.errors import Invalid, NotFound
from sandbox.onlysocial.pages import page_of
from sandbox.onlysocial.state import IN_HISTORY, Post, State, iso_ms, plain_time
from sandbox.platform import Addresses, Call


class PostRoutes:
    def __init__(self, state: State, addresses: Addresses) -> None:
        self._state = state
        self._addresses = addresses

    async def create(self, call: Call) -> web.Response:
        received_at = self._state.clock()
        post = self._state.add_post(received_at=received_at, **checked_post(parsed(call.raw), self._state))
        answer = {"id": post.id, "uuid": post.uuid, "name": None, "hex_color": None}
        return web.json_response(answer, status=201)

    async def publish(self, call: Call) -> web.Response:
        received_at = self._state.clock()
        post = self._post(call)
        post.publish_received_at.append(received_at)
        is_now = checked_post_now(parsed(call.raw))
        self._refuse_to_publish(post, is_now=is_now)
        at = self._state.clock() if is_now or post.scheduled_at is None else post.scheduled_at
        self._state.accept(post, at=at)
        return web.json_response(
            {"success": True, "scheduled_at": plain_time(at), "needs_approval": post.awaits_approval}
        )

    def _refuse_to_publish(self, post: Post, *, is_now: bool) -> None:
        now = self._state.clock()
        status = post.status(now)
        if status in IN_HISTORY:
            raise Invalid({"in_history": ["in_history"]})
        if status == "publishing":
            raise Invalid({"publishing": ["publishing"]})
        is_past = not is_now and (post.scheduled_at is None or post.scheduled_at < now)
        if not post.accounts or is_past:
            raise Invalid({"cannot_scheduled": ["cannot_scheduled"]})

    async def listing(self, call: Call) -> web.Response:
        rows = self._state.listed(self._state.posts)
        return web.json_response(page_of(call.request, rows, self._answer))

    async def get(self, call: Call) -> web.Response:
        return web.json_response(self._answer(self._post(call)))

    async def edit(self, call: Call) -> web.Response:
        post = self._post(call)
        if post.status(self._state.clock()) in (*IN_HISTORY, "publishing"):
            raise Invalid({"in_history": ["in_history"]})
        for name, value in checked_post(parsed(call.raw), self._state).items():
            setattr(post, name, value)
        return web.Response(status=204)

    async def delete(self, call: Call) -> web.Response:
        post, body = self._post(call), parsed(call.raw)
        if body.get("delete_mode", "app_only") not in ("app_only", "app_and_social"):
            raise Invalid({"delete_mode": ["The selected delete mode is invalid."]})
        if body.get("trash"):
            post.trashed = True
        else:
            del self._state.posts[post.uuid]
        return web.json_response({"success": True})

    async def approve(self, call: Call) -> web.Response:
        self._state.approve(self._post(call))
        return web.json_response({"success": True})

    def _post(self, call: Call) -> Post:
        post = self._state.posts.get(call.request.match_info["uuid"])
        if post is None:
            raise NotFound
        return post

    def _answer(self, post: Post) -> dict[str, Any]:
        now = self._state.clock()
        status = post.status(now)
        is_over = status in IN_HISTORY
        return {
            "id": post.id,
            "uuid": post.uuid,
            "status": status,
            "accounts": [
                self._account(post, account_id, n, is_over) for n, account_id in enumerate(post.accounts)
            ],
            "versions": [self._version(version) for version in post.versions],
            "tags": [{"id": tag} for tag in post.tags],
            "scheduled_at": plain_time(post.scheduled_at),
            "published_at": plain_time(post.ended_at()) if status == "published" else None,
            "created_at": plain_time(post.created_at),
            "trashed": post.trashed,
        }

    def _account(self, post: Post, account_id: int, place: int, is_over: bool) -> dict[str, Any]:
        """How the post fared there. Partly published: out on the first, failed on all others."""
        account = self._state.account(account_id)
        is_out = post.outcome == "published" or (post.outcome == "partly_published" and place == 0)
        provider = account.provider if account else ""
        errors = ["The account is no longer authorized."] if account and not account.authorized else None
        return {
            "id": account_id,
            "provider": provider,
            "name": account.name if account else "",
            "external_url": f"https://{provider}.example/p/{post.id}" if is_over and is_out else None,
            "errors": (errors or ["The platform refused the video."]) if is_over and not is_out else [],
        }

    def _version(self, version: dict[str, Any]) -> dict[str, Any]:
        """In answers media are objects; in requests they are numbers."""
        contents = [
            {**content, "media": [self._media(media_id) for media_id in content.get("media", [])]}
            if isinstance(content, dict)
            else content
            for content in version["content"]
        ]
        return {**version, "content": contents}

    def _media(self, media_id: int) -> dict[str, Any]:
        media = self._state.media.get(media_id)
        if media is None:
            return {"id": media_id}
        return media.as_answer(self._state.settings, self._addresses.api)

    def shown(self, post: Post) -> dict[str, Any]:
        """A post as the control shows it, with the moments its requests arrived."""
        return {
            **self._answer(post),
            "platform": "onlysocial",
            "caption": post.caption,
            "media_ids": post.media_ids,
            "create_received_at": post.create_received_at,
            "publish_received_at": list(post.publish_received_at),
            "created_at": iso_ms(post.created_at),
        }
