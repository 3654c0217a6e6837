"""What the pipeline page shows, each part read when it is first asked for, however many runs there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import Max, QuerySet
from django.http import QueryDict
from django.utils import timezone

from jobs import health
from jobs.events import Event
from jobs.pipeline import monitoring
from jobs.pipeline.pipeline_jobs import JobType, PipelineJob, Status
from jobs.pipeline.timetable import PipelineSchedule
from jobs.workers import alive

RUNNING = 12
IN_LINE = 8
TROUBLES = 10
RUNS = 20
DAYS = 14
SCRIPTS = 30
# Failed runs older than this ask for no hand any more.
RECENT = timedelta(days=14)
ABOUT = ("source", "work", "edition__work", "segment__edition__work")


@dataclass(frozen=True)
class Choice:
    """What the address of the page asks to see."""

    status: str = ""
    job_type: str = ""
    script: str = ""
    before: UUID | None = None

    @classmethod
    def of(cls, query: QueryDict) -> Choice:
        """The choice in a query string; what is not understood counts as not given."""
        status, job_type = query.get("status", ""), query.get("type", "")
        try:
            before = UUID(query.get("before", ""))
        except ValueError:
            before = None
        return cls(
            status=status if status in (*Status.values, "held") else "",
            job_type=job_type if job_type in JobType.values else "",
            script=query.get("script", "").replace("\0", "").strip()[:100],
            before=before,
        )

    @property
    def is_any(self) -> bool:
        return bool(self.status or self.job_type or self.script or self.before)


@dataclass(frozen=True)
class Tile:
    status: str
    label: str
    count: int
    is_chosen: bool


@dataclass(frozen=True)
class Tries:
    """A script's runs by attempt; what is above the last column is summed there."""

    name: str
    job_type: str
    counts: list[int]
    again: float  # per cent of the runs that took more than one attempt


@dataclass(frozen=True)
class Cell:
    day: date
    done: int
    failed: int

    @property
    def state(self) -> str:
        if not (self.done or self.failed):
            return "none"
        return "mixed" if self.done and self.failed else "failed" if self.failed else "success"


@dataclass(frozen=True)
class Column:
    """One day of the chart; heights and places in per cent."""

    day: date
    x: float
    done: int
    failed: int
    done_height: float
    failed_height: float


class Board:
    def __init__(self, choice: Choice, *, now: datetime) -> None:
        self.choice, self.now = choice, now
        # Read first: whatever changes after this is told by the live stream.
        self.position = Event.objects.aggregate(newest=Max("id"))["newest"] or 0

    @cached_property
    def is_ticking(self) -> bool:
        return health.is_ticking(self.now)

    @cached_property
    def is_working(self) -> bool:
        return self.is_ticking and alive(self.now).filter(lane=PipelineJob.lane).exists()

    @cached_property
    def counts(self) -> dict[str, int]:
        return monitoring.counts()

    @property
    def tiles(self) -> list[Tile]:
        labels = {
            "": "All runs", "running": "Running", "queued": "Queued", "held": "Held", "success": "Success",
            "failed": "Failed", "cancelled": "Cancelled",
        }  # fmt: skip
        return [
            Tile(status, label, self.counts[status or "total"], bool(status) and status == self.choice.status)
            for status, label in labels.items()
        ]

    @cached_property
    def is_empty(self) -> bool:
        return not PipelineJob.objects.exists()

    @cached_property
    def overdue(self) -> list[monitoring.Overdue]:
        return monitoring.overdue(self.now)

    # ---------------------------------------------------------------- runs

    @cached_property
    def running(self) -> list[PipelineJob]:
        return list(monitoring.active().select_related(*ABOUT)[:RUNNING])

    @cached_property
    def in_line(self) -> list[PipelineJob]:
        """What is queued: what is held first, then in the order in which it will run."""
        queued = PipelineJob.objects.filter(status=Status.QUEUED).select_related(*ABOUT)
        held = list(queued.filter(open_needs__gt=0).exclude(error_message="").order_by("pk")[:IN_LINE])
        rest = queued.exclude(pk__in=[job.pk for job in held])
        return held + list(rest.order_by("priority", "not_before_at", "pk")[:IN_LINE])

    @property
    def more_in_line(self) -> int:
        return self.counts["queued"] - len(self.in_line)

    @cached_property
    def troubles(self) -> list[PipelineJob]:
        return list(runs_unhandled(self.now).select_related(*ABOUT).order_by("-finished_at")[:TROUBLES])

    @cached_property
    def trouble_count(self) -> int:
        return runs_unhandled(self.now).count()

    @cached_property
    def runs(self) -> list[PipelineJob]:
        """The latest runs of the choice, and one more if there are more."""
        jobs = PipelineJob.objects.select_related(*ABOUT)
        if self.choice.status == "held":
            jobs = jobs.filter(status=Status.QUEUED, open_needs__gt=0)
        elif self.choice.status:
            jobs = jobs.filter(status=self.choice.status)
        if self.choice.job_type:
            jobs = jobs.filter(job_type=self.choice.job_type)
        if self.choice.script:
            jobs = jobs.filter(script=self.choice.script)
        if self.choice.before:
            jobs = jobs.filter(pk__lt=self.choice.before)
        return list(jobs.order_by("-pk")[: RUNS + 1])

    @property
    def shown_runs(self) -> list[PipelineJob]:
        return self.runs[:RUNS]

    @property
    def has_more_runs(self) -> bool:
        return len(self.runs) > RUNS

    # ---------------------------------------------------------------- sums

    @cached_property
    def statistics(self) -> list[monitoring.Statistic]:
        return sorted(monitoring.statistics(self.choice.job_type), key=lambda row: (row.name, row.job_type))

    @property
    def longest(self) -> float:
        """The slowest script's p95, against which the others are drawn."""
        return max((row.p95_seconds or 0 for row in self.statistics), default=0) or 1

    @property
    def attempt_columns(self) -> list[str]:
        return ["1st", "2nd", "3rd", "4th or later"]

    @cached_property
    def tries(self) -> list[Tries]:
        found: dict[tuple[str, str], list[int]] = {}
        for row in monitoring.retry_analysis(self.choice.job_type):
            counts = found.setdefault((row.name, row.job_type), [0, 0, 0, 0])
            counts[min(max(row.attempt, 1), 4) - 1] += row.count
        return [
            Tries(name, job_type, counts, 100 * sum(counts[1:]) / max(sum(counts), 1))
            for (name, job_type), counts in sorted(found.items())
        ]

    @cached_property
    def _grid(self) -> dict[tuple[str, str], dict[date, dict[str, int]]]:
        return monitoring.grid(DAYS, timezone.localdate(self.now))

    @cached_property
    def days(self) -> list[date]:
        today = timezone.localdate(self.now)
        return [today - timedelta(days=ago) for ago in range(DAYS - 1, -1, -1)]

    @property
    def grid(self) -> list[tuple[str, str, list[Cell]]]:
        """(script, type, one cell a day), at most `SCRIPTS` of them."""
        named = [
            (script or job_type, job_type, by_day)
            for (job_type, script), by_day in self._grid.items()
            if self.choice.job_type in ("", job_type)
        ]
        named.sort(key=lambda row: row[:2])
        return [
            (name, job_type, [_cell(day, by_day.get(day, {})) for day in self.days])
            for name, job_type, by_day in named[:SCRIPTS]
        ]

    @property
    def columns(self) -> list[Column]:
        """All scripts together, a column a day."""
        cells = [[_cell(day, by_day.get(day, {})) for by_day in self._grid.values()] for day in self.days]
        sums = [(sum(cell.done for cell in day), sum(cell.failed for cell in day)) for day in cells]
        most = max((done + failed for done, failed in sums), default=0) or 1
        return [
            Column(day, 100 * number / DAYS, done, failed, 100 * done / most, 100 * failed / most)
            for number, (day, (done, failed)) in enumerate(zip(self.days, sums, strict=True))
        ]

    @cached_property
    def schedules(self) -> list[PipelineSchedule]:
        return list(
            PipelineSchedule.objects.select_related("last_job").order_by("-is_active", "next_at", "name")
        )


def runs_unhandled(now: datetime) -> QuerySet[PipelineJob]:
    """Runs that failed lately and were not marked as handled."""
    return PipelineJob.objects.filter(status=Status.FAILED, handled_at=None, finished_at__gte=now - RECENT)


def _cell(day: date, counts: dict[str, int]) -> Cell:
    return Cell(day, counts.get(Status.SUCCESS, 0), counts.get(Status.FAILED, 0))


# -------------------------------------------------------------------- one run


@dataclass(frozen=True)
class Lines:
    """A run's own log and what happened to it, oldest first."""

    log: list[Event]
    history: list[Event]


MOST_LINES = 200


def lines_of(job: PipelineJob) -> Lines:
    from jobs.events import history_of

    events = history_of(job)
    log = list(events.filter(type="log").order_by("-id")[:MOST_LINES])[::-1]
    history = list(events.exclude(type="log").order_by("-id")[:MOST_LINES])[::-1]
    return Lines(log, history)


def about(job: PipelineJob) -> list[tuple[str, Any]]:
    """What the run was about, from the source down."""
    named = (("Source", job.source), ("Work", job.work), ("Edition", job.edition), ("Segment", job.segment))
    return [(name, row) for name, row in named if row is not None]
