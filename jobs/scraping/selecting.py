"""Values out of a page by a rule: CSS or XPath for HTML, JMESPath for JSON.

A rule is a string, or an object:

    "h1::text"                      CSS, with ::text and ::attr(name); without one of them the element's text
    "xpath://h1/text()"             XPath
    "data.title"                    JMESPath, when the page is JSON
    {"select": "a::attr(href)", "pattern": "/(\\d+)$", "join": "\\n\\n", "default": ""}

`pattern` keeps its first group, or all of the match; `join` puts several values together (else the first counts).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import jmespath
from cssselect import SelectorError
from jmespath.exceptions import JMESPathError
from lxml import etree
from parsel import Selector
from parsel.csstranslator import HTMLTranslator

from jobs.polite.errors import Unreadable

XPATH = "xpath:"
_UNSEEN = {"script", "style", "noscript", "template", "head"}
_BLOCKS = {
    "address", "article", "blockquote", "dd", "div", "dt", "figcaption", "footer", "h1", "h2", "h3", "h4", "h5", "h6",
    "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "table", "td", "th", "tr", "ul",
}  # fmt: skip


class BadRule(ValueError):
    """A rule that cannot be used; the message says which and why."""


@dataclass(frozen=True)
class Rule:
    """How one value is found."""

    select: str
    pattern: re.Pattern[str] | None = None
    join: str | None = None
    default: str = ""

    def finished(self, values: list[str]) -> str:
        if self.pattern is not None:
            found = [self.pattern.search(value) for value in values]
            values = [(each[1] if each.re.groups else each[0]) or "" for each in found if each]
        values = [kept for value in values if (kept := value.strip())]
        if not values:
            return self.default
        return values[0] if self.join is None else self.join.join(values)


def rule(name: str, given: object, *, is_json: bool) -> Rule:
    """Raises BadRule, which names the rule."""
    if isinstance(given, str):
        given = {"select": given}
    if not isinstance(given, dict) or not isinstance(given.get("select"), str):
        raise BadRule(f"{name}: give a selector, or an object with “select”.")
    if unknown := given.keys() - {"select", "pattern", "join", "default"}:
        raise BadRule(f"{name}: there is no “{min(unknown)}” in a rule.")
    if wrong := [key for key, value in given.items() if not isinstance(value, str)]:
        raise BadRule(f"{name}: “{wrong[0]}” must be a text.")
    select = given["select"]
    try:
        _tested(select, is_json=is_json)
        pattern = re.compile(given["pattern"]) if given.get("pattern") else None
    except re.error as exc:
        raise BadRule(f"{name}: the pattern cannot be read: {exc}.") from exc
    except (SelectorError, etree.XPathError, JMESPathError, ValueError) as exc:
        raise BadRule(f"{name}: “{select}” cannot be read: {exc}.") from exc
    return Rule(select, pattern, given.get("join"), given.get("default", ""))


def _tested(select: str, *, is_json: bool) -> None:
    if not select.strip():
        raise ValueError("it is empty")
    if is_json:
        jmespath.compile(select)
    elif select.startswith(XPATH):
        etree.XPath(select.removeprefix(XPATH))
    else:
        etree.XPath(HTMLTranslator().css_to_xpath(select))


class Part(Protocol):
    """A page, or a piece of it."""

    def value(self, wanted: Rule) -> str: ...

    def parts(self, wanted: Rule) -> list[Part]: ...


def html(text: str) -> Part:
    # lxml refuses control characters that no page needs.
    return HtmlPart(Selector(text=text.replace("\0", "") or "<html/>", type="html"))


def json(value: Any) -> Part:
    return JsonPart(value)


@dataclass(frozen=True)
class HtmlPart:
    selector: Selector

    def value(self, wanted: Rule) -> str:
        return wanted.finished([_said(each) for each in self._found(wanted)])

    def parts(self, wanted: Rule) -> list[Part]:
        return [HtmlPart(each) for each in self._found(wanted)]

    def _found(self, wanted: Rule) -> list[Selector]:
        select = wanted.select
        if select.startswith(XPATH):
            try:
                return list(self.selector.xpath(select.removeprefix(XPATH)))
            except ValueError as exc:
                raise Unreadable(f"The selector {select} cannot be applied: {exc}") from exc
        if select.startswith("::"):
            # Of the element itself, not of one below it.
            path = HTMLTranslator().css_to_xpath(f"*{select}", prefix="self::")
            return list(self.selector.xpath("./text()" if path == "self::text()" else path))
        return list(self.selector.css(select))


@dataclass(frozen=True)
class JsonPart:
    data: Any

    def value(self, wanted: Rule) -> str:
        found = self._found(wanted)
        return wanted.finished([_plain(each) for each in (found if isinstance(found, list) else [found])])

    def parts(self, wanted: Rule) -> list[Part]:
        found = self._found(wanted)
        return [JsonPart(each) for each in found] if isinstance(found, list) else []

    def _found(self, wanted: Rule) -> Any:
        try:
            return jmespath.search(wanted.select, self.data)
        except JMESPathError as exc:
            raise Unreadable(f"The expression {wanted.select} cannot be applied: {exc}") from exc


def _plain(value: Any) -> str:
    if isinstance(value, bool) or value is None or isinstance(value, dict | list):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _said(found: Selector) -> str:
    root = found.root
    return "".join(_words(root)) if isinstance(root, etree._Element) else str(found.get() or "")


def _words(element: etree._Element) -> Iterator[str]:
    """The text one would see, a line for each block."""
    hidden = 0
    for event, each in etree.iterwalk(element, events=("start", "end", "comment", "pi")):
        if event in ("comment", "pi"):
            if not hidden and each is not element:
                yield each.tail or ""
            continue
        name = each.tag if isinstance(each.tag, str) else ""
        if event == "start":
            hidden += name in _UNSEEN
            if not hidden:
                yield "\n" if name in _BLOCKS or name == "br" else ""
                yield _spaced(each.text)
            continue
        if not hidden and name in _BLOCKS:
            yield "\n"
        hidden -= name in _UNSEEN
        if not hidden and each is not element:
            yield _spaced(each.tail)


def _spaced(text: str | None) -> str:
    """White space of the source is no white space of the page."""
    return re.sub(r"[ \t\r\n\f]+", " ", text or "")


def lines(text: str) -> str:
    """Without white space around lines, and no two empty ones in a row."""
    kept = [line.strip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()
