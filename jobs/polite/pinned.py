"""Connections that go to the very address that was checked: resolved once, judged, then used.

OWASP ASVS 5.0: 1.3.6, 1.5.3, 13.2.4. A name that means another machine the second time gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import certifi
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection

from jobs.errors import ErrorKind, JobError

# An IPv4 address in the last 32 bits of one of these (RFC 6052, a NAT64's well-known prefix).
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefused(JobError):
    """Nothing is fetched from this address. Correct it, then retry."""

    kind = ErrorKind.REJECTED
    permanent = True


def is_public(address: str) -> bool:
    """Whether an IP address, and every one it carries inside, belongs to the open Internet."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(each.is_global and not each.is_multicast for each in _meant(found))


def _meant(address: _Address) -> Iterator[_Address]:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            yield address.ipv4_mapped
            return
        if address.sixtofour is not None:
            yield address.sixtofour
        if address.teredo is not None:
            yield from address.teredo
        if address in _NAT64:
            yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    yield address


def connect(host: str, port: int, *, is_trusted: bool, seconds: float) -> socket.socket:
    """A connection to `host`; one that is not trusted must not lead into a private network.

    Raises AddressRefused, and OSError when nobody answers.
    """
    try:
        found: list[Any] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as exc:
        raise AddressRefused("The host's name is none. Correct it, then retry.") from exc
    addresses = [info[4][0] for info in found]
    if not is_trusted and not all(map(is_public, addresses)):
        raise AddressRefused(f"{host} leads into a private network; nothing is fetched from there.")
    return socket.create_connection((addresses[0], port), timeout=seconds)


class Pool(HTTPConnectionPool):
    """One connection at a time to one host, made by `connect`; it can be broken by another thread."""

    # The connection's own is gone as soon as an answer says that it ends with the connection.
    open: socket.socket | None = None

    def cut(self) -> None:
        """Break what is under way: whoever reads sees the end."""
        if self.open is not None:
            with suppress(OSError):
                self.open.shutdown(socket.SHUT_RDWR)


def pool(
    scheme: str, host: str, port: int, *, is_trusted: bool, connect_seconds: float, read_seconds: float
) -> Pool:
    """A pool for `host`."""
    timeout = Timeout(connect=connect_seconds, read=read_seconds)

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return connect(host, port, is_trusted=is_trusted, seconds=connect_seconds)

        def connect(self) -> None:
            super().connect()
            made.open = self.sock

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return connect(host, port, is_trusted=is_trusted, seconds=connect_seconds)

        def connect(self) -> None:
            super().connect()
            made.open = self.sock

    class PlainPool(Pool):
        ConnectionCls = Plain

    class SecurePool(Pool, HTTPSConnectionPool):
        ConnectionCls = Secure

    made: Pool
    if scheme == "https":
        made = SecurePool(host, port, timeout=timeout, maxsize=1, ca_certs=certifi.where())
    else:
        made = PlainPool(host, port, timeout=timeout, maxsize=1)
    return made
