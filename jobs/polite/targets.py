"""Addresses that may be asked: read in one way, of a host that is allowed, written as they go over the wire."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urljoin

from django.conf import settings

from jobs.polite.addresses import split
from jobs.polite.pinned import AddressRefused

_SAFE = "/%:@!$&'()*+,;=~-._"
MOST_CHARACTERS = 2000


@dataclass(frozen=True)
class Target:
    """A checked address."""

    url: str
    scheme: str
    host: str
    port: int
    path: str
    is_trusted: bool

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    def __str__(self) -> str:
        """Without what a signed address carries behind its “?”."""
        return f"{self.host}{self.path.partition('?')[0]}"


def checked(url: str, hosts: Collection[str] = ()) -> Target:
    """The address, when it is one of `hosts` (none: any). Raises AddressRefused for an address that is none."""
    parts = split(url)
    if parts is None or parts.scheme not in ("http", "https") or len(url) > MOST_CHARACTERS:
        raise AddressRefused("This is no usable address of a page. Correct it, then retry.")
    host = (parts.hostname or "").lower().rstrip(".")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    named = f"{host}:{port}"
    if hosts and host not in hosts and named not in hosts:
        raise AddressRefused(f"{named} is no host of this source; name it in its configuration.")
    path, query = quote(parts.path or "/", safe=_SAFE), quote(parts.query, safe=_SAFE + "?")
    is_trusted = named in settings.FETCH_PRIVATE_HOSTS
    return Target(url, parts.scheme, host, port, f"{path}?{query}" if query else path, is_trusted=is_trusted)


def joined(page: str, link: str) -> str:
    """Where a link on a page leads; “” when nobody can tell."""
    try:
        return urljoin(page, link)
    except ValueError:
        return ""


def with_query(url: str, params: Mapping[str, object]) -> str:
    """`url` with `params` in its query, in order of their names."""
    query = urlencode(sorted((name, str(value)) for name, value in params.items() if value not in (None, "")))
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url
