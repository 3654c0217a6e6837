"""What people do with jobs that ended: take note of a failure, and clear the list of what is done with."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, ClassVar, Self, TypeVar

from django.db import models, transaction

from jobs.claiming import TrackedJobQuerySet
from jobs.events import Event, record
from jobs.lifecycle import TrackedJob

LONGEST_CAUSE = 120

J = TypeVar("J", bound="TendedJob")


def cause_of(message: str) -> str:
    """What failures of the same cause have in common: the message without names, numbers and paths."""
    text = re.sub(r"“[^”]*”|\"[^\"]*\"|'[^']*'", "…", message)
    text = re.sub(r"(?:\w+://|/)\S+|\b[\w.-]+/\S+", "…", text)
    text = re.sub(r"\b[0-9a-f]{8,}\b|\d[\d.,:]*\d|\d", "…", text)
    text = " ".join(re.sub(r"…(?:[\s-]*…)+", "…", text).split())
    return text[:LONGEST_CAUSE] or "No reason was given"


class TendedJobQuerySet(TrackedJobQuerySet[J]):
    def listed(self) -> Self:
        """What nobody has cleared away."""
        return self.filter(cleared_at=None)

    def untended(self) -> Self:
        """Failures that still need somebody."""
        return self.listed().filter(status=self.model.states.failed, handled_at=None)


class TendedJob(TrackedJob):
    """A job that people look after. One that was cleared away stays as a row: it may prove a delivery."""

    is_tallied: ClassVar[bool] = True

    # Taken off the list by a person or by age; a retry brings it back.
    cleared_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Somebody has taken care of the failure; it stays failed and needs nobody any more.
    handled_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Of a failure: what it has in common with others.
    cause = models.CharField(max_length=LONGEST_CAUSE, blank=True, editable=False)

    objects = TendedJobQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        abstract = True

    @property
    def is_untended(self) -> bool:
        return self.status == self.states.failed and self.handled_at is None

    def retry(self, *, who: str, now: datetime, attempts: int | None = None) -> None:
        """As any job's; it is on the list again, and its next failure is a new one."""
        anew: dict[str, Any] = {"cleared_at": None, "handled_at": None, "cause": ""}
        with transaction.atomic():
            super().retry(who=who, now=now, attempts=attempts)
            type(self)._base_manager.filter(pk=self.pk).update(**anew)
        self._take(anew)

    def mark_handled(self, *, who: str, now: datetime) -> bool:
        """Take note of the failure; false when it is none, or was taken note of already."""
        rows = type(self)._base_manager.filter(pk=self.pk, status=self.states.failed, handled_at=None)
        with transaction.atomic():
            if rows.update(handled_at=now, updated_at=now) != 1:
                return False
            record(self, "handled", now=now, who=who, attempt=self.attempt)
        self.handled_at = now
        return True

    def clear(self, *, who: str, now: datetime) -> bool:
        """Take a job that has ended off the list; false when it has not, or is off already."""
        states = self.states
        ended = (states.completed, states.failed, states.cancelled)
        rows = type(self)._base_manager.filter(pk=self.pk, status__in=ended, cleared_at=None)
        with transaction.atomic():
            if rows.update(cleared_at=now, updated_at=now) != 1:
                return False
            record(self, "cleared", now=now, who=who, attempt=self.attempt)
        self.cleared_at = now
        return True

    def _move(self, event_type: str, old: Any, new: str, *, now: datetime, **columns: Any) -> Event:
        if new == self.states.failed:
            columns["cause"] = cause_of(columns.get("error_message", self.error_message))
        return super()._move(event_type, old, new, now=now, **columns)


def listed_index(name: str, *fields: str) -> models.Index:
    """Serves the list, newest first, of those that share `fields`."""
    return models.Index(fields=[*fields, "-id"], condition=models.Q(cleared_at=None), name=name)


def cause_index(name: str) -> models.Index:
    """Serves the failures that need somebody, by their cause."""
    return models.Index(
        fields=["cause", "-id"],
        condition=models.Q(status="failed", handled_at=None, cleared_at=None),
        name=name,
    )


def created_index(name: str) -> models.Index:
    """Serves the list of a span of time."""
    return models.Index(fields=["created_at"], name=name)
