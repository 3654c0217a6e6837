"""A line with a delay: what the server sends arrives so much later; what is sent to it goes at once.

python -m bench.delay HOST PORT SECONDS    prints the port it listens on
"""

from __future__ import annotations

import asyncio
import sys


class There(asyncio.Protocol):
    """The connection to the server."""

    def __init__(self, client: asyncio.Transport, seconds: float) -> None:
        self._client, self._seconds = client, seconds
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self._loop.call_later(self._seconds, self._client.write, data)

    def connection_lost(self, error: Exception | None) -> None:
        self._loop.call_later(self._seconds, self._client.close)

    def pause_writing(self) -> None:
        self._client.pause_reading()

    def resume_writing(self) -> None:
        self._client.resume_reading()


class Here(asyncio.Protocol):
    """The connection of a client."""

    def __init__(self, host: str, port: int, seconds: float) -> None:
        self._target = (host, port, seconds)
        self._early: list[bytes] = []
        self._server: asyncio.Transport | None = None
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._client = transport
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        host, port, seconds = self._target
        transport, _ = await asyncio.get_running_loop().create_connection(
            lambda: There(self._client, seconds), host, port
        )
        self._server = transport
        for piece in self._early:
            transport.write(piece)

    def data_received(self, data: bytes) -> None:
        if self._server is None:
            self._early.append(data)
        else:
            self._server.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._server is not None:
            self._server.close()


async def main() -> None:
    host, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Here(host, port, seconds), "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
