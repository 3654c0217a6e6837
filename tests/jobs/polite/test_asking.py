"""Whatever a server does, a page costs a worker bounded time and memory."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from threading import Event
from typing import Any

import pytest

from jobs.polite.asking import Limits
from jobs.polite.errors import (
    SiteAway,
    TooLarge,
)
from jobs.polite.fetching import Fetcher
from tests.jobs.polite.waits import Waits
from tests.site import Site

pytestmark = pytest.mark.django_db


def test_a_page_that_says_it_is_huge_is_not_read(site: Site, waits: Waits) -> None:
    site.put("/huge", b"x" * 3000)
    with (
        Fetcher(wait=waits, limits=Limits(page_bytes=1000)) as fetcher,
        pytest.raises(TooLarge, match="3,000"),
    ):
        fetcher.get(f"{site.url}/huge")


def test_a_page_that_grows_when_unpacked_is_cut_off(site: Site, waits: Waits) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(bomb) < 60_000
    site.put("/bomb", bomb, Content_Encoding="gzip")
    with Fetcher(wait=waits, limits=Limits(page_bytes=60_000)) as fetcher, pytest.raises(TooLarge):
        fetcher.get(f"{site.url}/bomb")


def test_a_page_without_a_length_is_measured_as_it_comes(site: Site, waits: Waits) -> None:
    def endless(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 10_000)

    site.answers["/endless"] = [endless]
    with Fetcher(wait=waits, limits=Limits(page_bytes=50_000)) as fetcher, pytest.raises(TooLarge):
        fetcher.get(f"{site.url}/endless")


def test_a_page_that_trickles_is_given_up(site: Site, waits: Waits) -> None:
    over = Event()

    def trickle(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        while not over.wait(0.05):
            handler.wfile.write(b"x")

    site.answers["/slow"] = [trickle]
    limits = Limits(total_seconds=0.3, read_seconds=5)
    with Fetcher(wait=waits, tries=1, limits=limits) as fetcher, pytest.raises(SiteAway):
        fetcher.get(f"{site.url}/slow")
    over.set()


def test_a_site_that_says_nothing_is_given_up(site: Site, waits: Waits) -> None:
    over = Event()
    site.put("/robots.txt", "", 404)
    site.answers["/mute"] = [lambda handler: over.wait(30)]
    with (
        Fetcher(wait=waits, tries=1, limits=Limits(read_seconds=0.2)) as fetcher,
        pytest.raises(SiteAway, match="could not be read"),
    ):
        fetcher.get(f"{site.url}/mute")
    over.set()


Handler = Callable[[Any], None]


def trickling(begin: bytes, drop: bytes, over: Event, *, seconds: float = 0.02) -> Handler:
    """A server that says `begin` and then `drop` again and again, until the test is over."""

    def trickle(handler: Any) -> None:
        handler.wfile.write(begin)
        while not over.wait(seconds):
            handler.wfile.write(drop)

    return trickle


@pytest.mark.parametrize(
    ("begin", "drop", "seconds"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x", 0.02),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 0.02),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.02),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.02),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n", 0.02),
        # Without a length the end of the connection is the end of the page: one that was cut off is no page.
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf", b"", 50),
    ],
    ids=["a header", "headers", "promises", "pieces", "trailers", "nothing"],
)
def test_whatever_trickles_is_given_up_in_its_time(
    site: Site, waits: Waits, begin: bytes, drop: bytes, seconds: float
) -> None:
    over = Event()
    site.answers["/slow"] = [trickling(begin, drop, over, seconds=seconds)]
    limits = Limits(total_seconds=0.3, read_seconds=60)
    with (
        Fetcher(wait=waits, tries=1, limits=limits, obeys_robots=False) as fetcher,
        pytest.raises(SiteAway, match=r"not whole after 0\.3 s"),
    ):
        fetcher.get(f"{site.url}/slow")
    over.set()


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_bomb_in_a_bomb_takes_no_memory(site: Site, waits: Waits, layers: int) -> None:
    bomb = b"\0" * 80_000_000
    for _ in range(layers):
        bomb = gzip.compress(bomb)
    site.put("/bomb", bomb, Content_Encoding=", ".join(["gzip"] * layers))
    with Fetcher(wait=waits, limits=Limits(page_bytes=100_000), obeys_robots=False) as fetcher:
        tracemalloc.start()
        try:
            with pytest.raises(TooLarge):
                fetcher.get(f"{site.url}/bomb")
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < 8_000_000


@pytest.mark.parametrize("encoding", ["gzip", ", ".join(["gzip"] * 50)])
def test_what_cannot_be_unpacked_is_told(site: Site, waits: Waits, encoding: str) -> None:
    site.put("/a", "no gzip at all", Content_Encoding=encoding)
    with (
        Fetcher(wait=waits, tries=1, obeys_robots=False) as fetcher,
        pytest.raises(SiteAway, match="could not be read"),
    ):
        fetcher.get(f"{site.url}/a")


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
     b"no HTTP at all\r\n\r\n", b"\x16\x03\x01\x00\x05", b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx"],
    ids=["a header without end", "headers without end", "nonsense", "TLS", "a senseless length"],
)  # fmt: skip
def test_an_answer_that_is_none_is_told_or_taken_as_it_is(site: Site, waits: Waits, answer: bytes) -> None:
    def raw(handler: Any) -> None:
        handler.wfile.write(answer)
        handler.close_connection = True

    site.answers["/a"] = [raw]
    with Fetcher(wait=waits, tries=1, obeys_robots=False) as fetcher:
        try:
            assert fetcher.get(f"{site.url}/a").body == b"x"
        except SiteAway as away:
            assert "could not be read" in str(away)
