"""Lenient reading of what platforms answer: numbers as strings, times in two forms, words fit for a page."""

import email.utils
import re
from collections.abc import Callable
from datetime import UTC, datetime

from uploader.platforms.http import Answer

DAY = 24 * 3600.0
LONGEST_PAUSE = 7 * DAY
MESSAGE_CHARACTERS = 300

_URL_TAIL = re.compile(r"(https?://[^\s?#\"'<>]*)[?#][^\s\"'<>]*")


def retry_after(answer: Answer, *, clock: Callable[[], float]) -> float | None:
    """Retry-After in seconds from now, given as seconds or as an HTTP date."""
    value = answer.headers.get("Retry-After", "").strip()
    seconds = number(value)
    if seconds is None and value:
        try:
            moment = email.utils.parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - clock()
    return None if seconds is None else min(max(seconds, 1.0), LONGEST_PAUSE)


def shown(message: str) -> str:
    """A platform's words fit for a page: one line, not endless, no signed address."""
    line = " ".join(_URL_TAIL.sub(r"\1…", message).split())
    return line if len(line) <= MESSAGE_CHARACTERS else line[: MESSAGE_CHARACTERS - 1] + "…"


def text(value: object) -> str:
    """A string that any database can store; numbers are taken as written."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).encode(errors="replace").decode().replace("\0", "").strip()


def number(value: object) -> float | None:
    """A finite number given as one, or as a string."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        parsed = float(value)
    except (ValueError, OverflowError):
        return None
    return parsed if abs(parsed) < 1e18 else None


def integer(value: object) -> int | None:
    parsed = number(value)
    return None if parsed is None else int(parsed)


def flag(value: object) -> bool:
    """The legacy dialects write booleans as true/false, 1/0 or yes/no."""
    return value is True or text(value).lower() in ("true", "1", "yes")


def moment(value: object) -> datetime | None:
    """A time given as ISO-8601 or as unix seconds."""
    seconds = number(value)
    try:
        if seconds is not None:
            return datetime.fromtimestamp(seconds, UTC)
        parsed = datetime.fromisoformat(text(value))
    except (ValueError, OverflowError, OSError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def words(value: object) -> tuple[str, ...]:
    """A list of strings given as one, or as a comma-separated string."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list):
        return ()
    return tuple(filter(None, map(text, value)))
