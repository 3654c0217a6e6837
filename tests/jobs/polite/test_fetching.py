"""The fetcher is polite, bounded, and goes nowhere it must not go."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.utils import timezone

from jobs.errors import Hold
from jobs.polite import hosts, pinned
from jobs.polite.errors import (
    AskedToWait,
    Disallowed,
    PageGone,
    PageRefused,
    SiteAway,
    TooLarge,
    Unreadable,
)
from jobs.polite.fetching import Fetcher, Limits, with_query
from jobs.polite.hosts import FetchHost
from jobs.polite.pinned import AddressRefused
from tests.site import Site

pytestmark = pytest.mark.django_db


class Waits(list[float]):
    """Instead of sleeping: what would have been waited."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def fetcher(site: Site, waits: Waits) -> Iterator[Fetcher]:
    with Fetcher(wait=waits) as made:
        yield made


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


# -------------------------------------------------------------------- limits


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


# -------------------------------------------------------------------- robots.txt


def test_what_robots_txt_forbids_is_not_asked_for(site: Site, fetcher: Fetcher) -> None:
    site.put("/robots.txt", "User-agent: *\nDisallow: /private/\nAllow: /private/open\n")
    site.put("/private/open", "open")
    assert fetcher.get(f"{site.url}/private/open").text == "open"
    with pytest.raises(Disallowed, match=r"robots\.txt"):
        fetcher.get(f"{site.url}/private/a")
    assert site.paths() == ["/private/open"]


def test_rules_for_us_by_name_win(site: Site, fetcher: Fetcher) -> None:
    site.put("/robots.txt", "User-agent: slotcast\nDisallow: /\n\nUser-agent: *\nAllow: /\n")
    with pytest.raises(Disallowed):
        fetcher.get(f"{site.url}/a")


def test_robots_txt_is_asked_for_once_a_day(site: Site, fetcher: Fetcher) -> None:
    site.put("/robots.txt", "User-agent: *\nDisallow: /x\n")
    site.put("/a", "a")
    for _ in range(3):
        fetcher.get(f"{site.url}/a")
    assert [each.path for each in site.asked].count("/robots.txt") == 1
    FetchHost.objects.update(robots_at=timezone.now() - timedelta(hours=25))
    fetcher.get(f"{site.url}/a")
    assert [each.path for each in site.asked].count("/robots.txt") == 2


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_site_without_robots_txt_forbids_nothing(site: Site, fetcher: Fetcher, status: int) -> None:
    site.put("/robots.txt", "Disallow everything", status)
    site.put("/a", "a")
    assert fetcher.get(f"{site.url}/a").text == "a"


def test_a_robots_txt_that_cannot_be_read_forbids_all_for_now(site: Site, fetcher: Fetcher) -> None:
    site.put("/robots.txt", "", 500)
    site.put("/a", "a")
    with pytest.raises(SiteAway):
        fetcher.get(f"{site.url}/a")
    assert site.paths() == []


def test_a_robots_txt_of_garbage_forbids_nothing(site: Site, fetcher: Fetcher) -> None:
    site.put("/robots.txt", bytes(range(256)) * 5000)
    site.put("/a", "a")
    assert fetcher.get(f"{site.url}/a").text == "a"


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


# -------------------------------------------------------------------- where it must not go


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a", "http://localhost/a", "http://[::1]/a", "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.7/", "http://192.168.1.1/", "http://172.16.0.1/", "http://100.64.0.1/", "http://0.0.0.0/",
        "http://2130706433/", "http://0x7f.1/", "http://017700000001/", "http://[::ffff:10.0.0.1]/",
        "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://[fd00::1]/", "http://[fe80::1%25lo]/",
        "http://224.0.0.1/", "http://[ff02::1]/",
        "file:///etc/passwd", "ftp://example.com/a", "gopher://127.0.0.1:6379/_FLUSHALL", "//example.com/a",
        "http://user:pass@example.com/", "http://example.com\\@127.0.0.1/", "http://example.com\n.evil/", "", "https://",
        "http://[bad/", "javascript:alert(1)", "http://" + "a" * 3000,
    ],
)  # fmt: skip
def test_no_private_address_and_nothing_strange_is_asked(
    url: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection was made")

    settings.FETCH_PRIVATE_HOSTS, settings.FETCH_DELAY_SECONDS = [], 0
    monkeypatch.setattr(pinned.socket, "create_connection", connect)
    with pytest.raises((AddressRefused, SiteAway)), Fetcher(wait=Waits(), obeys_robots=False) as fetcher:
        fetcher.get(url)


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/",
        "http://localhost:1/",
        "file:///etc/passwd",
        "//10.0.0.1/",
        "http://[::1]/",
    ],
)
def test_a_redirect_into_a_private_network_is_not_followed(
    site: Site, fetcher: Fetcher, location: str
) -> None:
    site.put("/a", "", 302, Location=location)
    with pytest.raises(AddressRefused):
        fetcher.get(f"{site.url}/a")


def test_a_redirect_on_the_same_site_is_followed_and_obeys_its_robots_txt(
    site: Site, fetcher: Fetcher
) -> None:
    site.put("/robots.txt", "User-agent: *\nDisallow: /private\n")
    site.put("/a", "", 301, Location="/b")
    site.put("/b", "b")
    site.put("/c", "", 301, Location="/private")
    page = fetcher.get(f"{site.url}/a")
    assert (page.text, page.url) == ("b", f"{site.url}/b")
    with pytest.raises(Disallowed):
        fetcher.get(f"{site.url}/c")


def test_redirects_without_end_are_given_up(site: Site, fetcher: Fetcher) -> None:
    site.put("/a", "", 302, Location="/b")
    site.put("/b", "", 302, Location="/a")
    with pytest.raises(SiteAway, match="without end"):
        fetcher.get(f"{site.url}/a")
    assert len(site.paths()) == 6


def test_a_key_does_not_follow_to_another_site(site: Site, settings: Any, waits: Waits) -> None:
    other = Site()
    settings.FETCH_PRIVATE_HOSTS = [site.host, other.host]
    site.put("/a", "", 302, Location=f"{other.url}/b")
    other.put("/b", "b")
    with Fetcher(wait=waits) as fetcher:
        assert fetcher.get(f"{site.url}/a", headers={"Api-Key": "canary", "Accept": "text/html"}).text == "b"
    assert "Api-Key" not in other.asked[-1].headers
    assert other.asked[-1].headers["Accept"] == "text/html"
    other.close()


def test_only_the_hosts_of_a_source_are_asked(site: Site, settings: Any, waits: Waits) -> None:
    other = Site()
    settings.FETCH_PRIVATE_HOSTS = [site.host, other.host]
    site.put("/a", "", 302, Location=f"{other.url}/b")
    with Fetcher(hosts={site.host}, wait=waits) as fetcher:
        with pytest.raises(AddressRefused, match="no host of this source"):
            fetcher.get(f"{site.url}/a")
        with pytest.raises(AddressRefused, match="no host of this source"):
            fetcher.get("http://example.com/")
    assert other.asked == []
    other.close()


def test_a_name_that_changes_its_address_gains_nothing(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the address is looked up once, and the connection goes to what was judged."""
    settings.FETCH_PRIVATE_HOSTS, settings.FETCH_DELAY_SECONDS = [], 0
    answers = ["8.8.4.4", "127.0.0.1"]
    connected: list[Any] = []

    def resolve(host: str, port: int, **_: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    def connect(address: Any, **_: Any) -> None:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(pinned.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(pinned.socket, "create_connection", connect)
    with Fetcher(wait=Waits(), tries=2, obeys_robots=False) as fetcher, pytest.raises(AddressRefused):
        fetcher.get("http://rebinding.example/")
    assert connected == [("8.8.4.4", 80)]


def test_a_query_is_written_in_order_of_its_names() -> None:
    assert with_query("http://x/a", {"b": 2, "a": "é", "c": None}) == "http://x/a?a=%C3%A9&b=2"
    assert with_query("http://x/a?z=1", {"b": 2}) == "http://x/a?z=1&b=2"
    assert with_query("http://x/a", {}) == "http://x/a"
