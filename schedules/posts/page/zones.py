"""Times as people write and read them: the viewer's zone, and wall times with the hours that clocks skip or repeat."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django.conf import settings
from django.http import HttpRequest

# Written by the page's script: the zone of the browser.
COOKIE = "sc_zone"
FIELD_FORMATS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M")


class BadTime(ValueError):
    """The text is no time, or no zone."""


@dataclass(frozen=True)
class Wall:
    """A wall time of a zone and the moment it means."""

    at: datetime
    zone: ZoneInfo
    # Why that is not simply so: the clocks skip this time, or show it twice.
    note: str = ""
    is_twice: bool = False


def named(name: str) -> ZoneInfo:
    """Raises BadTime."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadTime(f"“{name[:64]}” is no time zone. Choose one such as Europe/Rome.") from error


@cache
def names() -> list[str]:
    """Every zone a person may choose."""
    return ["UTC", *sorted(name for name in available_timezones() if "/" in name and name[:4] != "Etc/")]


def of_viewer(request: HttpRequest) -> ZoneInfo:
    """The zone the page is asked for in, else the browser's, else the installation's."""
    for name in (request.GET.get("zone", ""), unquote(request.COOKIES.get(COOKIE, ""))):
        try:
            if name:
                return named(name)
        except BadTime:
            continue
    return ZoneInfo(settings.TIME_ZONE)


def resolve(text: str, zone: ZoneInfo, *, is_second: bool = False) -> Wall:
    """The moment of a wall time `2026-11-21T14:00[:00]`. Raises BadTime.

    A time the clocks skip is moved forward by as much; of one they show twice it is the first, or `is_second`.
    """
    wall = parsed(text)
    first, second = wall.replace(tzinfo=zone), wall.replace(tzinfo=zone, fold=1)
    try:
        at, again = first.astimezone(UTC), second.astimezone(UTC)
    except OverflowError as error:
        raise BadTime("That time is outside of all calendars.") from error
    if at == again:
        return Wall(at, zone)
    if at > again:
        # Both readings of a skipped time exist; the one before the change lies after it.
        became = at.astimezone(zone)
        return Wall(
            at, zone, f"The clocks of {shown(zone)} skip {wall:%H:%M} on {spoken_day(wall.date())}: "
            f"it becomes {became:%H:%M} {became:%Z}.",
        )  # fmt: skip
    chosen, other = (again, at) if is_second else (at, again)
    which = "second" if is_second else "first"
    return Wall(
        chosen, zone, f"The clocks of {shown(zone)} show {wall:%H:%M} twice on {spoken_day(wall.date())}: this is "
        f"the {which}, {chosen.astimezone(zone):%Z}; the other is {other.astimezone(zone):%H:%M %Z}.",
        is_twice=True,
    )  # fmt: skip


def parsed(text: str) -> datetime:
    for form in FIELD_FORMATS:
        try:
            return datetime.strptime(text.strip()[:32], form)
        except ValueError:
            continue
    raise BadTime(
        f"“{text[:32]}” is no time. Write it as 2026-11-21 14:00."
        if text.strip()
        else "Give a day and a time."
    )


def shown(zone: ZoneInfo) -> str:
    return zone.key.replace("_", " ")


def spoken_day(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"


def spoken(at: datetime, zone: ZoneInfo, *, with_seconds: bool = False) -> str:
    """`Sat 21 Nov 14:00 CET`, with the year where it is not the present one."""
    local = at.astimezone(zone)
    clock = f"{local:%H:%M:%S}" if with_seconds or local.second else f"{local:%H:%M}"
    return f"{spoken_day(local.date())} {local.year} {clock} {local:%Z}"


def field(at: datetime, zone: ZoneInfo) -> str:
    """As a field of type datetime-local holds it."""
    local = at.astimezone(zone)
    return f"{local:%Y-%m-%dT%H:%M:%S}" if local.second else f"{local:%Y-%m-%dT%H:%M}"


def length(seconds: float) -> str:
    """`1 d 2 h`, `3 h 5 min`, `12 min`, `40 s`."""
    left = abs(round(seconds))
    parts: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if left >= size and len(parts) < 2:
            parts.append(f"{left // size} {unit}")
        left %= size
    return " ".join(parts) or "0 s"
