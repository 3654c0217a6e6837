"""One attempt under way: the worker's hold on the job, its progress, and how it is stopped.

A supervising thread, one per process, writes progress at most once a second, renews the lease, reads the
cancel request, and interrupts the attempt where it stands: blocked in a socket, a sleep or a child process.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any, TypeVar

from django.conf import settings
from django.db import Error, InterfaceError, OperationalError, connection, models
from django.utils import timezone

from jobs.errors import Cancelled, JobError, LeaseLost
from jobs.lifecycle import TrackedJob

log = logging.getLogger(__name__)

T = TypeVar("T")

LOOK_EVERY_SECONDS = 0.5
WRITE_EVERY_SECONDS = 1.0
# What was claimed together with a job that takes longer goes back to the line.
SLOW_SECONDS = 1.0

_counter = itertools.count(1)


class Released(JobError):
    """The worker is being stopped; the job goes back to the line."""


class Stalled(JobError):
    """Nothing moved for too long."""


def new_token(worker: str) -> str:
    """A lease token no other claim ever had."""
    return f"{worker}#{next(_counter)}"


def patiently(write: Callable[[], T]) -> T:
    """Do a write that must not be lost; while the database is away, again and again for one lease.

    A write whose confirmation was lost is tried again too: the fence refuses its second time.
    """
    until = time.monotonic() + settings.LEASE_SECONDS
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as error:
            if connection.in_atomic_block or time.monotonic() > until:
                raise
            log.warning("The database does not answer, trying again: %s", error)
            connection.close_if_unusable_or_obsolete()
            time.sleep(LOOK_EVERY_SECONDS)


class Run:
    """What the work of a job sees of its own attempt."""

    def __init__(
        self,
        job: TrackedJob,
        *,
        stopping: Callable[[], bool] = lambda: False,
        when_slow: Callable[[], object] | None = None,
    ) -> None:
        self.job = job
        self._when_slow = when_slow
        self.interruption: JobError | None = None
        self._stopping = stopping
        self._awake = threading.Event()
        self._armed = False
        self._thread_id = threading.get_ident()
        self._done = 0
        self._total = 0
        self._written = -1
        self._began_at = self._moved_at = time.monotonic()
        self._wrote_at = 0.0
        self._renewed_at = time.monotonic()
        self._renewed_wall = time.time()
        self._watch_stall = False
        self._on_progress: Callable[[int, int, float], dict[str, Any]] | None = None
        self._beside: Callable[[], object] | None = None
        self._rate = Rate()

    # ---------------------------------------------------------------- for the work

    def progress(self, done: int, total: int) -> None:
        """Say how far it is, as often as one likes; costs next to nothing. Raises when asked to stop."""
        if done != self._done:
            self._done, self._moved_at = done, time.monotonic()
        self._total = total
        if self.interruption is not None:
            raise self.interruption

    def check(self) -> None:
        """Raise what the attempt was stopped for, if it was."""
        if self.interruption is not None:
            raise self.interruption

    def wait(self, seconds: float) -> None:
        """Sleep, unless asked to stop. Raises what it was stopped for."""
        self._awake.wait(seconds)
        self.check()

    def stage(self, name: str, **columns: Any) -> None:
        """Enter a stage; written at once, with further columns of the job's own. Raises `LeaseLost`."""
        self.check()
        self.save(stage=name, **columns)

    def save(self, **columns: Any) -> None:
        """Write columns of the job's own under the lease. Raises `LeaseLost`."""
        patiently(lambda: self.job.save_progress(now=timezone.now(), **columns))

    def stage_for_good(self, name: str, **columns: Any) -> None:
        """Enter a stage whose call cannot be taken back, with a full lease that has not run out on return.

        Whoever was frozen past its lease finds out here, as late as can be. Raises `LeaseLost`.
        """
        self.check()
        while True:
            mono, wall = time.monotonic(), time.time()
            leased_until = timezone.now() + timedelta(seconds=settings.LEASE_SECONDS)
            self.save(stage=name, leased_until=leased_until, **columns)
            self._renewed_at, self._renewed_wall = mono, wall
            if self.has_lease():
                return

    def has_lease(self) -> bool:
        """Whether the lease as last renewed still runs, by both clocks: one may stand still in a sleep."""
        elapsed = max(time.monotonic() - self._renewed_at, time.time() - self._renewed_wall)
        return elapsed < settings.LEASE_SECONDS

    @contextmanager
    def moving(
        self, on_progress: Callable[[int, int, float], dict[str, Any]] | None = None
    ) -> Iterator[None]:
        """Bytes move in here: a stall aborts, a stop interrupts even a blocked call.

        `on_progress(done, total, bytes_per_second)` is called by the supervising thread at most once a
        second; it returns further columns to write with the percentage, or a `progress` in its place (work
        of several stages).
        """
        self.check()
        self._on_progress, self._moved_at, self._watch_stall = on_progress, time.monotonic(), True
        self._rate, self._written, self._done, self._total = Rate(), -1, 0, 0
        try:
            with self.interruptible():
                yield
        finally:
            self._watch_stall = False
            self._on_progress = None

    @contextmanager
    def telling(
        self,
        on_progress: Callable[[int, int, float], dict[str, Any]],
        *,
        beside: Callable[[], object] | None = None,
    ) -> Iterator[None]:
        """Progress is written in here as in `moving`; nothing is a stall and no call is broken into.

        `beside` is called by the supervising thread at every look, for what else there is to write.
        """
        self._on_progress, self._written, self._done, self._total = on_progress, -1, 0, 0
        self._rate, self._beside = Rate(), beside
        try:
            yield
        finally:
            self._on_progress = self._beside = None

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """A stop breaks into whatever call blocks in here. Keep writes of outcomes out of it."""
        self.check()
        self._armed = True
        try:
            yield
        finally:
            self._armed = False

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """No stop breaks in here, within `moving` or `interruptible`: for a write that must be whole."""
        armed, self._armed = self._armed, False
        try:
            yield
        finally:
            self._armed = armed

    # ---------------------------------------------------------------- for the supervising thread

    def look(self) -> None:
        """One round: notice a stop, a cancel, a stall; write progress; renew the lease."""
        mono = time.monotonic()
        if self._when_slow is not None and mono - self._began_at > SLOW_SECONDS:
            when_slow, self._when_slow = self._when_slow, None
            when_slow()
        if self.interruption is not None:
            self._break_in()
            return
        if self._stopping():
            self.interrupt(Released())
        elif self._watch_stall and not self._is_all_sent and mono - self._moved_at > settings.STALL_SECONDS:
            self.interrupt(Stalled(f"No byte moved for {settings.STALL_SECONDS:.0f} seconds"))
        else:
            self._write(mono)

    @property
    def _is_all_sent(self) -> bool:
        """Every byte has left: what is missing is an answer, for which the client has its own limit."""
        return 0 < self._total <= self._done

    def interrupt(self, error: JobError) -> None:
        """Stop the attempt with `error`: at its next check, or at once inside `interruptible`."""
        self.interruption = error
        self._awake.set()
        self._break_in()

    def _break_in(self) -> None:
        if self._armed and self._thread_id == threading.main_thread().ident:
            signal.pthread_kill(self._thread_id, signal.SIGUSR1)

    def break_signal(self) -> None:
        """In the working thread, by signal: raise where it stands, once."""
        if self._armed and self.interruption is not None:
            self._armed = False
            raise self.interruption

    def _write(self, mono: float) -> None:
        """Renew and write under the fence, and read the cancel request; at most once a second."""
        if mono - self._renewed_at >= settings.LEASE_SECONDS / 4:
            # Before anything else: a mistake in telling progress must not cost the lease.
            wall = time.time()
            if not self._update(leased_until=timezone.now() + timedelta(seconds=settings.LEASE_SECONDS)):
                return
            self._renewed_at, self._renewed_wall = mono, wall
        on_progress = self._on_progress
        if on_progress and self._done != self._written and mono - self._wrote_at >= WRITE_EVERY_SECONDS:
            done, total = self._done, self._total
            self._rate.note(mono, done)
            self._written, self._wrote_at = done, mono
            percent = min(99, done * 100 // total) if total else 0
            if not self._update(**{"progress": percent, **on_progress(done, total, self._rate.per_second)}):
                return
        if self._held().values_list("cancel_requested_at", flat=True).first() is not None:
            self.interrupt(Cancelled())
        if (beside := self._beside) is not None:
            beside()

    def _update(self, **columns: Any) -> bool:
        """Write under the fence; false, and the attempt is stopped, when the job belongs to another."""
        if self._held().update(updated_at=timezone.now(), **columns) == 1:
            return True
        self.interrupt(LeaseLost())
        return False

    def _held(self) -> models.QuerySet[TrackedJob]:
        job = self.job
        return type(job)._base_manager.filter(pk=job.pk, status=job.states.active, leased_by=job.leased_by)


@contextmanager
def unbroken() -> Iterator[None]:
    """What begins here is finished before a stop or a cancel breaks in, for instance a process that is started."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


class Rate:
    """Bytes a second over the last few notes."""

    def __init__(self) -> None:
        self._notes: list[tuple[float, int]] = []

    def note(self, mono: float, done: int) -> None:
        self._notes = [*self._notes[-9:], (mono, done)]

    @property
    def per_second(self) -> float:
        if len(self._notes) < 2:
            return 0.0
        (first_at, first), (last_at, last) = self._notes[0], self._notes[-1]
        return max(0.0, (last - first) / max(last_at - first_at, 0.001))


class Supervision:
    """The thread of this process that looks after its runs."""

    def __init__(self) -> None:
        self._pid = 0
        self._runs: set[Run] = set()
        self._lock = threading.Lock()
        self._some = threading.Event()

    @contextmanager
    def over(self, run: Run) -> Iterator[None]:
        """Look after `run` while the block lasts."""
        self._ensure_thread()
        previous: Any = None
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread:
            previous = signal.signal(signal.SIGUSR1, _breaker(run))
        with self._lock:
            self._runs.add(run)
        self._some.set()
        try:
            yield
        finally:
            with self._lock:
                self._runs.discard(run)
            if in_main_thread:
                signal.signal(signal.SIGUSR1, previous)

    def _ensure_thread(self) -> None:
        if self._pid != os.getpid():
            # After a fork only the forking thread lives on: start anew.
            self._pid, self._runs = os.getpid(), set()
            self._lock, self._some = threading.Lock(), threading.Event()
            threading.Thread(target=self._watch, name="job-supervision", daemon=True).start()

    def _watch(self) -> None:
        while True:
            self._some.wait()
            time.sleep(LOOK_EVERY_SECONDS)
            with self._lock:
                runs = list(self._runs)
                if not runs:
                    # An idle worker holds one connection, not two.
                    connection.close()
                    self._some.clear()
            for run in runs:
                try:
                    run.look()
                except Error as error:
                    # A database that is away for a moment must not end an upload: the lease covers it.
                    log.warning("Could not look after job %s: %s", run.job.pk, error)
                    connection.close_if_unusable_or_obsolete()
                except Exception:
                    # Without this thread no lease of the process would be renewed again.
                    log.exception("Could not look after job %s", run.job.pk)


def _breaker(run: Run) -> Callable[[int, FrameType | None], None]:
    def handle(signum: int, frame: FrameType | None) -> None:
        run.break_signal()

    return handle


supervision = Supervision()
