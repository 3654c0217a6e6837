"""How the pages of a source are asked for and read: what stands in its `configuration`, checked.

    {
      "hosts": ["novels.example.com"],          beside that of the source's address
      "delay_seconds": 2,
      "most_pages": 500,
      "work":     {"url": "/novel/{slug}", "title": "h1::text", "author": …, "description": …, "language": …},
      "chapters": {"url": "/api/novels/{slug}/chapters?page={page}", "format": "json", "items": "data.chapters",
                   "number": "index", "title": "name", "link": "url", "id": "id", "season": …, "content": …,
                   "next": "data.next_page"},
      "segment":  {"url": "/api/chapters/{id}", "format": "json", "title": "data.title", "content": "data.text"}
    }

Addresses may hold `{slug}`, `{id}`, `{number}`, `{page}` and are relative to the source's own; those found on a page
are relative to that page. Every other value is a rule of `jobs.scraping.selecting`.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urljoin

from jobs.errors import ErrorKind, JobError
from jobs.polite.addresses import split
from jobs.polite.asking import Limits
from jobs.polite.fetching import Fetcher
from jobs.polite.pages import Page
from jobs.scraping import selecting
from jobs.scraping.selecting import BadRule, Part, Rule

FORMATS = ("html", "json")
# What a section may hold beside its address and format, and what it must.
SECTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "work": (("title", "author", "description", "language", "id", "edition", "content"), ("title",)),
    "chapters": (
        ("items", "number", "season", "title", "link", "id", "content", "next", "language"),
        ("items",),
    ),
    "segment": (("title", "content"), ("content",)),
}
OTHERS = ("hosts", "delay_seconds", "most_pages", "most_bytes", "language")
PLACES = {"slug", "id", "number", "page", "season"}


class BadConfiguration(JobError):
    """The configuration of the source cannot be used. Correct it in the admin, then retry."""

    kind = ErrorKind.REJECTED
    permanent = True


@dataclass(frozen=True)
class Section:
    """One kind of page: where it is, and the rules of what is on it."""

    name: str
    url: str
    is_json: bool
    rules: Mapping[str, Rule]

    def has(self, name: str) -> bool:
        return name in self.rules

    def value(self, part: Part, name: str) -> str:
        """What the rule finds; nothing where there is no such rule."""
        wanted = self.rules.get(name)
        return part.value(wanted) if wanted else ""

    def read(self, page: Page) -> Part:
        """Raises Unreadable."""
        return selecting.json(page.json()) if self.is_json else selecting.html(page.text)


@dataclass(frozen=True)
class Configuration:
    """A source's configuration, ready for use."""

    name: str
    base_url: str
    hosts: tuple[str, ...] = ()
    delay_seconds: float | None = None
    most_pages: int = 500
    most_bytes: int = 5 * 1024 * 1024
    language: str = ""
    sections: Mapping[str, Section] = field(default_factory=dict)

    def section(self, name: str) -> Section:
        """Raises BadConfiguration when the source has none of the name."""
        found = self.sections.get(name)
        if found is None:
            raise BadConfiguration(
                f"The configuration of the source “{self.name}” says nothing of “{name}”; add it, then retry."
            )
        return found

    def address(self, section: Section, **places: object) -> str:
        """The address of a page of the section. Raises BadConfiguration when what it needs is not known."""
        wanted = {name for _, name, _, _ in string.Formatter().parse(section.url) if name}
        if not section.url or (missing := [name for name in wanted if places.get(name) in (None, "")]):
            what = f"needs {', '.join(sorted(missing))}" if section.url else "is not given"
            raise BadConfiguration(f"The address of “{section.name}” of the source “{self.name}” {what}.")
        filled = section.url.format(**{name: quote(str(value), safe="") for name, value in places.items()})
        return urljoin(f"{self.base_url.rstrip('/')}/", filled)

    def fetcher(self, **more: Any) -> Fetcher:
        """A fetcher that asks this source's hosts alone, at its pace; `delay_seconds` given here wins."""
        if more.get("delay_seconds") is None:
            more["delay_seconds"] = self.delay_seconds
        return Fetcher(hosts=self.hosts, limits=Limits(page_bytes=self.most_bytes), **more)


def read(name: str, base_url: str, given: object) -> Configuration:
    """Raises BadConfiguration, which says what is wrong and where."""
    try:
        return _read(name, base_url, given)
    except BadRule as exc:
        raise BadConfiguration(f"The configuration of the source “{name}”: {exc}") from exc


def _read(name: str, base_url: str, given: object) -> Configuration:
    parts = split(base_url)
    if parts is None or parts.scheme not in ("http", "https"):
        raise BadRule("base_url: give the address of the site, with http:// or https://.")
    if not isinstance(given, Mapping):
        raise BadRule("give an object.")
    if unknown := given.keys() - SECTIONS.keys() - set(OTHERS):
        raise BadRule(f"there is nothing called “{min(map(str, unknown))}” in it.")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    named = given.get("hosts", [])
    if not isinstance(named, list) or not all(isinstance(each, str) and each.strip() for each in named):
        raise BadRule("hosts: give a list of host names.")
    language = given.get("language", "")
    if not isinstance(language, str):
        raise BadRule("language: give a text.")
    return Configuration(
        name=name,
        base_url=base_url,
        hosts=(f"{(parts.hostname or '').lower()}:{port}", *(each.strip().lower() for each in named)),
        delay_seconds=_number(given, "delay_seconds", None, 0, 3600),
        most_pages=int(_number(given, "most_pages", 500, 1, 10_000) or 500),
        most_bytes=int(_number(given, "most_bytes", 5 * 1024 * 1024, 1_000, 100_000_000) or 0),
        language=language,
        sections={each: _section(each, given[each]) for each in SECTIONS if each in given},
    )


def _number(given: Mapping[str, Any], name: str, default: float | None, least: float, most: float) -> Any:
    value = given.get(name, default)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadRule(f"{name}: give a number.")
    if not least <= value <= most:
        raise BadRule(f"{name}: give a number from {least:g} to {most:g}.")
    return value


def _section(name: str, given: object) -> Section:
    if not isinstance(given, Mapping):
        raise BadRule(f"{name}: give an object.")
    known, needed = SECTIONS[name]
    if unknown := given.keys() - set(known) - {"url", "format"}:
        raise BadRule(f"{name}: there is no “{min(map(str, unknown))}”.")
    if missing := [each for each in needed if each not in given]:
        raise BadRule(f"{name}: “{missing[0]}” is missing.")
    form = given.get("format", "html")
    if form not in FORMATS:
        raise BadRule(f"{name}.format: html or json.")
    url = given.get("url", "")
    if not isinstance(url, str):
        raise BadRule(f"{name}.url: give a text.")
    _test_places(f"{name}.url", url)
    rules = {
        each: selecting.rule(f"{name}.{each}", given[each], is_json=form == "json")
        for each in known
        if each in given
    }
    return Section(name, url, form == "json", rules)


def _test_places(name: str, url: str) -> None:
    try:
        places = [place for _, place, form, conversion in string.Formatter().parse(url) if place is not None]
    except ValueError as exc:
        raise BadRule(f"{name}: {exc}.") from exc
    if wrong := [place for place in places if place not in PLACES]:
        raise BadRule(f"{name}: there is no {{{wrong[0]}}}; known are {', '.join(sorted(PLACES))}.")
    if re.search(r"{\w+[:!]", url):
        raise BadRule(f"{name}: write names in braces alone.")
