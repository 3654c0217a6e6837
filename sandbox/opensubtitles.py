"""A stand-in for the API of OpenSubtitles, https://opensubtitles.stoplight.io/docs/opensubtitles-api.

It knows the two series of the demo and refuses what the platform refuses: no key, no name of a program, parameters out
of order (301), more downloads than the day has (406).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from sandbox.clock import Clock
from sandbox.platform import Addresses, Call, Handler, Route, SettingError
from sandbox.quiet import Quiet

API_PATH = "/opensubtitles/api/v1"
KEY = "sandbox-key"
TOKEN = "sandbox-token"
DAY = 86_400
PER_PAGE = 2
DOWNLOADS = "opensubtitles_downloads_per_day"
LANGUAGES = ("en", "id", "de")
SERIES: dict[int, tuple[str, int, str, tuple[str, ...]]] = {
    5001: ("Harbour", 2024, "7000001", ("Fog", "The Pilot", "Low Water", "Cargo", "The Lantern", "Slack Tide")),
    5002: (
        "Night Train", 2025, "7000002", ("Departure", "Coach Nine", "The Border", "A Stop in the Snow", "Arrival")
    ),
}  # fmt: skip


class OpenSubtitles(Quiet):
    name = "opensubtitles"
    title = "OpenSubtitles"

    def __init__(self, *, clock: Clock, addresses: Addresses) -> None:
        super().__init__(addresses)
        self._clock = clock
        self._per_day = 1000
        self._downloads: list[float] = []

    def urls(self) -> dict[str, Any]:
        return {"api": self.addresses.api + API_PATH}

    def routes(self) -> Sequence[Route]:
        table: list[tuple[str, str, str, Handler]] = [
            ("os_features", "GET", "/features", self._features),
            ("os_subtitles", "GET", "/subtitles", self._subtitles),
            ("os_login", "POST", "/login", self._login),
            ("os_download", "POST", "/download", self._download),
        ]
        routes = [
            Route(name, method, API_PATH + path, self._guarded(handler), self.name)
            for name, method, path, handler in table
        ]
        return [*routes, Route("os_file", "GET", "/opensubtitles/files/{id}/{name}", self._file, self.name)]

    def settings(self) -> dict[str, Any]:
        return {DOWNLOADS: self._per_day}

    def change_settings(self, changes: Mapping[str, Any]) -> None:
        value = changes.get(DOWNLOADS, self._per_day)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise SettingError(f"{DOWNLOADS} must be a whole number")
        self._per_day = value

    def usage(self) -> dict[str, Any]:
        return {"downloads": len(self._downloads)}

    def reset(self) -> None:
        self._per_day, self._downloads = 1000, []

    # ---------------------------------------------------------------- answers

    def _guarded(self, handler: Handler) -> Handler:
        async def answer(call: Call) -> web.StreamResponse:
            request = call.request
            if request.headers.get("Api-Key") != KEY:
                return _said(403, "You cannot consume this service")
            if " v" not in request.headers.get("User-Agent", ""):
                return _said(403, "User-Agent is wrong")
            params = list(request.query.items())
            if params != sorted(params):
                return web.Response(
                    status=301, headers={"Location": f"{request.path}?{urlencode(sorted(params))}"}
                )
            return await handler(call)

        return answer

    async def _features(self, call: Call) -> web.StreamResponse:
        query = call.request.query
        words = query.get("query", "").casefold()
        found = [
            _feature(number)
            for number, (title, year, imdb, _) in SERIES.items()
            if query.get("feature_id") == str(number)
            or (query.get("imdb_id") or "").lstrip("t0") == imdb
            or (words and words in title.casefold() and query.get("year", str(year)) == str(year))
        ]
        return web.json_response({"data": found})

    async def _subtitles(self, call: Call) -> web.StreamResponse:
        query = call.request.query
        wanted = query.get("languages", ",".join(LANGUAGES)).split(",")
        offers = list(_offers(query.get("parent_feature_id", ""), query.get("season_number", ""),
                              query.get("episode_number", ""), wanted))  # fmt: skip
        page = int(query.get("page", "1")) if query.get("page", "1").isdecimal() else 1
        return web.json_response(
            {
                "total_pages": -(-len(offers) // PER_PAGE), "total_count": len(offers), "per_page": PER_PAGE,
                "page": page, "data": offers[(page - 1) * PER_PAGE : page * PER_PAGE],
            }
        )  # fmt: skip

    async def _login(self, call: Call) -> web.StreamResponse:
        if _body(call).get("password") != "sandbox":
            return _said(401, "Error, invalid username/password")
        return web.json_response(
            {"user": {"allowed_downloads": self._per_day}, "token": TOKEN, "status": 200}
        )

    async def _download(self, call: Call) -> web.StreamResponse:
        """One of the day's downloads is used up by every call, as the platform does it."""
        now = self._clock()
        self._downloads = [at for at in self._downloads if at > now - DAY]
        reset = datetime.fromtimestamp((self._downloads or [now])[0] + DAY, UTC)
        if len(self._downloads) >= self._per_day:
            text = f"You have downloaded your allowed {self._per_day} subtitles for 24h."
            return web.json_response(
                {
                    "requests": self._per_day + 1,
                    "remaining": -1,
                    "message": text,
                    "reset_time_utc": _utc(reset),
                },
                status=406,
            )
        self._downloads.append(now)
        file_id = _body(call).get("file_id")
        if not isinstance(file_id, int) or file_id // 100_000 not in SERIES:
            return _said(404, "Not found")
        return web.json_response(
            {
                "link": f"{self.addresses.api}/opensubtitles/files/{file_id}/subtitle.srt",
                "file_name": "subtitle.srt", "requests": len(self._downloads),
                "remaining": self._per_day - len(self._downloads), "reset_time_utc": _utc(reset),
                "message": "Your quota will be renewed",
            }
        )  # fmt: skip

    async def _file(self, call: Call) -> web.StreamResponse:
        number = int(call.request.match_info["id"]) if call.request.match_info["id"].isdecimal() else 0
        series, episode, place = number // 100_000, number // 100 % 1000, number % 100 // 10
        if series not in SERIES or not 0 < episode <= len(SERIES[series][3]):
            raise web.HTTPNotFound
        title = SERIES[series][3][episode - 1]
        lines = {
            "en": "Nothing moves out there.",
            "id": "Tidak ada yang bergerak.",
            "de": "Da draußen rührt sich nichts.",
        }
        said = lines[LANGUAGES[place]]
        text = (
            f"1\r\n00:00:00,500 --> 00:00:02,000\r\n{title}\r\n\r\n"
            f"2\r\n00:00:02,500 --> 00:00:04,500\r\n{said}\r\n\r\n"
        )
        return web.Response(body=text.encode("utf-8-sig"), content_type="application/x-subrip")


def _feature(number: int) -> dict[str, Any]:
    title, year, imdb, episodes = SERIES[number]
    told = [
        {"episode_number": place, "title": name, "feature_id": number * 100 + place}
        for place, name in enumerate(episodes, 1)
    ]
    attributes = {
        "feature_id": str(number), "feature_type": "Tvshow", "title": title, "original_title": title, "year": str(year),
        "imdb_id": int(imdb), "seasons_count": 1, "seasons": [{"season_number": 1, "episodes": told}],
    }  # fmt: skip
    return {"id": str(number), "type": "feature", "attributes": attributes}


def _offers(parent: str, season: str, episode: str, wanted: Sequence[str]) -> Iterator[dict[str, Any]]:
    series = SERIES.get(int(parent)) if parent.isdecimal() else None
    if series is None or season != "1" or not episode.isdecimal() or not 0 < int(episode) <= len(series[3]):
        return
    for place, language in enumerate(LANGUAGES):
        for made_by_machine in (True, False) if language in wanted else ():
            # The series, the episode, the language, and who made it.
            file_id = int(parent) * 100_000 + int(episode) * 100 + place * 10 + made_by_machine
            attributes = {
                "subtitle_id": str(file_id), "language": language, "download_count": 900 if made_by_machine else 40,
                "hearing_impaired": False, "from_trusted": not made_by_machine, "ai_translated": made_by_machine,
                "machine_translated": False, "release": f"{series[0]}.S01E{int(episode):02}",
                "files": [{"file_id": file_id, "cd_number": 1, "file_name": f"{series[0]}.{episode}.{language}"}],
            }  # fmt: skip
            yield {"id": str(file_id), "type": "subtitle", "attributes": attributes}


def _said(status: int, message: str) -> web.Response:
    return web.json_response({"message": message, "status": status}, status=status)


def _body(call: Call) -> dict[str, Any]:
    try:
        told = json.loads(call.raw or b"{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _utc(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
