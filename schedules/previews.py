"""What scheduling a series would do, shown before it is done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count

from schedules import forecast, scheduling
from uploader import ledger, metadata
from uploader.catalog import Episode, Series, unready
from uploader.destinations import Destination

FOUND = 8
SAMPLES = 3
REASONS = 8


@dataclass
class Preview:
    """One series and one destination: what would go there, and what stands in the way."""

    series: Series
    destination: Destination
    total: int
    episodes: list[Episode]
    missing: list[tuple[Episode, str]] = field(default_factory=list)
    samples: list[tuple[Episode, str, str]] = field(default_factory=list)
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def there(self) -> int:
        """Episodes that stand in the line or were delivered already."""
        return self.total - len(self.episodes)

    @property
    def refusal(self) -> str:
        """Why the series cannot be scheduled; empty: it can."""
        if not self.total:
            return f"{self.series} has no episodes yet. Import them, then schedule the series."
        if not self.episodes:
            return (
                f"All {self.total} episodes of {self.series} are already scheduled or uploaded "
                f"to {self.destination}."
            )
        if self.missing:
            verb = "episode is" if len(self.missing) == 1 else "episodes are"
            return f"{len(self.missing)} of {len(self.episodes)} {verb} not ready. Nothing is scheduled until all are."
        return ""

    @property
    def causes(self) -> list[str]:
        """What is not ready; a cause that many episodes share is said once."""
        shared: dict[str, list[str]] = defaultdict(list)
        for _, sentence in self.missing:
            subject, _, cause = sentence.partition(": ")
            shared[cause or subject].append(sentence)
        return [
            found[0] if len(found) == 1 else f"{len(found)} episodes: {cause}"
            for cause, found in shared.items()
        ]

    @property
    def reasons(self) -> list[str]:
        return self.causes[:REASONS]

    @property
    def more_reasons(self) -> int:
        return max(0, len(self.causes) - REASONS)

    @property
    def is_later_than_planned(self) -> bool:
        if not (self.starts_at and self.ends_at):
            return False
        return self.ends_at > self.starts_at + self.destination.interval * len(self.episodes)


def preview(series: Series, destination: Destination, *, now: datetime) -> Preview:
    """What `scheduling.schedule_series` would do now. Looks at the files, schedules nothing."""
    episodes = list(
        series.episodes.select_related("series", "season").order_by("season__number", "index_sequence")
    )
    wanted = scheduling.without_delivered(episodes, destination)
    found = Preview(series, destination, len(episodes), wanted, missing=unready(wanted, now=now))
    found.samples = [
        (
            episode,
            metadata.render(destination.title_template, episode, limit=metadata.TITLE_LIMIT),
            metadata.render(destination.description_template, episode, limit=metadata.DESCRIPTION_LIMIT),
        )
        for episode in wanted[:SAMPLES]
    ]
    if wanted and not found.missing:
        first = forecast.first_hour_of_more(destination, now=now)
        sizes = [ledger.Size(1, e.duration_seconds or 0, e.size_bytes or 0) for e in wanted]
        expected = forecast.with_more(destination, sizes, first, now=now)
        found.starts_at, found.ends_at = expected.expected.get(-1), expected.ends.get(-1)
        found.notes = expected.notes
    return found


def search(text: str) -> Sequence[Series]:
    """Series by their id or a part of the title, each with `episode_count`."""
    rows = Series.objects.annotate(episode_count=Count("episodes"))
    is_number = text.isascii() and text.isdigit() and len(text) < 19
    if is_number and (exact := list(rows.filter(pk=int(text)))):
        return exact
    return list(rows.filter(title__icontains=text).order_by("title")[:FOUND]) if text else []
