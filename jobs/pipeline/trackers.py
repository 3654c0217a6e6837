"""What a script, or a handler, sees of its own run: it tells progress, what it is about, and lines for its log."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.utils import timezone

from jobs.events import Event, subject_of
from jobs.pipeline import live
from jobs.pipeline.pipeline_jobs import PipelineJob, columns_of
from jobs.pipeline.plain import text
from jobs.running import Run, patiently

# So many lines of a run's own log are kept per attempt.
MOST_LINES = 1000


class Tracker:
    """What a script sees of its own run. Calling it tells progress."""

    def __init__(self, job: PipelineJob, run: Run) -> None:
        self.job = job
        self.run = run
        self.output: dict[str, Any] = {}
        self._stage = job.stage
        self._lines: deque[Event] = deque()
        self._line_count = 0

    @property
    def id(self) -> uuid.UUID:
        return self.job.pk

    @property
    def input(self) -> dict[str, Any]:
        return self.job.input

    def __call__(self, done: int, total: int = 0, stage: str | None = None) -> None:
        """Say how far it is, as often as one likes: it is written once a second. Raises when asked to stop."""
        if stage is not None:
            self._stage = stage
        self.run.progress(done, total)

    progress = __call__

    def check(self) -> None:
        """Raise `Cancelled` (or what else it was stopped for) when it was asked to stop."""
        self.run.check()

    def wait(self, seconds: float) -> None:
        """Sleep, unless asked to stop; then raise that."""
        self.run.wait(seconds)

    def attach(self, **links: Any) -> None:
        """Say what the run is about once that is known: `work=`, `edition_id=` …; written at once."""
        columns = columns_of(links)
        patiently(lambda: self.job.save_progress(now=timezone.now(), **columns))

    def log(self, line: str) -> None:
        """A line for the run's page; written within half a second."""
        self._line_count += 1
        if self._line_count <= MOST_LINES:
            last = self._line_count == MOST_LINES
            self._lines.append(
                Event(
                    at=timezone.now(), type="log", attempt=self.job.attempt,
                    why="Further lines were left out" if last else text(line, 2000), **subject_of(self.job),
                )
            )  # fmt: skip

    # ---------------------------------------------------------------- for whoever runs it

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Progress, log lines and live messages are written in here."""
        try:
            with self.run.telling(self._columns, beside=self._write_lines):
                yield
        finally:
            patiently(self._write_lines)

    def _columns(self, done: int, total: int, per_second: float) -> dict[str, Any]:
        percent = min(99, done * 100 // total) if total else 0
        columns = {"progress": percent, "stage": self._stage[:32]}
        live.tell(self.job, **columns)
        return columns

    def _write_lines(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if lines:
            Event.objects.bulk_create(lines)
