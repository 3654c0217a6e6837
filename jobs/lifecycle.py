"""The life of any tracked job: its columns, its states, and the only verbs that move it between them.

Each verb is one guarded UPDATE (exactly one row, or `LostRace`) and one event, in one transaction.
Verbs of a worker are fenced by the lease token: whoever was given up for dead changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from jobs.claiming import TrackedJobQuerySet
from jobs.errors import ErrorKind, Hold, JobError, LeaseLost, LostRace
from jobs.events import LONGEST_WHO, Event, job_changed, subject_of

if TYPE_CHECKING:
    from jobs.running import Run

# A job that takes its worker down so often stops, whatever its attempts.
MOST_LOST_WORKERS = 3


class States(NamedTuple):
    """The stored words of one job model for the five conditions every job knows."""

    waiting: str
    active: str
    completed: str
    failed: str
    cancelled: str


class Status(models.TextChoices):
    WAITING = "waiting", "Waiting"  # for its time or a worker; a worker's claim moves it on
    ACTIVE = "active", "Active"  # a worker holds a lease on it; the worker or recovery moves it on
    COMPLETED = "completed", "Completed"  # done; final
    FAILED = "failed", "Failed"  # a person may retry it
    CANCELLED = "cancelled", "Cancelled"  # a person stopped it and may retry it


class TrackedJob(models.Model):
    """A piece of work that is claimed, held under a lease, retried, held back, cancelled and remembered."""

    # Which lane's workers do it, how many are claimed at once, and the model's own words.
    lane: ClassVar[str] = "short"
    claim_batch: ClassVar[int] = 1
    states: ClassVar[States] = States("waiting", "active", "completed", "failed", "cancelled")
    # Whether the database keeps count of its states (`jobs.tallies`) and of what was done (`jobs.throughput`).
    is_tallied: ClassVar[bool] = False
    # The column that says how much it moved, in the model's own unit.
    amount_field: ClassVar[str] = ""

    status = models.CharField(max_length=16, choices=Status, default=Status.WAITING, editable=False)
    progress = models.PositiveSmallIntegerField(default=0, editable=False, help_text="Percent done")
    stage = models.CharField(max_length=32, blank=True, editable=False)
    attempt = models.PositiveIntegerField(default=0, editable=False)
    max_attempts = models.PositiveIntegerField(default=3)
    priority = models.SmallIntegerField(default=0, help_text="Lower goes first")
    not_before_at = models.DateTimeField(default=timezone.now)
    leased_by = models.CharField(max_length=96, blank=True, editable=False)
    leased_until = models.DateTimeField(null=True, blank=True, editable=False)
    lost_workers = models.PositiveSmallIntegerField(default=0, editable=False)
    cancel_requested_at = models.DateTimeField(null=True, blank=True, editable=False)
    error_kind = models.CharField(max_length=16, choices=ErrorKind, blank=True, editable=False)
    error_message = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = TrackedJobQuerySet.as_manager()

    class Meta:
        abstract = True

    # ---------------------------------------------------------------- what a job model fills in

    def perform(self, run: Run) -> None:
        """Do the work of one attempt. Return: completed. Raise a `JobError`: what its class says."""
        raise NotImplementedError

    def retry_delay(self, failures: int) -> timedelta:
        """How long to wait after the attempt that made `failures` failures."""
        return timedelta(seconds=min(60 * 2 ** max(failures - 1, 0), 3600))

    def outcome(self) -> dict[str, Any]:
        """Further columns that are written with `complete` and `fail`."""
        return {}

    def anew(self) -> dict[str, Any]:
        """Further columns that are written with `retry`."""
        return {}

    # ---------------------------------------------------------------- questions

    @property
    def is_waiting(self) -> bool:
        return self.status == self.states.waiting

    @property
    def is_active(self) -> bool:
        return self.status == self.states.active

    @property
    def is_finished(self) -> bool:
        return self.status in (self.states.completed, self.states.failed, self.states.cancelled)

    @property
    def can_retry(self) -> bool:
        return self.status in (self.states.failed, self.states.cancelled)

    @property
    def can_cancel(self) -> bool:
        return self.status in (self.states.waiting, self.states.active)

    # ---------------------------------------------------------------- verbs of the worker that holds it

    def complete(self, *, now: datetime) -> None:
        """ACTIVE → COMPLETED."""
        self._move(
            "completed", [self.states.active], self.states.completed, now=now, fenced=True,
            progress=100, stage="", error_kind="", error_message="", lost_workers=0, **self._ended(now),
            **self.outcome(),
        )  # fmt: skip

    def fail(self, error: JobError, *, now: datetime) -> None:
        """ACTIVE → FAILED: no attempt is left, or none could help."""
        self._move(
            "failed", [self.states.active], self.states.failed, now=now, fenced=True, why=str(error),
            error_kind=error.kind, error_message=str(error), lost_workers=0, **self._ended(now),
            **self.outcome(),
        )  # fmt: skip

    def try_again(self, error: JobError, *, now: datetime) -> None:
        """ACTIVE → WAITING: the attempt failed and another one is left."""
        self._put_back(
            "attempt_failed", now=now, why=str(error), error_kind=error.kind, error_message=str(error),
            lost_workers=0, progress=0, stage="", not_before_at=now + self.retry_delay(self.attempt),
        )  # fmt: skip

    def hold(self, reason: Hold, *, now: datetime, until: datetime) -> None:
        """ACTIVE → WAITING: not its fault; the attempt is given back."""
        self._put_back(
            "held", now=now, why=str(reason), error_kind=reason.kind, error_message=str(reason),
            lost_workers=0, progress=0, stage="", not_before_at=until, attempt=max(self.attempt - 1, 0),
        )  # fmt: skip

    def park(self, *, now: datetime, until: datetime, why: str) -> None:
        """ACTIVE → WAITING: the next step lies ahead; progress and attempt stay as they are."""
        self._put_back(
            "parked", now=now, why=why, lost_workers=0, not_before_at=until, attempt=max(self.attempt - 1, 0)
        )

    def release(self, *, now: datetime) -> None:
        """ACTIVE → WAITING: its worker is being stopped; nothing is counted."""
        self._put_back(
            "released", now=now, why="The worker is being stopped", not_before_at=now,
            attempt=max(self.attempt - 1, 0),
        )  # fmt: skip

    def acknowledge_cancel(self, *, now: datetime) -> None:
        """ACTIVE → CANCELLED: the worker has stopped as asked."""
        self._move(
            "cancelled", [self.states.active], self.states.cancelled, now=now, fenced=True,
            error_kind=ErrorKind.CANCELLED, error_message="Cancelled on request", **self._ended(now),
        )  # fmt: skip

    def save_progress(self, *, now: datetime, **columns: Any) -> None:
        """Write the worker's own columns without a change of state; raises `LeaseLost`."""
        held = type(self)._base_manager.filter(
            pk=self.pk, status=self.states.active, leased_by=self.leased_by
        )
        if held.update(updated_at=now, **columns) != 1:
            raise LeaseLost
        self._take(columns)

    # ---------------------------------------------------------------- verbs of recovery and of people

    def rescue(self, *, now: datetime) -> None:
        """ACTIVE → WAITING (or FAILED at the third time): the worker's lease ran out.

        Raises `LeaseLost` when the worker renewed its lease since this row was read.
        """
        lost = self.lost_workers + 1
        as_read: dict[str, Any] = {"leased_until": self.leased_until}
        message = f"The worker {self.leased_by.partition('#')[0] or '(unknown)'} stopped answering"
        common: dict[str, Any] = {"lost_workers": lost, "error_kind": ErrorKind.LOST_WORKER}
        if self.cancel_requested_at:
            self._move(
                "cancelled", [self.states.active], self.states.cancelled, now=now, fenced=True, why=message,
                guard=as_read, error_kind=ErrorKind.CANCELLED, error_message="Cancelled on request",
                **self._ended(now),
            )  # fmt: skip
        elif lost >= MOST_LOST_WORKERS:
            message = f"{message}; it was the {lost}rd worker lost on this job, so the job is stopped"
            self._move(
                "failed", [self.states.active], self.states.failed, now=now, fenced=True, why=message,
                guard=as_read, error_message=message, **common, **self._ended(now),
            )  # fmt: skip
        else:
            self._put_back(
                "rescued", now=now, why=message, guard=as_read, error_message=message, not_before_at=now,
                attempt=max(self.attempt - 1, 0), **common,
            )  # fmt: skip

    def cancel(self, *, who: str, now: datetime, why: str = "") -> None:
        """WAITING → CANCELLED; an ACTIVE job is asked to stop and ends CANCELLED when its worker did."""
        with transaction.atomic():
            # Locked: between a look and a write its worker may take it or put it back.
            row = type(self)._base_manager.select_for_update().filter(pk=self.pk)
            if row.values_list("status", flat=True).first() == self.states.active:
                self._move(
                    "cancel_requested", [self.states.active], self.states.active, now=now, who=who, why=why,
                    cancel_requested_at=now,
                )  # fmt: skip
            else:
                self._move(
                    "cancelled", [self.states.waiting], self.states.cancelled, now=now, who=who, why=why,
                    error_kind=ErrorKind.CANCELLED, error_message=why or "Cancelled on request",
                    cancel_requested_at=now, **self._ended(now),
                )  # fmt: skip

    def retry(self, *, who: str, now: datetime, attempts: int | None = None) -> None:
        """FAILED | CANCELLED → WAITING, with a fresh allowance of attempts; its history stays."""
        try:
            self._move(
                "retried", [self.states.failed, self.states.cancelled], self.states.waiting, now=now, who=who,
                max_attempts=self.attempt + (attempts or settings.UPLOAD_MAX_RETRIES), not_before_at=now,
                progress=0, stage="", lost_workers=0, cancel_requested_at=None, finished_at=None,
                **self.anew(),
            )  # fmt: skip
        except IntegrityError as error:
            raise LostRace(f"{self}: another job does the same already") from error

    def wake(self, *, who: str, now: datetime, why: str = "") -> None:
        """WAITING → WAITING, due at once: what it waited for is over."""
        self._move(
            "woken", [self.states.waiting], self.states.waiting, now=now, who=who, why=why, not_before_at=now
        )

    # ---------------------------------------------------------------- the one door to the row

    def _put_back(
        self, event_type: str, *, now: datetime, why: str, guard: dict[str, Any] | None = None, **columns: Any
    ) -> None:
        """ACTIVE → WAITING; or CANCELLED when asked for meanwhile: a stop never waits in the line."""
        guard = guard or {}
        try:
            self._move(
                event_type, [self.states.active], self.states.waiting, now=now, fenced=True, why=why,
                guard={**guard, "cancel_requested_at": None}, **columns, **self._released(),
            )  # fmt: skip
        except LeaseLost:
            self._move(
                "cancelled", [self.states.active], self.states.cancelled, now=now, fenced=True, why=why,
                guard={**guard, "cancel_requested_at__isnull": False}, error_kind=ErrorKind.CANCELLED,
                error_message="Cancelled on request", **self._ended(now),
            )  # fmt: skip

    def _move(
        self,
        event_type: str,
        old: Sequence[str],
        new: str,
        *,
        now: datetime,
        fenced: bool = False,
        guard: dict[str, Any] | None = None,
        who: str = "",
        why: str = "",
        **columns: Any,
    ) -> Event:
        """Change the row if it still is as expected, append its event, tell whoever listens.

        Raises `LostRace` when the row was not in one of the states `old`, `LeaseLost` when it was fenced off.
        """
        rows = type(self)._base_manager.filter(pk=self.pk, status__in=old, **(guard or {}))
        if fenced:
            rows = rows.filter(leased_by=self.leased_by)
        before, attempt = old[0], self.attempt
        with transaction.atomic():
            if len(old) > 1:
                # The history tells what the row was, not what this copy of it remembers.
                before = rows.select_for_update().values_list("status", flat=True).first() or before
            if rows.update(status=new, updated_at=now, **columns) != 1:
                raise LeaseLost if fenced else LostRace(f"{self} is no longer {' or '.join(old)}")
            event = self._event(
                event_type,
                old=before,
                new=new,
                now=now,
                who=who or self.leased_by,
                why=why,
                attempt=attempt,
            )
            event.save(force_insert=True)
            self._take({"status": new, "updated_at": now, **columns})
            job_changed.send(sender=type(self), job=self, event=event)
        return event

    def _event(
        self,
        event_type: str,
        *,
        old: str,
        new: str,
        now: datetime,
        who: str = "",
        why: str = "",
        attempt: int = 0,
    ) -> Event:
        return Event(
            at=now, type=event_type, old=old, new=new, who=who[:LONGEST_WHO], why=why,
            attempt=attempt or self.attempt, **subject_of(self),
        )  # fmt: skip

    def _take(self, columns: dict[str, Any]) -> None:
        for name, value in columns.items():
            setattr(self, name, value)

    @staticmethod
    def _held(token: str, now: datetime) -> dict[str, Any]:
        """The columns of an attempt that begins under `token`."""
        leased_until = now + timedelta(seconds=settings.LEASE_SECONDS)
        return {"leased_by": token, "leased_until": leased_until, "started_at": now, "finished_at": None}

    @staticmethod
    def _released() -> dict[str, Any]:
        return {"leased_by": "", "leased_until": None}

    @staticmethod
    def _ended(now: datetime) -> dict[str, Any]:
        return {"finished_at": now, "leased_by": "", "leased_until": None}
