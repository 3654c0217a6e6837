"""A social platform that takes files and forgets them.

python -m bench.media_sink [BYTES_PER_SECOND]    prints one line of JSON with its address; every connection is
read at this speed, or as fast as it comes
"""

from __future__ import annotations

import itertools
import json
import re
import socket
import sys
import threading
import time

from bench.sink import BUFFER_BYTES, read_head

BYTES_PER_SECOND = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
_ids = itertools.count(1)


def receive(connection: socket.socket) -> None:
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer = bytearray(BUFFER_BYTES)
        while head := read_head(connection):
            if re.search(rb"(?i)\r\nexpect: 100-continue", head):
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            found = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
            left = int(found[1]) if found else 0
            began, total = time.monotonic(), left
            while left:
                if (
                    BYTES_PER_SECOND
                    and (ahead := began + (total - left) / BYTES_PER_SECOND - time.monotonic()) > 0
                ):
                    time.sleep(ahead)
                count = connection.recv_into(buffer, min(left, BUFFER_BYTES))
                if not count:
                    return
                left -= count
            body = (
                {"id": str(next(_ids)), "uuid": "u", "name": "n"}
                if head.startswith(b"POST")
                else {"data": []}
            )
            answer = json.dumps(body).encode()
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                % len(answer)
                + answer
            )


def main() -> None:
    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(json.dumps({"api": f"http://127.0.0.1:{server.getsockname()[1]}"}), flush=True)
    while True:
        connection, _ = server.accept()
        threading.Thread(target=receive, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
