"""Wakes the live relays of all web processes when events were committed (PostgreSQL's NOTIFY)."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from typing import Any

from django.db import connection

log = logging.getLogger(__name__)

# At most one NOTIFY per process in this time: each takes a lock of the whole server when it is committed.
INTERVAL_SECONDS = 0.02
# A process that has been quiet for so long gives its connection back.
IDLE_SECONDS = 30.0
RETRY_SECONDS = (0.1, 5.0)
EXIT_SECONDS = 1.0


def ring() -> None:
    """Tell the relays that there is something to read; on SQLite they look by themselves.

    Call it after the commit. Returns at once and never raises: a relay that hears nothing looks every second.
    """
    if connection.vendor == "postgresql":
        _bell.ring()


def rest() -> None:
    """Send what is due and close the bell's connection; the next ring opens one again."""
    _bell.rest()


class Bell:
    """A thread with a connection of its own that turns any number of rings into few NOTIFYs."""

    def __init__(self) -> None:
        self.due = False
        self.rung = threading.Event()
        self.leaving = threading.Event()
        self.starting = threading.Lock()
        self.thread: threading.Thread | None = None
        self.connection: Any = None

    def ring(self) -> None:
        self.due = True
        self.rung.set()
        if not self.is_staffed():
            self.start()

    def is_staffed(self) -> bool:
        thread = self.thread
        return thread is not None and thread.is_alive()

    def start(self) -> None:
        with self.starting:
            if self.is_staffed():
                return
            thread = threading.Thread(target=self.run, name="live-bell", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # The interpreter is going down.
                return
            self.thread = thread

    def rest(self) -> None:
        thread = self.thread
        if thread is not None:
            self.leaving.set()
            self.rung.set()
            thread.join(EXIT_SECONDS)
            self.leaving.clear()

    def run(self) -> None:
        try:
            while not self.leaving.is_set():
                if not self.rung.wait(IDLE_SECONDS):
                    self.hang_up()
                    continue
                self.rung.clear()
                self.notify_if_due()
                self.leaving.wait(INTERVAL_SECONDS)
            self.notify_if_due()
        finally:
            self.hang_up()

    def notify_if_due(self) -> None:
        from psycopg import Error

        pause = 0.0
        while self.due and (pause == 0.0 or not self.leaving.wait(pause)):
            # Cleared before the NOTIFY: who rings during it is heard by the next one.
            self.due = False
            try:
                self.notify()
                return
            except Error as exc:
                self.due = True
                self.hang_up()
                pause = min(max(pause * 2, RETRY_SECONDS[0]), RETRY_SECONDS[1])
                log.debug("Live events: NOTIFY failed, next try in %.1f s: %s", pause, exc)

    def notify(self) -> None:
        from psycopg import connect

        from jobs.live.postgres import CHANNEL, connection_parameters

        if self.connection is None:
            self.connection = connect(autocommit=True, **connection_parameters())
        self.connection.execute(f"NOTIFY {CHANNEL}")

    def hang_up(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


_bell = Bell()
# Bells of the parent process: their sockets are the parent's, so they are neither used nor closed here.
_inherited: list[Bell] = []


def _renew() -> None:
    global _bell
    _inherited.append(_bell)
    _bell = Bell()


os.register_at_fork(after_in_child=_renew)
atexit.register(rest)
