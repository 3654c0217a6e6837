"""The sandbox's Dailymotion with an upload host that only counts: nothing here is slower than a sender.

python -m bench.sink    prints one line of JSON with its addresses, then one per upload that has come in
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import socket
import threading
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sandbox.dailymotion.state import State, StoredFile
from sandbox.engine import Engine, Options

BUFFER_BYTES = 1024 * 1024
SETTINGS = {"encode_seconds": 0.0, "videos_per_day": None, "seconds_per_day": None}


def serve_uploads(server: socket.socket, state: State) -> None:
    while True:
        connection, _ = server.accept()
        threading.Thread(target=receive, args=(connection, state), daemon=True).start()


def receive(connection: socket.socket, state: State) -> None:
    """Take one upload after the other from a connection and answer as the sandbox's upload host does."""
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer = bytearray(BUFFER_BYTES)
        while head := read_head(connection):
            text, began = head, time.time()
            if re.search(rb"(?i)\r\nexpect: 100-continue", text):
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            length = int(re.search(rb"(?i)\r\ncontent-length: (\d+)", text)[1])
            left, filename = length, ""
            while left:
                count = connection.recv_into(buffer, min(left, BUFFER_BYTES))
                if not count:
                    return
                if left == length and (found := re.search(rb'filename="([^"]*)"', buffer[:4096])):
                    filename = found[1].decode()
                left -= count
            answer = json.dumps(stored(text, filename, length, state)).encode()
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                % len(answer)
                + answer
            )
            tell({"file": filename, "at": began, "seconds": time.time() - began, "bytes": length})


def read_head(connection: socket.socket) -> bytes:
    """A request's head, byte by byte so that none of the body is taken; empty when the other side has gone."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        peeked = connection.recv(4096, socket.MSG_PEEK)
        if not peeked:
            return b""
        end = peeked.find(b"\r\n\r\n")
        # The end may lie across two looks.
        head += connection.recv(end + 4 if end >= 0 else 1)
    return bytes(head)


def stored(head: bytes, filename: str, size: int, state: State) -> dict[str, str]:
    """Register the file as the sandbox would, so that a video can be created from it."""
    query = parse_qs(urlsplit(head.split(b" ", 2)[1].decode()).query)
    session = state.sessions.get(query.get("uuid", [""])[0])
    url = f"http://127.0.0.1/files/{secrets.token_hex(16)}.mp4#{secrets.token_hex(16)}"
    facts = {"url": url, "hash": "0" * 40, "size": str(size), "duration": "60000", "name": filename}
    if session is not None:
        session.state = "done"
        state.files[url] = StoredFile(url, session.profile_id, filename, size, facts["hash"])
    return facts


def tell(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


async def main() -> None:
    engine = Engine(Options(settings=SETTINGS))
    await engine.start()
    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    engine.addresses.upload = f"http://127.0.0.1:{server.getsockname()[1]}"
    threading.Thread(target=serve_uploads, args=(server, engine.platforms[0].state), daemon=True).start()
    tell(engine.urls())
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
