"""The validation of what is sent about posts, in the documented format and in the older one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sandbox.onlysocial.errors import Invalid
from sandbox.onlysocial.state import State

BODY_CHARACTERS = 5000
TYPES = ("post", "reel", "story")


class Findings:
    """The errors of a body, gathered."""

    def __init__(self) -> None:
        self.errors: dict[str, list[str]] = {}

    def add(self, field: str, sentence: str) -> None:
        self.errors.setdefault(field, []).append(sentence.format(field=_spoken(field)))

    def require(self, field: str, value: Any, kind: Callable[[Any], bool], name: str) -> bool:
        if value is None:
            self.add(field, "The {field} field is required.")
        elif not kind(value):
            self.add(field, f"The {{field}} must be {name}.")
        else:
            return True
        return False

    def refuse(self) -> None:
        if self.errors:
            raise Invalid(self.errors)


def parsed(raw: bytes) -> dict[str, Any]:
    """The JSON object of a request; anything else counts as empty, as with Laravel."""
    try:
        body = json.loads(raw)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def checked_post(body: Mapping[str, Any], state: State) -> dict[str, Any]:
    """The values of a post; raises Invalid."""
    found = Findings()
    accounts, versions = body.get("accounts"), body.get("versions")
    if found.require("accounts", accounts, _is_list, "an array"):
        _accounts(accounts, state, found)
    is_legacy = state.settings.post_format == "legacy"
    if not is_legacy and found.require("tags", body.get("tags"), _is_list, "an array"):
        for n, tag in enumerate(body["tags"]):
            found.require(f"tags.{n}", tag, _is_integer, "an integer")
    if found.require("versions", versions, _is_list, "an array"):
        if not versions:
            found.add("versions", "The {field} field is required.")
        for n, version in enumerate(versions or []):
            _version(f"versions.{n}", version, state, found, is_legacy=is_legacy)
    if is_legacy and body.get("post_type") not in TYPES:
        found.add("post_type", "The selected {field} is invalid.")
    scheduled_at = None if is_legacy else _moment(body, state, found)
    found.refuse()
    return {
        "accounts": accounts,
        "versions": versions,
        "tags": body.get("tags") or [],
        "scheduled_at": scheduled_at,
    }


def _accounts(accounts: Any, state: State, found: Findings) -> None:
    for n, account_id in enumerate(accounts):
        if found.require(f"accounts.{n}", account_id, _is_integer, "an integer") and not state.account(
            account_id
        ):
            found.add(f"accounts.{n}", "The selected {field} is invalid.")


def _version(name: str, version: Any, state: State, found: Findings, *, is_legacy: bool) -> None:
    if not isinstance(version, dict):
        found.add(name, "The {field} must be an array.")
        return
    found.require(f"{name}.account_id", version.get("account_id"), _is_integer, "an integer")
    found.require(f"{name}.is_original", version.get("is_original"), _is_boolean, "true or false")
    content = version.get("content")
    if found.require(f"{name}.content", content, _is_list, "an array"):
        for n, each in enumerate(content or []):
            if is_legacy:
                found.require(f"{name}.content.{n}", each, _is_text, "a string")
            else:
                _content(f"{name}.content.{n}", each, state, found)
    if is_legacy:
        _legacy_media(f"{name}.media_ids", version.get("media_ids"), state, found)
    else:
        _options(f"{name}.options", version.get("options", {}), found)


def _content(name: str, content: Any, state: State, found: Findings) -> None:
    if not isinstance(content, dict):
        found.add(name, "The {field} must be an array.")
        return
    body = content.get("body")
    if body is not None and not isinstance(body, str):
        found.add(f"{name}.body", "The {field} must be a string.")
    elif len(body or "") > BODY_CHARACTERS:
        found.add(f"{name}.body", f"The {{field}} must not be greater than {BODY_CHARACTERS} characters.")
    media = content.get("media", [])
    if not isinstance(media, list):
        found.add(f"{name}.media", "The {field} must be an array.")
        return
    for n, media_id in enumerate(media):
        if found.require(f"{name}.media.{n}", media_id, _is_integer, "an integer"):
            _known_media(f"{name}.media.{n}", media_id, state, found)


def _legacy_media(name: str, media_ids: Any, state: State, found: Findings) -> None:
    if not found.require(name, media_ids, _is_list, "an array"):
        return
    for n, media_id in enumerate(media_ids):
        if found.require(f"{name}.{n}", media_id, _is_text, "a string"):
            number = int(media_id) if media_id.isdecimal() else None
            _known_media(f"{name}.{n}", number, state, found)


def _known_media(name: str, media_id: object, state: State, found: Findings) -> None:
    if media_id not in state.media:
        found.add(name, "The selected {field} is invalid.")


def _options(name: str, options: Any, found: Findings) -> None:
    if options in ([], {}):  # an empty object, as PHP writes it
        return
    if not isinstance(options, dict):
        found.add(name, "The {field} must be an array.")
        return
    for provider, given in options.items():
        if not isinstance(given, dict):
            found.add(f"{name}.{provider}", "The {field} must be an array.")
        elif "type" in given and given["type"] not in TYPES:
            found.add(f"{name}.{provider}.type", "The selected {field} is invalid.")


def _moment(body: Mapping[str, Any], state: State, found: Findings) -> float | None:
    """`date` and `time` in the given zone; without one, in that of the accounts."""
    day, clock = body.get("date"), body.get("time") or ""
    if day is None and not clock:
        return None
    if not isinstance(day, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", day):
        found.add("date", "The {field} does not match the format Y-m-d.")
        return None
    if not isinstance(clock, str) or not re.fullmatch(r"\d\d:\d\d", clock):
        found.add("time", "The {field} does not match the format H:i.")
        return None
    try:
        zone = ZoneInfo(str(body.get("timezone") or state.settings.time_zone))
        local = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=zone)
    except (ValueError, ZoneInfoNotFoundError):
        found.add("timezone", "The {field} must be a valid timezone.")
        return None
    return local.astimezone(UTC).timestamp()


def checked_post_now(body: Mapping[str, Any]) -> bool:
    """Raises Invalid."""
    found = Findings()
    found.require("postNow", body.get("postNow"), _is_boolean, "true or false")
    found.refuse()
    return bool(body["postNow"])


def _spoken(field: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", field).replace("_", " ").lower()


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)
