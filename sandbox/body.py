"""The body of an upload, read as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sandbox.door import drop
from sandbox.platform import Call

READ_BYTES = 1 << 20
PAUSES_A_SECOND = 20


class BodyReader:
    """Reads a request's body at the set rate, and plays the faults that cut or stall it."""

    def __init__(self, call: Call, *, byte_rate: Callable[[], float | None]) -> None:
        """`byte_rate` gives bytes a second, or none for as fast as they come; asked at every piece."""
        self._call = call
        self._byte_rate = byte_rate
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time()
        self._marks = {call.action.stall_after_bytes, call.action.drop_after_bytes} - {None}

    async def read(self) -> bytes:
        """The next piece, empty at the end."""
        await self._play_faults()
        rate = self._byte_rate()
        limit = READ_BYTES if rate is None else max(int(rate / PAUSES_A_SECOND), 1)
        ahead = [mark - self._call.entry.bytes for mark in self._marks if mark is not None]
        limited = bool(ahead) or rate is not None
        content = self._call.request.content
        piece = await (content.read(min([limit, *ahead])) if limited else content.readany())
        self._call.entry.bytes += len(piece)
        await self._keep_rate(len(piece), rate)
        return piece

    async def _play_faults(self) -> None:
        action = self._call.action
        if self._call.entry.bytes not in self._marks:
            return
        self._marks.discard(self._call.entry.bytes)
        if self._call.entry.bytes == action.stall_after_bytes:
            await asyncio.sleep(action.seconds)
        if self._call.entry.bytes == action.drop_after_bytes:
            drop(self._call.request)

    async def _keep_rate(self, count: int, rate: float | None) -> None:
        now = self._loop.time()
        if not rate:
            self._due = now
            return
        self._due = max(self._due, now - 1 / PAUSES_A_SECOND) + count / rate
        await asyncio.sleep(max(self._due - now, 0))
