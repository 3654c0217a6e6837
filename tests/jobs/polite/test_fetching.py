"""The fetcher is polite: what comes of a request, faults, the pace."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.errors import Hold
from jobs.polite import hosts
from jobs.polite.errors import (
    AskedToWait,
    PageGone,
    PageRefused,
    SiteAway,
    Unreadable,
)
from jobs.polite.fetching import Fetcher
from jobs.polite.hosts import FetchHost
from tests.jobs.polite.waits import Waits
from tests.site import Site

pytestmark = pytest.mark.django_db


# -------------------------------------------------------------------- what comes


def test_a_page_comes_with_its_text_and_we_say_who_we_are(site: Site, fetcher: Fetcher) -> None:
    site.put("/a?b=1%2F2", "<p>Grüße")
    assert fetcher.get(f"{site.url}/a?b=1%2F2").text == "<p>Grüße"
    (asked,) = [each for each in site.asked if each.path.startswith("/a")]
    assert asked.headers["User-Agent"].startswith("Slotcast")


def test_the_encoding_is_taken_from_header_words_or_bytes(site: Site, fetcher: Fetcher) -> None:
    site.put("/header", "été".encode("latin-1"), Content_Type="text/html; charset=iso-8859-1")
    site.put("/meta", '<meta charset="windows-1251"><p>Море'.encode("cp1251"), Content_Type="text/html")
    site.put("/garbage", bytes(range(256)) * 4, Content_Type="text/html")
    assert fetcher.get(f"{site.url}/header").text == "été"
    assert "Море" in fetcher.get(f"{site.url}/meta").text
    assert fetcher.get(f"{site.url}/garbage").text


def test_what_was_seen_before_is_asked_for_conditionally(site: Site, fetcher: Fetcher) -> None:
    site.put("/a", "one", ETag='"1"', Last_Modified="Sat, 01 Nov 2025 10:00:00 GMT")
    first, second = fetcher.get(f"{site.url}/a"), fetcher.get(f"{site.url}/a")
    assert (first.text, first.is_unchanged) == ("one", False)
    assert (second.text, second.is_unchanged) == ("one", True)
    assert site.asked[-1].headers["If-Modified-Since"] == "Sat, 01 Nov 2025 10:00:00 GMT"
    site.put("/a", "two", ETag='"2"')
    third = fetcher.get(f"{site.url}/a")
    assert (third.text, third.is_unchanged) == ("two", False)


def test_what_is_asked_for_with_a_key_is_not_kept(site: Site, fetcher: Fetcher) -> None:
    site.put("/a", "mine", ETag='"1"')
    fetcher.get(f"{site.url}/a", headers={"Api-Key": "canary"})
    assert not fetcher.get(f"{site.url}/a").is_unchanged


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, PageGone), (410, PageGone), (401, PageRefused), (403, PageRefused), (451, PageRefused)],
)
def test_what_will_not_come_is_asked_for_once(
    site: Site, fetcher: Fetcher, status: int, error: type[Exception]
) -> None:
    site.put("/a", "no", status)
    with pytest.raises(error) as caught:
        fetcher.get(f"{site.url}/a?key=canary-17")
    assert len(site.paths()) == 1
    assert caught.value.permanent and "canary-17" not in str(caught.value)  # type: ignore[attr-defined]


@pytest.mark.parametrize("content", ["<html>", "", '{"a":', "[" * 100_000, "\0\0"])
def test_broken_json_is_told(site: Site, fetcher: Fetcher, content: str) -> None:
    site.put("/a", content)
    with pytest.raises(Unreadable, match="JSON"):
        fetcher.get(f"{site.url}/a").json()


# -------------------------------------------------------------------- faults


def test_a_fault_is_tried_again_ever_later(site: Site, fetcher: Fetcher, waits: Waits) -> None:
    site.answers["/a"] = [(503, {}, b""), (500, {}, b""), (200, {}, b"at last")]
    assert fetcher.get(f"{site.url}/a").body == b"at last"
    first, second = waits
    assert 0.7 < first < 1.3 < 1.4 < second < 2.6


def test_the_wait_a_site_asks_for_is_kept_by_all(site: Site, fetcher: Fetcher, waits: Waits) -> None:
    site.answers["/a"] = [(429, {"Retry-After": "7"}, b""), (200, {}, b"ok")]
    assert fetcher.get(f"{site.url}/a").body == b"ok"
    assert waits == [pytest.approx(7, abs=0.9)]
    assert FetchHost.objects.get().next_at > timezone.now() + timedelta(seconds=5)


def test_a_long_wait_gives_the_worker_back(site: Site, fetcher: Fetcher) -> None:
    site.answers["/a"] = [(429, {"Retry-After": "3600"}, b"")]
    with pytest.raises(AskedToWait) as caught:
        fetcher.get(f"{site.url}/a")
    assert isinstance(caught.value, Hold) and caught.value.until
    assert caught.value.until > timezone.now() + timedelta(minutes=59)
    with pytest.raises(AskedToWait, match="is not asked before"):
        fetcher.get(f"{site.url}/b")
    assert site.paths() == ["/a"]


@pytest.mark.parametrize("nonsense", ["soon", "-5", "", "1e400", "Sat, 99 Foo"])
def test_a_senseless_wish_to_wait_is_no_wish(
    site: Site, fetcher: Fetcher, waits: Waits, nonsense: str
) -> None:
    site.answers["/a"] = [(503, {"Retry-After": nonsense}, b""), (200, {}, b"ok")]
    assert fetcher.get(f"{site.url}/a").body == b"ok"
    assert all(each < 3 for each in waits)


def test_a_site_that_stays_away_is_told(site: Site, fetcher: Fetcher) -> None:
    site.put("/a", "", 502)
    with pytest.raises(SiteAway, match="HTTP 502"):
        fetcher.get(f"{site.url}/a")
    assert len(site.paths()) == 3


def test_a_connection_that_breaks_is_tried_again(site: Site, fetcher: Fetcher) -> None:
    def cut(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"x")
        handler.connection.shutdown(socket.SHUT_RDWR)

    site.answers["/a"] = [cut, (200, {}, b"whole")]
    assert fetcher.get(f"{site.url}/a").body == b"whole"


def test_what_may_have_been_done_is_not_sent_twice(site: Site, waits: Waits) -> None:
    site.put("/download", "", 503)
    with Fetcher(wait=waits, obeys_robots=False) as fetcher, pytest.raises(SiteAway):
        fetcher.post(f"{site.url}/download", {"file_id": 1})
    assert site.paths() == ["/download"]
    assert site.asked[-1].body == b'{"file_id": 1}'


# -------------------------------------------------------------------- pace


def test_requests_to_one_site_keep_their_distance_over_all_fetchers(site: Site, waits: Waits) -> None:
    site.put("/a", "a")
    for _ in range(3):
        with Fetcher(wait=waits, delay_seconds=5, obeys_robots=False) as fetcher:
            fetcher.get(f"{site.url}/a")
    assert waits == [pytest.approx(5, abs=0.9), pytest.approx(10, abs=0.9)]


def test_a_site_may_ask_for_a_greater_distance(site: Site, waits: Waits) -> None:
    site.put("/robots.txt", "User-agent: *\nCrawl-delay: 9\n")
    site.put("/a", "a")
    with Fetcher(wait=waits) as fetcher:
        fetcher.get(f"{site.url}/a")
        fetcher.get(f"{site.url}/a")
    assert waits[-1] == pytest.approx(9, abs=0.9)


def test_moments_are_given_once_and_those_far_ahead_are_not_taken() -> None:
    now, second = timezone.now(), timedelta(seconds=1)
    given = [hosts.reserve("http://x:80", delay=second, now=now, most=3 * second) for _ in range(6)]
    assert given == [now, now + second, now + 2 * second, now + 3 * second, *[now + 4 * second] * 2]
