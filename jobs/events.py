"""The append-only history of everything tracked, which is also what live pages are fed from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, models, transaction
from django.dispatch import Signal

# Sent inside the transaction that changed a job: sender=the job's model, job, event.
job_changed = Signal()

# Django's user names may be longer than the column; PostgreSQL refuses what does not fit.
LONGEST_WHO = 80

# The topics a live client may ask for; an event without a topic is history only.
TOPICS = ("uploads", "jobs", "posts", "pipeline", "queue")


class Event(models.Model):
    """One line of history: who changed what, from what to what, when and why; or one live message."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    topic = models.CharField(max_length=16, blank=True)
    type = models.CharField(max_length=32)
    subject_type = models.CharField(max_length=40, blank=True)
    subject_id = models.CharField(max_length=36, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    old = models.CharField(max_length=16, blank=True)
    new = models.CharField(max_length=16, blank=True)
    who = models.CharField(max_length=LONGEST_WHO, blank=True)
    why = models.TextField(blank=True)
    data = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ("id",)
        indexes = (
            # The history of one thing, on its detail page.
            models.Index(fields=["subject_type", "subject_id", "id"], name="event_subject"),
            # Pruning by age.
            models.Index(fields=["at"], name="event_at"),
            # The live tail: what has a topic is a small part of all history.
            models.Index(fields=["id"], condition=~models.Q(topic=""), name="event_live"),
        )

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.subject_type} {self.subject_id} {self.type}"

    @property
    def envelope(self) -> dict[str, Any]:
        """What a live client receives: `{"id", "type", "data"}`."""
        return {"id": self.pk, "type": self.type, "data": self.data}


def subject_of(row: models.Model) -> dict[str, str]:
    return {"subject_type": row._meta.label_lower, "subject_id": str(row.pk)}


def record(
    row: models.Model,
    event_type: str,
    *,
    now: datetime,
    old: str = "",
    new: str = "",
    who: str = "",
    why: str = "",
    attempt: int = 0,
    data: dict[str, Any] | None = None,
) -> Event:
    """Append one line to the history of `row`; call it in the transaction that makes the change."""
    return Event.objects.create(
        at=now,
        type=event_type,
        old=old,
        new=new,
        who=who[:LONGEST_WHO],
        why=why,
        attempt=attempt,
        data=data or {},
        **subject_of(row),
    )


def record_many(
    rows: Sequence[models.Model],
    event_type: str,
    *,
    now: datetime,
    old: str = "",
    new: str = "",
    who: str = "",
    why: str = "",
) -> None:
    """Append the same line to the history of each of many rows of one model, in one statement.

    `bulk_create` makes and converts a model for each line, which would be half of what a claim of a hundred
    rows costs.
    """
    if not rows:
        return
    subjects = [str(row.pk) for row in rows]
    is_postgres = connection.vendor == "postgresql"
    subject, keys = ("unnest(%s::text[])", subjects) if is_postgres else ("value", json.dumps(subjects))
    source = "" if is_postgres else "FROM json_each(%s)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {Event._meta.db_table} "
            "(at, topic, type, subject_type, attempt, old, new, who, why, data, subject_id) "
            f"SELECT %s, '', %s, %s, 0, %s, %s, %s, %s, '{{}}', {subject} {source}",
            [
                connection.ops.adapt_datetimefield_value(now),
                event_type,
                rows[0]._meta.label_lower,
                old,
                new,
                who[:LONGEST_WHO],
                why,
                keys,
            ],
        )


def history_of(row: models.Model) -> models.QuerySet[Event]:
    """Every event of `row`, oldest first."""
    return Event.objects.filter(**subject_of(row))


def publish(topic: str, event_type: str, data: dict[str, Any], *, now: datetime) -> None:
    """Tell live clients of `topic`; seen by them once the surrounding transaction is committed."""
    Event.objects.create(at=now, topic=topic, type=event_type, data=data)
    transaction.on_commit(announce)


def announce() -> None:
    """Wake the relays of the web processes after events were committed."""
    from jobs.live import bell

    bell.ring()
