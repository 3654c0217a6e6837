"""What the jobs page shows, read with a fixed number of queries, each of which stays quick among a million rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Count, Max, Min, Q
from django.http import QueryDict

from jobs import health, tallies
from jobs.errors import ErrorKind
from jobs.events import Event
from jobs.lifecycle import Status
from jobs.pages import whole
from jobs.workers import alive
from uploader.destinations import Destination
from uploader.manager import many
from uploader.manager.cards import Card, Sending
from uploader.manager.charts import Charts
from uploader.manager.kinds import KINDS, UPLOAD, Kind
from uploader.manager.wanted import CONTENT, RESOURCES, Wanted
from uploader.upload_jobs import PACKAGE_TYPES, UploadJob, UploadType

PAGE = 15
# Matching jobs are counted no further.
COUNTED = 2_000
CAUSES = 8
# The labels of a ladder.
LABELS = ("UHD", "FHD", "HD", "SD")
# From which states a job can be taken by each verb.
TAKES: dict[str, tuple[str, ...]] = {
    "retry": (Status.FAILED, Status.CANCELLED),
    "cancel": (Status.WAITING, Status.ACTIVE),
    "cleanup": (Status.FAILED, Status.CANCELLED),
    "sync": (Status.WAITING, Status.ACTIVE),
    "delete": (Status.COMPLETED, Status.FAILED, Status.CANCELLED),
    "handle": (Status.FAILED,),
}


@dataclass(frozen=True)
class Tile:
    status: str
    label: str
    count: int
    is_chosen: bool
    query: str


@dataclass(frozen=True)
class Cause:
    """Failures with a common cause that still need somebody."""

    cause: str
    count: int
    first: Any
    last: Any
    example: Any

    @property
    def key(self) -> str:
        return self.cause


@dataclass(frozen=True)
class Amount:
    """How many jobs a button would be about; `is_capped`: more than were counted."""

    count: int
    is_capped: bool = False

    def __str__(self) -> str:
        return f"{self.count:,}+" if self.is_capped else f"{self.count:,}"

    def __bool__(self) -> bool:
        return self.count > 0


class JobsBoard:
    """Everything the page may show at `now`; each part is read when it is first asked for."""

    def __init__(self, query: QueryDict, *, now: datetime) -> None:
        self.now = now
        self.kind: Kind = KINDS.get(query.get("kind", ""), UPLOAD)
        self.wanted = Wanted.forgiving({name: query.get(name, "") for name in query}, kind=self.kind)
        self.before = whole(query.get("before", ""))
        self.span = query.get("span", "24h")
        # Read first: whatever changes after this is told by the live stream.
        self.position = Event.objects.aggregate(newest=Max("id"))["newest"] or 0

    # ---------------------------------------------------------------- states

    @cached_property
    def counts(self) -> dict[str, int]:
        return tallies.counts(self.kind.model)

    @property
    def tiles(self) -> list[Tile]:
        chosen = self.wanted.status
        states = [("", "Total"), *Status.choices]
        return [
            Tile(
                state, str(label), self.counts[state or "total"], chosen == state,
                self.query(status=state),
            )
            for state, label in states
        ]  # fmt: skip

    @property
    def kinds(self) -> list[tuple[Kind, bool, int]]:
        return [(kind, kind is self.kind, self.unfinished_of(kind)) for kind in KINDS.values()]

    def unfinished_of(self, kind: Kind) -> int:
        counts = self.counts if kind is self.kind else tallies.counts(kind.model)
        return counts[Status.WAITING] + counts[Status.ACTIVE]

    def query(self, **changes: str) -> str:
        """This page's address with other filters; always from its first page on."""
        rest = self.wanted.query(**changes)
        return f"kind={self.kind.name}{'&' if rest else ''}{rest}"

    @cached_property
    def is_ticking(self) -> bool:
        return health.is_ticking(self.now)

    @cached_property
    def is_working(self) -> bool:
        return self.is_ticking and alive(self.now).filter(lane=self.kind.model.lane).exists()

    # ---------------------------------------------------------------- the list

    @cached_property
    def _page(self) -> list[Any]:
        rows = self.wanted.older(self.wanted.find(self.kind), self.before)
        return list(rows.select_related(*self.kind.related)[: PAGE + 1])

    @cached_property
    def cards(self) -> list[Card]:
        jobs = self._page[:PAGE]
        sendings = sendings_of(jobs) if self.kind is not UPLOAD else {}
        return [Card(self.kind, job, sendings.get(job.pk, Sending())) for job in jobs]

    @property
    def next(self) -> int:
        """The last job of this page, when older ones follow."""
        return self._page[PAGE - 1].pk if len(self._page) > PAGE else 0

    @cached_property
    def matching_by_state(self) -> tuple[Counter[str], bool]:
        """How many match, by state, and whether they are more than were counted."""
        if self.wanted.is_only_status:
            states = [self.wanted.status] if self.wanted.status else list(Status.values)
            return Counter({state: self.counts[state] for state in states}), False
        found = self.wanted.find(self.kind).order_by().values_list("status", flat=True)[: COUNTED + 1]
        counted = Counter(found)
        return counted, counted.total() > COUNTED

    @property
    def matching(self) -> Amount:
        counted, is_capped = self.matching_by_state
        return Amount(min(counted.total(), COUNTED) if is_capped else counted.total(), is_capped)

    @property
    def choices(self) -> list[tuple[str, Amount]]:
        """What may be done to all that match, and to how many of them."""
        counted, is_capped = self.matching_by_state
        return [
            (verb, Amount(min(sum(counted[state] for state in states), COUNTED), is_capped))
            for verb, states in TAKES.items()
        ]

    @property
    def amounts(self) -> dict[str, Amount]:
        return dict(self.choices)

    @property
    def most_at_once(self) -> int:
        return many.MOST_AT_ONCE

    # ---------------------------------------------------------------- filters

    @cached_property
    def destinations(self) -> list[Destination]:
        return list(Destination.objects.order_by("name"))

    @property
    def filters(self) -> list[dict[str, Any]]:
        """The fields of the filter form: name, label, choices, the chosen one."""
        fields: list[tuple[str, str, list[tuple[str, Any]]]] = [
            ("status", "State", list(Status.choices)),
            ("type", "Resource", list(RESOURCES.items())),
        ]
        if self.kind is UPLOAD:
            fields += [
                ("upload", "Upload type", list(UploadType.choices)),
                ("content", "Content", [(name, name.capitalize()) for name in CONTENT]),
                ("label", "Label", [(label, label) for label in LABELS]),
                ("destination", "Destination", [(each.name, str(each)) for each in self.destinations]),
            ]
        fields.append(("error", "Error", list(ErrorKind.choices)))
        return [
            {"name": name, "label": label, "choices": choices, "chosen": getattr(self.wanted, name)}
            for name, label, choices in fields
        ]

    # ---------------------------------------------------------------- failures

    @cached_property
    def causes(self) -> list[Cause]:
        """Failures that need somebody, the most common cause first."""
        model = self.kind.model
        groups = list(
            model._default_manager.untended()
            .order_by()
            .values("cause")
            .annotate(count=Count("pk"), newest=Max("pk"), oldest=Min("pk"))
            .order_by("-count", "-newest")[:CAUSES]
        )
        wanted = {pk for group in groups for pk in (group["newest"], group["oldest"])}
        jobs = model._default_manager.select_related(*self.kind.related).in_bulk(wanted)
        return [
            Cause(
                cause=group["cause"],
                count=group["count"],
                first=jobs[group["oldest"]].finished_at,
                last=jobs[group["newest"]].finished_at,
                example=jobs[group["newest"]],
            )
            for group in groups
            if group["newest"] in jobs and group["oldest"] in jobs
        ]

    @property
    def untended(self) -> int:
        return sum(cause.count for cause in self.causes)

    # ---------------------------------------------------------------- charts

    @cached_property
    def charts(self) -> Charts:
        return Charts(self.kind, self.span, now=self.now)


def sendings_of(jobs: list[Any]) -> dict[int, Sending]:
    """The uploads of each transcoding's package, counted together; one query for all of them."""
    roots = {str(root): job.pk for job in jobs if (root := job.package_root)}
    if not roots:
        return {}
    videos = Q(film__in={job.film_id for job in jobs if job.film_id}) | Q(
        episode__in={job.episode_id for job in jobs if job.episode_id}
    )
    rows = UploadJob.objects.filter(videos, upload_type__in=PACKAGE_TYPES)
    by_root: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)
    for root, status, progress in rows.values_list("details__root", "status", "progress"):
        if root in roots:
            by_root[roots[root]].append((status, progress))
    return {
        job_id: Sending(
            total=len(found),
            done=sum(status == Status.COMPLETED for status, _ in found),
            failed=sum(status == Status.FAILED for status, _ in found),
            percent=sum(progress for _, progress in found) // len(found),
        )
        for job_id, found in by_root.items()
    }
