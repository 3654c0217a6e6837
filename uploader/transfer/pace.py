"""How many requests are under way at once: as many as wished, fewer after the storage asked for fewer."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 4.0


class Pace:
    """Shared by the threads of one transfer. Halves on “slow down”, and grows by one with each round that went well."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = most
        self.slowed = 0
        self._busy = 0
        self._well = 0
        self._pause = FIRST_PAUSE_SECONDS
        self._resume_at = 0.0
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, stop: threading.Event) -> Iterator[float]:
        """Wait for one's turn; gives the moment it came, 0 when it was stopped meanwhile."""
        with self._changed:
            while not stop.is_set() and (wait := self._wait()):
                self._changed.wait(wait)
            self._busy += 1
        try:
            yield 0.0 if stop.is_set() else time.monotonic()
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify()

    def _wait(self) -> float:
        """Seconds until another look; 0: go."""
        pause = self._resume_at - time.monotonic()
        if pause > 0:
            return min(pause, 0.5)
        return 0.5 if self._busy >= self.limit else 0.0

    def slow_down(self, began: float) -> None:
        """A request that `began` then was refused: half as many, after a pause that doubles while it goes on so."""
        now = time.monotonic()
        with self._changed:
            self._well = 0
            if began < self._resume_at:
                # One of those that were under way when the first was refused.
                return
            self.slowed += 1
            self.limit = max(1, self.limit // 2)
            self._resume_at = now + self._pause * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
            self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)

    def went_well(self) -> None:
        if self.limit == self.most:
            return
        with self._changed:
            self._well += 1
            if self._well >= self.limit:
                self._well, self.limit = 0, min(self.most, self.limit + 1)
                self._pause = FIRST_PAUSE_SECONDS
                self._changed.notify()
