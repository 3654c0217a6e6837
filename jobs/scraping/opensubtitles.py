"""OpenSubtitles through its official API, https://api.opensubtitles.com/api/v1, and the script that reads a work there.

Documented at https://opensubtitles.stoplight.io/docs/opensubtitles-api: every call carries `Api-Key` and a
`User-Agent` of the form "App v1.0"; parameters in order of their names, else it redirects. `POST /download` uses up
one of the day's downloads even when it answers 503, so it is never sent twice; 406 says that none is left.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from jobs.errors import ErrorKind, Hold
from jobs.pipeline.subjects import Source, Work
from jobs.pipeline.trackers import Tracker
from jobs.polite.addresses import split
from jobs.polite.asking import Limits
from jobs.polite.errors import PageRefused, Unreadable
from jobs.polite.fetching import Fetcher
from jobs.polite.pages import Page
from jobs.polite.targets import with_query
from jobs.running import patiently
from jobs.scraping.keeping import Found, keep_edition, keep_segments, keep_work
from jobs.scraping.scripts import BadInput, delay_of, wanted_text

PROVIDER = "opensubtitles"
USER_AGENT = "Slotcast v1.0"
# The limit is 40 requests in 10 seconds.
DELAY_SECONDS = 0.3
SUBTITLE_BYTES = 5 * 1024 * 1024
MOST_PAGES = 20


class NoKey(Hold):
    """OpenSubtitles refuses the key. Put a valid OPENSUBTITLES_API_KEY into .env, then retry."""

    kind = ErrorKind.CREDENTIALS


class QuotaUsedUp(Hold):
    """The day's downloads of OpenSubtitles are used up; it goes on when they are given anew."""

    kind = ErrorKind.QUOTA


@dataclass(frozen=True)
class Episode:
    season: int
    number: int
    title: str
    feature_id: str


@dataclass(frozen=True)
class Feature:
    """A series or a film as the API knows it."""

    id: str
    kind: str
    title: str
    year: str
    imdb_id: str
    episodes: tuple[Episode, ...]

    @property
    def season_count(self) -> int:
        return len({each.season for each in self.episodes})


@dataclass(frozen=True)
class Offer:
    """One file of subtitles."""

    file_id: int
    language: str
    release: str
    downloads: int
    is_trusted: bool
    is_by_machine: bool
    is_for_the_deaf: bool

    @property
    def rank(self) -> tuple[bool, bool, int]:
        return (not self.is_by_machine, self.is_trusted, self.downloads)


class Api:
    """The API, asked politely. Close it, or use it in a `with`."""

    def __init__(self, tracker: Tracker | None = None, *, delay_seconds: float | None = None) -> None:
        self._base = settings.OPENSUBTITLES["api_url"].rstrip("/")
        parts = split(self._base)
        if parts is None or not settings.OPENSUBTITLES["key"]:
            raise NoKey
        self._host = (parts.hostname or "").lower()
        own = f"{self._host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
        wait = tracker.wait if tracker else time.sleep
        # Its documentation invites programs; robots.txt speaks of its pages.
        self._fetcher = Fetcher(
            hosts=(own,), delay_seconds=max(delay_seconds or 0.0, DELAY_SECONDS), obeys_robots=False, wait=wait,
            answers=(406,),
        )  # fmt: skip
        self._files = Fetcher(
            delay_seconds=DELAY_SECONDS, obeys_robots=False, limits=Limits(page_bytes=SUBTITLE_BYTES), wait=wait
        )  # fmt: skip
        self._token = ""

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_: object) -> None:
        self._fetcher.close()
        self._files.close()

    def feature(self, **wanted: object) -> Feature:
        """The best match of `feature_id`, `imdb_id`, or `query` with `year`. Raises Unreadable when there is none."""
        data = self._get("/features", wanted).get("data")
        found = [each for each in _list(data) if isinstance(each.get("attributes"), dict)]
        if not found:
            raise Unreadable(f"OpenSubtitles knows nothing of {' '.join(map(str, wanted.values()))}.")
        series = [
            each for each in found if str(each["attributes"].get("feature_type", "")).lower() == "tvshow"
        ]
        return _feature((series or found)[0]["attributes"])

    def offers(self, *, languages: str, **wanted: object) -> Iterator[Offer]:
        """Subtitles of a feature in `languages` ("en,id"), page after page."""
        for page in range(1, MOST_PAGES + 1):
            answer = self._get("/subtitles", {**wanted, "languages": languages.lower(), "page": page})
            for each in _list(answer.get("data")):
                yield from _offers(each.get("attributes"))
            if page >= _whole(answer.get("total_pages")):
                return

    def download(self, file_id: int) -> bytes:
        """The file, as SubRip. Raises QuotaUsedUp when none is left today."""
        headers = self._headers()
        if token := self._login():
            headers["Authorization"] = f"Bearer {token}"
        page = self._fetcher.post(
            f"{self._base}/download", {"file_id": file_id, "sub_format": "srt"}, headers=headers
        )
        answer = _object(page)
        link = str(answer.get("link") or "")
        if page.status == 406 or not link:
            raise QuotaUsedUp(
                "The day's downloads of OpenSubtitles are used up; it goes on when they are given anew.",
                until=_reset(answer),
            )
        parts = split(link)
        host = (parts.hostname or "").lower() if parts else ""
        if host != self._host and not host.endswith(".opensubtitles.com"):
            raise Unreadable("OpenSubtitles gave an address of somebody else for its file.")
        return self._files.get(link).body

    def _get(self, path: str, params: Mapping[str, object]) -> dict[str, Any]:
        with _keys_told_apart():
            return _object(self._fetcher.get(with_query(self._base + path, params), headers=self._headers()))

    def _login(self) -> str:
        """A token of the configured account, whose daily downloads are more; “” without one."""
        own = settings.OPENSUBTITLES
        if own["username"] and not self._token:
            with _keys_told_apart():
                said = {"username": own["username"], "password": own["password"]}
                page = self._fetcher.post(f"{self._base}/login", said, headers=self._headers())
            self._token = str(_object(page).get("token") or "")
        return self._token

    def _headers(self) -> dict[str, str]:
        return {
            "Api-Key": settings.OPENSUBTITLES["key"],
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
        }


@contextlib.contextmanager
def _keys_told_apart() -> Iterator[None]:
    try:
        yield
    except PageRefused as exc:
        if "HTTP 401" in str(exc) or "HTTP 403" in str(exc):
            raise NoKey from exc
        raise


# -------------------------------------------------------------------- scrape-opensubtitles-work


def scrape_opensubtitles_work(tracker: Tracker) -> None:
    """A series with its seasons and episodes.

    It belongs to the job's work, else to one of its own. Input: `url` of its page (or an IMDb id in it), `provider`;
    `totalSegments` is added once it is known.
    Output: `workId`, `seasonCount`, `totalEpisodes`.
    """
    url = wanted_text(tracker, "url")
    with Api(tracker, delay_seconds=delay_of(tracker)) as api:
        feature = api.feature(**asked_for(url))
    tracker(1, 3, stage="work")
    work = tracker.job.work
    if work is None or work.provider == PROVIDER:
        work = work_of(feature, url=url)
    edition = keep_edition(
        work, provider_source(), external_id=feature.id, title=feature.title, provider=PROVIDER, url=url
    )
    tracker.attach(work=work, edition=edition)
    told = {**tracker.input, "provider": str(tracker.input.get("provider") or PROVIDER),
            "totalSegments": len(feature.episodes)}  # fmt: skip
    patiently(lambda: tracker.job.save_progress(now=timezone.now(), input=told))
    tracker(2, 3, stage="episodes")
    kept = keep_segments(
        edition,
        (
            Found(
                number=Decimal(each.number), season=each.season, title=each.title, external_id=each.feature_id
            )
            for each in feature.episodes
        ),
    )
    tracker(3, 3)
    count = len(feature.episodes)
    tracker.output.update(
        workId=str(work.pk), editionId=str(edition.pk), seasonCount=feature.season_count, totalEpisodes=count,
        total=count, success=count, failed=0, inserted=kept.inserted, updated=kept.updated,
    )  # fmt: skip


def episodes_of(feature: Feature) -> list[Found]:
    """Its episodes as segments."""
    return [
        Found(number=Decimal(each.number), season=each.season, title=each.title, external_id=each.feature_id)
        for each in feature.episodes
    ]


def provider_source() -> Source:
    """Whom its works and editions are from."""
    found, _ = Source.objects.get_or_create(
        name=PROVIDER, defaults={"base_url": settings.OPENSUBTITLES["api_url"]}
    )
    return found


def work_of(feature: Feature, *, url: str = "") -> Work:
    """The work of a feature, kept."""
    return keep_work(
        provider_source(), external_id=feature.id, title=feature.title, url=url, provider=PROVIDER,
        data={"year": feature.year, "imdbId": feature.imdb_id, "featureId": feature.id},
    )  # fmt: skip


def asked_for(url: str) -> dict[str, object]:
    """What the address of a work's page says of it: an IMDb id, a feature's id, or its title and year.

    "https://www.opensubtitles.com/en/tvshows/2011-game-of-thrones", "…/features/1188", "tt0944947". Raises BadInput.
    """
    if imdb := re.search(r"\btt0*(\d{5,10})\b", url):
        return {"imdb_id": imdb[1]}
    if feature := re.search(r"(?:/features/|feature_id=)(\d{1,12})\b", url):
        return {"feature_id": feature[1]}
    path = re.split(r"[?#]", url)[0]
    if "://" in path:
        # Of an address only its path says something.
        path = "/" + path.partition("://")[2].partition("/")[2]
    last = unquote(path.rstrip("/").rpartition("/")[2])
    found = re.fullmatch(r"(?:(?P<year>\d{4})-)?(?P<title>.+)", last)
    title = re.sub(r"[-_\s]+", " ", found["title"] if found else "").strip()
    if not title:
        raise BadInput("The input's “url” names no work; give the address of its page, or its IMDb id.")
    year = found["year"] if found else None
    return {"query": title.lower(), **({"year": year} if year else {})}


# -------------------------------------------------------------------- reading answers


def _object(page: Page) -> dict[str, Any]:
    answer = page.json()
    if not isinstance(answer, dict):
        raise Unreadable("OpenSubtitles did not answer with an object.")
    return answer


def _list(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _whole(value: object) -> int:
    try:
        return max(0, int(str(value)))
    except ValueError:
        return 0


def _feature(told: dict[str, Any]) -> Feature:
    title = str(told.get("title") or told.get("original_title") or "").strip()
    if not title or not str(told.get("feature_id") or ""):
        raise Unreadable("OpenSubtitles gave a work without a title or an id.")
    episodes = [
        Episode(
            _whole(season.get("season_number")),
            _whole(each.get("episode_number")),
            str(each.get("title") or "").strip(),
            str(each.get("feature_id") or ""),
        )
        for season in _list(told.get("seasons"))
        for each in _list(season.get("episodes"))
        if 0 < _whole(each.get("episode_number")) < 100_000 and _whole(season.get("season_number")) < 10_000
    ]
    return Feature(
        str(told["feature_id"]), str(told.get("feature_type") or ""), title, str(told.get("year") or ""),
        str(told.get("imdb_id") or ""), tuple(episodes),
    )  # fmt: skip


def _offers(told: object) -> Iterator[Offer]:
    if not isinstance(told, dict):
        return
    for file in _list(told.get("files"))[:1]:
        if file_id := _whole(file.get("file_id")):
            yield Offer(
                file_id, str(told.get("language") or ""), str(told.get("release") or "")[:200],
                _whole(told.get("download_count")), bool(told.get("from_trusted")),
                bool(told.get("ai_translated") or told.get("machine_translated")), bool(told.get("hearing_impaired")),
            )  # fmt: skip


def _reset(answer: dict[str, Any]) -> datetime:
    """When downloads are given anew; in an hour when it does not say so."""
    with contextlib.suppress(ValueError):
        if said := parse_datetime(str(answer.get("reset_time_utc") or "")):
            return said if timezone.is_aware(said) else timezone.make_aware(said)
    return timezone.now() + timedelta(hours=1)
