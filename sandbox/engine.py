"""The sandbox itself: its platforms, its two listeners, its settings and what it remembers over a restart."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from sandbox.clock import Clock, iso
from sandbox.dailymotion.stand_in import Dailymotion
from sandbox.door import Door
from sandbox.faults import FaultPlan
from sandbox.journal import Journal
from sandbox.novels import Novels
from sandbox.onlysocial.stand_in import OnlySocial
from sandbox.opensubtitles import OpenSubtitles
from sandbox.platform import Addresses, Platform, SettingError

KINDS = ("videos", "uploads", "posts", "media")
SAVE_EVERY_SECONDS = 0.25
SHUTDOWN_SECONDS = 0.2
SMALL_SEGMENT_BYTES = 1400
SMALL_BUFFER_BYTES = 1 << 14
LARGE_BUFFER_BYTES = 1 << 22
READ_BUFFER_BYTES = 1 << 17


class StateError(Exception):
    """The state file cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Options:
    host: str = "127.0.0.1"
    port: int = 0  # 0: a free one
    upload_port: int = 0
    public_host: str | None = None  # the name in the urls given out; none: the host
    state_path: Path | None = None
    tls: ssl.SSLContext | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


class Engine:
    def __init__(self, options: Options, *, clock: Callable[[], float] | None = None) -> None:
        self.options = options
        self.clock = Clock(clock) if clock else Clock()
        self.addresses = Addresses()
        self.journal = Journal(self.clock)
        made: dict[str, Any] = {"clock": self.clock, "addresses": self.addresses}
        self.platforms: list[Platform] = [
            Dailymotion(**made), OnlySocial(**made), OpenSubtitles(**made), Novels(**made),
        ]  # fmt: skip
        names = frozenset(route.name for platform in self.platforms for route in platform.routes())
        self.plan = FaultPlan(names)
        self._runners: list[web.AppRunner] = []
        self._listeners: list[socket.socket] = []
        self._was_paced = False
        self._saver: asyncio.Task[None] | None = None
        self._saved = ""
        self._load()

    def urls(self) -> dict[str, Any]:
        """Where everything is, as printed at the start."""
        api = self.addresses.api
        own = {"page": f"{api}/", "control": f"{api}/_sandbox", "upload": self.addresses.upload}
        return {**own, **{platform.name: platform.urls() for platform in self.platforms}}

    async def start(self) -> None:
        """Listen on both ports; raises OSError when one is taken."""
        from sandbox import control, page

        api, upload = web.Application(), web.Application()
        control.mount(api, self)
        page.mount(api, self)
        door = Door(journal=self.journal, plan=self.plan)
        for platform in self.platforms:
            for route in platform.routes():
                door.mount(api if route.listener == "api" else upload, platform, route)
        self.addresses.api = await self._listen(api, self.options.port)
        self.addresses.upload = await self._listen(upload, self.options.upload_port)
        if self.options.state_path is not None:
            self._saver = asyncio.create_task(self._keep_saving())

    async def stop(self) -> None:
        if self._saver is not None:
            self._saver.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._saver
            self._save()
        for runner in self._runners:
            await _close(runner)
        for platform in self.platforms:
            platform.close()

    async def _listen(self, app: web.Application, port: int) -> str:
        runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS, read_bufsize=READ_BUFFER_BYTES
        )
        await runner.setup()
        self._runners.append(runner)
        options = self.options
        listener = socket.create_server(
            (options.host, port), family=socket.AF_INET6 if ":" in options.host else socket.AF_INET
        )
        self._listeners.append(listener)
        self._pace_listeners()
        await web.SockSite(runner, listener, ssl_context=options.tls).start()
        any_host = options.host in ("", "0.0.0.0", "::")  # noqa: S104 (recognised, not chosen)
        name = options.public_host or ("127.0.0.1" if any_host else options.host)
        scheme = "https" if options.tls else "http"
        return f"{scheme}://{f'[{name}]' if ':' in name else name}:{runner.addresses[0][1]}"

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """What all platforms hold of a kind, oldest first: videos, uploads, posts, media."""
        return [row for platform in self.platforms for row in platform.rows(kind)]

    def approve(self, uuid: str) -> bool:
        """A person at the platform approves a post; whether there was something to approve."""
        return any(platform.approve(uuid) for platform in self.platforms if isinstance(platform, OnlySocial))

    def settings(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"clock_offset_seconds": self.clock.offset_seconds}
        for platform in self.platforms:
            shown |= platform.settings()
        return shown

    def change_settings(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Give each setting to the platform that has it; raises SettingError."""
        left = dict(changes)
        offset = left.pop("clock_offset_seconds", self.clock.offset_seconds)
        if isinstance(offset, bool) or not isinstance(offset, int | float):
            raise SettingError("clock_offset_seconds must be a number")
        unknown = [name for name in left if not any(p.has_setting(name) for p in self.platforms)]
        if unknown:
            raise SettingError(f"there is no setting {', '.join(unknown)}")
        for platform in self.platforms:
            platform.change_settings(
                {name: value for name, value in left.items() if platform.has_setting(name)}
            )
        self.clock.offset_seconds = offset
        self._pace_listeners()
        return self.settings()

    def _pace_listeners(self) -> None:
        """Give new connections small segments and buffers while uploads are throttled.

        With those of a loopback a sender is megabytes ahead of its receiver: a short film would look sent at once.
        """
        is_paced = bool(self.settings()["byte_rate"])
        for listener in self._listeners if is_paced or self._was_paced else ():
            segment, buffer = (
                (SMALL_SEGMENT_BYTES, SMALL_BUFFER_BYTES) if is_paced else (0, LARGE_BUFFER_BYTES)
            )
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self._was_paced = self._was_paced or is_paced

    def revoke_tokens(self) -> int:
        return sum(platform.revoke_tokens() for platform in self.platforms)

    def reset(self) -> None:
        """Forget videos, uploads, tokens, faults and requests; settings are as they were at the start."""
        for platform in self.platforms:
            platform.reset()
        self.plan.clear()
        self.journal.clear()
        self.clock.offset_seconds = 0.0
        self.change_settings(self.options.settings)

    def state(self) -> dict[str, Any]:
        return {
            "now": iso(self.clock()),
            "urls": self.urls(),
            "settings": self.settings(),
            **{kind: self.rows(kind) for kind in KINDS},
            "faults": [rule.as_json() for rule in self.plan.active()],
            "counters": dict(self.journal.counters),
            "usage": {platform.name: platform.usage() for platform in self.platforms},
        }

    def _load(self) -> None:
        path = self.options.state_path
        if path is not None and path.exists():
            try:
                self._restore(json.loads(path.read_text()))
            except (AttributeError, KeyError, TypeError, ValueError) as exc:
                raise StateError(f"{path} is not a state of the sandbox ({exc}). Move it away.") from exc
        self.change_settings(self.options.settings)

    def _restore(self, saved: Mapping[str, Any]) -> None:
        self.clock.offset_seconds = float(saved.get("clock_offset_seconds", 0.0))
        for platform in self.platforms:
            platform.load(saved.get(platform.name, {}))

    async def _keep_saving(self) -> None:
        while True:
            await asyncio.sleep(SAVE_EVERY_SECONDS)
            self._save()

    def _save(self) -> None:
        path = self.options.state_path
        if path is None:
            return
        kept: dict[str, Any] = {platform.name: platform.dump() for platform in self.platforms}
        text = json.dumps({"clock_offset_seconds": self.clock.offset_seconds, **kept}, indent=1)
        if text == self._saved:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_text(text)
        os.replace(fresh, path)
        self._saved = text


async def _close(runner: web.AppRunner) -> None:
    """Stop serving; TLS connections do not wait half a minute for their peer's goodbye."""
    transports = [c.transport for c in runner.server.connections if c.transport] if runner.server else []
    await runner.cleanup()
    for transport in transports:
        transport.abort()
    await asyncio.sleep(0)
