"""The pipeline of the demo: texts of the stand-in's site and API, read, cleaned, indexed and matched."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.starting import chain, start
from jobs.pipeline.subjects import Source, Work
from jobs.scraping.keeping import keep_work

# The stand-in is started after this; and a visitor wants to see it begin.
FIRST = timedelta(seconds=8)
PAGES: dict[str, Any] = {
    "delay_seconds": 0.5,
    "language": "en",
    "work": {"title": "h1", "author": ".author", "description": ".about"},
    "chapters": {
        "items": "ul.chapters li", "title": {"select": "a", "pattern": "Chapter [\\d.]+: (.+)"},
        "number": {"select": "a", "pattern": "Chapter ([\\d.]+)"}, "link": "a::attr(href)",
        "next": "a.next::attr(href)",
    },
    "segment": {"title": "h2", "content": ".text"},
}  # fmt: skip
API: dict[str, Any] = {
    "delay_seconds": 0.5,
    "language": "en",
    "chapters": {
        "url": "/novels/api/{slug}/chapters?page={page}", "format": "json", "items": "data.chapters",
        "number": "index", "title": "name", "id": "id", "link": "path", "next": "data.next",
    },
    "segment": {"url": "/novels/api/chapters/{id}", "format": "json", "content": "data.text", "title": "data.name"},
}  # fmt: skip


def seed_pipeline(*, now: datetime) -> list[PipelineJob]:
    """Two sources, and chains of jobs that the workers run one after the other; nothing when there are jobs already."""
    site = settings.SANDBOX_URL
    if not site or PipelineJob.objects.exists():
        return []
    pages, _ = Source.objects.get_or_create(
        name="chereads", defaults={"base_url": site, "configuration": PAGES}
    )
    api, _ = Source.objects.get_or_create(name="readnovel", defaults={"base_url": site, "configuration": API})
    common: dict[str, Any] = {"who": "demo", "now": now, "not_before_at": now + FIRST}
    after: list[tuple[str, dict[str, Any]]] = [
        ("clean", {}), ("summarize", {}), ("entities", {}), ("embed", {}), ("match", {}),
    ]  # fmt: skip
    list_of_pages = {
        "scriptType": "scrape-chereads-work",
        "url": f"{site}/novels/harbour",
        "title": "Harbour",
    }
    texts = {"scriptType": "scrape-chereads-segment", "startChapter": 1, "endChapter": 100}
    jobs = chain([("scrape", list_of_pages), ("scrape", texts), *after], source=pages, **common)
    train = _night_train(api)
    list_of_api = {"scriptType": "scrape-readnovel-api", "novelSlug": "night-train"}
    jobs += chain([("scrape", list_of_api), ("scrape", texts), *after], source=api, work=train, **common)
    subtitles = {"scriptType": "bulk-download-subtitles", "seriesName": "Harbour", "languages": "en,id"}
    work = {
        "scriptType": "scrape-opensubtitles-work",
        "url": "https://www.opensubtitles.com/en/tvshows/2024-harbour",
    }
    jobs += chain([("scrape", work), ("scrape", subtitles)], **common)
    jobs.append(start("sync_assets", {"folder": "harbour"}, **common))
    return jobs


def _night_train(api: Source) -> Work:
    return keep_work(
        api, external_id="night-train", title="Night Train", slug="night-train", author="E. Moreau"
    )
