"""Pages of the open Internet, fetched politely: the one way any script of the house asks a site for anything.

Each site is asked at most once in its delay, over all workers; its robots.txt (RFC 9309) is obeyed; what was seen
before is asked for conditionally (RFC 9110, 13); faults are tried again ever later; what comes is limited in
size and time. Every hop of a redirect is checked like the first address.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from jobs.polite import asking, hosts, pages, robots
from jobs.polite.asking import Limits, Lines
from jobs.polite.errors import AskedToWait, Disallowed, PageGone, PageRefused, SiteAway
from jobs.polite.pages import Page, Seen
from jobs.polite.pinned import AddressRefused
from jobs.polite.targets import Target, checked, joined

log = logging.getLogger(__name__)

MOST_REDIRECTS = 5
FIRST_BACK_OFF_SECONDS = 1.0
# A longer wait gives the worker back: the job waits, not the process.
MOST_WAIT_SECONDS = 60.0
_REDIRECTS = {301, 302, 303, 307, 308}
_AGAIN = {429, 500, 502, 503, 504}


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
    _lines: Lines = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._lines = Lines(self.limits)

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._lines.close()

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Page:
        """The page at `url`. Raises a JobError that says what is wrong, or a Hold."""
        return self._follow("GET", url, None, dict(headers or {}))

    def post(self, url: str, body: object, *, headers: Mapping[str, str] | None = None) -> Page:
        """Send JSON and read the answer. What may have been done is not sent a second time."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        return self._follow("POST", url, json.dumps(body).encode(), sent)

    def _follow(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> Page:
        target = checked(url, self.hosts)
        for _ in range(MOST_REDIRECTS + 1):
            if self.obeys_robots:
                self._obey(target)
            page, location = self._ask(method, target, body, headers)
            if not location:
                return page
            following = checked(joined(target.url, location), self.hosts)
            if body is not None:
                raise SiteAway(f"{target} leads elsewhere; nothing is sent there.")
            if following.origin != target.origin:
                # What was meant for one site is no business of another.
                headers = {name: value for name, value in headers.items() if name in ("Accept",)}
            target = following
        raise SiteAway(f"{target} leads from one address to the next without end.")

    # ---------------------------------------------------------------- robots.txt

    def _obey(self, target: Target) -> None:
        text = hosts.robots_of(target.origin, now=timezone.now(), fresh_for=robots.FRESH)
        if text is None:
            text = self._robots(target)
            hosts.keep_robots(target.origin, text, now=timezone.now())
        if not robots.rules_of(text).allows(target.url):
            raise Disallowed(f"{target.host} asks programs, in its robots.txt, to stay away from {target}.")

    def _robots(self, target: Target) -> str:
        """RFC 9309, 2.3.1: what is not there forbids nothing; what cannot be read forbids all, for now."""
        at = checked(f"{target.origin}/robots.txt", self.hosts)
        for _ in range(MOST_REDIRECTS + 1):
            try:
                page, location = self._ask("GET", at, None, {}, first_bytes=robots.MOST_BYTES)
            except (PageGone, PageRefused, AddressRefused):
                return ""
            if not location:
                return page.body.decode("utf-8", "replace")
            try:
                at = checked(joined(at.url, location), self.hosts)
            except AddressRefused:
                return ""
        return ""

    def _delay(self, target: Target) -> timedelta:
        own = settings.FETCH_DELAY_SECONDS if self.delay_seconds is None else self.delay_seconds
        asked = 0.0
        if self.obeys_robots:
            text = hosts.robots_of(target.origin, now=timezone.now(), fresh_for=robots.FRESH)
            asked = robots.rules_of(text).delay_seconds if text else 0.0
        return timedelta(seconds=min(max(own, asked), MOST_WAIT_SECONDS))

    # ---------------------------------------------------------------- asking

    def _ask(
        self,
        method: str,
        target: Target,
        body: bytes | None,
        headers: dict[str, str],
        *,
        first_bytes: int = 0,
    ) -> tuple[Page, str]:
        """The answer of one address, and where it leads (“”: it is the page); of a long one its `first_bytes`."""
        seen = pages.seen(target) if method == "GET" and not pages.is_personal(headers) else None
        sent = {
            "User-Agent": settings.FETCH_USER_AGENT,
            "Accept": "*/*",
            "Accept-Encoding": "gzip, deflate",
            **(seen.conditions if seen else {}),
            **headers,
        }
        for failures in range(1, self.tries + 1):
            self._await_turn(target)
            self.requests += 1
            try:
                with self._lines.answered(method, target, body, sent) as response:
                    status = response.status
                    if status not in _AGAIN:
                        return self._page(response, target, seen, headers, first_bytes)
                    asked = _seconds(response.headers.get("Retry-After"))
                why = f"{target} answered with HTTP {status}"
            except (OSError, HTTPError) as exc:
                self._lines.forget(target)
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

    def _page(
        self,
        response: BaseHTTPResponse,
        target: Target,
        seen: Seen | None,
        headers: dict[str, str],
        first_bytes: int,
    ) -> tuple[Page, str]:
        status, content_type = response.status, response.headers.get("Content-Type", "")
        if status == 304 and seen is not None:
            return Page(target.url, 200, seen.content_type, seen.body, is_unchanged=True), ""
        if status in _REDIRECTS and (location := response.headers.get("Location", "")):
            return Page(target.url, status, content_type, b""), location
        if status not in self.answers:
            _refuse(status, target)
        most = first_bytes or self.limits.page_bytes
        body = asking.body_of(response, target, most, is_cut=first_bytes > 0)
        page = Page(target.url, status, content_type, body)
        if status == 200 and not pages.is_personal(headers) and not first_bytes:
            pages.keep(target, response, page)
        return page, ""


def _refuse(status: int, target: Target) -> None:
    """Raises what a status other than 2xx means."""
    if status in (404, 410):
        raise PageGone(f"There is no page at {target} (HTTP {status}). Correct the address, then retry.")
    if 400 <= status < 500:
        raise PageRefused(f"{target} does not let us read it (HTTP {status}).")
    if not 200 <= status < 300:
        raise SiteAway(f"{target} answered with HTTP {status}; it is tried again.")


def _seconds(retry_after: str | None) -> float | None:
    """The seconds a Retry-After asks for, as a number or a date; None: none, or nonsense."""
    if not retry_after:
        return None
    try:
        return max(0.0, float(Retry().parse_retry_after(retry_after)))
    except (HTTPError, ValueError, OverflowError):
        return None


def _why(exc: BaseException) -> str:
    """What went wrong, without the address, which may be a signed one."""
    text = str(exc) if isinstance(exc, TimeoutError) else ""
    return text or type(exc).__name__
