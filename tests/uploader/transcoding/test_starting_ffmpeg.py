"""A stop or a cancel may come at any moment: also while ffmpeg is being started or ended."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from typing import Any

import pytest

from jobs.errors import Cancelled
from uploader.transcoding import ffmpeg


def test_a_cancel_while_ffmpeg_is_being_started_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def interrupted(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(real(*args, **options))
        signal.raise_signal(signal.SIGUSR1)
        return started[0]

    def cancel(*_: Any) -> None:
        raise Cancelled

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    previous = signal.signal(signal.SIGUSR1, cancel)
    try:
        with (
            tempfile.TemporaryFile() as words,
            pytest.raises(Cancelled),
            ffmpeg._running(["sleep", "600"], words, ()),
        ):
            raise AssertionError("it went on")
    finally:
        signal.signal(signal.SIGUSR1, previous)
        returncode = started[0].returncode
        started[0].kill()
        started[0].wait()
    assert returncode == -signal.SIGKILL
