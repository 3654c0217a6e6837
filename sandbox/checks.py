"""What values a setting may have; each raises ValueError for those it may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(value)
    return value


def optional_number(value: Any) -> float | None:
    return None if value is None else number(value)


def rate(value: Any) -> float | None:
    return number(value) or None if value is not None else None


def one_of(*allowed: object) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value not in allowed:
            raise ValueError(value)
        return value

    return check


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(value)
    return value


def words(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    return value
