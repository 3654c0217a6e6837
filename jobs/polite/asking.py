"""One address asked over HTTP, in bounded time and memory whatever its server does."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from jobs.polite import pinned
from jobs.polite.errors import TooLarge
from jobs.polite.targets import Target

READ_BYTES = 64 * 1024


@dataclass(frozen=True)
class Limits:
    """What one page may cost: bytes after decompression, and seconds."""

    page_bytes: int = 5 * 1024 * 1024
    connect_seconds: float = 10.0
    read_seconds: float = 30.0
    total_seconds: float = 120.0


@dataclass
class Lines:
    """Connections to sites, at most one to each. Not shared between threads."""

    limits: Limits
    _pools: dict[str, pinned.Pool] = field(default_factory=dict, repr=False)

    @contextmanager
    def answered(
        self, method: str, target: Target, body: bytes | None, headers: Mapping[str, str]
    ) -> Iterator[BaseHTTPResponse]:
        """The answer, to be read inside. Raises AddressRefused, OSError, and HTTPError of urllib3."""
        if body is not None:
            # A connection the server dropped while idle would break after the request has left.
            self.forget(target)
        pool = self._pool(target)
        with _in_time(pool, self.limits.total_seconds):
            response = pool.urlopen(
                method, target.path, body=body, headers=headers, redirect=False, retries=False,
                preload_content=False,
            )  # fmt: skip
            try:
                yield response
            finally:
                # What was not read to its end must not stand before the next answer.
                response.close()

    def forget(self, target: Target) -> None:
        if pool := self._pools.pop(target.origin, None):
            pool.close()

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def _pool(self, target: Target) -> pinned.Pool:
        if target.origin not in self._pools:
            self._pools[target.origin] = pinned.pool(
                target.scheme, target.host, target.port, is_trusted=target.is_trusted,
                connect_seconds=self.limits.connect_seconds, read_seconds=self.limits.read_seconds,
            )  # fmt: skip
        return self._pools[target.origin]


def body_of(response: BaseHTTPResponse, target: Target, most: int, *, is_cut: bool = False) -> bytes:
    """The body, decompressed piece by piece so that no bomb goes off; `is_cut`: its first `most` bytes will do.

    Raises TooLarge, OSError, HTTPError.
    """
    told = response.headers.get("Content-Length", "")
    if told.isdecimal() and int(told) > most and not is_cut:
        raise TooLarge(f"{target} says it is {int(told):,} bytes; at most {most:,} are taken.")
    body = bytearray()
    while piece := response.read1(READ_BYTES, decode_content=True):
        body += piece
        if len(body) > most:
            if is_cut:
                return bytes(body[:most])
            raise TooLarge(f"{target} is longer than the {most:,} bytes that are taken.")
    return bytes(body)


@contextmanager
def _in_time(pool: pinned.Pool, seconds: float) -> Iterator[None]:
    """Break the connection when the time is up: a server may let a byte trickle now and then for ever.

    What has been cut may look like the end of a page. Raises TimeoutError.
    """
    is_over = threading.Event()

    def cut() -> None:
        is_over.set()
        pool.cut()

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    late = f"not whole after {seconds:g} s"
    try:
        yield
    except (OSError, HTTPError) as exc:
        if is_over.is_set():
            raise TimeoutError(late) from exc
        raise
    finally:
        timer.cancel()
    if is_over.is_set():
        raise TimeoutError(late)
