"""The newer uploads in pieces, which the platform may have or not; absent unless switched on."""

from __future__ import annotations

import hashlib
import math
import uuid
from dataclasses import dataclass, field

from aiohttp import web

from sandbox.multipart import disposition_of
from sandbox.onlysocial.bodies import parsed
from sandbox.onlysocial.errors import Invalid, NotFound
from sandbox.onlysocial.media import TYPES, MediaRoutes
from sandbox.onlysocial.state import State
from sandbox.platform import Call

# Below what the server takes in one body.
CHUNK_BYTES = 500_000


@dataclass
class Chunks:
    filename: str
    mime_type: str
    total: int
    pieces: dict[int, bytes] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return math.ceil(self.total / CHUNK_BYTES)


class ChunkedRoutes:
    def __init__(self, state: State, media: MediaRoutes) -> None:
        self._state = state
        self._media = media
        self._open: dict[str, Chunks] = {}

    def forget(self) -> None:
        self._open.clear()

    async def initiate(self, call: Call) -> web.Response:
        self._require_there()
        body = parsed(call.raw)
        total, name, kind = body.get("total_size"), body.get("filename"), body.get("mime_type")
        if not isinstance(total, int) or total <= 0 or not isinstance(name, str) or kind not in TYPES:
            raise Invalid({"filename": ["The filename, mime type and total size are required."]})
        key = str(uuid.uuid4())
        self._open[key] = made = Chunks(name, kind, total)
        answer = {"upload_uuid": key, "chunk_size": CHUNK_BYTES, "total_chunks": made.count}
        return web.json_response(answer, status=201)

    async def upload(self, call: Call) -> web.Response:
        chunks = self._chunks(call)
        fields = _fields(call)
        index = fields.get("chunk_index", b"").decode("ascii", "replace")
        if not index.isdecimal() or int(index) >= chunks.count or "chunk" not in fields:
            raise Invalid({"chunk": ["The chunk and its index are required."]})
        chunks.pieces[int(index)] = fields["chunk"]
        return web.json_response({"received": len(chunks.pieces)}, status=201)

    async def complete(self, call: Call) -> web.Response:
        chunks = self._chunks(call)
        data = b"".join(chunks.pieces[n] for n in sorted(chunks.pieces))
        if len(data) != chunks.total:
            raise Invalid({"chunks": ["The upload is not complete."]})
        del self._open[call.request.match_info["uuid"]]
        media = self._state.add_media(
            name=chunks.filename,
            mime_type=chunks.mime_type,
            size=len(data),
            sha1=hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        )
        return web.json_response(self._media.answer(media), status=201)

    async def abandon(self, call: Call) -> web.Response:
        self._chunks(call)
        del self._open[call.request.match_info["uuid"]]
        return web.Response(status=204)

    def _chunks(self, call: Call) -> Chunks:
        self._require_there()
        chunks = self._open.get(call.request.match_info["uuid"])
        if chunks is None:
            raise NotFound
        return chunks

    def _require_there(self) -> None:
        if not self._state.settings.chunked:
            raise NotFound


def _fields(call: Call) -> dict[str, bytes]:
    """The parts of a small multipart body by name."""
    boundary = call.request.headers.get("Content-Type", "").partition("boundary=")[2].strip('"')
    found: dict[str, bytes] = {}
    parts = (b"\r\n" + call.raw).split(b"\r\n--" + boundary.encode()) if boundary else []
    for part in parts[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        for line in head.decode("utf-8", "replace").split("\r\n"):
            key, _, value = line.partition(":")
            if key.lower() == "content-disposition":
                name, _ = disposition_of(value.strip())
                found[name or ""] = content
    return found
