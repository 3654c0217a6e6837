"""A social platform that costs next to nothing: makes posts, publishes them, answers everything after 100 ms.

Prints its address; `GET /_received` gives when the request to publish each post came, by its caption.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import uuid

DELAY_SECONDS = 0.1


class Platform(asyncio.Protocol):
    posts: dict[str, dict] = {}
    received: dict[str, list[float]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.pending = transport, b""

    def data_received(self, data: bytes) -> None:
        now = time.time()
        self.pending += data
        while True:
            head, separator, rest = self.pending.partition(b"\r\n\r\n")
            if not separator:
                return
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                ),
                0,
            )
            if len(rest) < length:
                return
            self.pending = rest[length:]
            method, path, _ = head.split(b" ", 2)
            status, body = self.answer(method, path.decode().partition("?")[0], rest[:length], now)
            payload = json.dumps(body).encode()
            reply = (
                b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                % (status, len(payload))
            ) + payload
            delay = 0.0 if path.startswith(b"/_") else DELAY_SECONDS
            asyncio.get_running_loop().call_later(delay, self.reply, reply)

    def reply(self, reply: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(reply)

    def answer(self, method: bytes, path: str, body: bytes, now: float) -> tuple[int, object]:
        name = path.rpartition("/")[2]
        if name == "_received":
            return 200, self.received
        if method == b"POST" and name == "posts":
            key = str(uuid.uuid4())
            version = json.loads(body)["versions"][0]
            self.posts[key] = {"uuid": key, "caption": version["content"][0]["body"], "status": "draft"}
            return 201, {"uuid": key}
        if method == b"POST":
            post = self.posts[name]
            post["status"] = "published"
            self.received.setdefault(post["caption"], []).append(now)
            return 200, {"success": True, "scheduled_at": None, "needs_approval": False}
        if method == b"GET" and name in self.posts:
            post = self.posts[name]
            return 200, {"uuid": name, "status": post["status"], "accounts": [], "versions": []}
        return 200, {"data": []}


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Platform, "127.0.0.1", 0, backlog=2048)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"api": f"http://127.0.0.1:{port}"}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(serve())
    except KeyboardInterrupt:
        sys.exit(0)
    finally:
        os._exit(0)
