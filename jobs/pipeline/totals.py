"""Sums over finished pipeline jobs, so that a question about a million of them reads a hundred rows.

A job's outcome is written without them: no worker waits for another's sum. Every two seconds the ticker adds what has
finished since, and marks it `counted` in the same transaction; whoever asks adds what is not yet counted. A retry takes
the job out again. So each job is in the answer once, whenever it is asked for.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple, TypeVar
from uuid import UUID

from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from jobs.pipeline import lengths, live
from jobs.pipeline.pipeline_jobs import JobType, PipelineJob, Status

# So many rows are marked by one statement: SQLite takes fewer values in one.
AT_ONCE = {"postgresql": 5000}
FEWER_AT_ONCE = 900
# A pass ends after so many batches; the next one goes on.
BATCHES = 20
# A reader that a count comes between so often takes what it has.
MOST_READS = 5


class Counted(models.Model):
    """A sum, and how often it was written: by that a reader sees whether a count came between two reads."""

    count = models.BigIntegerField(default=0)
    writes = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


M = TypeVar("M", bound=Counted)


class PipelineTotal(Counted):
    """All finished runs of a script that ended in one state at one attempt."""

    job_type = models.CharField(max_length=16, choices=JobType)
    script = models.CharField(max_length=100)
    status = models.CharField(max_length=16, choices=Status)
    attempt = models.PositiveIntegerField()
    # Of those that had begun.
    timed = models.BigIntegerField(default=0)
    seconds = models.FloatField(default=0)
    lengths = models.JSONField(default=dict)
    last_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["job_type", "script", "status", "attempt"], name="pipeline_total_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.count} {self.script or self.job_type} {self.status} at attempt {self.attempt}"

    @property
    def standing(self) -> tuple[float, ...]:
        """What differs when the row was written, also where a rolled-back row's id is given again."""
        return (self.writes, self.count, self.timed, self.seconds)


class PipelineDay(Counted):
    """The runs of a script that ended in one state on one day of TIME_ZONE."""

    day = models.DateField()
    job_type = models.CharField(max_length=16, choices=JobType)
    script = models.CharField(max_length=100)
    status = models.CharField(max_length=16, choices=Status)

    class Meta:
        constraints = (
            # Also serves the grid: the days from one on.
            models.UniqueConstraint(fields=["day", "job_type", "script", "status"], name="pipeline_day_once"),
        )

    def __str__(self) -> str:
        return f"{self.count} {self.script or self.job_type} {self.status} on {self.day}"


class Key(NamedTuple):
    job_type: str
    script: str
    status: str
    attempt: int


class DayKey(NamedTuple):
    day: date
    job_type: str
    script: str
    status: str


@dataclass
class Sum:
    """What some finished jobs come to."""

    count: int = 0
    timed: int = 0
    seconds: float = 0.0
    lengths: dict[str, int] = field(default_factory=dict)
    last_at: datetime | None = None

    def add(self, other: Sum | PipelineTotal, *, with_lengths: bool = True) -> None:
        self.count += other.count
        self.timed += other.timed
        self.seconds += other.seconds
        if with_lengths:
            lengths.add(self.lengths, other.lengths)
        if other.last_at and (self.last_at is None or other.last_at > self.last_at):
            self.last_at = other.last_at

    @property
    def average_seconds(self) -> float | None:
        return self.seconds / self.timed if self.timed else None

    def percentile(self, percent: float) -> float | None:
        return lengths.percentile(self.lengths, percent)


Sums = dict[Key, Sum]
Days = dict[DayKey, int]


# -------------------------------------------------------------------- counting


def count_up(now: datetime) -> int:
    """Add what has finished and is not counted yet; gives how much. Several may do it at once."""
    count = 0
    for _ in range(BATCHES):
        done = _count_batch(AT_ONCE.get(connection.vendor, FEWER_AT_ONCE))
        count += done
        if not done:
            break
    live.tell_many(count)
    return count


def _count_batch(size: int) -> int:
    with transaction.atomic():
        rows = uncounted()
        if connection.features.has_select_for_update_skip_locked:
            rows = rows.select_for_update(skip_locked=True, of=("self",), no_key=True)
        found = list(rows.values_list(*COLUMNS)[:size])
        if not found:
            return 0
        _write(*summed(found), sign=1)
        PipelineJob._base_manager.filter(pk__in=[row[0] for row in found]).update(counted=True)
        return len(found)


def take_out(job_id: UUID) -> None:
    """The job is going to be unfinished again: take it out of the sums. Call it in that transaction."""
    rows = PipelineJob._base_manager.select_for_update(of=("self",)).filter(pk=job_id, counted=True)
    found = list(rows.values_list(*COLUMNS))
    if found:
        _write(*summed(found), sign=-1)
        PipelineJob._base_manager.filter(pk=job_id).update(counted=False)


# What a sum is made of; the order of `Row`.
COLUMNS = ("id", "job_type", "script", "status", "attempt", "started_at", "finished_at")
Row = tuple[UUID, str, str, str, int, "datetime | None", datetime]


def uncounted() -> models.QuerySet[PipelineJob]:
    return PipelineJob._base_manager.filter(counted=False, finished_at__isnull=False).order_by("finished_at")


def summed(rows: Iterable[Row]) -> tuple[Sums, Days]:
    sums: defaultdict[Key, Sum] = defaultdict(Sum)
    days: defaultdict[DayKey, int] = defaultdict(int)
    for _, job_type, script, status, attempt, started_at, finished_at in rows:
        found = sums[Key(job_type, script, status, attempt)]
        found.count += 1
        if started_at is not None:
            seconds = max((finished_at - started_at).total_seconds(), 0.0)
            found.timed += 1
            found.seconds += seconds
            bucket = str(lengths.bucket_of(seconds))
            found.lengths[bucket] = found.lengths.get(bucket, 0) + 1
        if found.last_at is None or finished_at > found.last_at:
            found.last_at = finished_at
        days[DayKey(timezone.localdate(finished_at), job_type, script, status)] += 1
    return dict(sums), dict(days)


def _write(sums: Sums, days: Days, *, sign: int) -> None:
    """Always in the same order, so that two who write wait for one another once."""
    for key in sorted(sums):
        one = sums[key]
        row = _locked(PipelineTotal, key._asdict())
        row.count += sign * one.count
        row.timed += sign * one.timed
        row.seconds += sign * one.seconds
        lengths.add(row.lengths, {bucket: sign * count for bucket, count in one.lengths.items()})
        if sign > 0 and one.last_at and (row.last_at is None or one.last_at > row.last_at):
            row.last_at = one.last_at
        row.save()
    for day_key in sorted(days):
        day = _locked(PipelineDay, day_key._asdict())
        day.count += sign * days[day_key]
        day.save()


def _locked(model: type[M], key: dict[str, object]) -> M:
    rows = model._base_manager.select_for_update()
    if (row := rows.filter(**key).first()) is None:
        # Another one may be first.
        with contextlib.suppress(IntegrityError), transaction.atomic():
            model._base_manager.create(**key)
        row = rows.get(**key)
    row.writes += 1
    return row


# -------------------------------------------------------------------- asking


def all_sums(*, with_lengths: bool = False) -> Sums:
    """Every finished job once, by type, script, state and attempt.

    How long they took, which percentiles are made of, is most of what is read: only when asked for.
    """
    light = PipelineTotal.objects.defer("lengths")
    rows, tail = _read(light, complete=_with_lengths if with_lengths else list)
    found: defaultdict[Key, Sum] = defaultdict(Sum)
    for row in rows:
        if row.count:
            key = Key(row.job_type, row.script, row.status, row.attempt)
            found[key].add(row, with_lengths=with_lengths)
    for key, one in summed(tail)[0].items():
        found[key].add(one, with_lengths=with_lengths)
    return dict(found)


def all_days(since: date) -> Days:
    """Every job that finished on `since` or later once, by day, type, script and state."""
    rows, tail = _read(PipelineDay.objects.filter(day__gte=since))
    found: defaultdict[DayKey, int] = defaultdict(int)
    for row in rows:
        found[DayKey(row.day, row.job_type, row.script, row.status)] += row.count
    for key, count in summed(tail)[1].items():
        if key.day >= since:
            found[key] += count
    return {key: count for key, count in found.items() if count}


# The histograms this process read last, with what their rows came to then.
_known: dict[int, tuple[tuple[float, ...], dict[str, int]]] = {}


def _with_lengths(rows: list[PipelineTotal]) -> list[PipelineTotal]:
    """The rows with their histograms; read anew are only those that were written since this process read them."""
    changed = [row.pk for row in rows if _known.get(row.pk, ((), {}))[0] != row.standing]
    fresh = PipelineTotal.objects.in_bulk(changed) if changed else {}
    _known.update({pk: (row.standing, row.lengths) for pk, row in fresh.items()})
    for row in rows:
        if row.pk not in fresh:
            row.lengths = _known[row.pk][1] if row.pk in _known else {}
    return [fresh.get(row.pk, row) for row in rows]


def _read(
    sums: models.QuerySet[M], complete: Callable[[list[M]], list[M]] = list
) -> tuple[list[M], list[Row]]:
    """The sums, completed, and what is not in them yet; read anew when a count came between."""
    for _ in range(MOST_READS):
        rows = complete(list(sums.all()))
        tail: list[Row] = list(uncounted().values_list(*COLUMNS))
        if (sums.aggregate(all=models.Sum("writes"))["all"] or 0) == sum(row.writes for row in rows):
            break
    return rows, tail
