"""The handlers over texts: alone and in a chain, with the built-in tools and with one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from django.utils import timezone

from jobs import runner
from jobs.errors import JobError
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.starting import chain, start
from jobs.pipeline.subjects import Edition, Segment, Work
from jobs.scraping.keeping import Found, keep_segments

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unseen")]

TEXTS = [
    "The harbour lay in fog.\u200b  Mira Solberg waited. The pilot was late. A bell rang twice in the harbour.",
    "Mira Solberg saw the ship. The ship was grey. It came from Bergen in 1923.",
    "Bread is made of flour. Flour is made of wheat. Wheat grows in June.",
]


@pytest.fixture
def edition() -> Edition:
    edition = Edition.objects.create(work=Work.objects.create(title="Harbour"))
    keep_segments(edition, [Found(number=n, content=text) for n, text in enumerate(TEXTS, 1)])  # type: ignore[arg-type]
    Segment.objects.create(edition=edition, number=4, title="without a text")
    return edition


def done(job_type: str, given: dict[str, Any] | None = None, **links: Any) -> PipelineJob:
    job = start(job_type, given or {}, who="test", now=timezone.now(), max_attempts=1, **links)
    run_all()
    job.refresh_from_db()
    return job


def run_all() -> None:
    while runner.run_batch(PipelineJob):
        pass


def first(edition: Edition) -> Segment:
    return edition.segments.get(number=1)


COUNTS = {"total": 3, "success": 3, "skipped": 0, "failed": 0}


@pytest.mark.parametrize(
    ("job_type", "column"),
    [
        ("clean", "clean_content"),
        ("summarize", "summary"),
        ("entities", "entities"),
        ("embed", "embedding"),
    ],
)
def test_each_handler_fills_its_column_once(edition: Edition, job_type: str, column: str) -> None:
    job = done(job_type, edition=edition)
    assert (job.status, job.error, job.output) == ("success", "", COUNTS)
    assert all(getattr(segment, column) for segment in edition.segments.exclude(number=4))
    assert not getattr(edition.segments.get(number=4), column)
    again = done(job_type, edition=edition)
    assert again.output == {**COUNTS, "success": 0, "skipped": 3}
    forced = done(job_type, {"force": True}, work=edition.work)
    assert forced.output == COUNTS


def test_a_chain_finds_what_the_first_step_was_about(edition: Edition) -> None:
    steps = [("clean", {}), ("summarize", {}), ("entities", {}), ("embed", {})]
    jobs = chain(steps, who="test", now=timezone.now())  # type: ignore[arg-type]
    jobs[0].__class__.objects.filter(pk=jobs[0].pk).update(edition=edition)
    run_all()
    assert [PipelineJob.objects.get(pk=job.pk).status for job in jobs] == ["success"] * 4
    assert PipelineJob.objects.get(pk=jobs[3].pk).edition == edition
    segment = first(edition)
    assert "\u200b" in segment.content and "\u200b" not in segment.clean_content
    assert "harbour" in segment.summary
    assert {"text": "Mira Solberg", "type": "name", "count": 1} in segment.entities
    assert segment.embedding is not None and len(segment.embedding) == 256


def test_a_text_that_changes_loses_what_was_made_of_it(edition: Edition) -> None:
    for job_type in ("clean", "summarize", "entities", "embed"):
        done(job_type, edition=edition)
    keep_segments(edition, [Found(number=1, content="Another text.")])  # type: ignore[arg-type]
    segment = first(edition)
    assert (segment.clean_content, segment.summary, segment.entities, segment.embedding) == ("", "", [], None)
    assert edition.segments.get(number=2).summary


def test_a_job_about_nothing_says_so() -> None:
    job = done("clean")
    assert job.status == "failed" and "Link it to a segment" in job.error
    job = done("clean", {"segmentIds": ["7"]})
    assert job.status == "failed" and "segmentIds" in job.error


def test_segments_can_be_named(edition: Edition) -> None:
    job = done("summarize", {"segmentIds": [str(first(edition).pk)]})
    assert job.output == {**COUNTS, "total": 1, "success": 1}
    job = done("entities", segment=first(edition))
    assert job.output == {**COUNTS, "total": 1, "success": 1}


# -------------------------------------------------------------------- one's own


def shout(text: str) -> str:
    return text.upper()


def picky(text: str) -> str:
    if "Bread" in text:
        raise JobError("I do not speak of bread")
    return "fine"


def constant(texts: Sequence[str]) -> list[list[float]]:
    return [[1, 0.5] for _ in texts]


def wrong(_: object) -> object:
    return [[1.0], ["x"], [2.0]]


@pytest.mark.parametrize(
    ("job_type", "own", "column", "value"),
    [
        ("clean", "shout", "clean_content", TEXTS[0].upper()),
        ("summarize", "shout", "summary", TEXTS[0].upper()),
        ("embed", "constant", "embedding", [1.0, 0.5]),
    ],
)
def test_a_tool_of_one_s_own_takes_the_place(
    edition: Edition, settings: Any, job_type: str, own: str, column: str, value: object
) -> None:
    settings.PIPELINE_TOOLS = {**settings.PIPELINE_TOOLS, job_type: f"tests.jobs.texts.test_handling.{own}"}
    assert done(job_type, edition=edition).status == "success"
    assert getattr(first(edition), column) == value


def test_a_tool_that_refuses_one_text_costs_that_one(edition: Edition, settings: Any) -> None:
    settings.PIPELINE_TOOLS = {**settings.PIPELINE_TOOLS, "summarize": "tests.jobs.texts.test_handling.picky"}
    job = done("summarize", edition=edition)
    assert (job.status, job.output) == ("success", {**COUNTS, "success": 2, "failed": 1})


@pytest.mark.parametrize("job_type", ["clean", "summarize", "entities", "embed"])
@pytest.mark.parametrize("own", ["wrong", "nobody", "TEXTS"])
def test_a_tool_that_is_none_fails_the_job(edition: Edition, settings: Any, job_type: str, own: str) -> None:
    settings.PIPELINE_TOOLS = {**settings.PIPELINE_TOOLS, job_type: f"tests.jobs.texts.test_handling.{own}"}
    job = done(job_type, edition=edition)
    assert job.status == "failed"
    assert "tool" in job.error and own in job.error
    assert not first(edition).summary
