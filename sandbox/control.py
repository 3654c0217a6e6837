"""The control API of the sandbox, under /_sandbox/."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aiohttp import web

from sandbox.engine import KINDS
from sandbox.faults import FaultError
from sandbox.platform import SettingError

if TYPE_CHECKING:
    from sandbox.engine import Engine

PREFIX = "/_sandbox"


class BadRequest(Exception):
    """The control request cannot be understood."""


def mount(app: web.Application, engine: Engine) -> None:
    control = Control(engine)
    router = app.router
    router.add_get(f"{PREFIX}/state", control.state)
    for kind in KINDS:
        router.add_get(f"{PREFIX}/{kind}", control.rows)
    router.add_post(f"{PREFIX}/posts/{{uuid}}/approve", control.approve)
    router.add_get(f"{PREFIX}/requests", control.requests)
    router.add_get(f"{PREFIX}/faults", control.faults)
    router.add_post(f"{PREFIX}/faults", control.add_faults)
    router.add_delete(f"{PREFIX}/faults", control.clear_faults)
    router.add_delete(f"{PREFIX}/faults/{{id:\\d+}}", control.clear_faults)
    router.add_post(f"{PREFIX}/settings", control.settings)
    router.add_post(f"{PREFIX}/reset", control.reset)
    router.add_post(f"{PREFIX}/revoke-tokens", control.revoke_tokens)


class Control:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def state(self, request: web.Request) -> web.Response:
        return web.json_response(self._engine.state())

    async def rows(self, request: web.Request) -> web.Response:
        return web.json_response(self._engine.rows(request.path.rpartition("/")[2]))

    async def approve(self, request: web.Request) -> web.Response:
        _refuse_other_origins(request)
        return web.json_response({"approved": self._engine.approve(request.match_info["uuid"])})

    async def requests(self, request: web.Request) -> web.Response:
        limit = request.query.get("limit", "")
        newest = int(limit) if limit.isdecimal() and int(limit) else None
        return web.json_response(self._engine.journal.shown(route=request.query.get("route"), limit=newest))

    async def faults(self, request: web.Request) -> web.Response:
        return web.json_response([rule.as_json() for rule in self._engine.plan.active()])

    async def add_faults(self, request: web.Request) -> web.Response:
        """One rule, or a list of them in their order."""
        try:
            body = await _json(request)
            specs = body if isinstance(body, list) else [body]
            if not all(isinstance(spec, dict) for spec in specs):
                raise BadRequest("a fault is a JSON object")
            added = [self._engine.plan.add(spec).as_json() for spec in specs]
        except (BadRequest, FaultError) as exc:
            return _refused(exc)
        return web.json_response(added if isinstance(body, list) else added[0], status=201)

    async def clear_faults(self, request: web.Request) -> web.Response:
        rule_id = request.match_info.get("id")
        removed = self._engine.plan.clear(None if rule_id is None else int(rule_id))
        return web.json_response({"removed": removed})

    async def settings(self, request: web.Request) -> web.Response:
        try:
            body = await _json(request)
            if not isinstance(body, dict):
                raise BadRequest("settings are a JSON object")
            return web.json_response(self._engine.change_settings(body))
        except (BadRequest, SettingError) as exc:
            return _refused(exc)

    async def reset(self, request: web.Request) -> web.Response:
        _refuse_other_origins(request)
        self._engine.reset()
        return web.json_response({"reset": True})

    async def revoke_tokens(self, request: web.Request) -> web.Response:
        _refuse_other_origins(request)
        return web.json_response({"revoked": self._engine.revoke_tokens()})


def _refuse_other_origins(request: web.Request) -> None:
    """A request without a body is one that any page may send."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise web.HTTPForbidden(text="This request came from another site.")


async def _json(request: web.Request) -> Any:
    """The body; a page of another origin cannot send this content type without being asked first."""
    if request.content_type != "application/json":
        raise BadRequest("the body must be application/json")
    try:
        return json.loads(await request.read())
    except ValueError as exc:
        raise BadRequest("the body is not valid JSON") from exc


def _refused(exc: Exception) -> web.Response:
    return web.json_response({"error": str(exc)}, status=400)
