"""What one thing on the uploads page shows: a destination, an episode under way, a series, a square."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from jobs.errors import ErrorKind
from schedules.upload_schedules import OPEN, HourlyQueue, ScheduledUpload, Status, UploadSchedule
from uploader import ledger
from uploader.destinations import Destination
from uploader.standing import Health

# A forecast so close to the plan is not worth a second time on the page.
CLOSE = timedelta(minutes=1)

SYMBOLS = {
    Status.PENDING: "",
    Status.UPLOADING: "↑",
    Status.COMPLETED: "✓",
    Status.FAILED: "!",
    Status.SKIPPED: "×",
}
STAGES = {
    "uploading": "Uploading",
    "creating": "Creating the video",
    "encoding": "Encoding at the platform",
    "checking": "Checking what arrived",
}


@dataclass(frozen=True)
class Tile:
    status: str
    label: str
    count: int
    is_chosen: bool


@dataclass(frozen=True)
class Meter:
    """One allowance of the last 24 hours: what is used, of how much."""

    label: str
    used: str
    limit: str
    percent: int

    @property
    def is_full(self) -> bool:
        return self.percent >= 100


@dataclass(frozen=True)
class DestinationCard:
    destination: Destination
    # working | untested | paused | held | credentials | failing | off
    state: str
    word: str
    reason: str
    until: datetime | None
    meters: list[Meter]
    queue: HourlyQueue | None
    waiting: int
    notes: list[str]

    @property
    def can_resume(self) -> bool:
        return self.state in ("paused", "held")


@dataclass(frozen=True)
class Running:
    """An episode that was begun and is not finished."""

    row: ScheduledUpload
    stage: str
    waits_until: datetime | None
    reason: str

    @property
    def seconds_left(self) -> float | None:
        job = self.row.job
        return job.seconds_left if job is not None and job.stage == "uploading" else None


@dataclass(frozen=True)
class Coming:
    row: ScheduledUpload
    # When it will really go; None where that is as planned.
    expected: datetime | None
    waits_for: str


@dataclass(frozen=True)
class Square:
    id: int
    number: str
    status: str
    symbol: str
    label: str
    # Written here rather than by template filters: a page has hundreds of them.
    iso: str
    when: str
    is_in_flight: bool


@dataclass
class SeriesCard:
    schedule: UploadSchedule
    counts: dict[str, int]
    first_open: int | None
    planned_end: datetime | None
    finished_at: datetime | None
    end: datetime | None = None
    squares: list[Square] = field(default_factory=list)
    # Episodes left out before and after the squares; is_cut: there is more to show.
    before: int = 0
    after: int = 0
    is_cut: bool = False
    is_first: bool = False
    is_last: bool = False
    is_begun: bool = False

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        return self.counts.get(Status.COMPLETED, 0)

    @property
    def removable(self) -> int:
        return self.counts.get(Status.PENDING, 0) + self.counts.get(Status.FAILED, 0)

    @property
    def is_open(self) -> bool:
        return any(self.counts.get(status, 0) for status in OPEN)

    @property
    def is_later_than_planned(self) -> bool:
        return bool(self.end and self.planned_end and self.end - self.planned_end > CLOSE)

    @property
    def segments(self) -> list[tuple[str, str, int]]:
        """(status, label, count) of what there is, in the order of a life."""
        order = (Status.COMPLETED, Status.UPLOADING, Status.FAILED, Status.SKIPPED, Status.PENDING)
        return [
            (status.value, str(status.label).lower(), self.counts[status])
            for status in order
            if self.counts.get(status)
        ]

    @property
    def bands(self) -> list[tuple[str, int, int]]:
        """(status, where it begins, how many): the same as lengths of a bar `total` long."""
        found, x = [], 0
        for status, _, count in self.segments:
            found.append((status, x, count))
            x += count
        return found


@dataclass(frozen=True)
class Line:
    """The series of one destination, in the order of its line."""

    destination: Destination
    cards: list[SeriesCard]
    # The first series that is not shown; what is dropped at the end goes before it.
    behind: int | None = None


def square(
    pk: int,
    season: int | None,
    number: int,
    status: str,
    scheduled_at: datetime | None,
    completed_at: datetime | None,
    is_in_flight: bool,
) -> Square:
    name = f"{season}·{number}" if season and season > 1 else str(number)
    at = completed_at or scheduled_at
    local = timezone.localtime(at) if at else None
    return Square(
        id=pk,
        number=name,
        status=status,
        symbol=SYMBOLS[Status(status)],
        label=str(Status(status).label).lower(),
        iso=local.isoformat() if local else "",
        when=f"{local:%a} {local.day} {local:%b %H:%M %Z}" if local else "",
        is_in_flight=is_in_flight,
    )


def state_of(destination: Destination, now: datetime) -> tuple[str, str, str, datetime | None]:
    """(state, its word, reason, until) of a destination."""
    if not destination.is_active:
        return "off", "Switched off", "Nothing new starts. Switch it on in the admin.", None
    if destination.is_paused(now):
        by = f" by {destination.paused_by}" if destination.paused_by else ""
        return "paused", f"Paused{by}", destination.paused_reason, destination.paused_until
    if destination.is_held(now):
        if destination.held_kind == ErrorKind.CREDENTIALS:
            return "credentials", "Credentials rejected", destination.held_reason, destination.held_until
        word = str(ErrorKind(destination.held_kind).label) if destination.held_kind else "Held"
        return "held", word, destination.held_reason, destination.held_until
    if destination.health == Health.FAILING:
        return "failing", "Failing", destination.health_message, None
    if destination.health == Health.UNKNOWN:
        return "untested", "Not tested yet", "", None
    return "working", "Working", "", None


def meters(destination: Destination, used: dict[str, Any]) -> list[Meter]:
    """The allowance of 24 hours: videos, hours, GB; without a limit the use alone."""
    limits = ledger.Limits.of(destination)
    return [
        meter("videos", used.get("count") or 0, limits.count, 1, 0),
        meter("hours", used.get("seconds") or 0, limits.seconds, 3600, 1),
        meter("GB", used.get("bytes") or 0, limits.bytes, 1e9, 1),
    ]


def meter(label: str, used: float, limit: float | None, unit: float, digits: int) -> Meter:
    shown = "" if limit is None else f"{limit / unit:g}"
    return Meter(label, f"{used / unit:.{digits}f}", shown, percent(used, limit))


def percent(used: float, limit: float | None) -> int:
    return 0 if not limit else min(100, round(used * 100 / limit))


def fate_of(row: ScheduledUpload, now: datetime) -> Running:
    """What an episode in flight is doing, in words."""
    job = row.job
    if job is None:
        return Running(row, "Waiting for a worker", None, "")
    if job.cancel_requested_at:
        return Running(row, "Stopping", None, "")
    waits_until = job.not_before_at if job.not_before_at > now else None
    if job.is_waiting and row.status == Status.FAILED:
        return Running(row, "Tries again", waits_until, row.error_message)
    if job.is_waiting and row.status == Status.PENDING:
        return Running(row, "Held", waits_until, row.error_message)
    if job.is_waiting and waits_until is None:
        return Running(row, "Waiting for a worker", None, "")
    return Running(row, STAGES.get(job.stage, "Starting"), waits_until if job.is_waiting else None, "")
