"""Pages as a site gave them, and those seen before, by which a site is asked only for what changed (RFC 9110, 13)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from charset_normalizer import from_bytes
from django.core.cache import caches
from urllib3 import BaseHTTPResponse
from w3lib.encoding import html_to_unicode

from jobs.polite.errors import Unreadable
from jobs.polite.targets import Target

KEPT_SECONDS = 30 * 24 * 3600
GUESSED_FROM_BYTES = 64 * 1024


@dataclass(frozen=True)
class Page:
    """What a site gave: `url` is where it was found in the end."""

    url: str
    status: int
    content_type: str
    body: bytes
    is_unchanged: bool = False  # as it was when it was last asked for

    @property
    def text(self) -> str:
        """The body in the encoding its header, its own words, or its bytes tell."""
        return html_to_unicode(self.content_type, self.body, auto_detect_fun=_guess)[1]

    def json(self) -> Any:
        """Raises Unreadable."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as exc:
            raise Unreadable(f"{self.url.partition('?')[0]} did not answer with JSON.") from exc


def _guess(body: bytes) -> str | None:
    best = from_bytes(body[:GUESSED_FROM_BYTES]).best()
    return best.encoding if best else None


# -------------------------------------------------------------------- what was seen before


@dataclass(frozen=True)
class Seen:
    """A page as it was, and how to ask whether it still is."""

    etag: str
    last_modified: str
    content_type: str
    body: bytes

    @property
    def conditions(self) -> dict[str, str]:
        asked = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in asked.items() if value}


def seen(target: Target) -> Seen | None:
    found = caches["pages"].get(_key(target))
    return Seen(*found) if found else None


def keep(target: Target, response: BaseHTTPResponse, page: Page) -> None:
    """Remember the page, when its site says how to ask whether it has changed and does not forbid it."""
    etag, modified = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
    if (etag or modified) and "no-store" not in response.headers.get("Cache-Control", ""):
        kept = (etag[:500], modified[:100], page.content_type, page.body)
        caches["pages"].set(_key(target), kept, KEPT_SECONDS)


def _key(target: Target) -> str:
    return hashlib.sha256(f"{target.origin}{target.path}".encode()).hexdigest()


def is_personal(headers: Mapping[str, str]) -> bool:
    """Asked for by somebody in particular: kept for nobody."""
    return any(name.lower() in ("authorization", "api-key", "cookie") for name in headers)
