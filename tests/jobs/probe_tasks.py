"""Tasks for the tests of the worker: they write who ran them to a file."""

import os
import signal
import sys
import time
from typing import Any


def mark(path: str, word: str) -> None:
    with open(path, "a") as file:
        file.write(f"{word} {os.getpid()}\n")


def hold(path: str, word: str, seconds: float = 300) -> None:
    """Work until asked to stop, or for `seconds`."""
    from jobs.supervisor import stopping

    mark(path, f"began-{word}")
    end = time.monotonic() + seconds
    while time.monotonic() < end and not stopping():
        time.sleep(0.05)
    mark(path, f"{'stepped-back' if stopping() else 'finished'}-{word}")


def hold_on(path: str, word: str, seconds: float = 300) -> None:
    """Work for `seconds`, deaf to every request to stop."""
    mark(path, f"began-{word}")
    time.sleep(seconds)
    mark(path, f"finished-{word}")


def die_with_result_lock() -> None:
    _frame_of_worker()["result_queue"]._wlock.acquire()
    os.kill(os.getpid(), signal.SIGKILL)


def die_with_result_count() -> None:
    _frame_of_worker()["result_queue"].size.count.get_lock().acquire()
    os.kill(os.getpid(), signal.SIGKILL)


def die_with_own_timer() -> None:
    _frame_of_worker()["timer"].get_lock().acquire()
    os.kill(os.getpid(), signal.SIGKILL)


def start_program(path: str, word: str) -> None:
    """Start a program that outlives its worker unless somebody ends it."""
    import subprocess

    program = subprocess.Popen(["sleep", "600"])
    mark(path, f"program-{program.pid}")
    hold_on(path, word)


def _frame_of_worker() -> dict[str, Any]:
    frame = sys._getframe()
    while frame.f_code.co_name != "worker":
        assert frame.f_back
        frame = frame.f_back
    return frame.f_locals
