"""The fault plan: which request is to fail next, and how."""

from __future__ import annotations

import itertools
import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from aiohttp import web

ANY_ROUTE = "*"


class FaultError(ValueError):
    """The fault is not one the sandbox can play."""


@dataclass(frozen=True, kw_only=True)
class Action:
    """What a fault does to one request. Actions combine where that makes sense, `delay` with any other."""

    status: int | None = None  # answer this instead of doing the request
    body: Any = None  # with status: text as it is, anything else as JSON; none: the dialect's own error body
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0  # seconds before the request is looked at
    drop_before: bool = False  # reset the connection, request not applied
    apply_then_drop: bool = False  # apply the request, reset the connection before any reply
    drop_after_bytes: int | None = None  # reset after this much of the request body
    stall_after_bytes: int | None = None  # stop reading the request body here for `seconds`
    seconds: float = 30.0
    expire_session: bool = False  # the upload session or the uploaded file named by the request is gone
    truncate_reply: int | None = None  # apply, and send a complete reply whose body is cut to this many bytes
    drop_reply_after_bytes: int | None = None  # apply, and reset the connection this far into the reply

    def as_json(self) -> dict[str, Any]:
        shown = {f.name: getattr(self, f.name) for f in fields(self)}
        default = {f.name: getattr(NO_FAULT, f.name) for f in fields(self)}
        changed = {name: value for name, value in shown.items() if value != default[name]}
        return {name: dict(value) if name == "headers" else value for name, value in changed.items()}


NO_FAULT = Action()


@dataclass
class Rule:
    id: int
    route: str
    action: Action
    times: int | None = 1
    after: int = 0
    dialect: str | None = None
    platform: str | None = None
    seen: int = 0
    fired: int = 0

    @property
    def is_spent(self) -> bool:
        return self.times is not None and self.fired >= self.times

    def meets(self, *, platform: str, route: str, dialect: str) -> bool:
        return (
            self.route in (route, ANY_ROUTE)
            and self.dialect in (None, dialect)
            and self.platform in (None, platform)
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "route": self.route,
            "times": self.times,
            "after": self.after,
            "dialect": self.dialect,
            "platform": self.platform,
            "seen": self.seen,
            "fired": self.fired,
            **self.action.as_json(),
        }


class FaultPlan:
    """Ordered rules: a request takes the first unspent one that meets it. Each counts those that reach it."""

    def __init__(self, routes: frozenset[str]) -> None:
        self._routes = routes
        self._rules: list[Rule] = []
        self._ids = itertools.count(1)

    @property
    def routes(self) -> list[str]:
        return sorted(self._routes)

    def add(self, spec: Mapping[str, Any]) -> Rule:
        """Append one rule from its JSON form; raises FaultError with the reason if it cannot be played."""
        rule = _parse(spec, next(self._ids), self._routes)
        self._rules.append(rule)
        return rule

    def take(self, *, platform: str, route: str, dialect: str) -> Rule | None:
        for rule in self._rules:
            if rule.is_spent or not rule.meets(platform=platform, route=route, dialect=dialect):
                continue
            rule.seen += 1
            if rule.seen > rule.after:
                rule.fired += 1
                return rule
        return None

    def active(self) -> list[Rule]:
        return [rule for rule in self._rules if not rule.is_spent]

    def clear(self, rule_id: int | None = None) -> int:
        """Remove all rules, or one; gives how many were removed."""
        before = len(self._rules)
        self._rules = [rule for rule in self._rules if rule_id is not None and rule.id != rule_id]
        return before - len(self._rules)


def _parse(spec: Mapping[str, Any], rule_id: int, routes: frozenset[str]) -> Rule:
    values = dict(spec)
    route = values.pop("route", None)
    if route != ANY_ROUTE and route not in routes:
        raise FaultError(f"route must be one of {', '.join(sorted(routes))} or *, not {route!r}")
    times = values.pop("times", 1)
    after = values.pop("after", 0)
    if times is not None and not _is_count(times, 1):
        raise FaultError("times must be a whole number from 1, or null for always")
    if not _is_count(after, 0):
        raise FaultError("after must be a whole number from 0")
    dialect, platform = values.pop("dialect", None), values.pop("platform", None)
    action = _parse_action(values)
    return Rule(rule_id, route, action, times=times, after=after, dialect=dialect, platform=platform)


def _parse_action(values: Mapping[str, Any]) -> Action:
    unknown = set(values) - {f.name for f in fields(Action)}
    if unknown:
        raise FaultError(f"unknown key {', '.join(sorted(unknown))}")
    for name in ("drop_after_bytes", "stall_after_bytes", "truncate_reply", "drop_reply_after_bytes"):
        if values.get(name) is not None and not _is_count(values[name], 0):
            raise FaultError(f"{name} must be a whole number from 0")
    for name in ("delay", "seconds"):
        if not _is_duration(values.get(name, 0)):
            raise FaultError(f"{name} must be a number of seconds")
    for name in ("drop_before", "apply_then_drop", "expire_session"):
        if not isinstance(values.get(name, False), bool):
            raise FaultError(f"{name} must be true or false")
    if values.get("status") is not None and not (_is_count(values["status"], 200) and values["status"] < 600):
        raise FaultError("status must be an HTTP status from 200 to 599")
    if not isinstance(values.get("headers", {}), Mapping):
        raise FaultError("headers must be an object")
    headers = {str(name): str(value) for name, value in values.get("headers", {}).items()}
    action = Action(**{**values, "headers": headers})
    if not set(action.as_json()) - {"seconds", "body", "headers"}:
        raise FaultError("a fault needs something to do, such as a status, delay or drop_before")
    return action


def _is_count(value: object, minimum: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= minimum


def _is_duration(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def fault_response(action: Action, default_body: object) -> web.Response:
    """The reply a `status` fault asks for."""
    body = default_body if action.body is None else action.body
    text = body if isinstance(body, str) else json.dumps(body)
    content_type = "text/html" if text.lstrip().startswith("<") else "application/json"
    headers = {"Content-Type": f"{content_type}; charset=utf-8", **action.headers}
    return web.Response(status=action.status or 500, body=text.encode(), headers=headers)


def reset_connection(request: web.BaseRequest) -> None:
    """Close the client's connection with a TCP reset, as a dying server or a cut line does."""
    transport = request.transport
    if transport is None:
        return
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
