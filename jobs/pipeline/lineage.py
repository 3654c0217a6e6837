"""What else a run has to do with: its segments; and what the apps above tell, which know of episodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse

from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.subjects import Segment


class Relation(NamedTuple):
    """A thing beside a run: "Episode", "Harbour · 7", and where its page is."""

    kind: str
    text: str
    url: str


Telling = Callable[[PipelineJob], Iterable[Relation]]
_tellings: list[Telling] = []


def register(telling: Telling) -> None:
    """Have `telling(job)` asked for what else the run has to do with; it should read few rows."""
    _tellings.append(telling)


def of(job: PipelineJob) -> list[Relation]:
    """All of them; those of one kind stand together."""
    return [relation for telling in (_segments, *_tellings) for relation in telling(job)]


def segments_of(job: PipelineJob) -> QuerySet[Segment]:
    """The segments a run is about: its own, those its input names, all of its edition, or all of its work."""
    if job.segment_id:
        return Segment.objects.filter(pk=job.segment_id)
    if named := _ids(job.input.get("segmentIds")):
        return Segment.objects.filter(pk__in=named)
    if job.edition_id:
        return Segment.objects.filter(edition=job.edition_id)
    if job.work_id:
        return Segment.objects.filter(edition__work=job.work_id)
    return Segment.objects.none()


def _ids(said: object) -> list[UUID]:
    """What of a list are ids; an input may hold anything."""
    found = []
    for each in said if isinstance(said, list) else ():
        try:
            found.append(UUID(str(each)))
        except ValueError:
            continue
    return found


def _segments(job: PipelineJob) -> Iterator[Relation]:
    """How many there are, beside the one that a run is linked to itself."""
    if job.segment_id or not (count := segments_of(job).count()):
        return
    chosen = (
        f"edition__id__exact={job.edition_id}"
        if job.edition_id
        else f"edition__work__id__exact={job.work_id}"
    )
    url = reverse("admin:jobs_segment_changelist")
    about_one = job.edition_id or job.work_id
    yield Relation(
        "Segments", f"{count:,} segment{'s' if count != 1 else ''}", f"{url}?{chosen}" if about_one else url
    )
