"""What `make run` decided holds for every command given beside it: they share one database and one library."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

SHARED = ("DEMO", "SANDBOX_URL")
FILE = Path("run") / "environment.json"


def share(var: Path) -> int | None:
    """Leave the decisions where commands find them, for as long as this process lives.

    Returns the descriptor that holds them; None: another `make run` of this installation does.
    """
    path = var / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    os.ftruncate(descriptor, 0)
    os.write(
        descriptor, json.dumps({name: os.environ[name] for name in SHARED if name in os.environ}).encode()
    )
    return descriptor


def take_over(var: Path) -> None:
    """Set what a living `make run` of this installation decided and the environment does not say otherwise."""
    try:
        with (var / FILE).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        # It is held: whoever wrote it lives.
        for name, value in json.loads((var / FILE).read_text() or "{}").items():
            os.environ.setdefault(name, value)
    except OSError:
        return
