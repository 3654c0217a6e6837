"""The line of a job model: which jobs a worker may take, and how it takes them; the indexes that serve it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self, TypeVar

from django.conf import settings
from django.db import connection, models, transaction

from jobs.events import Event, job_changed

if TYPE_CHECKING:
    from jobs.lifecycle import TrackedJob

J = TypeVar("J", bound="TrackedJob")


class TrackedJobQuerySet(models.QuerySet[J]):
    def claimable(self, now: datetime) -> Self:
        """Jobs a worker may take at `now`."""
        return self.filter(status=self.model.states.waiting, not_before_at__lte=now)

    def claimable_later(self, now: datetime) -> Self:
        """Jobs that wait for a time which has not come."""
        return self.filter(status=self.model.states.waiting, not_before_at__gt=now)

    def stale(self, now: datetime) -> Self:
        """Active jobs whose worker stopped renewing its lease, or that never had one for too long."""
        silent_since = now - timedelta(seconds=settings.STALE_AFTER_SECONDS)
        return self.filter(status=self.model.states.active).filter(
            models.Q(leased_until__lt=now) | models.Q(leased_until=None, started_at__lt=silent_since)
        )

    def finished(self) -> Self:
        states = self.model.states
        return self.filter(status__in=(states.completed, states.failed, states.cancelled))

    def unfinished(self) -> Self:
        return self.filter(status__in=(self.model.states.waiting, self.model.states.active))

    def claim(self, token: str, *, now: datetime, limit: int = 1) -> list[J]:
        """WAITING → ACTIVE for up to `limit` jobs, the most urgent and oldest first, held under `token`."""
        states = self.model.states
        with transaction.atomic():
            due = self.claimable(now).order_by("priority", "not_before_at", "pk")
            if connection.features.has_select_for_update_skip_locked:
                due = due.select_for_update(skip_locked=True, of=("self",))
            _read_in_order()
            claimed: list[J] = list(due[:limit])
            if not claimed:
                return []
            held = {"status": states.active, "updated_at": now, **self.model._held(token, now)}
            self.model._base_manager.filter(pk__in=[job.pk for job in claimed]).update(
                attempt=models.F("attempt") + 1, **held
            )
            for job in claimed:
                job._take({"attempt": job.attempt + 1, **held})
            events = Event.objects.bulk_create(
                [
                    job._event("claimed", old=states.waiting, new=states.active, now=now, who=token)
                    for job in claimed
                ]
            )
            for job, event in zip(claimed, events, strict=True):
                job_changed.send(sender=self.model, job=job, event=event)
        return claimed


def _read_in_order() -> None:
    """Have this transaction walk the claim's index to its first rows.

    What PostgreSQL knows of a line is as old as its last ANALYZE: one that was empty then it would collect by
    another index and sort whole, at every claim.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_sort = off")


def claim_index(name: str, *, waiting: str = "waiting") -> models.Index:
    """Serves `claim`: the next due row among the waiting ones, however many are finished."""
    return models.Index(
        fields=["priority", "not_before_at", "id"], condition=models.Q(status=waiting), name=name
    )


def lease_index(name: str, *, active: str = "active") -> models.Index:
    """Serves recovery: active rows by the end of their lease."""
    return models.Index(fields=["leased_until"], condition=models.Q(status=active), name=name)
