"""What the jobs of a kind came to over time: rates, durations, backlog and throughput, as bars and as a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import add

from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs import tallies, throughput
from jobs.staff_pages import spoken_length
from jobs.throughput import HOUR, Done, hour_of
from uploader.manager.kinds import UPLOAD, Kind

# What the address may ask for: so many bars of so many hours.
SPANS = {"24h": (24, 1), "7d": (28, 6), "30d": (30, 24)}
SPAN_NAMES = {"24h": "24 hours", "7d": "7 days", "30d": "30 days"}


@dataclass(frozen=True)
class Bar:
    label: str  # when
    text: str  # how much
    height: float  # 0–100


@dataclass(frozen=True)
class Chart:
    """One quantity over the span: what it is over all of it, and a bar for each part."""

    name: str
    total: str
    hint: str
    tone: str
    bars: list[Bar]

    @property
    def svg(self) -> SafeString:
        """The bars as one picture: a template would take longer for them than for the rest of the page."""
        drawn = format_html_join(
            "",
            '<g><title>{}: {}</title><rect class="sc-ground" x="{}" width="10" height="100"/>'
            '<rect class="sc-level" x="{}" y="{}" width="10" height="{}"/></g>',
            (
                (bar.label, bar.text, place * 12, place * 12, round(100 - bar.height, 1), bar.height)
                for place, bar in enumerate(self.bars)
            ),
        )
        width = max(len(self.bars) * 12 - 2, 1)
        return format_html('<svg viewBox="0 0 {} 100" preserveAspectRatio="none">{}</svg>', width, drawn)


@dataclass(frozen=True)
class Part:
    """One bar's stretch of time, and what it came to."""

    begins: datetime
    label: str
    done: Done
    backlog: int


class Charts:
    """Every chart of a kind, from two reads."""

    def __init__(self, kind: Kind, span: str, *, now: datetime) -> None:
        self.kind = kind
        self.span = span if span in SPANS else "24h"
        self.parts = self._read(now)
        self.whole = reduce(add, (part.done for part in self.parts), Done())

    def _read(self, now: datetime) -> list[Part]:
        count, hours = SPANS[self.span]
        first = hour_of(now) - HOUR * (count * hours - 1)
        begins = [first + HOUR * hours * place for place in range(count)]
        found = throughput.by_stretch(self.kind.model, first, hours=hours)
        backlog = tallies.unfinished_by_stretch(self.kind.model, first, hours=hours, count=count)
        return [
            Part(begin, label_of(begin, hours), found.get(begin, Done()), waiting)
            for begin, waiting in zip(begins, backlog, strict=True)
        ]

    @property
    def is_empty(self) -> bool:
        return not self.whole.ended and not any(part.backlog for part in self.parts)

    @property
    def charts(self) -> list[Chart]:
        whole = self.whole
        ended = f"{whole.completed:,} of {whole.ended:,} ended well"
        took = length(whole.average_seconds)
        moved = speed(self.kind, whole)
        of = self.kind.many
        return [
            Chart("Throughput", f"{whole.completed:,}", f"{of} completed", "good",
                  self.bars(lambda each: each.done.completed, lambda each: f"{each.done.completed:,}")),
            Chart("Completion rate", percent(whole.completion_rate), ended, "good",
                  self.bars(lambda each: each.done.completion_rate, completion, top=1.0)),
            Chart("Failure rate", percent(whole.failure_rate), f"{whole.failed:,} failed", "bad",
                  self.bars(lambda each: each.done.failure_rate, failure, top=1.0)),
            Chart("Average duration", took, "from claim to completion", "busy",
                  self.bars(lambda each: each.done.average_seconds, duration)),
            Chart("Speed", moved, "of completed ones, on average", "good",
                  self.bars(lambda each: each.done.amount_per_second, lambda each: speed(self.kind, each.done))),
            Chart("Backlog", f"{self.parts[-1].backlog:,}", "waiting or active now", "warn",
                  self.bars(lambda each: each.backlog, lambda each: f"{each.backlog:,}")),
        ]  # fmt: skip

    def bars(
        self,
        value: Callable[[Part], float | None],
        text: Callable[[Part], str],
        *,
        top: float | None = None,
    ) -> list[Bar]:
        values = [value(part) for part in self.parts]
        highest = top or max((each or 0 for each in values), default=0) or 1
        return [
            Bar(part.label, text(part), round(100 * (each or 0) / highest, 1))
            for part, each in zip(self.parts, values, strict=True)
        ]

    @property
    def rows(self) -> list[tuple[datetime, list[str]]]:
        """The same as a table, from when on, the latest first; what came to nothing is left out."""
        return [
            (
                part.begins,
                [
                    f"{part.done.completed:,}", f"{part.done.failed:,}", f"{part.done.cancelled:,}",
                    percent(part.done.completion_rate), length(part.done.average_seconds),
                    speed(self.kind, part.done), f"{part.backlog:,}",
                ],
            )
            for part in reversed(self.parts)
            if part.done != Done() or part.backlog
        ]  # fmt: skip

    @property
    def spans(self) -> list[tuple[str, str, bool]]:
        return [(span, name, span == self.span) for span, name in SPAN_NAMES.items()]


def completion(part: Part) -> str:
    return percent(part.done.completion_rate)


def failure(part: Part) -> str:
    return percent(part.done.failure_rate)


def duration(part: Part) -> str:
    return length(part.done.average_seconds)


def label_of(begin: datetime, hours: int) -> str:
    local = timezone.localtime(begin)
    if hours == 1:
        return f"{local:%a %H:%M %Z}"
    if hours == 24:
        return f"{local:%d %b %H:%M}–{timezone.localtime(begin + timedelta(hours=24)):%d %b %Z}"
    return f"{local:%a %d %b %H:%M %Z}"


def percent(rate: float | None) -> str:
    return "–" if rate is None else f"{100 * rate:.0f} %" if rate in (0, 1) else f"{100 * rate:.1f} %"


def length(seconds: float | None) -> str:
    return "–" if seconds is None else spoken_length(seconds)


def speed(kind: Kind, done: Done) -> str:
    """Bytes a second of uploads; of transcodings how much film a second of work makes."""
    rate = done.amount_per_second
    if not rate:
        return "–"
    return f"{filesizeformat(rate)}/s" if kind is UPLOAD else f"{rate:.1f} × real time"
