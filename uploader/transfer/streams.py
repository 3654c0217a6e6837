"""One PUT of many bytes, told and stopped while it is under way, its checksum taken on the way."""

from __future__ import annotations

import hashlib
import re
import ssl
import threading
from collections.abc import Callable, Iterator

import certifi
from urllib3 import PoolManager, Timeout, disable_warnings
from urllib3.exceptions import HTTPError, InsecureRequestWarning

from uploader.transfer.crew import Stopped
from uploader.transfer.errors import ConnectionBroken, Damaged, answered
from uploader.transfer.local_files import LocalFile
from uploader.transfer.places import Bucket

# For a connection to stand, and for any piece to leave or come.
SEND_SECONDS = 30.0
ANSWER_SECONDS = 120.0
_CODE = re.compile(rb"<Code>(\w{1,64})</Code>")


def tls_of(bucket: Bucket) -> ssl.SSLContext:
    """Whom a connection to the bucket trusts."""
    context = ssl.create_default_context(cafile=certifi.where())
    if bucket.ca_file:
        context.load_verify_locations(bucket.ca_file)
    if not bucket.checks_certificate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        allow_unchecked()
    return context


def allow_unchecked() -> None:
    """Say nothing at each request to a server of this very machine: `doctor` tells that it is not checked."""
    disable_warnings(InsecureRequestWarning)


class Streams:
    """Connections to one bucket. May be shared between threads."""

    def __init__(self, bucket: Bucket, *, at_once: int) -> None:
        self.bucket = bucket
        self._pool = PoolManager(
            maxsize=at_once,
            ssl_context=tls_of(bucket),
            timeout=Timeout(connect=SEND_SECONDS, read=ANSWER_SECONDS),
            retries=False,
        )

    def close(self) -> None:
        self._pool.clear()

    def put(
        self,
        url: str,
        file: LocalFile,
        *,
        start: int,
        size: int,
        headers: dict[str, str],
        on_bytes: Callable[[int], None],
        stop: threading.Event,
    ) -> str:
        """Send `size` bytes of a file from `start` on; returns their MD5, which the storage has confirmed.

        `on_bytes` is told how many have left, and takes them back (negative) when they left in vain.
        """
        body = _Body(file, start, size, on_bytes, stop)
        try:
            return self._sent(url, body, headers)
        finally:
            body.settle()

    def _sent(self, url: str, body: _Body, headers: dict[str, str]) -> str:
        sized = {**headers, "Content-Length": str(body.size), "User-Agent": "Slotcast"}
        try:
            with self._pool.urlopen(
                "PUT",
                url,
                body=iter(body),
                headers=sized,
                redirect=False,
                retries=False,
                preload_content=False,
            ) as answer:
                said = answer.read(64 * 1024, decode_content=True)
                status, tag = answer.status, str(answer.headers.get("ETag", "")).strip('"').lower()
        except HTTPError as error:
            # Without the cause: its words quote the signed address.
            raise ConnectionBroken(
                f"The connection to {self.bucket} broke off after {body.sent:,} of {body.size:,} bytes "
                f"({type(error).__name__})."
            ) from None
        if not 200 <= status < 300:
            code = _CODE.search(said)
            raise answered(status, code[1].decode() if code else "", self.bucket)
        own = body.digest.hexdigest()
        if len(tag) == 32 and tag != own:
            raise Damaged(f"{self.bucket} got other bytes of {body.file.path.name} than were sent.")
        body.has_arrived = True
        return own


class _Body:
    """The bytes of a request as they leave."""

    def __init__(
        self, file: LocalFile, start: int, size: int, on_bytes: Callable[[int], None], stop: threading.Event
    ) -> None:
        self.file, self.start, self.size = file, start, size
        self.sent = 0
        self.has_arrived = False
        self.digest = hashlib.md5(usedforsecurity=False)
        self._on_bytes, self._stop = on_bytes, stop

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.file.pieces(self.start, self.size):
            if self._stop.is_set():
                raise Stopped
            self.digest.update(piece)
            yield piece
            # The connection has taken it when it asks for the next.
            self.sent += len(piece)
            self._on_bytes(len(piece))

    def settle(self) -> None:
        if not self.has_arrived and self.sent:
            self._on_bytes(-self.sent)
