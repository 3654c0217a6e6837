"""Validation of v2 bodies: strict JSON types, no unknown keys."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sandbox.dailymotion import limits
from sandbox.dailymotion.errors import Invalid, Missing
from sandbox.platform import Call

Check = Callable[[str, Any], Any]
VISIBILITIES = ("public", "private", "password")
REQUIRED = ("title", "visibility", "category", "is_for_kids", "source")


def text(longest: int, *, shortest: int = 0) -> Check:
    def check(param: str, value: Any) -> str:
        if not isinstance(value, str):
            raise Invalid(param, f"{param} must be a string.")
        if not shortest <= len(value) <= longest:
            raise Invalid(param, f"{param} must have {shortest} to {longest} characters.")
        return value

    return check


def title(param: str, value: Any) -> str:
    checked: str = text(limits.TITLE_CHARS, shortest=1)(param, value)
    if not checked.strip():
        raise Invalid(param, f"{param} must not be blank.")
    return checked


def boolean(param: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Invalid(param, f"{param} must be a boolean.")
    return value


def choice(allowed: frozenset[str] | tuple[str, ...]) -> Check:
    def check(param: str, value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise Invalid(param, f"{param} must be one of {', '.join(sorted(allowed))}.")
        return value

    return check


def tags(param: str, value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > limits.TAGS:
        raise Invalid(param, f"{param} must be a list of at most {limits.TAGS} tags.")
    return [text(limits.TAG_CHARS, shortest=1)(param, tag) for tag in value]


def pattern(expression: str) -> Check:
    def check(param: str, value: Any) -> str:
        if not isinstance(value, str) or re.fullmatch(expression, value) is None:
            raise Invalid(param, f"{param} is not valid.")
        return value

    return check


def moment(param: str, value: Any) -> float:
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError) as exc:
        raise Invalid(param, f"{param} must be an ISO-8601 date and time.") from exc
    if parsed.tzinfo is None:
        raise Invalid(param, f"{param} must name its offset from UTC.")
    return parsed.timestamp()


def embedding(param: str, value: Any) -> dict[str, bool]:
    if not isinstance(value, dict) or set(value) - {"enable_embed"}:
        raise Invalid(param, f"{param} must be an object with enable_embed.")
    return {name: boolean(f"{param}.{name}", flag) for name, flag in value.items()}


def source(param: str, value: Any) -> str:
    if not isinstance(value, dict) or set(value) != {"file_url"}:
        raise Invalid(param, f"{param} must be an object with file_url.")
    checked: str = text(10_000, shortest=1)(f"{param}.file_url", value["file_url"])
    return checked


STORED: dict[str, Check] = {
    "title": title,
    "category": choice(limits.CATEGORIES),
    "visibility": choice(VISIBILITIES),
    "is_for_kids": boolean,
    "description": text(limits.DESCRIPTION_CHARS),
    "tags": tags,
    "language": pattern("[a-z]{2,3}(-[A-Za-z]{2,4})?"),
    "country": pattern("[A-Za-z]{2}"),
    "password": text(limits.PASSWORD_CHARS, shortest=1),
    "is_explicit": boolean,
    "published_at": moment,
}
EXTRAS: dict[str, Check] = {
    "hashtags": tags,
    "engagement_message": text(limits.ENGAGEMENT_CHARS),
    "is_ai_altered": boolean,
    "enable_ai_chapter_generation": boolean,
    "embedding": embedding,
}
EDITABLE = STORED | EXTRAS
CREATABLE: dict[str, Check] = {**EDITABLE, "source": source}


def json_object(call: Call) -> dict[str, Any]:
    if call.request.content_type != "application/json":
        raise Invalid("Content-Type", "The body must be application/json.")
    try:
        body = json.loads(call.raw)
    except ValueError as exc:
        raise Invalid("body", "The body is not valid JSON.") from exc
    if not isinstance(body, dict):
        raise Invalid("body", "The body must be a JSON object.")
    return body


def creation(body: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The file_url, and what to store on the video; raises Missing or Invalid."""
    for name in REQUIRED:
        if name not in body:
            raise Missing(name)
    values = _checked(body, CREATABLE)
    file_url = values.pop("source")
    if values["visibility"] == "password" and "password" not in body:
        raise Missing("password")
    return file_url, {**values, "is_released": True}


def edit(body: Mapping[str, Any]) -> dict[str, Any]:
    return _checked(body, EDITABLE)


def _checked(body: Mapping[str, Any], allowed: Mapping[str, Check]) -> dict[str, Any]:
    for name in body:
        if name not in allowed:
            raise Invalid(name, f"Unknown field {name}.")
    checked = {name: allowed[name](name, value) for name, value in body.items()}
    extras = {name: checked.pop(name) for name in EXTRAS if name in checked}
    return {**checked, "extras": extras} if extras else checked
