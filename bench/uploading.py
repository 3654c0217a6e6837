"""What the benchmarks of uploads share: a platform, a large file, and jobs that deliver it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.ground import running

FILE_BYTES = 2_000_000_000
SAMPLE_SECONDS = 0.05


class Platform:
    """The sink process: its addresses, and what has arrived there."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.urls: dict[str, Any] = json.loads(process.stdout.readline())
        self.arrived: list[dict[str, Any]] = []
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def upload_url(self) -> str:
        return f"{self.urls['upload']}/upload"

    def _listen(self) -> None:
        for line in self._process.stdout:
            self.arrived.append(json.loads(line))

    def destination(self, name: str) -> Any:
        """A destination at this platform, without limits."""
        from uploader.destinations import Destination

        api = self.urls["dailymotion"]["v2"]
        return Destination.objects.create(
            name=name,
            api_key="sandbox-key",
            api_secret="sandbox-secret",
            profile_id="x1sandbox",
            api_url=api["api"],
            token_url=api["token"],
            max_videos_per_day=None,
            max_seconds_per_day=None,
        )


@contextlib.contextmanager
def platform() -> Iterator[Platform]:
    with running("-m", "bench.sink") as process:
        yield Platform(process)


@contextlib.contextmanager
def large_file() -> Iterator[Path]:
    """A file of FILE_BYTES in memory where there is room for it, else on the disk and read once."""
    memory = Path("/dev/shm")
    fits = memory.is_dir() and shutil.disk_usage(memory).free > 2 * FILE_BYTES
    with tempfile.TemporaryDirectory(prefix="slotcast-bench-", dir=memory if fits else None) as folder:
        path = Path(folder) / "large.mp4"
        piece = os.urandom(1024 * 1024)
        with path.open("wb") as file:
            for _ in range(FILE_BYTES // len(piece)):
                file.write(piece)
            file.truncate(FILE_BYTES)
        with path.open("rb") as file:
            while file.read(1024 * 1024):
                pass
        os.environ["LIBRARY_ROOT"] = folder
        yield path


def episode_of(path: Path, *, number: int = 1, now: datetime) -> Any:
    """The catalog's row of a file that was probed already."""
    from uploader import library
    from uploader.catalog import Episode, Series

    series, _ = Series.objects.get_or_create(title="Harbour")
    status = path.stat()
    return Episode.objects.create(
        series=series,
        index_sequence=number,
        path=path.name,
        size_bytes=status.st_size,
        duration_seconds=60,
        fingerprint=library.fingerprint(status),
        probed_at=now,
    )


class Hands:
    """A worker process that executes one job after the other, and its memory."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        process.stdout.readline()
        self.idle_bytes = memory_of(process.pid)

    def execute_watched(self, job: Any) -> tuple[dict[str, Any], list[int]]:
        """What came of the job, and the process's memory in bytes over it."""
        samples: list[int] = []
        over = threading.Event()

        def sample() -> None:
            while not over.wait(SAMPLE_SECONDS):
                samples.append(memory_of(self._process.pid))

        watching = threading.Thread(target=sample)
        watching.start()
        answer = self.execute(job)
        over.set()
        watching.join()
        return answer, samples

    def execute(self, job: Any, how: str = "tracked") -> dict[str, Any]:
        """What came of the job, and the time it took."""
        self._process.stdin.write(f"{job.pk} {how}\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if answer["status"] != "completed":
            raise SystemExit(f"The upload ended as {answer['status']}: {answer['error']}")
        return answer


@contextlib.contextmanager
def hands() -> Iterator[Hands]:
    with running("-m", "bench.hands") as process:
        yield Hands(process)


def memory_of(pid: int) -> int:
    """Bytes that would be free if the process ended (PSS); its RSS where the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return int(re.search(r"^Pss:\s+(\d+) kB", text, re.M)[1]) * 1024
    except (OSError, TypeError):
        found = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return int(found.stdout or 0) * 1024


def curl(path: Path, url: str) -> float:
    """Seconds that curl takes for the same upload, its start included."""
    started = time.perf_counter()
    subprocess.run(
        [
            "curl",
            "--silent",
            "--show-error",
            "--fail",
            "--form",
            f"file=@{path}",
            "--output",
            os.devnull,
            url,
        ],
        check=True,
        env={**os.environ, "no_proxy": "127.0.0.1"},
    )
    return time.perf_counter() - started
