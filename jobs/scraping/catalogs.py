"""Works, lists of chapters and their texts, from sites and APIs that a source's configuration describes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from django.utils import timezone

from jobs.pipeline.plain import text
from jobs.pipeline.subjects import Segment, Source, Work
from jobs.pipeline.trackers import Tracker
from jobs.polite.errors import Unreadable
from jobs.polite.fetching import Fetcher
from jobs.polite.pages import Page
from jobs.polite.targets import joined
from jobs.scraping.configuration import Configuration, Section
from jobs.scraping.keeping import UNMADE, Found, keep_work, number_of
from jobs.scraping.selecting import Part, lines

MOST_CHAPTERS = 50_000
_NUMBER = re.compile(
    r"(?:chapter|chap|ch|episode|ep|part|bab|kapitel|capitolo|第)[\s.#-]*(\d+(?:[.,]\d{1,2})?)|(\d+(?:[.,]\d{1,2})?)",
    re.IGNORECASE,
)


def read_work(configuration: Configuration, fetcher: Fetcher, source: Source, url: str, title: str) -> Work:
    """The work at `url`, kept; `title` wins over what the page says. Raises Unreadable when neither tells one."""
    told: dict[str, str] = {}
    if section := configuration.sections.get("work"):
        page = fetcher.get(url)
        part = section.read(page)
        told = {name: lines(section.value(part, name)) for name in section.rules}
    title = title or told.get("title", "")
    if not title:
        raise Unreadable(f"No title was found at {shown(url)}; correct the selector “work.title”.")
    return keep_work(
        source,
        external_id=told.get("id") or url,
        title=title,
        url=url,
        slug=slug_of(url),
        provider=source.name,
        author=told.get("author", ""),
        description=told.get("description", ""),
        language=told.get("language") or configuration.language,
    )


def read_chapters(
    configuration: Configuration, fetcher: Fetcher, tracker: Tracker, first: str, **places: object
) -> Iterator[tuple[list[Found], int]]:
    """The chapters listed at `first` and the pages behind it, page by page, and how many entries told nothing.

    Raises Unreadable when the first page lists none.
    """
    section = configuration.section("chapters")
    url, seen, count = first, set[str](), 0
    for number in range(1, configuration.most_pages + 1):
        tracker(count, 0, stage=f"list, page {number}")
        page = fetcher.get(url)
        part = section.read(page)
        entries = list(_chapters(section, part, page, configuration, count))
        found = [each for each in entries if not each.is_empty]
        count += len(entries)
        if not found and number == 1:
            raise Unreadable(f"No chapter was found at {shown(url)}; correct the selector “chapters.items”.")
        yield found, len(entries) - len(found)
        seen.add(url)
        url = _next(configuration, section, part, page, number, bool(found), places)
        if not url or url in seen or count >= MOST_CHAPTERS:
            return


def _chapters(
    section: Section, part: Part, page: Page, configuration: Configuration, before: int
) -> Iterator[Found]:
    for place, item in enumerate(part.parts(section.rules["items"]), start=before + 1):
        title = lines(section.value(item, "title")).replace("\n", " ")
        link = section.value(item, "link")
        season = number_of(section.value(item, "season") or "0")
        yield Found(
            number=_number(section.value(item, "number"), title, place),
            season=min(int(season or 0), 10_000),
            title=title,
            url=joined(page.url, link) if link else "",
            external_id=section.value(item, "id"),
            language=section.value(item, "language") or configuration.language,
            content=lines(section.value(item, "content")),
        )


def _number(said: str, title: str, place: int) -> Decimal:
    """What the source says, else what the title says behind "Chapter", else its place in the list."""
    if (number := number_of(said)) is not None:
        return number
    if (found := _NUMBER.search(title)) and (number := number_of(found[1] or found[2])) is not None:
        return number
    return Decimal(place)


def _next(
    configuration: Configuration,
    section: Section,
    part: Part,
    page: Page,
    number: int,
    has_found: bool,
    places: dict[str, object],
) -> str:
    """The address of the next page of the list: told by the page, or counted up in the address; “”: that was all."""
    if section.has("next"):
        said = section.value(part, "next")
        if said.isdecimal() and "{page}" in section.url:
            return configuration.address(section, **{**places, "page": int(said)})
        return joined(page.url, said) if said else ""
    if "{page}" in section.url and has_found:
        return configuration.address(section, **{**places, "page": number + 1})
    return ""


def fetch_text(configuration: Configuration, fetcher: Fetcher, segment: Segment) -> None:
    """Fetch and keep the text of a segment.

    Raises Unreadable when its page holds none, or a JobError of the fetcher.
    """
    section = configuration.section("segment")
    places = {"id": segment.external_id, "number": segment.numbered, "season": segment.season,
              "slug": segment.edition.work.slug}  # fmt: skip
    url = configuration.address(section, **places) if section.url else segment.url
    if not url:
        raise Unreadable(
            f"Nobody knows the address of {segment}: neither the list nor “segment.url” tell it."
        )
    page = fetcher.get(url)
    part = section.read(page)
    content = lines(section.value(part, "content"))
    if not content:
        raise Unreadable(f"No text was found at {shown(page.url)}; correct the selector “segment.content”.")
    content = text(content, 5_000_000)
    columns = {} if content == segment.content else dict(UNMADE)
    segment.title = segment.title or text(lines(section.value(part, "title")), 499).replace("\n", " ")
    segment.content, segment.fetched_at = content, timezone.now()
    for name, value in columns.items():
        setattr(segment, name, value)
    segment.save(update_fields=["content", "title", "fetched_at", "updated_at", *columns])


def slug_of(url: str) -> str:
    """The last part of an address' path."""
    path = re.split(r"[?#]", url)[0].rstrip("/")
    return path.rpartition("/")[2][:255]


def shown(url: str) -> str:
    return url.partition("?")[0]
