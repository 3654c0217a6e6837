"""A stand-in that only answers: nothing is sent to it, so there is nothing to remember or to forget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.platform import Addresses, SettingError


class Quiet:
    """What the sandbox asks of every platform, for one without a state worth keeping."""

    name = ""
    title = ""

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses

    def urls(self) -> dict[str, Any]:
        return {}

    def error_body(self, dialect: str, status: int) -> object:
        return {"status": status, "message": "Error"}

    def rows(self, kind: str) -> list[dict[str, Any]]:
        return []

    def usage(self) -> dict[str, Any]:
        return {}

    def settings(self) -> dict[str, Any]:
        return {}

    def has_setting(self, name: str) -> bool:
        return name in self.settings()

    def change_settings(self, changes: Mapping[str, Any]) -> None:
        if changes:
            raise SettingError(f"{self.title} has no settings")

    def revoke_tokens(self) -> int:
        return 0

    def reset(self) -> None:
        """Nothing to forget."""

    def close(self) -> None:
        """Nothing to close."""

    def dump(self) -> dict[str, Any]:
        return {}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Nothing to remember."""
