"""What a stand-in platform gives to the server, and what the server gives to a platform's handlers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from aiohttp import web

from sandbox.faults import Action
from sandbox.journal import Entry

Listener = Literal["api", "upload"]


class Dropped(Exception):
    """The connection was reset by a fault; there is nobody left to answer."""


@dataclass(frozen=True)
class Call:
    """One request on its way to a handler, with the fault it must play."""

    request: web.Request
    action: Action
    entry: Entry
    raw: bytes = b""  # the body, except on routes that stream it


Handler = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Route:
    name: str
    method: str
    path: str
    handler: Handler
    dialect: str
    listener: Listener = "api"
    streams: bool = False  # the handler reads the body itself, and plays the faults of a body


@dataclass
class Addresses:
    """Where the listeners are; filled in once their ports are known."""

    api: str = ""
    upload: str = ""


class SettingError(ValueError):
    """The setting does not exist or cannot have that value."""


class Platform(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    def routes(self) -> Sequence[Route]: ...
    def error_body(self, dialect: str, status: int) -> object: ...
    def urls(self) -> dict[str, Any]: ...
    def rows(self, kind: str) -> list[dict[str, Any]]: ...
    def usage(self) -> dict[str, Any]: ...
    def settings(self) -> dict[str, Any]: ...
    def has_setting(self, name: str) -> bool: ...
    def change_settings(self, changes: Mapping[str, Any]) -> None: ...
    def revoke_tokens(self) -> int: ...
    def reset(self) -> None: ...
    def close(self) -> None: ...
    def dump(self) -> dict[str, Any]: ...
    def load(self, saved: Mapping[str, Any]) -> None: ...
