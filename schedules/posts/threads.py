"""Threads that make calls at their moments: never early, as many at once as there are threads."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# A thread takes an order so long before its moment, to open its connection.
AHEAD_SECONDS = 2.0
# Waits are cut into such pieces: a clock that is set meanwhile is noticed.
LONGEST_NAP_SECONDS = 0.2
# The last bit of a wait is slept through in one go.
SHORT_SECONDS = 0.02


class SetBack(Exception):
    """The machine's clock was set back: the moment is far away again."""


@dataclass(order=True)
class Order:
    """A call to be made at a moment (seconds of the wall clock; 0: at once)."""

    at: float
    number: int
    call: Callable[[], Any] = field(compare=False)
    prepare: Callable[[], None] = field(compare=False)


class Crew:
    """Up to `size` threads, started as they are needed. What a call gives or raises is the call's own affair."""

    def __init__(self, name: str, size: int) -> None:
        self._name, self._size = name, size
        self._orders: queue.PriorityQueue[Order] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._threads: list[threading.Thread] = []
        self._idle = threading.Semaphore(0)

    def order(
        self, call: Callable[[], Any], *, at: float = 0.0, prepare: Callable[[], None] = lambda: None
    ) -> None:
        """Have `call` made; a thread takes it up at once, and makes `prepare` beforehand."""
        self._orders.put(Order(at, next(self._numbers), call, prepare))
        if not self._idle.acquire(blocking=False) and len(self._threads) < self._size:
            thread = threading.Thread(
                target=self._work, name=f"{self._name}-{len(self._threads) + 1}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def end(self) -> None:
        """Let every thread go when its call is done; raises nothing and waits for all of them."""
        for _ in self._threads:
            self._orders.put(Order(float("inf"), next(self._numbers), _leave, _leave))
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (order := self._orders.get()).call is not _leave:
            order.prepare()
            order.call()
            self._idle.release()


def _leave() -> None:
    """The order that ends a thread."""


def sleep_until(at: float, *, furthest: float, clock: Callable[[], float] = time.time) -> None:
    """Return at `at` of the wall clock, never before. Raises SetBack when it lies further than `furthest`."""
    while (left := at - clock()) > 0:
        if left > furthest:
            raise SetBack
        time.sleep(left if left <= SHORT_SECONDS else min(left - SHORT_SECONDS / 2, LONGEST_NAP_SECONDS))
