"""The resumable mode of the upload host: Content-Range pieces on one upload_url, in any order."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from dataclasses import dataclass, field
from typing import IO

from aiohttp import web

from sandbox.body import BodyReader
from sandbox.dailymotion.state import Session, State
from sandbox.dailymotion.upload import (
    Received,
    UploadRefused,
    UploadRoutes,
    refusal,
)
from sandbox.multipart import disposition_of
from sandbox.platform import Call

CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
HASH_BYTES = 1 << 20


@dataclass
class Pieces:
    """The pieces of one file, kept in a temporary file because they come in any order."""

    total: int
    file: IO[bytes] = field(default_factory=tempfile.TemporaryFile)
    ranges: list[tuple[int, int]] = field(default_factory=list)  # inclusive, merged, in order

    @property
    def stored_bytes(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)

    @property
    def is_complete(self) -> bool:
        return self.stored_bytes == self.total

    @property
    def header(self) -> str:
        return ",".join(f"{first}-{last}" for first, last in self.ranges) + f"/{self.total}"

    def holds(self, first: int, last: int) -> bool:
        return any(start <= first and last <= end for start, end in self.ranges)

    def add(self, first: int, last: int) -> None:
        merged: list[tuple[int, int]] = []
        for start, end in sorted([*self.ranges, (first, last)]):
            if merged and start <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        self.ranges = merged

    def read(self) -> Received:
        received = Received()
        self.file.seek(0)
        while piece := self.file.read(HASH_BYTES):
            received.take(piece)
        self.file.close()
        return received


class PieceRoutes:
    def __init__(self, state: State, uploads: UploadRoutes) -> None:
        self._state = state
        self._uploads = uploads
        self._pieces: dict[str, Pieces] = {}

    async def receive(self, call: Call) -> web.Response:
        """One POST to upload_url: a piece if it says so, else the whole file."""
        if "Content-Range" not in call.request.headers:
            return await self._uploads.receive(call)
        try:
            return await self._receive_piece(call, self._uploads.session(call))
        except UploadRefused as refused:
            return refusal(refused)

    def forget(self) -> None:
        for pieces in self._pieces.values():
            pieces.file.close()
        self._pieces.clear()

    async def _receive_piece(self, call: Call, session: Session) -> web.Response:
        first, last, total = _range_of(call)
        if session.state == "uploading" and session.uuid not in self._pieces:
            raise UploadRefused("The upload session is in use")
        filename = _filename_of(call)
        if session.uuid not in self._pieces:
            self._pieces[session.uuid] = Pieces(total)
        pieces = self._pieces[session.uuid]
        if pieces.total != total:
            raise UploadRefused(f"The size of the file was {pieces.total}, not {total}")
        session.state, session.size, session.filename = "uploading", total, filename
        if pieces.holds(first, last):
            await call.request.read()
            return self._state_of(pieces, session, status=416)
        await self._store(call, session, pieces, first)
        if call.action.status is None:
            pieces.add(first, last)
        session.received = pieces.stored_bytes
        if not pieces.is_complete:
            return self._state_of(pieces, session, status=202)
        session.state = "error"  # nothing more may come while the file is read back
        del self._pieces[session.uuid]
        received = await asyncio.to_thread(pieces.read)
        return web.json_response(self._uploads.store(call, session, received))

    async def _store(self, call: Call, session: Session, pieces: Pieces, first: int) -> None:
        body = BodyReader(call, byte_rate=lambda: self._state.settings.byte_rate)
        position = first
        while piece := await body.read():
            os.pwrite(pieces.file.fileno(), piece, position)
            position += len(piece)
            session.last_byte_at = self._state.clock()

    def _state_of(self, pieces: Pieces, session: Session, *, status: int) -> web.Response:
        body = {"state": "uploading", "received": session.received, "size": session.size}
        return web.json_response(body, status=status, headers={"Range": pieces.header})


def _range_of(call: Call) -> tuple[int, int, int]:
    found = CONTENT_RANGE.fullmatch(call.request.headers["Content-Range"].strip())
    if found is None:
        raise UploadRefused("Content-Range must be bytes first-last/total")
    first, last, total = (int(number) for number in found.groups())
    if not first <= last < total:
        raise UploadRefused("Content-Range is not a range of the file")
    if call.request.content_length != last - first + 1:
        raise UploadRefused("Content-Length and Content-Range do not agree")
    return first, last, total


def _filename_of(call: Call) -> str:
    _, filename = disposition_of(call.request.headers.get("Content-Disposition", ""))
    if not filename:
        raise UploadRefused("Content-Disposition must give a filename")
    return filename
