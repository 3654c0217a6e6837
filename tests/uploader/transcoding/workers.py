"""Worker processes of the lane “transcode” that can be held at a stage, and killed there."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings as django_settings

from tests.jobs.worker_process import lives, until
from tests.uploader.test_upload_survival import database_url

LEASE_SECONDS = 2.0

# Says that it is ready, waits for a line, then ticks and drains for ever. At the stage STOP_AT it says so and
# waits as anything in a job waits: until it is asked to stop.
WORKER = """
import os, sys, time, django
django.setup()
from django.utils import timezone
from jobs import runner, ticker
from uploader.transcoding import live
enter = live.enter
def enter_and_stay(job, run, stage):
    enter(job, run, stage)
    if stage == os.environ.get("STOP_AT"):
        print("there", flush=True)
        run.wait(3600)
live.enter = enter_and_stay
print("ready", flush=True)
sys.stdin.readline()
ticked_at = 0.0
while True:
    if time.monotonic() - ticked_at > 0.5:
        ticked_at = time.monotonic()
        ticker.tick(timezone.now())
    if not runner.drain("transcode", seconds=1):
        time.sleep(0.05)
"""


class Worker:
    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("w") as output:
            self.process = psutil.Popen(
                [sys.executable, "-c", WORKER],
                cwd=django_settings.BASE_DIR,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )

    def begin(self) -> None:
        self.expect("ready")
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def expect(self, word: str) -> None:
        assert self.process.stdout.readline().strip() == word, self.log.read_text()

    def ffmpeg(self) -> psutil.Process:
        """Its running ffmpeg, once there is one."""
        return until(self._ffmpeg, what=f"ffmpeg runs; {self.log.read_text()}")

    def _ffmpeg(self) -> psutil.Process | None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in self.process.children():
                if "ffmpeg" in child.name() and lives(child):
                    return child
        return None

    def kill(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            self.process.kill()
        self.process.wait()

    def discard(self) -> None:
        self.kill()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):
                stream.close()


class Crew:
    """The workers of one test, on its database and its folders."""

    def __init__(self, tmp_path: Path, library: Path, settings: Any) -> None:
        self.folder = tmp_path
        self.workers: list[Worker] = []
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SLOTCAST_PROCESS": "worker",
            "SLOTCAST_VAR": str(tmp_path),
            "DATABASE_URL": database_url(),
            "SECRET_KEY": settings.SECRET_KEY,
            "LIBRARY_ROOT": str(library),
            "LEASE_SECONDS": str(LEASE_SECONDS),
            "TRANSCODE_ROOT": str(settings.TRANSCODE_ROOT),
            "TRANSCODE_SEGMENT_SECONDS": "1",
            "TRANSCODE_RETRY_SECONDS": "0.1",
            "PYTHONWARNINGS": "ignore",
        }

    def hire(self, **environment: str) -> Worker:
        log = self.folder / f"worker-{len(self.workers)}.log"
        worker = Worker({**self.environment, **environment}, log)
        self.workers.append(worker)
        return worker


@contextlib.contextmanager
def crew_of(tmp_path: Path, library: Path, settings: Any) -> Iterator[Crew]:
    crew = Crew(tmp_path, library, settings)
    try:
        yield crew
    finally:
        for worker in crew.workers:
            worker.discard()
