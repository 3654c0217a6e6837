"""What scripts found, into works, editions and segments: again and again without doubles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, TypeVar

from django.db import IntegrityError, models, transaction
from django.utils import timezone

from jobs.pipeline.plain import plain, text
from jobs.pipeline.subjects import Edition, Segment, Source, Work

M = TypeVar("M", bound=models.Model)

LARGEST_NUMBER = Decimal("9999999.99")
# What is made of a text, when it becomes another.
UNMADE: dict[str, Any] = {"clean_content": "", "summary": "", "entities": [], "embedding": None}
# What one bulk statement carries at most; texts may be long.
AT_ONCE = 200


@dataclass(frozen=True, kw_only=True)
class Found:
    """A segment as a source tells of it."""

    number: Decimal
    season: int = 0
    title: str = ""
    url: str = ""
    external_id: str = ""
    language: str = ""
    content: str = ""
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Nothing is told of it."""
        return not (self.title or self.url or self.external_id or self.content)

    def columns(self) -> dict[str, Any]:
        """What is known of it, as the columns take it."""
        told = {
            "title": text(self.title, 499).strip(),
            # Whatever a page calls a link: only what may stand in one of ours.
            "url": self.url if self.url.startswith(("http://", "https://")) and len(self.url) <= 1000 else "",
            "external_id": text(self.external_id, 254),
            "language": self.language[:35],
        }
        columns: dict[str, Any] = {name: value for name, value in told.items() if value}
        if self.content:
            columns["content"] = text(self.content, 5_000_000)
        if self.data:
            columns["data"] = plain(self.data)
        return columns


class Kept(NamedTuple):
    inserted: int
    updated: int
    unchanged: int


def number_of(said: str) -> Decimal | None:
    """12, 12.5 of "12", "12.5", "0012", "12,5"; None for what is no number a segment may have."""
    try:
        number = Decimal(said.strip().replace(",", ".")).quantize(Decimal("0.01"))
    except (InvalidOperation, ValueError):
        return None
    return number if number.is_finite() and 0 <= number <= LARGEST_NUMBER else None


def keep_work(source: Source, *, external_id: str, title: str, **columns: Any) -> Work:
    """The work that the source calls `external_id`, made or brought up to date; what is not told stays."""
    known = _once(Work, {"source": source, "external_id": external_id[:255]}, {"title": text(title, 499)})
    return _told(known, {"title": text(title, 499), **columns})


def keep_edition(work: Work, source: Source | None, *, external_id: str, **columns: Any) -> Edition:
    """The edition of the work that the source calls `external_id`, made or brought up to date."""
    known = _once(Edition, {"work": work, "source": source, "external_id": external_id[:255]}, {})
    return _told(known, columns)


def keep_segments(edition: Edition, found: Iterable[Found]) -> Kept:
    """Insert what is new and update what changed, all or nothing; nothing is ever taken away.

    Whoever keeps segments of the same edition at the same time waits.
    """
    wanted = {(each.season, each.number): each for each in found}
    now = timezone.now()
    with transaction.atomic():
        Edition.objects.select_for_update().get(pk=edition.pk)
        # A list of thousands of chapters is compared without reading their texts.
        unread = () if any(each.content for each in wanted.values()) else ("content",)
        rows = edition.segments.defer("clean_content", "summary", "entities", "embedding", *unread)
        known = {(row.season, row.number): row for row in rows}
        new, changed, remade = [], [], []
        written = {"fetched_at", "updated_at"}
        for place, each in wanted.items():
            columns = each.columns()
            row = known.get(place)
            if row is None:
                row = Segment(edition=edition, season=each.season, number=each.number, **columns)
                row.fetched_at = now if each.content else None
                new.append(row)
            elif differing := {name for name, value in columns.items() if getattr(row, name) != value}:
                for name in differing:
                    setattr(row, name, columns[name])
                written |= differing
                if "content" in differing:
                    row.fetched_at = now
                    remade.append(row.pk)
                row.updated_at = now
                changed.append(row)
        Segment.objects.bulk_create(new, batch_size=AT_ONCE)
        Segment.objects.bulk_update(changed, sorted(written), batch_size=AT_ONCE)
        for at in range(0, len(remade), AT_ONCE):
            Segment.objects.filter(pk__in=remade[at : at + AT_ONCE]).update(**UNMADE)
    return Kept(len(new), len(changed), len(wanted) - len(new) - len(changed))


def _once(model: type[M], key: dict[str, Any], more: dict[str, Any]) -> M:
    """The row of the key; made when there is none, by whoever is first."""
    rows = model._default_manager.filter(**key).order_by("pk")
    if found := rows.first():
        return found
    try:
        with transaction.atomic():
            return model._default_manager.create(**key, **more)
    except IntegrityError:
        found = rows.first()
        if found is None:
            raise
        return found


def _told(row: M, columns: dict[str, Any]) -> M:
    """Write what is told and differs."""
    changed = []
    for name, value in columns.items():
        if isinstance(value, str):
            limit = row._meta.get_field(name).max_length  # type: ignore[union-attr]
            value = text(value, 100_000).strip()[:limit]
        elif isinstance(value, dict):
            value = {**getattr(row, name), **plain(value)}
        if value and getattr(row, name) != value:
            setattr(row, name, value)
            changed.append(name)
    if changed:
        row.save(update_fields=[*changed, "updated_at"])
    return row
