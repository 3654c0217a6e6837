"""The fetcher goes nowhere it must not go: private networks, redirects into them, names that change."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from jobs.polite import pinned
from jobs.polite.errors import (
    Disallowed,
    SiteAway,
)
from jobs.polite.fetching import Fetcher
from jobs.polite.pinned import AddressRefused
from jobs.polite.targets import with_query
from tests.jobs.polite.waits import Waits
from tests.site import Site

pytestmark = pytest.mark.django_db


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
        "http://[",
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


def test_a_name_of_two_addresses_is_refused_for_one_that_is_private(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of them the system would take."""

    def resolve(host: str, port: int, **_: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in ("8.8.4.4", "10.0.0.7")]

    def connect(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection was made")

    settings.FETCH_PRIVATE_HOSTS, settings.FETCH_DELAY_SECONDS = [], 0
    monkeypatch.setattr(pinned.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(pinned.socket, "create_connection", connect)
    with Fetcher(wait=Waits(), obeys_robots=False) as fetcher, pytest.raises(AddressRefused, match="private"):
        fetcher.get("http://two.example/")


def test_a_private_host_is_allowed_at_its_port_alone(site: Site, settings: Any, waits: Waits) -> None:
    other = Site()
    settings.FETCH_PRIVATE_HOSTS = [site.host]
    site.put("/a", "", 302, Location=f"{other.url}/b")
    with Fetcher(wait=waits) as fetcher, pytest.raises(AddressRefused, match="private"):
        fetcher.get(f"{site.url}/a")
    assert other.asked == []
    other.close()


def test_a_query_is_written_in_order_of_its_names() -> None:
    assert with_query("http://x/a", {"b": 2, "a": "é", "c": None}) == "http://x/a?a=%C3%A9&b=2"
    assert with_query("http://x/a?z=1", {"b": 2}) == "http://x/a?z=1&b=2"
    assert with_query("http://x/a", {}) == "http://x/a"
