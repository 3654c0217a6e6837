"""The log of what the sandbox received, with secrets masked."""

from __future__ import annotations

import itertools
import json
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from sandbox.clock import Clock, iso

KEPT = 5000
MASK = "***"
SECRET_FIELDS = frozenset({"client_secret", "password", "refresh_token", "access_token"})
SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


@dataclass
class Entry:
    id: int
    at: str
    platform: str
    dialect: str
    route: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    authorization: bool
    body: Any = None
    bytes: int = 0
    status: int | None = None  # none while open, and when the connection was reset before a reply
    outcome: str = "open"  # open, replied, reset (by the sandbox), gone (the client left)
    fault: int | None = None
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Journal:
    clock: Clock
    entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=KEPT))
    counters: Counter[str] = field(default_factory=Counter)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def open(self, request: web.Request, *, platform: str, dialect: str, route: str) -> Entry:
        entry = Entry(
            id=next(self._ids),
            at=iso(self.clock()),
            platform=platform,
            dialect=dialect,
            route=route,
            method=request.method,
            path=request.path,
            query=_mask(request.query, SECRET_FIELDS),
            headers=_mask(request.headers, SECRET_HEADERS),
            authorization="Authorization" in request.headers,
        )
        self.entries.append(entry)
        self.counters[f"{platform}.{route}"] += 1
        return entry

    def shown(self, *, route: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """Oldest first; `limit` keeps the newest."""
        chosen = [entry for entry in self.entries if route is None or entry.route == route]
        return [entry.as_json() for entry in (chosen if limit is None else chosen[-limit:])]

    def clear(self) -> None:
        self.entries.clear()
        self.counters.clear()


def readable_body(raw: bytes, content_type: str) -> Any:
    """A small request body as the log shows it: parsed, secrets masked."""
    if not raw:
        return None
    text = raw.decode("utf-8", "replace")
    if content_type == "application/x-www-form-urlencoded":
        return _mask(dict(parse_qsl(text, keep_blank_values=True)), SECRET_FIELDS)
    try:
        parsed = json.loads(text)
    except ValueError:
        return text[:2000]
    return _mask(parsed, SECRET_FIELDS) if isinstance(parsed, dict) else parsed


def _mask(values: Mapping[str, Any], secret: frozenset[str]) -> dict[str, Any]:
    return {name: MASK if name.lower() in secret else value for name, value in values.items()}
