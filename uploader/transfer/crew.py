"""Threads that do many like things at once, and stop together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from jobs.errors import JobError

T = TypeVar("T")

LOOK_EVERY_SECONDS = 0.1
# How long a stop waits for what is under way; a request left behind ends by itself and changes nothing.
GOODBYE_SECONDS = 1.0


class Stopped(Exception):
    """The crew was stopped while this thread waited."""


class Crew:
    """At most `size` threads; `watch` is called in the calling thread all the while and may raise to stop them."""

    def __init__(self, size: int, watch: Callable[[], None]) -> None:
        self.size = size
        self.watch = watch
        self.stop = threading.Event()

    def do(self, things: Iterable[T], work: Callable[[T], None], *, size: int | None = None) -> None:
        """`work` on each thing. The first error of any thread stops the others and is raised here."""
        line, lock = list(reversed(list(things))), threading.Lock()
        errors: list[Exception] = []

        def serve() -> None:
            while not self.stop.is_set():
                with lock:
                    if not line:
                        return
                    thing = line.pop()
                is_done = False
                try:
                    work(thing)
                    is_done = True
                except (JobError, OSError, Stopped) as error:
                    errors.append(error)
                finally:
                    if not is_done:
                        self.stop.set()

        count = min(self.size if size is None else size, len(line))
        threads = [threading.Thread(target=serve, daemon=True, name=f"transfer-{n}") for n in range(count)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(LOOK_EVERY_SECONDS)
                    self.watch()
                    self._refuse(errors)
            self._refuse(errors)
        finally:
            if any(thread.is_alive() for thread in threads):
                self.stop.set()
                self._take_leave(threads)

    def _refuse(self, errors: list[Exception]) -> None:
        """Raises what went wrong in a thread; what nobody expected is in the log already."""
        for error in errors:
            if not isinstance(error, Stopped):
                raise error
        if self.stop.is_set():
            raise JobError("A thread of the transfer broke off; the log of the worker has the details.")

    def _take_leave(self, threads: list[threading.Thread]) -> None:
        left = GOODBYE_SECONDS
        for thread in threads:
            while thread.is_alive() and left > 0:
                thread.join(0.05)
                left -= 0.05
