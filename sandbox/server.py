"""The sandbox for use inside a Python program: its servers run in a thread of their own."""

from __future__ import annotations

import asyncio
import selectors
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sandbox.certificates import Certificate, make_certificate
from sandbox.dailymotion.stand_in import API_PATHS, TOKEN_PATHS
from sandbox.engine import Engine, Options
from sandbox.novels import PATH as NOVELS_PATH
from sandbox.onlysocial.stand_in import API_PATH as ONLYSOCIAL_PATH
from sandbox.opensubtitles import API_PATH as OPENSUBTITLES_PATH

T = TypeVar("T")
START_SECONDS = 30


class SteadyLoop(asyncio.SelectorEventLoop):
    """Timers by a clock that tests do not replace, so a frozen time.monotonic stops no server."""

    def time(self) -> float:
        return time.perf_counter()


class Sandbox:
    """`with Sandbox(encode_seconds=0) as sandbox:` serves until the block ends.

    Every keyword that is not named here is a setting. All methods may be called from any thread.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        upload_port: int = 0,
        public_host: str | None = None,
        clock: Callable[[], float] | None = None,
        state_path: Path | None = None,
        tls: bool = False,
        **settings: Any,
    ) -> None:
        self.certificate: Certificate | None = make_certificate(host, public_host) if tls else None
        options = Options(
            host=host,
            port=port,
            upload_port=upload_port,
            public_host=public_host,
            state_path=state_path,
            tls=self.certificate.context if self.certificate else None,
            settings=settings,
        )
        self._engine = Engine(options, clock=clock)
        self._loop: SteadyLoop | None = None
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._ready: Future[None] = Future()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Returns once both ports listen; raises OSError when one is taken."""
        self._loop = SteadyLoop(selectors.DefaultSelector())
        self._thread.start()
        self._ready.result(START_SECONDS)

    def stop(self) -> None:
        if self._loop and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
        if self.certificate:
            self.certificate.remove()

    def _run(self) -> None:
        loop = self._loop
        assert loop
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        try:
            await self._engine.start()
        except BaseException as exc:
            await self._engine.stop()
            self._ready.set_exception(exc)
            return
        self._ready.set_result(None)
        await self._stopping.wait()
        await self._engine.stop()

    def _ask(self, question: Callable[[], T]) -> T:
        """Run `question` between two requests, in the servers' thread."""
        if self._loop is None or not self._thread.is_alive():
            raise RuntimeError("The sandbox is not running: enter it, or call start().")

        async def answer() -> T:
            return question()

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result()

    @property
    def page_url(self) -> str:
        return f"{self._engine.addresses.api}/"

    @property
    def control_url(self) -> str:
        return f"{self._engine.addresses.api}/_sandbox"

    @property
    def upload_base(self) -> str:
        return self._engine.addresses.upload

    @property
    def ca_path(self) -> Path | None:
        return self.certificate.ca_path if self.certificate else None

    @property
    def onlysocial_url(self) -> str:
        return self._engine.addresses.api + ONLYSOCIAL_PATH

    @property
    def opensubtitles_url(self) -> str:
        return self._engine.addresses.api + OPENSUBTITLES_PATH

    @property
    def novels_url(self) -> str:
        return self._engine.addresses.api + NOVELS_PATH

    def api_url(self, dialect: str = "v2") -> str:
        return self._engine.addresses.api + API_PATHS[dialect]

    def token_url(self, dialect: str = "v2") -> str:
        return self._engine.addresses.api + TOKEN_PATHS[dialect]

    def add_fault(self, route: str, *, times: int | None = 1, after: int = 0, **action: Any) -> int:
        """Plan a fault and give its id; raises FaultError if it cannot be played."""
        spec = {"route": route, "times": times, "after": after, **action}
        return self._ask(lambda: self._engine.plan.add(spec).id)

    def faults(self) -> list[dict[str, Any]]:
        """The rules that can still fire."""
        return self._ask(lambda: [rule.as_json() for rule in self._engine.plan.active()])

    def clear_faults(self, rule_id: int | None = None) -> int:
        return self._ask(lambda: self._engine.plan.clear(rule_id))

    def videos(self) -> list[dict[str, Any]]:
        return self._ask(lambda: self._engine.rows("videos"))

    def uploads(self) -> list[dict[str, Any]]:
        return self._ask(lambda: self._engine.rows("uploads"))

    def posts(self) -> list[dict[str, Any]]:
        """Oldest first; each with the moments its requests arrived, in unix seconds to the microsecond."""
        return self._ask(lambda: self._engine.rows("posts"))

    def media(self) -> list[dict[str, Any]]:
        return self._ask(lambda: self._engine.rows("media"))

    def approve_post(self, uuid: str) -> bool:
        """A person at the platform approves it; whether there was something to approve."""
        return self._ask(lambda: self._engine.approve(uuid))

    def requests(self, route: str | None = None) -> list[dict[str, Any]]:
        """The log, oldest first; secrets are masked."""
        return self._ask(lambda: self._engine.journal.shown(route=route))

    def settings(self, changes: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Change settings, all or none, and give them all; raises SettingError."""
        return self._ask(lambda: self._engine.change_settings({**(changes or {}), **more}))

    def advance(self, seconds: float) -> None:
        """Push the sandbox's clock forward."""
        offset = self.settings()["clock_offset_seconds"]
        self.settings(clock_offset_seconds=offset + seconds)

    def state(self) -> dict[str, Any]:
        return self._ask(self._engine.state)

    def revoke_tokens(self) -> int:
        return self._ask(self._engine.revoke_tokens)

    def reset(self) -> None:
        self._ask(self._engine.reset)
