"""What the environment and `.env` give, read as what it is; what makes no sense is refused by its name."""

from __future__ import annotations

import math
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ

DATABASES = ("postgres", "postgresql", "psql", "pgsql", "sqlite")


class BadVariable(SystemExit):
    """A variable nobody can work with. Ends the program with one sentence: whoever started it can correct it."""

    def __init__(self, name: str, value: str, wanted: str) -> None:
        super().__init__(
            f"{name} is “{value}”, but it must be {wanted}. Correct it in .env or the environment."
        )


def given(name: str, default: str = "") -> str:
    """The variable's value; one that is set but empty counts as not set."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, default: bool) -> bool:
    return given(name, str(default)).lower() in {"1", "true", "yes", "on"}


def seconds(name: str, default: float, *, may_be_zero: bool = False) -> float:
    """A length of time. Raises BadVariable."""
    return length(name, given(name, str(default)), may_be_zero=may_be_zero)


def list_of_seconds(name: str, default: str) -> list[float]:
    """Lengths of time, comma-separated; none may be missing. Raises BadVariable."""
    return [length(name, part, may_be_zero=True) for part in given(name, default).split(",")]


def length(name: str, text: str, *, may_be_zero: bool) -> float:
    wanted = f"a number of seconds {'from' if may_be_zero else 'above'} 0"
    try:
        value = float(text)
    except ValueError as error:
        raise BadVariable(name, text, wanted) from error
    if not math.isfinite(value) or value < 0 or (value == 0 and not may_be_zero):
        raise BadVariable(name, text, wanted)
    return value


def whole(name: str, default: int, *, least: int, most: int) -> int:
    """A whole number. Raises BadVariable."""
    text = given(name, str(default))
    wanted = f"a whole number from {least} to {most}"
    try:
        value = int(text)
    except ValueError as error:
        raise BadVariable(name, text, wanted) from error
    if not least <= value <= most:
        raise BadVariable(name, text, wanted)
    return value


def one_of(name: str, default: str, choices: Collection[str]) -> str:
    """One of a few words. Raises BadVariable."""
    value = given(name, default)
    if value not in choices:
        raise BadVariable(name, value, f"one of {', '.join(choices)}")
    return value


def time_zone(name: str, default: str) -> str:
    """The name of a time zone. Raises BadVariable."""
    value = given(name, default)
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadVariable(
            name, value, "the name of a time zone, such as Europe/Rome or Asia/Kolkata"
        ) from error
    return value


def storage_url(name: str, default: str) -> str:
    """Where packages are stored: file:///path or s3://bucket/prefix. Raises BadVariable."""
    url = given(name, default)
    parts = urlsplit(url)
    is_folder = parts.scheme == "file" and not parts.netloc and parts.path.startswith("/")
    is_bucket = parts.scheme == "s3" and parts.netloc and "@" not in parts.netloc
    if (is_folder or is_bucket) and not parts.query and not parts.fragment:
        return url
    raise BadVariable(name, url, "file:///path of a folder, or s3://bucket/prefix")


def origins(name: str) -> list[str]:
    """Sites, as a browser names them: scheme and host, comma-separated. Raises BadVariable."""
    found = [part for each in given(name).split(",") if (part := each.strip().rstrip("/").lower())]
    for each in found:
        parts = urlsplit(each)
        if parts.scheme not in ("https", "http") or f"{parts.scheme}://{parts.netloc}" != each or "@" in each:
            raise BadVariable(
                name, each, "addresses of sites without a path, such as https://films.example.com"
            )
    return found


def folder(name: str, default: Path) -> Path:
    """A folder to write to, made when it is not there. Raises BadVariable."""
    path = Path(given(name, str(default)))
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadVariable(name, str(path), f"a folder that can be made ({error.strerror})") from error
    return path


def database_url(name: str) -> dict[str, Any] | None:
    """The database as Django wants it; None: nothing is given. Raises BadVariable, which shows no password."""
    url = given(name)
    if not url:
        return None
    scheme = url.partition(":")[0]
    wanted = "postgres://user:password@host:5432/name or sqlite:///path"
    if scheme not in DATABASES:
        raise BadVariable(name, f"{scheme}…", wanted)
    try:
        return dict(environ.Env.db_url_config(url))
    except ValueError as error:
        raise BadVariable(name, f"{scheme}:…", wanted) from error
