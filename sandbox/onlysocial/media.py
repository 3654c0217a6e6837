"""Media: one multipart POST per file, lists, deletion."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from aiohttp import ClientError, web

from sandbox.body import BodyReader
from sandbox.multipart import MultipartError, SinglePart, boundary_of
from sandbox.onlysocial.bodies import parsed
from sandbox.onlysocial.errors import Invalid, NotFound, TooLarge
from sandbox.onlysocial.pages import page_of
from sandbox.onlysocial.state import Media, State
from sandbox.platform import Addresses, Call, Dropped

TYPES = ("image/jpeg", "image/jpg", "image/png", "image/gif", "video/mp4", "video/x-m4v")


class MediaRoutes:
    def __init__(self, state: State, addresses: Addresses) -> None:
        self._state = state
        self._addresses = addresses

    async def upload(self, call: Call) -> web.Response:
        length = call.request.content_length
        body = BodyReader(call, byte_rate=lambda: self._state.settings.byte_rate)
        if length is not None and length > self._state.settings.media_bytes:
            while await body.read():
                continue  # a proxy hears its client out, or the client never hears the answer
            raise TooLarge
        digest, size = hashlib.sha1(usedforsecurity=False), 0

        def take(data: bytes | memoryview) -> None:
            nonlocal size
            size += len(data)
            digest.update(data)

        try:
            content_type = call.request.headers.get("Content-Type", "")
            part = SinglePart(boundary_of(content_type), field="file", sink=take)
            await self._receive(call, part, body)
        except MultipartError as exc:
            raise Invalid({"file": [f"The file field is required. ({exc})"]}) from exc
        if part.content_type not in TYPES:
            raise Invalid({"file": [f"The file must be a file of type: {', '.join(TYPES)}."]})
        if not size:
            raise Invalid({"file": ["The file must not be empty."]})
        if call.action.status is not None:
            return web.Response()  # the fault's own answer takes its place; nothing is kept
        media = self._state.add_media(
            name=part.filename, mime_type=part.content_type, size=size, sha1=digest.hexdigest()
        )
        return web.json_response(self.answer(media), status=201)

    async def _receive(self, call: Call, part: SinglePart, body: BodyReader) -> None:
        flight = {"filename": "", "received": 0, "size": call.request.content_length or 0, "profile_id": ""}
        key = id(call)
        self._state.receiving[key] = {**flight, "state": "uploading", "platform": "onlysocial"}
        try:
            while piece := await body.read():
                part.feed(piece)
                shown = self._state.receiving.get(key, flight)
                shown["received"], shown["filename"] = call.entry.bytes, part.filename
            part.finish()
        except (Dropped, ConnectionError, ClientError, asyncio.CancelledError):
            raise
        finally:
            self._state.receiving.pop(key, None)

    def answer(self, media: Media) -> dict[str, Any]:
        return media.as_answer(self._state.settings, self._addresses.api)

    async def listing(self, call: Call) -> web.Response:
        rows = self._state.listed(self._state.media)
        return web.json_response(page_of(call.request, rows, self.answer))

    async def get(self, call: Call) -> web.Response:
        wanted = call.request.match_info["uuid"]
        for media in self._state.media.values():
            if media.uuid == wanted:
                return web.json_response(self.answer(media))
        raise NotFound

    async def delete(self, call: Call) -> web.Response:
        items = parsed(call.raw).get("items")
        if not isinstance(items, list):
            raise Invalid({"items": ["The items field is required."]})
        for item in items:
            self._state.media.pop(int(item) if str(item).isdecimal() else -1, None)
        return web.json_response({"success": True})
