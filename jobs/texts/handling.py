"""The handlers of `clean`, `summarize`, `entities` and `embed`: over the segments a job is about.

A job is about the segment, edition, work or source it is linked to (in a chain scrape → clean → embed each hands its
links on), or the `segmentIds` of its input. What is done already is skipped unless the input says `force`.
Output: `total`, `success`, `skipped`, `failed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Length
from django.utils import timezone

from jobs.errors import ErrorKind, JobError
from jobs.pipeline.pipeline_jobs import LINKS, PipelineJob
from jobs.pipeline.subjects import Segment
from jobs.pipeline.trackers import Tracker
from jobs.scraping.counting import Tally
from jobs.scraping.keeping import UNMADE
from jobs.texts import tools

# Read at once; a text may be of megabytes.
AT_ONCE = 50
# Of one edition at most so many are weighed against each other.
EMBEDDED_AT_ONCE = 2000
LONGEST_EMBEDDED = 200_000


class NoSubject(JobError):
    """The job does not say what it is about. Link it to a segment, an edition, a work or a source."""

    kind = ErrorKind.REJECTED
    permanent = True


def clean(job: PipelineJob, progress: Tracker) -> dict[str, Any]:
    """`content` → `clean_content`; what was made of the former one is forgotten."""

    def one(segment: Segment) -> dict[str, Any]:
        made = tools.cleaned(segment.content)
        same = made == segment.clean_content
        return {"clean_content": made, **({} if same else {**UNMADE, "clean_content": made})}

    return _each(job, progress, "content", Q(clean_content=""), one)


def summarize(job: PipelineJob, progress: Tracker) -> dict[str, Any]:
    """The cleaned text, else the content → `summary`."""
    return _each(job, progress, "", Q(summary=""), lambda each: {"summary": tools.summarized(text_of(each))})


def entities(job: PipelineJob, progress: Tracker) -> dict[str, Any]:
    """The cleaned text, else the content → `entities`; one in which none were found is looked at again."""
    return _each(
        job, progress, "", Q(entities=[]), lambda each: {"entities": tools.entities_in(text_of(each))}
    )


def embed(job: PipelineJob, progress: Tracker) -> dict[str, Any]:
    """The cleaned text, else the content → `embedding`; rarity of words is that within the edition."""
    segments = subjects_of(job)
    again = bool(job.input.get("force"))
    with_text = _with_text(segments)
    ids = with_text.order_by("edition_id", "season", "number").values_list("pk", "edition_id", "embedding")
    wanted: dict[UUID, list[UUID]] = {}
    count = done_before = 0
    for pk, edition_id, embedding in ids.iterator():
        count += 1
        done_before += embedding is not None and not again
        wanted.setdefault(edition_id, []).append(pk)
        # An edition with one new segment is weighed anew as a whole: rarity has changed for all of it.
    tally = Tally(progress, count, stage="embedding")
    if done_before == count:
        wanted = {}
        tally.skip(count)
    for batch in (
        some[at : at + EMBEDDED_AT_ONCE]
        for some in wanted.values()
        for at in range(0, len(some), EMBEDDED_AT_ONCE)
    ):
        rows = {row.pk: row for row in Segment.objects.filter(pk__in=batch).only("content", "clean_content")}
        kept = [pk for pk in batch if pk in rows]
        vectors = tools.embedded([text_of(rows[pk])[:LONGEST_EMBEDDED] for pk in kept])
        for pk, vector in zip(kept, vectors, strict=True):
            with tally.one(pk):
                Segment.objects.filter(pk=pk).update(embedding=vector, updated_at=timezone.now())
    tally.close()
    return progress.output


def text_of(segment: Segment) -> str:
    return segment.clean_content or segment.content


def subjects_of(job: PipelineJob) -> QuerySet[Segment]:
    """The segments the job is about. Raises NoSubject."""
    ids = job.input.get("segmentIds")
    if isinstance(ids, list):
        try:
            return Segment.objects.filter(pk__in=[UUID(str(each)) for each in ids])
        except ValueError as exc:
            raise NoSubject("“segmentIds” must hold ids of segments.") from exc
    links = links_of(job)
    if not links:
        raise NoSubject
    if "segment_id" in links:
        return Segment.objects.filter(pk=links["segment_id"])
    if "edition_id" in links:
        return Segment.objects.filter(edition=links["edition_id"])
    if "work_id" in links:
        return Segment.objects.filter(edition__work=links["work_id"])
    return Segment.objects.filter(edition__work__source=links["source_id"])


def links_of(job: PipelineJob) -> dict[str, Any]:
    found = {f"{link}_id": getattr(job, f"{link}_id") for link in LINKS}
    return {name: value for name, value in found.items() if value is not None}


def _each(
    job: PipelineJob,
    progress: Tracker,
    needed: str,
    undone: Q,
    make: Callable[[Segment], dict[str, Any]],
) -> dict[str, Any]:
    """Make columns of every segment with a text, those that are `undone`, or all when forced."""
    segments = subjects_of(job)
    with_text = segments.exclude(content="") if needed else _with_text(segments)
    todo = with_text if job.input.get("force") else with_text.filter(undone)
    ids = list(todo.order_by("edition_id", "season", "number").values_list("pk", flat=True))
    tally = Tally(progress, with_text.count(), stage=job.job_type)
    tally.skip(max(0, tally.total - len(ids)))
    for segment in _read(ids):
        with tally.one(segment):
            # Only while it is the text that was read; one fetched meanwhile is another run's.
            same = Segment.objects.filter(pk=segment.pk, updated_at=segment.updated_at)
            same.update(**make(segment), updated_at=timezone.now())
    tally.close()
    return progress.output


def _with_text(segments: QuerySet[Segment]) -> QuerySet[Segment]:
    return segments.alias(size=Length("content") + Length("clean_content")).filter(size__gt=0)


def _read(ids: Iterable[UUID]) -> Iterator[Segment]:
    wanted = list(ids)
    for at in range(0, len(wanted), AT_ONCE):
        some = Segment.objects.filter(pk__in=wanted[at : at + AT_ONCE]).defer("embedding")
        yield from some.order_by("edition_id", "season", "number")
