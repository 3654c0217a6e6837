"""What was done in each hour: how many jobs ended how, how long they took, how much they moved.

Written with the outcome, in its transaction; later retries, clearing and pruning change nothing of it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import models, transaction
from django.db.models.functions import TruncHour
from django.dispatch import receiver

from jobs.events import Event, job_changed
from jobs.lifecycle import TrackedJob

# Hours older than this are dropped.
KEPT = timedelta(days=400)
HOUR = timedelta(hours=1)


class HourDone(models.Model):
    """Jobs of a model that ended with one outcome in one hour; rows of the same hour are merged later."""

    id = models.BigAutoField(primary_key=True)
    model = models.CharField(max_length=40)
    hour = models.DateTimeField()
    outcome = models.CharField(max_length=16)
    count = models.BigIntegerField(default=1)
    # Of their last attempts, and what they moved in the model's own unit (bytes; seconds of film).
    seconds = models.FloatField(default=0)
    amount = models.FloatField(default=0)

    class Meta:
        indexes = (
            # The hours of a chart.
            models.Index(fields=["model", "hour"], name="hour_done_model"),
        )

    def __str__(self) -> str:
        return f"{self.count} {self.model} {self.outcome} in {self.hour:%Y-%m-%d %H}"


@dataclass
class Done:
    """What one hour, or several, came to."""

    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    seconds: float = 0  # of the completed ones
    amount: float = 0  # of the completed ones

    @property
    def ended(self) -> int:
        """Those that succeeded or failed; whoever cancels says nothing about either."""
        return self.completed + self.failed

    @property
    def failure_rate(self) -> float | None:
        return self.failed / self.ended if self.ended else None

    @property
    def completion_rate(self) -> float | None:
        return self.completed / self.ended if self.ended else None

    @property
    def average_seconds(self) -> float | None:
        return self.seconds / self.completed if self.completed else None

    @property
    def amount_per_second(self) -> float | None:
        return self.amount / self.seconds if self.seconds else None

    def __add__(self, other: Done) -> Done:
        return Done(
            self.completed + other.completed,
            self.failed + other.failed,
            self.cancelled + other.cancelled,
            self.seconds + other.seconds,
            self.amount + other.amount,
        )


class PlaceOf(models.Func):
    """In which stretch of so many hours a moment lies, counted from `first`, before which it must not be."""

    def __init__(self, moment: str, first: datetime, hours: int) -> None:
        super().__init__(models.F(moment), output_field=models.IntegerField())
        self.first, self.seconds = int(first.timestamp()), hours * 3600

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        moment, params = compiler.compile(self.source_expressions[0])
        is_postgres = connection.vendor == "postgresql"
        of_sqlite = f"CAST(strftime('%%s', {moment}) AS integer)"
        epoch = f"extract(epoch from {moment})::bigint" if is_postgres else of_sqlite
        return f"(({epoch} - %s) / %s)", [*params, self.first, self.seconds]


def hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


@receiver(job_changed)
def note(sender: type[TrackedJob], job: TrackedJob, event: Event, **_: Any) -> None:
    """Count a job that has just ended."""
    if not sender.is_tallied or event.old == event.new:
        return
    states = sender.states
    if event.new not in (states.completed, states.failed, states.cancelled):
        return
    took = (event.at - job.started_at).total_seconds() if job.started_at else 0.0
    HourDone.objects.create(
        model=sender._meta.label_lower,
        hour=hour_of(event.at),
        outcome=event.new,
        seconds=max(took, 0.0),
        amount=float(getattr(job, sender.amount_field) or 0) if sender.amount_field else 0.0,
    )


def fill(model: type[TrackedJob]) -> None:
    """Count what ended before there was a count; nothing when there is one."""
    label = model._meta.label_lower
    if HourDone.objects.filter(model=label).exists():
        return
    moved: Any = models.Sum(model.amount_field) if model.amount_field else models.Value(0)
    took = models.Sum(models.F("finished_at") - models.F("started_at"), output_field=models.DurationField())
    rows = (
        model._base_manager.filter(finished_at__isnull=False)
        .order_by()
        .annotate(hour=TruncHour("finished_at", tzinfo=UTC))
        .values_list("hour", "status")
        .annotate(count=models.Count("pk"), took=took, moved=moved)
    )
    HourDone.objects.bulk_create(
        [
            HourDone(
                model=label, hour=hour, outcome=status, count=count,
                seconds=max(took.total_seconds(), 0.0) if took else 0.0, amount=float(amount or 0),
            )
            for hour, status, count, took, amount in rows
            if status in (model.states.completed, model.states.failed, model.states.cancelled)
        ],
        batch_size=1000,
    )  # fmt: skip


def by_stretch(model: type[TrackedJob], since: datetime, *, hours: int = 1) -> dict[datetime, Done]:
    """Each stretch of so many hours from `since` on in which a job ended, by the hour it begins with."""
    first = hour_of(since)
    rows = (
        HourDone.objects.filter(model=model._meta.label_lower, hour__gte=first)
        .order_by()
        .annotate(place=PlaceOf("hour", first, hours))
        .values_list("place", "outcome")
        .annotate(models.Sum("count"), models.Sum("seconds"), models.Sum("amount"))
    )
    found: defaultdict[datetime, Done] = defaultdict(Done)
    states = model.states
    for place, outcome, count, seconds, amount in rows:
        done = found[first + HOUR * hours * place]
        if outcome == states.completed:
            done.completed, done.seconds, done.amount = count, seconds, amount
        elif outcome == states.failed:
            done.failed = count
        else:
            done.cancelled = count
    return dict(found)


def merge(now: datetime) -> None:
    """One row per hour and outcome of the hours that are over; drop what nobody looks at any more."""
    HourDone.objects.filter(hour__lt=now - KEPT).delete()
    keys = HourDone.objects.filter(hour__lt=hour_of(now)).order_by().values("model", "hour", "outcome")
    for key in keys.annotate(rows=models.Count("pk")).filter(rows__gt=1)[:500]:
        of_hour = {name: key[name] for name in ("model", "hour", "outcome")}
        with transaction.atomic():
            rows = list(HourDone.objects.select_for_update().filter(**of_hour))
            if len(rows) < 2:
                continue
            HourDone.objects.filter(pk__in=[row.pk for row in rows]).delete()
            HourDone.objects.create(
                **of_hour,
                count=sum(row.count for row in rows),
                seconds=sum(row.seconds for row in rows),
                amount=sum(row.amount for row in rows),
            )
