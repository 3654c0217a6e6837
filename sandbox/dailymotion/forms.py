"""Validation of the forms and queries of the older dialects: everything is text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from sandbox.dailymotion import limits
from sandbox.dailymotion.errors import Invalid, Missing, Refusal
from sandbox.platform import Call

FORM = "application/x-www-form-urlencoded"
TRUE = frozenset({"true", "1", "yes"})
FALSE = frozenset({"false", "0", "no"})
REQUIRED = ("url", "title", "channel", "is_created_for_kids")

#: name in the form -> name on the video
NAMES = {
    "title": "title",
    "channel": "category",
    "description": "description",
    "tags": "tags",
    "is_created_for_kids": "is_for_kids",
    "published": "is_released",
    "private": "visibility",
    "explicit": "is_explicit",
    "language": "language",
    "country": "country",
}


def fields_of(call: Call) -> dict[str, str]:
    """The form of a request; of a name given twice the last counts."""
    if call.raw and call.request.content_type != FORM:
        raise Invalid("Content-Type", f"The body must be {FORM}")
    try:
        parsed = parse_qs(call.raw.decode(), keep_blank_values=True, strict_parsing=bool(call.raw))
    except ValueError as exc:
        raise Refusal("The body is not a valid form") from exc
    return {name: values[-1] for name, values in parsed.items()}


def boolean(param: str, value: str) -> bool:
    if value.lower() not in TRUE | FALSE:
        raise Invalid(param, f"Invalid value for `{param}' parameter: expected true or false")
    return value.lower() in TRUE


def whole(
    query: Mapping[str, str], name: str, *, default: int = 0, lowest: int = 0, highest: int | None = None
) -> int:
    value = query.get(name, str(default))
    if not value.isdecimal() or int(value) < lowest or (highest is not None and int(value) > highest):
        raise Invalid(name, f"Invalid value for `{name}' parameter")
    return int(value)


def words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


def creation(form: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """The uploaded url, and what to store on the video; raises Missing or Invalid."""
    for name in REQUIRED:
        if not form.get(name):
            raise Missing(name)
    return form["url"], edit({name: value for name, value in form.items() if name != "url"})


def edit(form: Mapping[str, str]) -> dict[str, Any]:
    for name in form:
        if name not in NAMES:
            raise Invalid(name, f"Unknown parameter `{name}'")
    return {NAMES[name]: CHECKS.get(name, _text)(name, value) for name, value in form.items()}


def _title(param: str, value: str) -> str:
    if not value.strip() or len(value) > limits.TITLE_CHARS:
        raise Invalid(param, f"Invalid value for `{param}' parameter: 1 to {limits.TITLE_CHARS} characters")
    return value


def _channel(param: str, value: str) -> str:
    if value not in limits.LEGACY_CATEGORIES:
        raise Invalid(param, f"Invalid value for `{param}' parameter: unknown channel {value}")
    return value


def _description(param: str, value: str) -> str:
    if len(value) > limits.DESCRIPTION_CHARS:
        raise Invalid(param, f"Invalid value for `{param}' parameter: it is too long")
    return value


def _tags(param: str, value: str) -> list[str]:
    tags = words(value)
    if len(tags) > limits.TAGS or any(len(tag) > limits.TAG_CHARS for tag in tags):
        raise Invalid(param, f"Invalid value for `{param}' parameter: too many tags, or one too long")
    return tags


def _visibility(param: str, value: str) -> str:
    return "private" if boolean(param, value) else "public"


def _text(param: str, value: str) -> str:
    if len(value) > limits.TITLE_CHARS:
        raise Invalid(param, f"Invalid value for `{param}' parameter")
    return value


CHECKS: dict[str, Callable[[str, str], Any]] = {
    "title": _title,
    "channel": _channel,
    "description": _description,
    "tags": _tags,
    "is_created_for_kids": boolean,
    "published": boolean,
    "private": _visibility,
    "explicit": boolean,
}
