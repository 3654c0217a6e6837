"""A multipart/form-data body with one file, of known length, read in pieces of constant size."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from uploader.platforms.errors import SourceChanged, SourceUnreadable

PIECE_BYTES = 256 * 1024


class Interrupted(Exception):
    """Carries what stopped the reading past libraries that translate or swallow exceptions."""

    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause


class MultipartFile:
    """
    The body of an upload: form fields, then the file from its first byte, `size_bytes` long.

    `on_progress` gets the file bytes already handed to the connection, at every piece; whatever it raises
    stops the upload. A file that is not `size_bytes` long raises SourceChanged before the body is complete,
    so that the other side never takes it for whole.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        field: str,
        filename: str,
        size_bytes: int,
        content_type: str,
        fields: Sequence[tuple[str, str]] = (),
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        self.boundary = secrets.token_hex(16)
        self.size_bytes = size_bytes
        self.sent_bytes = 0
        self.is_complete = False  # the connection was handed all of it
        self._file = file
        self._filename = filename
        self._on_progress = on_progress
        self._head = b"".join(self._text_part(name, value) for name, value in fields) + self._file_part(
            field, filename, content_type
        )
        self._tail = f"\r\n--{self.boundary}--\r\n".encode()
        self._parts = self._pieces()
        if file.seekable():
            file.seek(0)

    @property
    def content_type(self) -> str:
        return f"multipart/form-data; boundary={self.boundary}"

    def __len__(self) -> int:
        return len(self._head) + self.size_bytes + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def read(self, size: int = -1) -> bytes:
        """
        The next piece, of PIECE_BYTES whatever is asked: http.client asks for 16 KiB, which halves the speed.
        """
        return next(self._parts, b"")

    def _pieces(self) -> Iterator[bytes]:
        try:
            yield self._head
            self._report()
            while self.sent_bytes < self.size_bytes:
                piece = self._read(min(PIECE_BYTES, self.size_bytes - self.sent_bytes))
                if not piece:
                    raise SourceChanged(
                        f"“{self._filename}” shrank during the upload: {self.sent_bytes:,} of "
                        f"{self.size_bytes:,} bytes were left."
                    )
                yield piece
                self.sent_bytes += len(piece)
                self._report()
            if self._read(1):
                raise SourceChanged(
                    f"“{self._filename}” grew during the upload past {self.size_bytes:,} bytes."
                )
            self.is_complete = True
            yield self._tail
        except Exception as exc:
            raise Interrupted(exc) from exc

    def _read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except OSError as exc:
            raise SourceUnreadable(
                f"“{self._filename}” could not be read after {self.sent_bytes:,} bytes: "
                f"{exc.strerror or exc}."
            ) from exc

    def _report(self) -> None:
        if self._on_progress:
            self._on_progress(self.sent_bytes)

    def _text_part(self, name: str, value: str) -> bytes:
        return (
            f'--{self.boundary}\r\nContent-Disposition: form-data; name="{escaped(name)}"\r\n\r\n'.encode()
            + value.encode(errors="replace")
            + b"\r\n"
        )

    def _file_part(self, field: str, filename: str, content_type: str) -> bytes:
        return (
            f"--{self.boundary}\r\n"
            f'Content-Disposition: form-data; name="{escaped(field)}"; filename="{escaped(filename)}"\r\n'
            f"Content-Type: {content_type}\r\n\r\n"
        ).encode(errors="replace")


def escaped(name: str) -> str:
    """
    A name fit for a Content-Disposition header of multipart/form-data: UTF-8, with only the quote and the
    line breaks percent-encoded (https://html.spec.whatwg.org/#multipart-form-data).
    """
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
