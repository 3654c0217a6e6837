"""A source's configuration is checked before anything is asked, and says what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.scraping.configuration import BadConfiguration, read

SITE = "https://novels.example.com/en/"


def section(**more: Any) -> dict[str, Any]:
    return {"segment": {"url": "/c/{id}", "content": ".text", **more}}


def test_addresses_are_the_source_s_own_and_cannot_be_broken_out_of() -> None:
    configuration = read("novels", SITE, {"segment": {"url": "c/{id}?p={page}", "content": "p"}})
    address = configuration.address(configuration.section("segment"), id="../x?a=b/é", page=2)
    assert address == "https://novels.example.com/en/c/..%2Fx%3Fa%3Db%2F%C3%A9?p=2"
    assert configuration.hosts == ("novels.example.com:443",)


def test_more_hosts_a_pace_and_limits_can_be_named() -> None:
    given = {
        "hosts": ["API.example.com"],
        "delay_seconds": 2.5,
        "most_pages": 7,
        "most_bytes": 9000,
        "language": "id",
    }
    configuration = read("novels", SITE, given)
    assert configuration.hosts[1:] == ("api.example.com",)
    with configuration.fetcher() as fetcher:
        assert (fetcher.delay_seconds, fetcher.limits.page_bytes, fetcher.hosts) == (
            2.5,
            9000,
            configuration.hosts,
        )
    with configuration.fetcher(delay_seconds=0.5) as fetcher:
        assert fetcher.delay_seconds == 0.5


def test_what_an_address_needs_must_be_known() -> None:
    configuration = read("novels", SITE, section())
    with pytest.raises(BadConfiguration, match="needs id"):
        configuration.address(configuration.section("segment"), id="")
    with pytest.raises(BadConfiguration, match="says nothing of “work”"):
        configuration.section("work")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "give an object"), (None, "give an object"), ({"segmnet": {}}, "nothing called “segmnet”"),
        ({"segment": []}, "segment: give an object"), ({"segment": {}}, "segment: “content” is missing"),
        (section(content="p["), "segment.content"), (section(titel="h1"), "segment: there is no “titel”"),
        (section(format="xml"), "html or json"), (section(url="/{name}"), "no {name}"),
        (section(url="/{"), "segment.url"),
        (section(url="/{id!r}"), "braces alone"), (section(url=7), "segment.url"),
        (section(url="/{id.__class__}"), "no {id"),
        ({"delay_seconds": "fast"}, "delay_seconds: give a number"), ({"delay_seconds": -1}, "from 0 to"),
        ({"most_pages": float("nan")}, "most_pages: give a number"), ({"hosts": "a"}, "hosts: give a list"),
        ({"hosts": [""]}, "hosts: give a list"), ({"language": 3}, "language"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_with_its_place(given: object, says: str) -> None:
    with pytest.raises(BadConfiguration, match=says) as caught:
        read("novels", SITE, given)
    assert "novels" in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "novels.example.com", "ftp://novels.example.com", "http://a\\@b/", "file:///etc"]
)
def test_a_source_without_a_usable_address_is_refused(url: str) -> None:
    with pytest.raises(BadConfiguration, match="base_url"):
        read("novels", url, {})
