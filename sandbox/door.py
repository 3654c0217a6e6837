"""The door every platform request goes through: it logs the request and plays its fault."""

from __future__ import annotations

import asyncio
from typing import cast

from aiohttp import ClientError, web

from sandbox.faults import NO_FAULT, Action, FaultPlan, fault_response, reset_connection
from sandbox.journal import Entry, Journal, readable_body
from sandbox.platform import Call, Dropped, Platform, Route


class Door:
    def __init__(self, *, journal: Journal, plan: FaultPlan) -> None:
        self.journal = journal
        self.plan = plan

    def mount(self, app: web.Application, platform: Platform, route: Route) -> None:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._serve(request, platform, route)

        app.router.add_route(route.method, route.path, handle)

    async def _serve(self, request: web.Request, platform: Platform, route: Route) -> web.StreamResponse:
        entry = self.journal.open(request, platform=platform.name, dialect=route.dialect, route=route.name)
        rule = self.plan.take(platform=platform.name, route=route.name, dialect=route.dialect)
        entry.fault = rule.id if rule else None
        action = rule.action if rule else NO_FAULT
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            response = await _play(request, platform, route, action, entry)
        except Dropped:
            entry.outcome = "reset"
            return web.Response()
        except (ConnectionError, ClientError):
            entry.outcome = "gone"
            return web.Response()
        finally:
            entry.seconds = round(loop.time() - started, 4)
        entry.status, entry.outcome = response.status, "replied"
        return await _deliver(request, response, action, entry)


async def _play(
    request: web.Request, platform: Platform, route: Route, action: Action, entry: Entry
) -> web.StreamResponse:
    raw = (
        b"" if route.streams else await _read(request, action, entry)
    )  # all here, though the client may leave
    await asyncio.sleep(action.delay)
    if action.drop_before:
        drop(request)
    faulty = None
    if action.status is not None:
        faulty = fault_response(action, platform.error_body(route.dialect, action.status))
    if faulty is not None and not route.streams:
        return faulty
    response = await route.handler(Call(request, action, entry, raw))
    if action.apply_then_drop:
        drop(request)
    return faulty or response


async def _read(request: web.Request, action: Action, entry: Entry) -> bytes:
    raw = b""
    for limit in sorted({n for n in (action.stall_after_bytes, action.drop_after_bytes) if n is not None}):
        while len(raw) < limit and (piece := await request.content.read(limit - len(raw))):
            raw += piece
        entry.bytes = len(raw)
        if limit == action.stall_after_bytes:
            await asyncio.sleep(action.seconds)
        if limit == action.drop_after_bytes:
            drop(request)
    raw += await request.read()
    entry.bytes, entry.body = len(raw), readable_body(raw, request.content_type)
    return raw


async def _deliver(
    request: web.Request, response: web.StreamResponse, action: Action, entry: Entry
) -> web.StreamResponse:
    if action.truncate_reply is None and action.drop_reply_after_bytes is None:
        return response
    body = bytes(cast("bytes", cast("web.Response", response).body) or b"")
    headers = {name: value for name, value in response.headers.items() if name.lower() != "content-length"}
    if action.truncate_reply is not None:
        return web.Response(status=response.status, body=body[: action.truncate_reply], headers=headers)
    cut = web.StreamResponse(status=response.status, headers=headers)
    cut.content_length = len(body)
    await cut.prepare(request)
    await cut.write(body[: action.drop_reply_after_bytes])
    entry.outcome = "reset"
    reset_connection(request)
    return cut


def drop(request: web.Request) -> None:
    """Reset the connection and leave the handler."""
    reset_connection(request)
    raise Dropped
