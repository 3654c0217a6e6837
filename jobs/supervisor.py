"""Keeps the processes of the worker alive: one cluster per lane and the ticker.

The first half is called by the children, the second half is the supervisor itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

logger = logging.getLogger(__name__)

# How a child finds what the supervisor gave it.
STOP_FILE = "SLOTCAST_STOP_FILE"
LIFE_FD = "SLOTCAST_LIFE_FD"
BEAT_FD = "SLOTCAST_BEAT_FD"

# A cluster beats twice a second, the ticker once a pass; so long a silence is a hang.
CLUSTER_SILENCE_SECONDS = 15.0
TICKER_SILENCE_SECONDS = 120.0
FIRST_BEAT_SECONDS = 60.0
# How long the work of a process that must be replaced may take to step back.
STEP_BACK_SECONDS = 3.0
# Waits before the first, second, … restart in a row; a child that did work starts over.
RESTART_DELAYS = (0.0, 0.5, 1.0, 2.0, 5.0)
STEADY_SECONDS = 60.0

# Linux: <sys/prctl.h>
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


# -------------------------------------------------------------------- what the children call


def stopping() -> bool:
    """Whether this process is asked to let its work go; one `stat`, so poll it freely."""
    path = os.environ.get(STOP_FILE)
    return path is not None and os.path.exists(path)


def ask_to_step_back() -> None:
    """Make `stopping` true in every process of this child."""
    if path := os.environ.get(STOP_FILE):
        with contextlib.suppress(OSError):
            Path(path).touch()


def beat(*, worked: bool = False, cause: str = "") -> None:
    """Tell the supervisor that this child lives, whether it did work since, and why it is about to end."""
    fd = int(os.environ.get(BEAT_FD, "-1"))
    if fd < 0:
        return
    line = f"!{cause}\n" if cause else "w\n" if worked else ".\n"
    # A supervisor that reads late, or is gone, never holds its child up.
    with contextlib.suppress(OSError):
        os.set_blocking(fd, False)
        os.write(fd, line.encode())


def die_with(parent: int | None = None) -> None:
    """End this process within about a second once its supervisor, or its `parent`, is gone.

    The whole process group ends with the supervisor: programs started by a task belong to it.
    """
    if parent is not None:
        _signal_at_death_of_parent(signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), name="life", daemon=True).start()


def _watch(parent: int | None) -> None:
    life = int(os.environ.get(LIFE_FD, "-1"))
    watched = [life] if life >= 0 else []
    while True:
        # The supervisor never writes: readable means that its end closed.
        if select.select(watched, [], [], 1.0)[0]:
            os.killpg(0, signal.SIGKILL)
        if parent is not None and os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of programs whose worker dies, where the system can do that."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_adopted(own: set[int]) -> None:
    """Kill every child of this process that is not one of `own`, and theirs."""
    listing = Path(f"/proc/self/task/{os.getpid()}/children")
    for _ in range(10):
        with contextlib.suppress(OSError, ChildProcessError):
            adopted = {int(pid) for pid in listing.read_text().split()} - own
            if not adopted:
                return
            for pid in adopted:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _signal_at_death_of_parent(number: int) -> None:
    _prctl(PR_SET_PDEATHSIG, number)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)


def _stop_at_death_of_parent() -> None:
    _signal_at_death_of_parent(signal.SIGTERM)


# -------------------------------------------------------------------- the supervisor


class Child:
    """One supervised process: the leader of a session of its own, restarted whenever it ends."""

    def __init__(
        self,
        title: str,
        arguments: Sequence[str],
        *,
        environment: dict[str, str],
        silence_seconds: float,
        first_beat_seconds: float | None,
    ) -> None:
        self.title = title
        self.command = [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]
        self.environment = environment
        self.stop_file = Path(environment[STOP_FILE])
        self.silence_seconds = silence_seconds
        self.first_beat_seconds = first_beat_seconds
        self.process: subprocess.Popen[bytes] | None = None
        self.restarts = 0
        self.start_at = 0.0
        self._beats = -1
        self._buffer = b""
        self._cause = ""
        self._started = 0.0
        self._heard: float | None = None
        self._kill_at: float | None = None

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def look(self, now: float, life: int) -> None:
        """Do what is due at `now`: start it, hear it, replace it when it ended or fell silent."""
        if self.process is None:
            if now >= self.start_at:
                self._start(now, life)
            return
        self._listen(now)
        if self.process.poll() is not None:
            self._bury(now)
        elif self._kill_at is not None:
            if now >= self._kill_at:
                self.end_group()
        elif silence := self._silence(now):
            self._cause = f"no sign of life for {silence:.0f} s"
            self.ask_to_step_back()
            self._kill_at = now + STEP_BACK_SECONDS

    def ask_to_step_back(self) -> None:
        with contextlib.suppress(OSError):
            self.stop_file.touch()

    def terminate(self) -> None:
        """Ask it to end: the flag for its work, the signal for its first process alone."""
        self.ask_to_step_back()
        if self.process is not None and self.is_running:
            logger.info("%s stops (pid %d)", self.title, self.process.pid)
            self.process.send_signal(signal.SIGTERM)

    def end_group(self) -> None:
        """Kill whatever is left of its process group."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=2)

    def forget(self) -> None:
        """Leave nothing of it behind: no process, no pipe, no flag."""
        self.end_group()
        self._hang_up()
        self.process = None
        with contextlib.suppress(OSError):
            self.stop_file.unlink(missing_ok=True)

    def _start(self, now: float, life: int) -> None:
        with contextlib.suppress(OSError):
            self.stop_file.unlink(missing_ok=True)
        beats, beating = os.pipe()
        os.set_blocking(beats, False)
        try:
            self.process = subprocess.Popen(  # noqa: S603 - our own command line
                self.command,
                env={**self.environment, LIFE_FD: str(life), BEAT_FD: str(beating)},
                stdin=subprocess.DEVNULL,
                pass_fds=(life, beating),
                start_new_session=True,
                # Safe here: the supervisor has one thread.
                preexec_fn=_stop_at_death_of_parent,
            )
        except OSError as exc:
            os.close(beats)
            self._start_later(now, f"could not start: {exc}")
            return
        finally:
            os.close(beating)
        self._beats = beats
        self._buffer = b""
        self._cause = ""
        self._started = now
        self._heard = self._kill_at = None
        logger.info("%s started (pid %d)", self.title, self.process.pid)

    def _listen(self, now: float) -> None:
        try:
            received = os.read(self._beats, 65536)
        except BlockingIOError:
            return
        if not received:
            return
        self._heard = now
        *lines, self._buffer = (self._buffer + received).split(b"\n")
        for line in lines:
            if line.startswith(b"!"):
                self._cause = line[1:].decode(errors="replace")
            elif line == b"w":
                self.restarts = 0

    def _silence(self, now: float) -> float | None:
        """For how long it has been silent, if that is too long."""
        if self._heard is None:
            since, limit = self._started, self.first_beat_seconds
        else:
            since, limit = self._heard, self.silence_seconds
        return now - since if limit is not None and now - since > limit else None

    def _bury(self, now: float) -> None:
        process = self.process
        if process is None:
            return
        self._listen(now)
        self.end_group()
        self._hang_up()
        self.process = None
        lived = now - self._started
        if lived >= STEADY_SECONDS:
            self.restarts = 0
        cause = self._cause or _ending(process.returncode)
        self._start_later(now, f"ended after {lived:.0f} s (pid {process.pid}): {cause}")

    def _start_later(self, now: float, cause: str) -> None:
        delay = RESTART_DELAYS[min(self.restarts, len(RESTART_DELAYS) - 1)]
        self.restarts += 1
        self.start_at = now + delay
        logger.warning(
            "%s %s; it starts again %s", self.title, cause, f"in {delay:g} s" if delay else "at once"
        )

    def _hang_up(self) -> None:
        if self._beats >= 0:
            os.close(self._beats)
            self._beats = -1


class Supervisor:
    """Runs the clusters of `lanes` and the ticker until it is told to stop."""

    def __init__(self, lanes: Sequence[str], *, grace: float) -> None:
        self.grace = grace
        self._stop = threading.Event()
        self._reason = ""
        self._life, self._alive = os.pipe()
        _forget_old_flags()
        self.children = [*(_cluster(lane) for lane in lanes), _ticker()]

    def run(self) -> None:
        """Supervise until SIGTERM, SIGINT or SIGHUP; returns when every child is gone."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # A hang-up stays ignored under nohup.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._on_signal)
        try:
            while not self._stop.is_set():
                for child in self.children:
                    child.look(time.monotonic(), self._life)
                self._stop.wait(0.2)
        finally:
            self._end()

    def _on_signal(self, number: int, frame: object) -> None:
        self._reason = self._reason or signal.Signals(number).name
        self._stop.set()

    def _end(self) -> None:
        logger.info("Worker stops on %s; running work has %g s", self._reason or "an error", self.grace)
        for child in self.children:
            child.terminate()
        deadline = time.monotonic() + self.grace
        while any(child.is_running for child in self.children) and time.monotonic() < deadline:
            time.sleep(0.05)
        for child in self.children:
            if child.process is not None and child.is_running:
                logger.warning(
                    "%s did not stop in time and is killed (pid %d)", child.title, child.process.pid
                )
            child.forget()
        logger.info("Worker stopped")


def _cluster(lane: str) -> Child:
    return Child(
        f"Lane {lane}:",
        ["cluster"],
        environment={**_environment("worker", lane), "Q_CLUSTER_NAME": lane},
        silence_seconds=CLUSTER_SILENCE_SECONDS,
        first_beat_seconds=FIRST_BEAT_SECONDS,
    )


def _ticker() -> Child:
    return Child(
        "Ticker:",
        ["ticker", "--skip-checks"],
        environment=_environment("ticker", "ticker"),
        silence_seconds=TICKER_SILENCE_SECONDS,
        first_beat_seconds=None,
    )


def _environment(process: str, name: str) -> dict[str, str]:
    run_dir = settings.VAR_DIR / "run"
    run_dir.mkdir(parents=True, exist_ok=True)
    return {
        **os.environ,
        "SLOTCAST_PROCESS": process,
        STOP_FILE: str(run_dir / f"{os.getpid()}-{uuid.uuid4().hex[:8]}-{name}.stop"),
    }


def _forget_old_flags() -> None:
    """Remove what supervisors that were killed while they stopped left behind."""
    for flag in (settings.VAR_DIR / "run").glob("*.stop"):
        with contextlib.suppress(OSError):
            if time.time() - flag.stat().st_mtime > 86400:
                flag.unlink()


def _ending(returncode: int) -> str:
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return f"killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"killed by signal {-returncode}"
