"""A small catalog of texts on a site of this machine, once as pages and once as an API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jobs.pipeline.subjects import Edition, Source, Work
from jobs.pipeline.trackers import Tracker
from jobs.scraping.scripts import Script, script_of
from tests.site import Site

API = {
    "language": "en",
    "chapters": {
        "url": "/api/novels/{slug}/chapters?page={page}", "format": "json", "items": "data.chapters",
        "number": "index", "title": "name", "id": "id", "link": "path", "next": "data.next",
    },
    "segment": {"url": "/api/chapters/{id}", "format": "json", "content": "data.text", "title": "data.name"},
}  # fmt: skip
PAGES = {
    "language": "id",
    "work": {"title": "h1", "author": ".author", "description": ".about", "id": "xpath://main/@data-id"},
    "chapters": {"items": "ul.list li", "title": "a", "link": "a::attr(href)", "next": "a.next::attr(href)"},
    "segment": {"title": "h2", "content": ".text"},
}


@pytest.fixture(autouse=True)
def _unseen(unseen: None) -> None:
    """For every test here."""


@pytest.fixture
def api(db: None, site: Site) -> Source:
    """`readnovel`: five chapters on two pages of an API, each with a text."""

    def chapter(number: int) -> dict[str, Any]:
        return {"index": number, "name": f"Chapter {number}", "id": f"c{number}", "path": f"/read/{number}"}

    listing = "/api/novels/harbour/chapters"
    site.put(
        f"{listing}?page=1", json.dumps({"data": {"chapters": [chapter(n) for n in (1, 2, 3)], "next": 2}})
    )
    site.put(
        f"{listing}?page=2", json.dumps({"data": {"chapters": [chapter(n) for n in (4, 5)], "next": None}})
    )
    for number in range(1, 6):
        text = f"Text of chapter {number}.\nSecond line."
        site.put(
            f"/api/chapters/c{number}", json.dumps({"data": {"name": f"Chapter {number}", "text": text}})
        )
    return Source.objects.create(name="readnovel", base_url=site.url, configuration=API)


@pytest.fixture
def pages(db: None, site: Site) -> Source:
    """`chereads`: three chapters and one and a half on two pages of a site."""
    site.put(
        "/novel/tide",
        """<main data-id="t-1"><h1>Slack Tide</h1><p class=author>A. Dahl</p><div class=about>About<br>it.</div>
        <ul class=list><li><a href="/novel/tide/1">Chapter 1: Fog</a></li>
        <li><a href="/novel/tide/1-5">Chapter 1.5</a></li></ul><a class=next href="?p=2">more</a></main>""",
    )
    site.put(
        "/novel/tide?p=2",
        '<ul class=list><li><a href="/novel/tide/2">Chapter 2</a></li>'
        '<li><a href="/novel/tide/3">Chapter 3</a></li></ul>',
    )
    for name in ("1", "1-5", "2", "3"):
        site.put(
            f"/novel/tide/{name}", f"<h2>Ch {name}</h2><div class=text><p>Text {name}.</p><p>End.</p></div>"
        )
    return Source.objects.create(name="chereads", base_url=site.url, configuration=PAGES)


@pytest.fixture
def work(api: Source) -> Work:
    return Work.objects.create(source=api, title="Harbour", slug="harbour")


@pytest.fixture
def first_links(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Work | None, Edition | None]]:
    """What the jobs of commands are linked to before their scripts do anything."""
    seen: list[tuple[Work | None, Edition | None]] = []

    def watched(name: str) -> Script:
        script = script_of(name)

        def run(tracker: Tracker) -> None:
            seen.append((tracker.job.work, tracker.job.edition))
            script(tracker)

        return run

    monkeypatch.setattr("jobs.scraping.commanding.script_of", watched)
    return seen
