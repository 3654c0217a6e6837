"""The one clock of the sandbox, which tests may replace or push forward."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Unix seconds from `base`, moved by `offset_seconds`."""

    def __init__(self, base: Callable[[], float] = time.time) -> None:
        self._base = base
        self.offset_seconds = 0.0

    def __call__(self) -> float:
        return self._base() + self.offset_seconds


def iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
