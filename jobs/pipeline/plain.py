"""Whatever a script hands over, made into what every database keeps: an outcome must never fail to be written."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

MOST_CHARACTERS = 100_000
LONGEST_ERROR = 4_000
DEEPEST = 30

# What may stand in an address or a message and is nobody's to read: ?token=…, Authorization: Bearer …
SECRET = re.compile(
    r"(?i)((?:[\w-]*(?:token|secret|password|passwd|signature|api[-_]?key|credential)[\w-]*)[\"']?\s*[=:]\s*[\"']?"
    r"|(?:bearer|basic)\s+)([^\s\"'&,;]+)"
)
USERINFO = re.compile(r"(?i)(https?://)[^/\s@:]+:[^/\s@]+@")


def plain(value: Any, depth: int = 0) -> Any:
    """`value` as JSON that SQLite and PostgreSQL both keep: no NaN, no NUL, nothing that is not JSON."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case str():
            return text(value)
        case datetime() | date() | time():
            return value.isoformat()
        case _ if depth >= DEEPEST:
            return text(repr(type(value)))
        case Mapping():
            return {text(str(key)): plain(item, depth + 1) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(item, depth + 1) for item in value]
        case _:
            return text(str(value))


def text(value: str, limit: int = MOST_CHARACTERS) -> str:
    """Without what PostgreSQL refuses, and no longer than `limit`."""
    kept = value[:limit].replace("\0", "").encode("utf-8", "replace").decode()
    return kept if len(value) <= limit else f"{kept}…"


def told(error: BaseException) -> str:
    """An error in words an operator may read: never empty, never a secret."""
    return without_secrets(text(str(error), LONGEST_ERROR)) or type(error).__name__


def without_secrets(message: str) -> str:
    return SECRET.sub(r"\1***", USERINFO.sub(r"\1***@", message))
