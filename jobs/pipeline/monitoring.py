"""What operators ask of the pipeline: what runs, what failed, how long it takes, how often it is tried again.

The four queries of the requirement ("Monitoring & Debugging"), each of which reads a few hundred rows however many jobs
there are; then what has not run for too long.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db.models import Count, QuerySet
from django.utils import timezone

from jobs.pipeline import totals
from jobs.pipeline.pipeline_jobs import PipelineJob, Status
from jobs.pipeline.timetable import PipelineSchedule
from jobs.pipeline.totals import Sum

FAILED_SHOWN = 10
# A script that succeeded on so many of the last seven days is expected to go on.
REGULAR_DAYS = 3
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Statistic:
    """The finished runs of a script in one state."""

    job_type: str
    script: str
    status: str
    count: int
    average_seconds: float | None
    p95_seconds: float | None
    last_at: datetime | None

    @property
    def name(self) -> str:
        return self.script or self.job_type


@dataclass(frozen=True)
class Tries:
    """How many runs of a script are at, or ended at, one attempt."""

    job_type: str
    script: str
    attempt: int
    count: int

    @property
    def name(self) -> str:
        return self.script or self.job_type


@dataclass(frozen=True)
class Overdue:
    """A schedule, or a script that ran regularly, without a success for too long."""

    name: str
    last_at: datetime | None
    hours: float
    schedule: PipelineSchedule | None = None


def active() -> QuerySet[PipelineJob]:
    """What runs now, the latest first."""
    return PipelineJob.objects.filter(status=Status.RUNNING).order_by("-started_at")


def failed(limit: int = FAILED_SHOWN) -> QuerySet[PipelineJob]:
    """What failed last."""
    return PipelineJob.objects.filter(status=Status.FAILED).order_by("-finished_at")[:limit]


def statistics(job_type: str = "") -> list[Statistic]:
    """Finished runs per script and state: how many, how long on average, and p95 (to within five per cent)."""
    found: defaultdict[tuple[str, str, str], Sum] = defaultdict(Sum)
    for key, one in totals.all_sums(with_lengths=True).items():
        if job_type in ("", key.job_type):
            found[key.job_type, key.script, key.status].add(one)
    return [
        Statistic(*key, one.count, one.average_seconds, one.percentile(95), one.last_at)
        for key, one in sorted(found.items(), key=lambda item: (item[0][1], item[0][0], item[0][2]))
    ]


def retry_analysis(job_type: str = "") -> list[Tries]:
    """Runs per script and attempt, of what runs, succeeded or failed."""
    found: defaultdict[tuple[str, str, int], int] = defaultdict(int)
    for key, one in totals.all_sums().items():
        if key.status in (Status.SUCCESS, Status.FAILED):
            found[key.job_type, key.script, key.attempt] += one.count
    running = PipelineJob.objects.filter(status=Status.RUNNING).order_by()
    for kind, script, attempt, count in running.values_list("job_type", "script", "attempt").annotate(
        Count("pk")
    ):
        found[kind, script, attempt] += count
    return [
        Tries(*key, count)
        for key, count in sorted(found.items(), key=lambda item: (item[0][1], item[0][0], item[0][2]))
        if job_type in ("", key[0])
    ]


def counts() -> dict[str, int]:
    """Jobs by state, and their `total`; `held` are those queued that wait for others."""
    by_state = dict.fromkeys(Status.values, 0)
    for key, one in totals.all_sums().items():
        by_state[key.status] += one.count
    unfinished = PipelineJob.objects.filter(status__in=(Status.QUEUED, Status.RUNNING)).order_by()
    by_state |= dict(unfinished.values_list("status").annotate(Count("pk")))
    held = PipelineJob.objects.filter(status=Status.QUEUED, open_needs__gt=0).count()
    return {"total": sum(by_state.values()), **by_state, "held": held}


def grid(days: int, today: date) -> dict[tuple[str, str], dict[date, dict[str, int]]]:
    """Of each script (type, name): how many runs ended how on each of the last days."""
    found: defaultdict[tuple[str, str], defaultdict[date, dict[str, int]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for key, count in totals.all_days(today - timedelta(days=days - 1)).items():
        found[key.job_type, key.script][key.day][key.status] = count
    return {script: dict(by_day) for script, by_day in sorted(found.items())}


def overdue(now: datetime) -> list[Overdue]:
    """Schedules without a success for their own time, and regular scripts without one for a day and a bit."""
    scheduled = list(_overdue_schedules(now))
    known = {
        str(schedule.input.get("scriptType") or "") for schedule in PipelineSchedule.objects.only("input")
    }
    return scheduled + [late for late in _overdue_scripts(now) if late.name not in known]


def _overdue_schedules(now: datetime) -> Iterator[Overdue]:
    for schedule in PipelineSchedule.objects.filter(is_active=True):
        since = max(filter(None, (schedule.last_success_at, schedule.switched_on_at)), default=now)
        hours = (now - since) / timedelta(hours=1)
        if hours >= schedule.warn_after_hours:
            yield Overdue(schedule.name, schedule.last_success_at, hours, schedule)


def _overdue_scripts(now: datetime) -> Iterator[Overdue]:
    today = timezone.localdate(now)
    days: defaultdict[tuple[str, str], set[date]] = defaultdict(set)
    for key in totals.all_days(today - WEEK):
        if key.status == Status.SUCCESS:
            days[key.job_type, key.script].add(key.day)
    regular = {script for script, on in days.items() if len(on) >= REGULAR_DAYS}
    if not regular:
        return
    last: dict[tuple[str, str], datetime] = {}
    for total, one in totals.all_sums().items():
        script = (total.job_type, total.script)
        if script in regular and total.status == Status.SUCCESS and one.last_at:
            last[script] = max(one.last_at, last.get(script, one.last_at))
    for (job_type, name), at in sorted(last.items()):
        hours = (now - at) / timedelta(hours=1)
        if hours >= settings.PIPELINE_WARN_HOURS:
            yield Overdue(name or job_type, at, hours)
