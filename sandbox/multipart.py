"""A multipart/form-data reader for exactly one file, in constant memory, not byte by byte."""

from __future__ import annotations

from collections.abc import Callable
from email.message import Message
from urllib.parse import unquote

HEAD_LIMIT = 16_384
END_LIMIT = 4_096

Sink = Callable[[bytes | memoryview], None]


class MultipartError(ValueError):
    """The body is not one part of multipart/form-data."""


def boundary_of(content_type: str) -> bytes:
    message = Message()
    message["Content-Type"] = content_type
    boundary = message.get_param("boundary")
    if message.get_content_type() != "multipart/form-data" or not isinstance(boundary, str) or not boundary:
        raise MultipartError("The body must be multipart/form-data")
    return boundary.encode("latin-1", "replace")


class SinglePart:
    """Fed with the chunks of a body; passes the bytes of its only part to `sink` as they come."""

    def __init__(self, boundary: bytes, *, field: str, sink: Sink) -> None:
        self._opening = b"--" + boundary + b"\r\n"
        self._closing = b"\r\n--" + boundary
        self._field = field
        self._sink = sink
        self._state = "head"
        self._held = (
            b""  # bytes seen and not yet understood: of the head, of the seam of two chunks, of the end
        )
        self.filename = ""
        self.content_type = ""

    def feed(self, chunk: bytes) -> None:
        if self._state == "data":
            self._data(chunk)
        elif self._state == "head":
            self._head(chunk)
        else:
            self._end(chunk)

    def finish(self) -> None:
        """The body is over; raises MultipartError unless it ended as one whole part."""
        if self._state != "end" or not self._held.startswith(b"--"):
            raise MultipartError("The multipart body is not complete")

    def _head(self, chunk: bytes) -> None:
        self._held += chunk
        head, found, rest = self._held.partition(b"\r\n\r\n")
        if not found:
            if len(self._held) > HEAD_LIMIT:
                raise MultipartError("The part has no end of its headers")
            return
        if not head.startswith(self._opening):
            raise MultipartError("The body does not start with its boundary")
        self._read_disposition(head[len(self._opening) :])
        self._state, self._held = "data", b""
        if rest.startswith(self._closing[2:]):
            self._state = "end"
            self._end(rest[len(self._closing) - 2 :])
        elif rest:
            self._data(rest)

    def _read_disposition(self, head: bytes) -> None:
        disposition = ""
        for line in head.decode("utf-8", "replace").split("\r\n"):
            name, _, value = line.partition(":")
            if name.strip().lower() == "content-disposition":
                disposition = value.strip()
            elif name.strip().lower() == "content-type":
                self.content_type = value.strip()
        field, filename = disposition_of(disposition)
        if field != self._field:
            raise MultipartError(f"The field must be named {self._field}, not {field}")
        if filename is None:
            raise MultipartError("The part has no filename")
        self.filename = filename

    def _data(self, chunk: bytes) -> None:
        closing, keep = self._closing, len(self._closing) - 1
        seam = self._held + chunk[:keep]
        at = seam.find(closing)
        if at >= 0:
            self._close(memoryview(seam)[:at], self._held + chunk, at)
            return
        at = chunk.find(closing)
        if at >= 0:
            self._pass(self._held)
            self._close(memoryview(chunk)[:at], chunk, at)
        elif len(chunk) > keep:
            self._pass(self._held)
            self._pass(memoryview(chunk)[:-keep])
            self._held = chunk[-keep:]
        else:
            joined = self._held + chunk
            cut = max(len(joined) - keep, 0)
            self._pass(joined[:cut])
            self._held = joined[cut:]

    def _close(self, last: memoryview, source: bytes, at: int) -> None:
        self._pass(last)
        self._state, self._held = "end", b""
        self._end(source[at + len(self._closing) :])

    def _pass(self, data: bytes | memoryview) -> None:
        if len(data):
            self._sink(data)

    def _end(self, chunk: bytes) -> None:
        self._held += chunk
        if self._held.startswith(b"\r\n"):
            raise MultipartError("The body must have one part")
        if len(self._held) > END_LIMIT or (len(self._held) >= 2 and not self._held.startswith(b"--")):
            raise MultipartError("The multipart body does not end after its part")


def disposition_of(value: str) -> tuple[str | None, str | None]:
    """The name and the filename of a Content-Disposition value."""
    message = Message()
    message["Content-Disposition"] = value
    name = message.get_param("name", header="Content-Disposition")
    filename = message.get_param("filename", header="Content-Disposition")
    if isinstance(filename, tuple):
        filename = unquote(filename[2], encoding=filename[0] or "utf-8")
    return (name if isinstance(name, str) else None), filename
