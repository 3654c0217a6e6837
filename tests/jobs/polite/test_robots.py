"""robots.txt is obeyed, whatever it is made of."""

from __future__ import annotations

import gzip
import tracemalloc
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.utils import timezone

from jobs.polite import robots
from jobs.polite.asking import Limits
from jobs.polite.errors import (
    Disallowed,
    SiteAway,
)
from jobs.polite.fetching import Fetcher
from jobs.polite.hosts import FetchHost
from tests.jobs.polite.waits import Waits
from tests.site import Site

pytestmark = pytest.mark.django_db


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


def test_of_a_huge_robots_txt_the_first_part_counts(site: Site, fetcher: Fetcher) -> None:
    filling = "# nothing\n" * 60_000
    site.put("/robots.txt", f"User-agent: *\nDisallow: /first\n{filling}Disallow: /last\n")
    site.put("/last", "read")
    assert fetcher.get(f"{site.url}/last").text == "read"
    with pytest.raises(Disallowed):
        fetcher.get(f"{site.url}/first")
    assert len(FetchHost.objects.get().robots) == robots.MOST_BYTES


def test_a_robots_txt_made_to_fill_memory_does_not(site: Site) -> None:
    names = "".join(f"User-agent: bot{number}\n" for number in range(1500))
    rules = "".join(f"Disallow: /{number}\n" for number in range(1500))
    tracemalloc.start()
    try:
        read = robots.rules_of(f"{names}User-Agent : SlotCast # us\n{rules}\nUser-agent: *\nDisallow: /all\n")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 20_000_000
    assert not read.allows("http://x/7") and read.allows("http://x/all"), (
        "the rules for us are those under our name"
    )


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("Crawl-delay: nan", 0), ("Crawl-delay: -4", 0), ("Crawl-delay: 1e999", 0), ("Crawl-delay: soon", 0),
        ("Request-rate: 0/5", 0), ("Request-rate: 1/0", 0), ("Request-rate: x", 0), ("Request-rate: -1/5", 0),
        ("Crawl-delay: 7", 7), ("Request-rate: 1/9s", 9),
    ],
)  # fmt: skip
def test_a_senseless_distance_is_none(said: str, seconds: float) -> None:
    assert robots.rules_of(f"User-agent: *\n{said}\n").delay_seconds == seconds


def test_a_site_cannot_ask_for_a_distance_of_days(site: Site, waits: Waits) -> None:
    site.put("/robots.txt", "User-agent: *\nCrawl-delay: 86400\n")
    site.put("/a", "a")
    with Fetcher(wait=waits) as fetcher:
        fetcher.get(f"{site.url}/a")
        fetcher.get(f"{site.url}/a")
    assert max(waits) < 61


def test_a_robots_txt_that_is_a_bomb_is_read_as_far_as_its_limit(site: Site, fetcher: Fetcher) -> None:
    rules = b"User-agent: *\nDisallow: /private\n"
    site.put("/robots.txt", gzip.compress(rules + b"#" * 50_000_000), Content_Encoding="gzip")
    site.put("/a", "a")
    assert fetcher.get(f"{site.url}/a").text == "a"
    with pytest.raises(Disallowed):
        fetcher.get(f"{site.url}/private")


def test_a_robots_txt_that_trickles_forbids_all_for_now(site: Site, waits: Waits) -> None:
    over = Event()

    def trickle(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\nUser-agent: *")
        over.wait(50)

    site.answers["/robots.txt"] = [trickle]
    site.put("/a", "a")
    limits = Limits(total_seconds=0.3, read_seconds=60)
    with Fetcher(wait=waits, tries=1, limits=limits) as fetcher, pytest.raises(SiteAway, match="not whole"):
        fetcher.get(f"{site.url}/a")
    over.set()
    assert site.paths() == []


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/robots.txt", "file:///etc/passwd", "/robots.txt", "http://["]
)
def test_a_robots_txt_that_leads_astray_forbids_nothing_and_is_not_followed(
    site: Site, fetcher: Fetcher, location: str
) -> None:
    site.put("/robots.txt", "", 302, Location=location)
    site.put("/a", "a")
    assert fetcher.get(f"{site.url}/a").text == "a"


def test_a_robots_txt_found_elsewhere_on_its_site_counts(site: Site, fetcher: Fetcher) -> None:
    site.put("/robots.txt", "", 301, Location="/real")
    site.put("/real", "User-agent: *\nDisallow: /\n")
    with pytest.raises(Disallowed):
        fetcher.get(f"{site.url}/a")
