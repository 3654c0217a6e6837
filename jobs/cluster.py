"""A django-q2 cluster that ends rather than hangs, so that its supervisor can start a clean one.

Its processes share queues guarded by locks that the kernel does not release when a holder is killed:
https://github.com/django-q2/django-q2/issues/23. Whoever may have died with such a lock ends the cluster.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from multiprocessing.sharedctypes import RawValue
from typing import Any, NoReturn

from django import db
from django_q.brokers import get_broker
from django_q.cluster import Sentinel, worker
from django_q.conf import Conf
from django_q.signals import pre_execute

from jobs import supervisor, workers
from jobs.runner import OUT_OF_REACH

logger = logging.getLogger(__name__)

# Exit status of a cluster that gave itself up (EX_SOFTWARE).
GAVE_UP = 70
# Work waits, somebody is idle, nothing moves; or a lock that is held for moments is held for so long.
MUTE_SECONDS = 10.0
# The process that fetches tasks has room for one and did not look so long.
FETCH_SECONDS = 120.0
MOST_RETRY_SECONDS = 2.0

# The words of django-q2's shared timer; above zero are the seconds a task may still take.
IDLE, TIMED_OUT, RECYCLED = -1, 0, -2


def serve() -> int:
    """Run this process's lane until SIGTERM; gives its exit status."""
    # django-q2 shares its queues by inheritance.
    multiprocessing.set_start_method("fork", force=True)
    supervisor.die_with()
    supervisor.beat()
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: asked.append(number))
    stop, started = multiprocessing.Event(), multiprocessing.Event()
    sentinel = multiprocessing.Process(
        target=GuardedSentinel,
        args=(stop, started, uuid.uuid4(), PatientBroker(get_broker()), Conf.TIMEOUT),
    )
    sentinel.start()
    while sentinel.is_alive():
        if asked and not stop.is_set():
            stop.set()
        sentinel.join(0.1)
    if sentinel.exitcode not in (0, GAVE_UP):
        supervisor.beat(cause=f"its guard ended (exit {sentinel.exitcode})")
    return 0 if sentinel.exitcode == 0 else GAVE_UP


class PatientBroker:
    """The configured broker, except that a database or Redis that is away is waited for."""

    def __init__(self, broker: Any) -> None:
        self._broker = broker
        self._failures = 0
        self.looks = RawValue("Q")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)

    def dequeue(self) -> list[tuple[Any, str]] | None:
        self.looks.value += 1
        try:
            tasks: list[tuple[Any, str]] | None = self._broker.dequeue()
        except OUT_OF_REACH as exc:
            self._wait(exc)
            return None
        if self._failures:
            logger.info("Lane %s: the queue is back", Conf.CLUSTER_NAME)
            self._failures = 0
        return tasks

    def acknowledge(self, task_id: Any) -> None:
        # A task that stays in the queue comes again and finds its work done.
        try:
            self._broker.acknowledge(task_id)
        except OUT_OF_REACH as exc:
            logger.debug("Lane %s: a task was not acknowledged: %s", Conf.CLUSTER_NAME, exc)

    def fail(self, task_id: Any) -> None:
        self.acknowledge(task_id)

    def ping(self) -> bool:
        return True

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        """Rows of `jobs.workers` say who lives."""

    def _wait(self, exc: Exception) -> None:
        self._failures += 1
        if self._failures == 1:
            reason = str(exc).strip().partition("\n")[0]
            logger.warning("Lane %s: the queue is out of reach and waited for: %s", Conf.CLUSTER_NAME, reason)
        time.sleep(min(MOST_RETRY_SECONDS, 0.25 * 2 ** min(self._failures, 8)))


class GuardedSentinel(Sentinel):
    """django-q2's guard without its traps: it never waits for a lock and reads no database.

    Schedules of django-q2 are not served; `jobs.ticker` is on time.
    """

    def start(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            # A signal to the whole group is for the first process only. Not SIG_IGN: programs inherit that.
            signal.signal(number, _stay)
        supervisor.die_with(_parent())
        supervisor.adopt_orphans()
        self._held: dict[str, float] = {}
        self._signs: dict[str, tuple[Any, float]] = {}
        self.spawn_cluster()
        self.guard()

    def spawn_process(self, target: Callable[..., None], *args: Any) -> multiprocessing.Process:
        taken = RawValue("Q")
        process = multiprocessing.Process(
            target=_run, args=(target, taken, *args), name=f"Process-{uuid.uuid4().hex}", daemon=True
        )
        if target is worker:
            process.timer, process.taken = args[2], taken  # type: ignore[attr-defined]
            self.pool.append(process)
        process.start()
        return process

    def guard(self) -> None:
        self.start_event.set()
        self._seen_work = self._work()
        while not self.stop_event.wait(Conf.GUARD_CYCLE):
            for process in list(self.pool):
                self._check(process)
            if not self.monitor.is_alive():
                self._give_up("the process that records results died")
            if not self.pusher.is_alive():
                self._give_up("the process that fetches tasks died")
            self._check_locks()
            self._check_signs()
            self._beat()
        self.stop()

    def _beat(self) -> None:
        before, self._seen_work = self._seen_work, self._work()
        supervisor.beat(worked=self._seen_work != before)

    def _check(self, process: Any) -> None:
        state = _state(process)
        if not process.is_alive():
            self._check_death(process, _state(process))
        elif state == TIMED_OUT:
            # It leaves by itself when its task heeded the time-out.
            process.join(2)
            process.kill()
            process.join(2)
            self._replace(process, f"ran longer than {self.timeout} s")
        elif state > 0 and process.timer.get_lock().acquire(block=False):
            process.timer.value = max(process.timer.value - Conf.GUARD_CYCLE, 0)
            process.timer.get_lock().release()

    def _check_death(self, process: Any, state: float) -> None:
        if state == RECYCLED and process.exitcode == 0:
            self._replace(process)
        elif state > 0 or state == TIMED_OUT:
            self._replace(process, f"died while working (exit {process.exitcode})")
        else:
            self._give_up(f"worker {process.pid} died in the queue (exit {process.exitcode})")

    def _replace(self, process: Any, cause: str = "") -> None:
        db.connections.close_all()
        self.pool.remove(process)
        supervisor.end_adopted({child.pid for child in (*self.pool, self.monitor, self.pusher)})
        self.spawn_worker()
        if cause:
            logger.warning(
                "Lane %s: worker %d %s; worker %d takes its place",
                Conf.CLUSTER_NAME, process.pid, cause, self.pool[-1].pid,
            )  # fmt: skip

    def _check_locks(self) -> None:
        """Find the locks that a process which finished or died at the wrong moment still holds."""
        now = time.monotonic()
        for name, lock in self._locks():
            if lock.acquire(block=False):
                lock.release()
                self._held.pop(name, None)
            elif now - self._held.setdefault(name, now) >= MUTE_SECONDS:
                self._give_up(f"the lock of {name} is held by a process that is gone or stuck")

    def _locks(self) -> Iterator[tuple[str, Any]]:
        yield "the results", self.result_queue._wlock
        yield "the number of results", self.result_queue.size.count.get_lock()
        yield "the number of tasks", self.task_queue.size.count.get_lock()
        for process in self.pool:
            yield f"worker {process.pid}", process.timer.get_lock()

    def _check_signs(self) -> None:
        waiting = self.task_queue.size.count.get_obj().value
        if waiting > 0 and any(_state(process) == IDLE for process in self.pool):
            self._expect("tasks wait and idle workers do not take them", self._work(), MUTE_SECONDS)
        else:
            self._signs.pop("tasks wait and idle workers do not take them", None)
        if waiting < max(Conf.QUEUE_LIMIT, 1):
            self._expect("tasks are no longer fetched", self.broker.looks.value, FETCH_SECONDS)
        else:
            self._signs.pop("tasks are no longer fetched", None)

    def _expect(self, fault: str, sign: Any, seconds: float) -> None:
        """Give up for `fault` when `sign` stays the same for `seconds`."""
        now = time.monotonic()
        before, since = self._signs.get(fault, (None, now))
        if sign != before:
            self._signs[fault] = (sign, now)
        elif now - since >= seconds:
            self._give_up(fault)

    def _work(self) -> list[tuple[int, int]]:
        """Changes whenever a worker takes a task."""
        return [(process.pid, process.taken.value) for process in self.pool if process.taken.value]

    def _give_up(self, cause: str) -> NoReturn:
        """End the cluster at once, but for the moment that running work needs to step back."""
        self._beat()
        supervisor.beat(cause=cause)
        supervisor.ask_to_step_back()
        deadline = time.monotonic() + supervisor.STEP_BACK_SECONDS
        while time.monotonic() < deadline and any(
            process.is_alive() and _state(process) > 0 for process in self.pool
        ):
            time.sleep(0.1)
        os._exit(GAVE_UP)


def _run(target: Callable[..., None], taken: Any, *args: Any) -> None:
    """What every process forked by the guard runs."""
    supervisor.die_with(_parent())
    if target is not worker:
        target(*args)
        return

    def count(**kwargs: Any) -> None:
        taken.value += 1

    pre_execute.connect(count)
    with workers.present(Conf.CLUSTER_NAME):
        target(*args)


def _state(process: Any) -> float:
    # Read past the lock: a worker killed while it finishes never gives it back.
    return float(process.timer.get_obj().value)


def _parent() -> int | None:
    parent = multiprocessing.parent_process()
    return parent.pid if parent else None


def _stay(number: int, frame: object) -> None:
    """A signal to the whole process group; the first process tells the others what to do."""
