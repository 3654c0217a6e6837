"""The body of `smart-schedule` as it was sent, read into what `scheduling` takes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.dateparse import parse_datetime

from schedules.posts import sources
from schedules.posts.models import PostType
from schedules.posts.scheduling import Refused, Spread, Wish
from schedules.posts.sources import Source
from schedules.posts.spreading import BadWindow, Window
from schedules.posts.uploads import KeptFile

LONGEST_KEY = 180
MODES = ("keep", "every", "windows")


class Malformed(Refused):
    """The body makes no sense."""

    code = "malformed"


class BadMoment(Refused):
    """The moment cannot be read."""

    code = "invalid_moment"


def read(body: Mapping[str, Any], files: Mapping[str, Sequence[KeptFile]]) -> tuple[list[Wish], Spread]:
    """The posts that are asked for. `files` by the name of their form field. Raises Refused, BadSource."""
    rows = parsed(body.get("posts"), "posts", list)
    if rows is None:
        every_file = [file for found in files.values() for file in found]
        return [wish(body, every_file, 1)], spread(body)
    if not all(isinstance(row, dict) for row in rows):
        raise Malformed("“posts” must be a list of posts.")
    wishes: list[Wish] = []
    unused = set(files)
    for number, row in enumerate(rows, start=1):
        named = listed(row, "files", number)
        unknown = [name for name in named if name not in files]
        if unknown:
            raise Malformed(f"there is no file in the field “{unknown[0][:64]}”.", number=number)
        unused -= set(named)
        wishes.append(wish(row, [file for name in named for file in files[name]], number))
    if unused:
        raise Malformed(f"The file in the field “{min(unused)[:64]}” belongs to no post: name it in “files”.")
    return wishes, spread(body)


def wish(row: Mapping[str, Any], files: Sequence[KeptFile], number: int) -> Wish:
    zone_name, at = moment(row.get("scheduledFor"), row.get("timeZone"), number)
    return Wish(
        account_uuid=text(row, "accountUuid", number, required=True),
        caption=text(row, "caption", number),
        post_type=text(row, "postType", number) or PostType.REEL,
        scheduled_for=at,
        time_zone=zone_name,
        sources=tuple(sources_of(row, files, number)),
    )


def sources_of(row: Mapping[str, Any], files: Sequence[KeptFile], number: int) -> list[Source]:
    """Library files, then addresses, then what came with the request."""
    found = [sources.from_library(path) for path in listed(row, "videoPaths", number)]
    found += [sources.from_url(url) for url in listed(row, "videoUrls", number)]
    found += [sources.from_upload(file.name or "", file.path, file.size or 0) for file in files]
    return found


def moment(value: Any, zone_name: Any, number: int) -> tuple[str, datetime | None]:
    """An ISO 8601 time with its offset, or on the wall clock of `timeZone`: the zone's name and the moment."""
    if value in (None, ""):
        return zone_of(zone_name, number).key, None
    try:
        at = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None:
        raise BadMoment(
            f"scheduledFor is “{str(value)[:64]}”; write it as 2025-10-30T14:00:00Z.", number=number
        )
    if at.tzinfo is None:
        if not zone_name:
            raise BadMoment(
                f"scheduledFor “{value}” names no zone: end it with Z or an offset, or give timeZone.",
                number=number,
            )
        at = at.replace(tzinfo=zone_of(zone_name, number))
    elif not zone_name:
        return (at.isoformat()[-6:] if at.utcoffset() else "UTC"), in_utc(at, number)
    return zone_of(zone_name, number).key, in_utc(at, number)


def in_utc(at: datetime, number: int) -> datetime:
    try:
        return at.astimezone(ZoneInfo("UTC"))
    except OverflowError as error:
        raise BadMoment("scheduledFor is outside of all calendars.", number=number) from error


def zone_of(name: Any, number: int | None = None) -> ZoneInfo:
    try:
        return ZoneInfo(str(name or "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadMoment(
            f"timeZone “{str(name)[:64]}” is no time zone such as Europe/Rome.", number=number
        ) from error


def spread(body: Mapping[str, Any]) -> Spread:
    """`{"spread": {"mode": "keep" | "every" | "windows", "hours", "startsAt", "windows", "gapMinutes"}}`."""
    given = parsed(body.get("spread"), "spread", dict) or {}
    mode = given.get("mode") or "keep"
    if mode not in MODES:
        raise Malformed(f"spread.mode is “{str(mode)[:32]}”; it must be one of {', '.join(MODES)}.")
    zone_name = given.get("timeZone") or body.get("timeZone")
    try:
        windows = tuple(Window.parse(str(each)) for each in given.get("windows") or ())
    except BadWindow as error:
        raise Malformed(str(error)) from error
    if mode == "windows" and not windows:
        raise Malformed('spread.windows is missing: give the windows of the day, such as ["09:00-12:00"].')
    return Spread(
        mode=mode,
        hours=number_of(given, "hours", 1.0, least=1 / 60, most=24 * 31),
        start=moment(given.get("startsAt"), zone_name, 1)[1],
        windows=windows,
        gap=timedelta(minutes=number_of(given, "gapMinutes", 60.0, least=1, most=24 * 60)),
        zone=zone_of(zone_name),
    )


def number_of(given: Mapping[str, Any], name: str, default: float, *, least: float, most: float) -> float:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise Malformed(f"spread.{name} must be a number from {least:g} to {most:g}.")
    return float(value)


def text(row: Mapping[str, Any], name: str, number: int, *, required: bool = False) -> str:
    value = row.get(name)
    if value in (None, "") and not required:
        return ""
    if not isinstance(value, str) or not value or "\0" in value:
        raise Malformed(f"{name} is missing or no text.", number=number)
    return value


def listed(row: Mapping[str, Any], name: str, number: int) -> list[str]:
    """A list of texts; in a form, the field's values, or one value that is a JSON list."""
    getlist = getattr(row, "getlist", None)
    value = getlist(name) if getlist else row.get(name)
    if isinstance(value, list) and len(value) == 1 and str(value[0]).startswith("["):
        value = parsed(value[0], name, list)
    if isinstance(value, str):
        value = [value] if value else []
    value = value or []
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise Malformed(f"{name} must be a list of texts.", number=number)
    return value


def parsed(value: Any, name: str, kind: type) -> Any:
    """A part of the body that is JSON in a form. Raises Malformed."""
    if isinstance(value, str) and value:
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise Malformed(f"“{name}” is no JSON.") from error
    if value in (None, ""):
        return None
    if not isinstance(value, kind):
        raise Malformed(f"“{name}” must be a {'list' if kind is list else 'map'}.")
    return value


def idempotency_key(value: str) -> str:
    """The header, checked. Raises Malformed."""
    key = value.strip()
    if len(key) > LONGEST_KEY or not key.isprintable() or not key.isascii():
        raise Malformed(f"The Idempotency-Key must be printable ASCII of at most {LONGEST_KEY} characters.")
    return key


def digest(body: Mapping[str, Any], files: Mapping[str, Sequence[KeptFile]]) -> str:
    """By which a request is told from another one with the same key; files count by name and size."""
    getlist = getattr(body, "getlist", None)
    # The token against forged forms is a new one every time.
    names = (name for name in body if name != "csrfmiddlewaretoken")
    said = {name: getlist(name) if getlist else body[name] for name in names if name not in files}
    came = {name: [(file.name, file.size) for file in found] for name, found in files.items()}
    return hashlib.sha256(json.dumps([said, came], sort_keys=True, default=str).encode()).hexdigest()
