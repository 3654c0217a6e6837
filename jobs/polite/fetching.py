"""Pages of the open Internet, fetched politely: the one way any script of the house asks a site for anything.

Each site is asked at most once in its delay, over all workers; its robots.txt (RFC 9309) is obeyed; what was seen
before is asked for conditionally (RFC 9110, 13); faults are tried again ever later; what comes is limited in
size and time. Every hop of a redirect is checked like the first address.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode, urljoin

from django.conf import settings
from django.core.cache import caches
from django.utils import timezone
from protego import Protego
from urllib3 import BaseHTTPResponse, HTTPConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.util import Retry
from w3lib.encoding import html_to_unicode

from jobs.polite import hosts, pinned
from jobs.polite.addresses import split
from jobs.polite.errors import (
    AskedToWait,
    Disallowed,
    PageGone,
    PageRefused,
    SiteAway,
    TooLarge,
    Unreadable,
)
from jobs.polite.pinned import AddressRefused

log = logging.getLogger(__name__)

# What a robots.txt knows us by.
ROBOT = "Slotcast"
MOST_REDIRECTS = 5
READ_BYTES = 64 * 1024
# RFC 9309, 2.4 and 2.5: kept for a day, read up to 500 KiB.
ROBOTS_FRESH = timedelta(hours=24)
ROBOTS_BYTES = 512_000
PAGES_KEPT_SECONDS = 30 * 24 * 3600
FIRST_BACK_OFF_SECONDS = 1.0
# A longer wait gives the worker back: the job waits, not the process.
MOST_WAIT_SECONDS = 60.0
_SAFE = "/%:@!$&'()*+,;=~-._"
_AGAIN = {429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Limits:
    """What one page may cost: bytes after decompression, and seconds."""

    page_bytes: int = 5 * 1024 * 1024
    connect_seconds: float = 10.0
    read_seconds: float = 30.0
    total_seconds: float = 120.0


@dataclass(frozen=True)
class Target:
    """A checked address."""

    url: str
    scheme: str
    host: str
    port: int
    path: str
    is_trusted: bool

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    def __str__(self) -> str:
        """Without what a signed address carries behind its “?”."""
        return f"{self.host}{self.path.partition('?')[0]}"


@dataclass(frozen=True)
class Page:
    """What a site gave: `url` is where it was found in the end."""

    url: str
    status: int
    content_type: str
    body: bytes
    is_unchanged: bool = False  # as it was when it was last asked for

    @property
    def text(self) -> str:
        """The body in the encoding its header, its own words, or its bytes tell."""
        return html_to_unicode(self.content_type, self.body, auto_detect_fun=_guess)[1]

    def json(self) -> Any:
        """Raises Unreadable."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as exc:
            raise Unreadable(f"{_shown(self.url)} did not answer with JSON.") from exc


@dataclass
class Fetcher:
    """Asks for pages. Not shared between threads; close it, or use it in a `with`.

    `hosts` are the only ones that are asked (`example.com`, or `example.com:8080`), redirects included; none: any
    public one. `delay_seconds` is the least between two requests to a site. `wait` sleeps, or raises to stop.
    `answers` are statuses beside 2xx whose body is the page.
    """

    hosts: Collection[str] = ()
    delay_seconds: float | None = None
    wait: Callable[[float], None] = time.sleep
    tries: int = 3
    obeys_robots: bool = True
    answers: Collection[int] = ()
    limits: Limits = field(default_factory=Limits)
    requests: int = 0
    _pools: dict[str, HTTPConnectionPool] = field(default_factory=dict, repr=False)
    _read_rules: dict[str, tuple[str, Protego]] = field(default_factory=dict, repr=False)

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Page:
        """The page at `url`. Raises a JobError that says what is wrong, or a Hold."""
        return self._follow("GET", url, None, dict(headers or {}))

    def post(self, url: str, body: object, *, headers: Mapping[str, str] | None = None) -> Page:
        """Send JSON and read the answer. What may have been done is not sent a second time."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        return self._follow("POST", url, json.dumps(body).encode(), sent)

    # ---------------------------------------------------------------- where to

    def checked(self, url: str) -> Target:
        """Raises AddressRefused for an address that is none, or that this fetcher may not ask."""
        parts = split(url)
        if parts is None or parts.scheme not in ("http", "https") or len(url) > 2000:
            raise AddressRefused("This is no usable address of a page. Correct it, then retry.")
        host = (parts.hostname or "").lower().rstrip(".")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        named = f"{host}:{port}"
        if self.hosts and host not in self.hosts and named not in self.hosts:
            raise AddressRefused(f"{named} is no host of this source; name it in its configuration.")
        path, query = quote(parts.path or "/", safe=_SAFE), quote(parts.query, safe=_SAFE + "?")
        is_trusted = named in settings.FETCH_PRIVATE_HOSTS
        return Target(
            url, parts.scheme, host, port, f"{path}?{query}" if query else path, is_trusted=is_trusted
        )

    def _follow(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> Page:
        target = self.checked(url)
        for _ in range(MOST_REDIRECTS + 1):
            if self.obeys_robots:
                self._obey(target)
            page, location = self._ask(method, target, body, headers)
            if not location:
                return page
            following = self.checked(urljoin(target.url, location))
            if body is not None:
                raise SiteAway(f"{target} leads elsewhere; nothing is sent there.")
            if following.origin != target.origin:
                # What was meant for one site is no business of another.
                headers = {name: value for name, value in headers.items() if name in ("Accept",)}
            target = following
        raise SiteAway(f"{target} leads from one address to the next without end.")

    # ---------------------------------------------------------------- robots.txt

    def _obey(self, target: Target) -> None:
        rules = self._rules(target)
        if not rules.can_fetch(target.url, ROBOT):
            raise Disallowed(f"{target.host} asks programs, in its robots.txt, to stay away from {target}.")

    def _rules(self, target: Target) -> Protego:
        text = hosts.robots_of(target.origin, now=timezone.now(), fresh_for=ROBOTS_FRESH)
        if text is None:
            text = self._robots(target)
            hosts.keep_robots(target.origin, text, now=timezone.now())
        return self._parsed(target, text)

    def _parsed(self, target: Target, text: str) -> Protego:
        """The rules of the text; read once while it stays the same."""
        kept = self._read_rules.get(target.origin)
        if kept is None or kept[0] != text:
            kept = self._read_rules[target.origin] = (text, Protego.parse(text))
        return kept[1]

    def _robots(self, target: Target) -> str:
        """RFC 9309, 2.3.1: what is not there forbids nothing; what cannot be read forbids all, for now."""
        at = self.checked(f"{target.scheme}://{target.host}:{target.port}/robots.txt")
        for _ in range(MOST_REDIRECTS + 1):
            try:
                page, location = self._ask("GET", at, None, {}, most_bytes=ROBOTS_BYTES, is_cut=True)
            except (PageGone, PageRefused, AddressRefused):
                return ""
            if not location:
                return page.body.decode("utf-8", "replace")
            try:
                at = self.checked(urljoin(at.url, location))
            except AddressRefused:
                return ""
        return ""

    def _delay(self, target: Target) -> timedelta:
        own = settings.FETCH_DELAY_SECONDS if self.delay_seconds is None else self.delay_seconds
        text = hosts.robots_of(target.origin, now=timezone.now(), fresh_for=ROBOTS_FRESH)
        asked = 0.0
        if text and self.obeys_robots:
            rules = self._parsed(target, text)
            rate = rules.request_rate(ROBOT)
            asked = max(rules.crawl_delay(ROBOT) or 0.0, rate.seconds / rate.requests if rate else 0.0)
        return timedelta(seconds=min(max(own, asked), MOST_WAIT_SECONDS))

    # ---------------------------------------------------------------- asking

    def _ask(
        self,
        method: str,
        target: Target,
        body: bytes | None,
        headers: dict[str, str],
        *,
        most_bytes: int = 0,
        is_cut: bool = False,
    ) -> tuple[Page, str]:
        """The answer of one address, and where it leads (“”: it is the page)."""
        kept = _kept(target) if method == "GET" and not _is_personal(headers) else None
        for failures in range(1, self.tries + 1):
            self._await_turn(target)
            self.requests += 1
            try:
                with self._answered(method, target, body, headers, kept) as response:
                    status = response.status
                    if status not in _AGAIN:
                        return self._page(response, target, kept, headers, most_bytes, is_cut)
                    asked = _seconds(response.headers.get("Retry-After"))
                why = f"{target} answered with HTTP {status}"
            except (OSError, HTTPError) as exc:
                self._forget(target)
                why, status, asked = f"{target} could not be read ({_why(exc)})", 0, None
            if body is not None and status != 429:
                # It may have been done; whoever sent it decides.
                raise SiteAway(f"{why}; it is tried again.")
            self._back_off(target, why, failures, asked)
        raise SiteAway(f"{why}; it is tried again.")

    def _await_turn(self, target: Target) -> None:
        most = timedelta(seconds=MOST_WAIT_SECONDS)
        now = timezone.now()
        moment = hosts.reserve(target.origin, delay=self._delay(target), now=now, most=most)
        if moment - now > most:
            raise AskedToWait(f"{target.host} is not asked before {moment:%H:%M:%S} UTC.", until=moment)
        if moment > now:
            self.wait((moment - now).total_seconds())

    def _back_off(self, target: Target, why: str, failures: int, asked: float | None) -> None:
        seconds = FIRST_BACK_OFF_SECONDS * 2.0 ** (failures - 1) * random.uniform(0.75, 1.25)  # noqa: S311
        if asked is not None:
            seconds = max(seconds, asked)
        until = timezone.now() + timedelta(seconds=seconds)
        hosts.push_back(target.origin, until=until)
        if asked is not None and asked > MOST_WAIT_SECONDS:
            raise AskedToWait(f"{why} and asked to wait {asked:.0f} seconds.", until=until)
        if failures < self.tries:
            log.info("%s; asked again in %.1f s", why, seconds)

    @contextmanager
    def _answered(
        self, method: str, target: Target, body: bytes | None, headers: dict[str, str], kept: _Kept | None
    ) -> Iterator[BaseHTTPResponse]:
        if body is not None:
            # A connection the server dropped while idle would break after the request has left.
            self._forget(target)
        pool = self._pools.get(target.origin)
        if pool is None:
            limits = self.limits
            pool = self._pools[target.origin] = pinned.pool(
                target.scheme, target.host, target.port, is_trusted=target.is_trusted,
                connect_seconds=limits.connect_seconds, read_seconds=limits.read_seconds,
            )  # fmt: skip
        sent = {
            "User-Agent": settings.FETCH_USER_AGENT,
            "Accept": "*/*",
            "Accept-Encoding": "gzip, deflate",
            **(kept.conditions if kept else {}),
            **headers,
        }
        response = pool.urlopen(
            method, target.path, body=body, headers=sent, redirect=False, retries=False, preload_content=False
        )
        try:
            yield response
        finally:
            # What was not read to its end must not stand before the next answer.
            response.close()

    def _page(
        self,
        response: BaseHTTPResponse,
        target: Target,
        kept: _Kept | None,
        headers: dict[str, str],
        most_bytes: int,
        is_cut: bool,
    ) -> tuple[Page, str]:
        status, content_type = response.status, response.headers.get("Content-Type", "")
        if status == 304 and kept is not None:
            return Page(target.url, 200, kept.content_type, kept.body, is_unchanged=True), ""
        if status in (301, 302, 303, 307, 308) and (location := response.headers.get("Location", "")):
            return Page(target.url, status, content_type, b""), location
        if status in self.answers:
            return Page(target.url, status, content_type, self._read(response, target, 0, is_cut)), ""
        if status in (404, 410):
            raise PageGone(f"There is no page at {target} (HTTP {status}). Correct the address, then retry.")
        if 400 <= status < 500:
            raise PageRefused(f"{target} does not let us read it (HTTP {status}).")
        if not 200 <= status < 300:
            raise SiteAway(f"{target} answered with HTTP {status}; it is tried again.")
        body = self._read(response, target, most_bytes, is_cut)
        page = Page(target.url, status, content_type, body)
        if status == 200 and not _is_personal(headers) and not is_cut:
            _keep(target, response, page)
        return page, ""

    def _read(self, response: BaseHTTPResponse, target: Target, most: int, is_cut: bool) -> bytes:
        """The body, decompressed piece by piece so that no bomb goes off. Raises TooLarge, OSError."""
        most = most or self.limits.page_bytes
        deadline = time.monotonic() + self.limits.total_seconds
        told = response.headers.get("Content-Length", "")
        if told.isdecimal() and int(told) > most and not is_cut:
            raise TooLarge(f"{target} says it is {int(told):,} bytes; at most {most:,} are taken.")
        body = bytearray()
        with _cut_off(response, self.limits.total_seconds):
            while piece := response.read1(READ_BYTES, decode_content=True):
                body += piece
                if len(body) > most:
                    if is_cut:
                        return bytes(body[:most])
                    raise TooLarge(f"{target} is longer than the {most:,} bytes that are taken.")
                if time.monotonic() > deadline:
                    raise TimeoutError(f"not whole after {self.limits.total_seconds:.0f} s")
        return bytes(body)

    def _forget(self, target: Target) -> None:
        if pool := self._pools.pop(target.origin, None):
            pool.close()


@contextmanager
def _cut_off(response: BaseHTTPResponse, seconds: float) -> Iterator[None]:
    """Break a read that lets a byte trickle now and then, when the time is up."""

    def cut() -> None:
        sock = getattr(getattr(response, "connection", None), "sock", None)
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def with_query(url: str, params: Mapping[str, object]) -> str:
    """`url` with `params` in its query, in order of their names."""
    query = urlencode(sorted((name, str(value)) for name, value in params.items() if value not in (None, "")))
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url


# -------------------------------------------------------------------- what was seen before


@dataclass(frozen=True)
class _Kept:
    """A page as it was, and how to ask whether it still is."""

    etag: str
    last_modified: str
    content_type: str
    body: bytes

    @property
    def conditions(self) -> dict[str, str]:
        asked = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in asked.items() if value}


def _key(target: Target) -> str:
    return hashlib.sha256(f"{target.origin}{target.path}".encode()).hexdigest()


def _kept(target: Target) -> _Kept | None:
    found = caches["pages"].get(_key(target))
    return _Kept(*found) if found else None


def _keep(target: Target, response: BaseHTTPResponse, page: Page) -> None:
    etag, modified = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
    if (etag or modified) and "no-store" not in response.headers.get("Cache-Control", ""):
        kept = (etag[:500], modified[:100], page.content_type, page.body)
        caches["pages"].set(_key(target), kept, PAGES_KEPT_SECONDS)


def _is_personal(headers: Mapping[str, str]) -> bool:
    return any(name.lower() in ("authorization", "api-key", "cookie") for name in headers)


# -------------------------------------------------------------------- words


def _seconds(retry_after: str | None) -> float | None:
    """The seconds a Retry-After asks for, as a number or a date; None: none, or nonsense."""
    if not retry_after:
        return None
    try:
        return max(0.0, float(Retry().parse_retry_after(retry_after)))
    except (HTTPError, ValueError, OverflowError):
        return None


def _guess(body: bytes) -> str | None:
    from charset_normalizer import from_bytes

    best = from_bytes(body[:READ_BYTES]).best()
    return best.encoding if best else None


def _why(exc: BaseException) -> str:
    """What went wrong, without the address, which may be a signed one."""
    text = str(exc) if isinstance(exc, TimeoutError) else ""
    return text or type(exc).__name__


def _shown(url: str) -> str:
    return url.partition("?")[0]
