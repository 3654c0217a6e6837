"""The tally of a script that does many things: each counted, told, and the end of it judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from jobs.errors import Cancelled, Hold, JobError, LeaseLost
from jobs.pipeline.trackers import Tracker
from jobs.polite.errors import SiteAway
from jobs.running import Released

# So many in a row could not be had because who has them is away: they are left alone.
MOST_AWAY = 5
# What is about the run and not about one of its things.
_OF_THE_RUN = (Hold, Cancelled, LeaseLost, Released)


@dataclass
class Tally:
    """`success`, `failed`, `skipped` and `total`, written into the output with every step.

    `errors_name` is what the script's own output calls the failed ones, beside `failed`; `away` are the errors that
    say more of whoever is asked than of the thing itself.
    """

    tracker: Tracker
    total: int
    total_name: str = "total"
    errors_name: str = "failed"
    stage: str = ""
    away: tuple[type[JobError], ...] = (SiteAway,)
    success: int = 0
    failed: int = 0
    skipped: int = 0
    first_error: str = ""
    _away: int = 0

    def __post_init__(self) -> None:
        self._write()

    @property
    def done(self) -> int:
        return self.success + self.failed + self.skipped

    @contextmanager
    def one(self, what: object) -> Iterator[Callable[[], None]]:
        """One thing: counted as a success, or as failed when it raises a JobError of its own, or as skipped when the
        callable that is given was called. Raises what is about the whole run.
        """
        skipping: list[bool] = []
        self.tracker(self.done, self.total, stage=self.stage or None)
        try:
            yield lambda: skipping.append(True)
        except _OF_THE_RUN:
            self._write()
            raise
        except JobError as error:
            self.failed += 1
            self.first_error = self.first_error or f"{what}: {error}"
            self.tracker.log(f"{what}: {error}")
            self._away = self._away + 1 if isinstance(error, self.away) else 0
            self._write()
            if self._away >= MOST_AWAY:
                raise type(error)(f"{self._away} in a row could not be had; the last: {error}") from error
        else:
            self._away = 0
            if skipping:
                self.skipped += 1
            else:
                self.success += 1
            self._write()

    def skip(self, count: int) -> None:
        """So many were done before."""
        self.skipped += count
        self._write()

    def miss(self, count: int, why: str) -> None:
        """So many cannot even be tried."""
        self.failed += count
        self.first_error = self.first_error or why
        self.tracker.log(why)
        self._write()

    def close(self) -> None:
        """Raises a JobError when not one of them succeeded and some failed."""
        self.tracker(self.total, self.total)
        if self.failed and not self.success and not self.skipped:
            raise JobError(f"None of {self.total} succeeded; the first: {self.first_error}")

    def _write(self) -> None:
        told = {"total": self.total, "success": self.success, "failed": self.failed, "skipped": self.skipped}
        self.tracker.output.update(told | {self.total_name: self.total, self.errors_name: self.failed})
