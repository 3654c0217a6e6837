"""A server that does on the wire exactly what a test says, well-behaved or not."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Script = Callable[[socket.socket], None]


@contextmanager
def served(*scripts: Script) -> Iterator[str]:
    """The base address of a server whose n-th connection follows the n-th script."""
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=_serve, args=(listener, scripts))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def _serve(listener: socket.socket, scripts: tuple[Script, ...]) -> None:
    for script in scripts:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(5)
            try:
                script(connection)
            except OSError:
                continue


def request_of(connection: socket.socket) -> bytes:
    """One whole request: its head, and as much body as it announces."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    announced = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    length = int(announced[0].split(b":")[1]) if announced else 0
    while len(body) < length and (piece := connection.recv(65536)):
        body += piece
    return head + b"\r\n\r\n" + body


def answers(raw: bytes, *, into: list[bytes] | None = None) -> Script:
    """Reads a request and sends these bytes."""

    def script(connection: socket.socket) -> None:
        received = request_of(connection)
        if into is not None:
            into.append(received)
        connection.sendall(raw)

    return script


def reply(status: str, body: bytes = b"", *, headers: str = "", length: int | None = None) -> bytes:
    announced = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {announced}\r\n{headers}\r\n".encode() + body


def resets(connection: socket.socket) -> None:
    """Reads a request and cuts the connection as a dying server does."""
    request_of(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
