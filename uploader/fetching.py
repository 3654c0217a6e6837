"""Videos given by their address: streamed from where they are, from nowhere else, and never through a redirect.

An address is a request made in our name. So its host must be one of Spaces or one the operator named, the
connection goes to the very address that was checked, and what the far side says is limited in size and time.
OWASP ASVS 5.0: 1.3.6, 13.2.4, 13.2.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import SplitResult, quote

from django.conf import settings
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from jobs.errors import ErrorKind, JobError
from jobs.polite import pinned
from jobs.polite.addresses import split
from jobs.polite.pinned import AddressRefused as AddressRefused

SPACES = ".digitaloceanspaces.com"
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
# For an answer's status and length; bytes that never move are the business of whoever reads.
_SAFE = "/%:@!$&'()*+,;=~-._"


class SourceGone(JobError):
    """There is no file at the address. Restore it, then retry."""

    kind = ErrorKind.REJECTED
    permanent = True


class SourceAway(JobError):
    """The address does not answer as it should; it is tried again."""


@dataclass(frozen=True)
class Place:
    """A checked address: whom to connect to, and what to ask for."""

    scheme: str
    host: str
    port: int
    target: str
    is_trusted: bool  # named by the operator: it may be in a private network

    def __str__(self) -> str:
        """Without what a signed address carries behind its “?”."""
        return f"{self.host}{self.target.partition('?')[0]}"


class Stream:
    """The bytes at an address, as they come."""

    def __init__(self, response: BaseHTTPResponse, place: Place) -> None:
        self._response = response
        self._place = place

    def seekable(self) -> bool:
        return False

    def read(self, size: int) -> bytes:
        """Raises OSError when the line breaks."""
        try:
            return self._response.read(size)
        except HTTPError as exc:
            raise OSError(f"{self._place.host} broke off") from exc


def checked(url: str) -> Place:
    """The place an address names. Raises AddressRefused."""
    parts = split(url)
    if parts is None or len(url) > 2000:
        raise AddressRefused("This is no usable address of a video. Correct it, then retry.")
    host = (parts.hostname or "").lower().rstrip(".")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    is_trusted = _is_named(parts, host, port)
    if not is_trusted and not (host.endswith(SPACES) and parts.scheme == "https" and port == 443):
        raise AddressRefused(
            f"Videos are not fetched from {host}. Put the file on Spaces, or name the host in MEDIA_HOSTS."
        )
    target = quote(parts.path or "/", safe=_SAFE)
    query = quote(parts.query, safe=_SAFE + "?")
    return Place(parts.scheme, host, port, f"{target}?{query}" if query else target, is_trusted)


def _is_named(parts: SplitResult, host: str, port: int) -> bool:
    """Whether the operator named the host: as the endpoint of Spaces, with its buckets, or in MEDIA_HOSTS."""
    own = split(settings.SPACES_ENDPOINT_URL)
    if own is not None and own.scheme == parts.scheme and own.hostname:
        own_port = own.port or (443 if own.scheme == "https" else 80)
        if own_port == port and (host == own.hostname or host.endswith(f".{own.hostname}")):
            return True
    if f"{host}:{port}" in settings.MEDIA_HOSTS:
        return parts.scheme in ("https", "http")
    return host in settings.MEDIA_HOSTS and parts.scheme == "https" and port == 443


@contextmanager
def opened(url: str) -> Iterator[tuple[Stream, int]]:
    """The file at an address and its size, with nothing of it read yet.

    Raises AddressRefused, SourceGone, or SourceAway, which is worth another try.
    """
    place = checked(url)
    pool = pinned.pool(
        place.scheme, place.host, place.port, is_trusted=place.is_trusted,
        connect_seconds=CONNECT_SECONDS, read_seconds=READ_SECONDS,
    )  # fmt: skip
    try:
        try:
            response = pool.urlopen(
                "GET",
                place.target,
                headers={"User-Agent": "Slotcast", "Accept": "*/*", "Accept-Encoding": "identity"},
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
            )
        except (OSError, HTTPError) as exc:
            raise SourceAway(f"{place.host} could not be reached; it is tried again.") from exc
        with response:
            yield Stream(response, place), _size(response, place)
    finally:
        pool.close()


def _size(response: BaseHTTPResponse, place: Place) -> int:
    """Raises the reason why the answer is no file."""
    status = response.status
    if status in (404, 410):
        raise SourceGone(f"There is no file at {place}. Restore it, then retry.")
    if status in (401, 403):
        raise SourceGone(f"{place} may not be read: the address is not public, or it has expired.")
    if 300 <= status < 400:
        raise AddressRefused(f"{place} leads elsewhere; give the address of the file itself.")
    if status != 200:
        raise SourceAway(f"{place} answered with HTTP {status}; it is tried again.")
    length = response.headers.get("Content-Length", "")
    if not length.isdecimal() or response.headers.get("Content-Encoding", "identity") != "identity":
        raise AddressRefused(f"{place} does not say how large the file is. Put it on Spaces, then retry.")
    return int(length)
