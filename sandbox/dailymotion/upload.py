"""The upload host: the single multipart POST, and the progress of an upload."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from pathlib import PurePath
from urllib.parse import urlencode

from aiohttp import ClientError, web

from sandbox.body import BodyReader
from sandbox.dailymotion.state import Session, State, StoredFile
from sandbox.mp4 import BoxWalker
from sandbox.multipart import MultipartError, SinglePart, boundary_of
from sandbox.platform import Addresses, Call, Dropped


class UploadRefused(Exception):
    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Received:
    """What is learned from the bytes of a file as they pass; the bytes themselves are not kept."""

    def __init__(self) -> None:
        self.size = 0
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._boxes = BoxWalker()

    def take(self, data: bytes | memoryview) -> None:
        self.size += len(data)
        self._sha1.update(data)
        self._boxes.feed(data)

    def stored(self, session: Session, *, base: str) -> tuple[StoredFile, dict[str, str]]:
        """The file and the reply about it; every value of the reply is text."""
        movie = self._boxes.movie()
        suffix = PurePath(session.filename).suffix or ".mp4"
        seconds = movie.duration_ms / 1000
        facts = {
            "acodec": movie.acodec,
            "bitrate": str(int(self.size * 8 / seconds)) if seconds else "0",
            "dimension": f"{movie.width}x{movie.height}",
            "duration": str(movie.duration_ms),
            "format": "MPEG-4" if movie.duration_ms else "",
            "hash": self._sha1.hexdigest(),
            "name": PurePath(session.filename).stem,
            "size": str(self.size),
            "streamable": "No",
            "vcodec": movie.vcodec,
        }
        seal = secrets.token_hex(16)
        fragment = base64.b64encode(urlencode({"seal": seal, **facts}).encode()).decode()
        url = f"{base}/files/{secrets.token_hex(16)}{suffix}#{fragment}"
        file = StoredFile(
            url,
            session.profile_id,
            facts["name"],
            self.size,
            facts["hash"],
            movie.duration_ms,
            movie.width,
            movie.height,
            movie.acodec,
            movie.vcodec,
        )
        return file, {"url": url, **facts, "seal": seal}


class UploadRoutes:
    def __init__(self, state: State, addresses: Addresses) -> None:
        self._state = state
        self._addresses = addresses

    def urls(self, session: Session) -> dict[str, str]:
        base = self._addresses.upload
        query = urlencode({"uuid": session.uuid, "seal": session.seal, "extra": session.profile_id})
        return {
            "upload_url": f"{base}/upload?{query}",
            "progress_url": f"{base}/progress?{urlencode({'uuid': session.uuid})}",
        }

    async def receive(self, call: Call) -> web.Response:
        try:
            session = self.session(call)
            reply = await self._receive_file(call, session)
        except UploadRefused as refused:
            return refusal(refused)
        return web.json_response(reply)

    def session(self, call: Call) -> Session:
        """The session the request may use; raises UploadRefused."""
        if "Authorization" in call.request.headers:
            raise UploadRefused("An access token must not be sent to the upload server")
        query = call.request.query
        session = self._state.sessions.get(query.get("uuid", ""))
        if session is None or session.seal != query.get("seal"):
            raise UploadRefused("Unknown upload session", status=404)
        session.expired = session.expired or call.action.expire_session
        if session.is_dead(self._state.clock(), self._state.settings.session_idle_seconds):
            session.state = "error"
            raise UploadRefused("The upload session has expired")
        if session.state in ("done", "error"):
            raise UploadRefused("The upload session was already used")
        return session

    async def _receive_file(self, call: Call, session: Session) -> dict[str, str]:
        if session.state != "starting":
            raise UploadRefused("The upload session is in use")
        if call.request.content_length is None:
            raise UploadRefused("Content-Length is required")
        session.state, session.size = "uploading", call.request.content_length
        received = Received()
        try:
            await self._read_part(call, session, received)
        except MultipartError as exc:
            session.state = "error"
            raise UploadRefused(str(exc)) from exc
        except (Dropped, ConnectionError, ClientError, asyncio.CancelledError):
            session.state = "error"
            raise
        if not received.size:
            session.state = "error"
            raise UploadRefused("The file is empty")
        return self.store(call, session, received)

    async def _read_part(self, call: Call, session: Session, received: Received) -> None:
        part = SinglePart(
            boundary_of(call.request.headers.get("Content-Type", "")), field="file", sink=received.take
        )
        body = BodyReader(call, byte_rate=lambda: self._state.settings.byte_rate)
        while piece := await body.read():
            session.took(len(piece), self._state.clock())
            part.feed(piece)
            session.filename = part.filename
        part.finish()

    def store(self, call: Call, session: Session, received: Received) -> dict[str, str]:
        """Keep what was learned, unless the request is to fail."""
        file, reply = received.stored(session, base=self._addresses.upload)
        if call.action.status is not None:
            session.state = "error"
            return {}
        session.state = "done"
        self._state.files[file.url] = file
        return reply

    async def progress(self, call: Call) -> web.Response:
        if "Authorization" in call.request.headers:
            return refusal(UploadRefused("An access token must not be sent to the upload server"))
        session = self._state.sessions.get(call.request.query.get("uuid", ""))
        if session is None:
            return web.json_response({"state": "starting"})
        session.expired = session.expired or call.action.expire_session
        idle_seconds = self._state.settings.session_idle_seconds
        if session.state != "done" and session.is_dead(self._state.clock(), idle_seconds):
            session.state = "error"
        if session.state == "uploading":
            size = {"received": session.received, "size": session.size}
            return web.json_response({"state": "uploading", **size})
        return web.json_response({"state": session.state})


def refusal(refused: UploadRefused) -> web.Response:
    body = {"error": {"code": refused.status, "message": refused.message}}
    if "session" in refused.message:  # both forms of the body are met in the wild
        return web.json_response({"error": refused.message}, status=refused.status)
    return web.json_response(body, status=refused.status)
