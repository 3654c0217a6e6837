"""Rules find what they name, in HTML and in JSON, and a bad one says why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.scraping.selecting import BadRule, html, json, lines, rule

PAGE = html(
    """<html><head><title>No</title><style>p{}</style></head><body>
    <h1> The <b>Pilot</b> </h1>
    <ul class=c><li><a href="/c/1">Chapter 1: Fog</a></li><li><a href="/c/2">Chapter 2.5</a></li></ul>
    <div class=t><p>One<br>two.</p><!-- no --><script>no()</script><p>Three &amp; four.</p> tail</div>"""
)


def of(page: object, select: object, *, is_json: bool = False) -> str:
    return page.value(rule("it", select, is_json=is_json))  # type: ignore[attr-defined,no-any-return]


def test_values_are_found_by_css_and_xpath() -> None:
    assert of(PAGE, "h1") == "The Pilot"
    assert of(PAGE, "li a::attr(href)") == "/c/1"
    assert of(PAGE, "xpath://li[2]/a/text()") == "Chapter 2.5"
    assert of(PAGE, "xpath:string(//h1/b)") == "Pilot"
    assert of(PAGE, ".none") == ""


def test_an_element_s_text_is_what_one_would_see() -> None:
    assert lines(of(PAGE, ".t")) == "One\ntwo.\n\nThree & four.\ntail"


def test_a_pattern_keeps_its_group_and_join_puts_values_together() -> None:
    assert of(PAGE, {"select": "li a::text", "pattern": r"(\d+(?:\.\d+)?)"}) == "1"
    assert of(PAGE, {"select": "li a::text", "pattern": r"\d+", "join": ","}) == "1,2"
    assert of(PAGE, {"select": "li a::text", "pattern": "x", "default": "0"}) == "0"
    assert of(PAGE, {"select": ".t p", "join": "\n\n"}).endswith("\n\nThree & four.")


def test_parts_are_looked_into_by_themselves() -> None:
    items = PAGE.parts(rule("items", "ul.c a", is_json=False))
    assert [(of(each, "::attr(href)"), of(each, "::text")) for each in items] == [
        ("/c/1", "Chapter 1: Fog"),
        ("/c/2", "Chapter 2.5"),
    ]


def test_values_are_found_in_json() -> None:
    page = json({"data": {"list": [{"n": 1, "t": "Fog"}, {"n": 2.5, "t": None}], "ok": True}})
    assert of(page, "data.list[1].n", is_json=True) == "2.5"
    assert of(page, "data.list[1].t", is_json=True) == ""
    assert of(page, {"select": "data.list[].t", "join": "+"}, is_json=True) == "Fog"
    assert of(page, "data.list", is_json=True) == of(page, "data.ok", is_json=True) == ""
    items = page.parts(rule("items", "data.list", is_json=True))
    assert [of(each, "n", is_json=True) for each in items] == ["1", "2.5"]
    assert page.parts(rule("items", "data.ok", is_json=True)) == []


@pytest.mark.parametrize(
    ("given", "is_json", "says"),
    [
        ("h1::nothing(", False, "cannot be read"), ("xpath://[", False, "cannot be read"), ("", False, "is empty"),
        ("a[", True, "cannot be read"), ({"select": "a", "pattern": "("}, False, "pattern"), (7, False, "selector"),
        ({"css": "a"}, False, "selector"), ({"select": "a", "regex": "b"}, False, "no “regex”"),
        ({"select": "a", "join": 3}, False, "must be a text"), (None, True, "selector"),
    ],
)  # fmt: skip
def test_a_bad_rule_says_which_and_why(given: object, is_json: bool, says: str) -> None:
    with pytest.raises(BadRule, match=says) as caught:
        rule("chapters.title", given, is_json=is_json)
    assert str(caught.value).startswith("chapters.title")


@given(st.text())
def test_no_page_is_so_broken_that_it_cannot_be_asked(text: str) -> None:
    page = html(text)
    assert isinstance(of(page, "p"), str)
    assert isinstance(of(page, "body"), str)


def test_a_page_nested_without_end_is_read() -> None:
    assert of(html("<div>" * 20_000 + "deep"), "body").strip() in ("deep", "")
