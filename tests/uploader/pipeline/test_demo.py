"""The pipeline of the demo works to its end against the stand-ins, as `make run` shows it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from jobs import runner
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.subjects import Segment, Source, Work
from sandbox.server import Sandbox
from uploader.catalog import Series, Subtitle
from uploader.pipeline import demo
from uploader.pipeline.demo import seed_pipeline
from uploader.pipeline.matches import Match

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unseen")]


def test_the_chains_of_the_demo_run_to_their_end(
    opensubtitles: Sandbox,
    make_series: Callable[..., Series],
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.SANDBOX_URL = opensubtitles.page_url.rstrip("/")
    settings.STORAGE = {**settings.STORAGE, "url": (tmp_path / "storage").as_uri()}
    monkeypatch.setattr(demo, "FIRST", timedelta(0))
    for configuration in (demo.PAGES, demo.API):
        monkeypatch.setitem(configuration, "delay_seconds", 0)
    make_series("Harbour", 2)
    make_series("Night Train", 2)
    jobs = seed_pipeline(now=timezone.now())
    assert seed_pipeline(now=timezone.now()) == []
    while runner.run_batch(PipelineJob):
        pass
    assert [
        (job.script or job.job_type, job.status, job.error) for job in PipelineJob.objects.order_by("pk")
    ] == [(job.script or job.job_type, "success", "") for job in jobs]
    assert {work.title for work in Work.objects.all()} == {"Harbour", "Night Train"}
    texts = Segment.objects.exclude(content="")
    assert texts.count() == 11
    for segment in texts:
        assert segment.clean_content and segment.summary and segment.entities and segment.embedding
    fog = texts.get(title="Fog")
    assert "\u200b" in fog.content and "\u200b" not in fog.clean_content
    assert Match.objects.filter(status="proposed", series__title="Harbour").exists()
    assert Subtitle.objects.filter(episode__series__title="Harbour").count() == 4
    assert (tmp_path / "storage/library/harbour/01.mp4").exists()
    assert [request["path"] for request in opensubtitles.requests("robots")] == ["/robots.txt"]
    assert set(Source.objects.values_list("name", flat=True)) == {"chereads", "readnovel", "opensubtitles"}


def test_without_a_stand_in_nothing_is_made(db: None, settings: Any) -> None:
    settings.SANDBOX_URL = ""
    assert seed_pipeline(now=timezone.now()) == []
    assert not Source.objects.exists()
