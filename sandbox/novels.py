"""A small site of texts for the demo of the scripts: pages and an API of the same stories, behind a robots.txt."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from aiohttp import web

from sandbox.clock import Clock
from sandbox.platform import Addresses, Call, Route
from sandbox.quiet import Quiet

PATH = "/novels"
PER_PAGE = 4
ROBOTS = f"User-agent: *\nDisallow: {PATH}/private/\nAllow: /\n"
# Each chapter: title and text. Some as untidy as texts are.
STORIES: dict[str, tuple[str, str, list[tuple[str, str]]]] = {
    "harbour": (
        "Harbour",
        "A. Dahl",
        [
            ("Fog", "The harbour lay in fog when Mira Solberg came down to the quay.\u200b The pilot, Jonas Dahl, was "
             "late, as he had been every night of that November. The harbour bell rang twice. “Nothing moves out "
             "there,” said Mira Solberg. Then what was that light? A ship lay in the harbour that nobody expected."),
            ("The Pilot", "Jonas Dahl knew every rock before the harbour of Saltvik. He had brought in ships for "
             "thirty years, since 1983, and had lost none.  The grey ship did not answer. Jonas Dahl climbed "
             "aboard her alone. The pilot found a lamp burning and no one beside it."),
            ("Low Water", "At low water the keel of the grey ship stood on the sand. Mira Solberg read her papers: "
             "she came from Bergen, with salt, for a merchant who had died in 1951. &ldquo;Who let her in?&rdquo; "
             "asked the customs officer. Nobody in Saltvik knew. The sand kept its silence, and so did the ship."),
            ("Cargo", "There was no salt. In the hold of the grey ship stood forty crates with the mark of a lantern. "
             "Mira Solberg opened the first. It held letters, all of them to Saltvik, none of them delivered. "
             "The cargo was worth nothing and could not be counted, the officer wrote."),
            ("The Lantern", "Every letter asked for the same: keep the lantern lit. Jonas Dahl carried oil up to the "
             "old lighthouse. For the first time since 1951 the lantern of Saltvik burned. From the sea another "
             "light answered, and a second, and a third."),
            ("Slack Tide", "At slack tide the grey ship was gone, and the crates with her. Only one letter lay on the "
             "quay, addressed to Mira Solberg. She did not open it. “Keep it lit,” said Jonas Dahl. The harbour "
             "lay in fog, and nobody was expected."),
        ],
    ),
    "night-train": (
        "Night Train",
        "E. Moreau",
        [
            ("Departure", "Eleven passengers had tickets for the night train to Porto Vento, and twelve took their "
             "seats. Conductor Elise Moreau counted twice. The train left at 23:40, as the timetable asked. Behind "
             "the last coach the platform stayed empty and wet."),
            ("Coach Nine", "The timetable knew eight coaches. Elise Moreau stood before the ninth with her lamp. "
             "Inside sat a man in a coat of 1920 who greeted her by name. “You are late, Elise Moreau,” he said. "
             "“The train is not.”"),
            ("The Border", "At the border two officers walked through the train and through coach nine, and saw "
             "nothing. They stamped eleven passports. Elise Moreau held the twelfth in her hand: it was her own, "
             "and it had been issued in Porto Vento."),
            ("A Stop in the Snow", "The train stood in the snow for an hour. Somebody had pulled the brake in coach "
             "nine. The man in the coat was gone; his footprints led away from the train and ended. Snow fell "
             "into them. Elise Moreau gave the signal to go on."),
            ("Arrival", "Porto Vento lay by the sea, as the man had said. Eleven passengers left the train. Elise "
             "Moreau counted the coaches: there were eight. In her pocket was a ticket for the night train back, "
             "and it was for one."),
        ],
    ),
}  # fmt: skip


class Novels(Quiet):
    name = "novels"
    title = "a site of texts"

    def __init__(self, *, clock: Clock, addresses: Addresses) -> None:
        super().__init__(addresses)

    def urls(self) -> dict[str, Any]:
        return {"site": self.addresses.api + PATH}

    def routes(self) -> Sequence[Route]:
        table = [
            ("robots", "/robots.txt", self._robots),
            ("novel", f"{PATH}/{{slug}}", self._novel),
            ("novel_chapter", f"{PATH}/{{slug}}/{{number}}", self._chapter),
            ("novel_api_list", f"{PATH}/api/{{slug}}/chapters", self._api_list),
            ("novel_api_text", f"{PATH}/api/chapters/{{id}}", self._api_text),
        ]
        return [Route(name, "GET", path, handler, self.name) for name, path, handler in table]

    async def _robots(self, call: Call) -> web.StreamResponse:
        return web.Response(text=ROBOTS)

    async def _novel(self, call: Call) -> web.StreamResponse:
        slug = call.request.match_info["slug"]
        title, author, chapters = _story(slug)
        page = _page(call)
        items = "".join(
            f'<li><a href="{PATH}/{slug}/{number}">Chapter {number}: {escape(name)}</a></li>'
            for number, (name, _) in enumerate(chapters, 1)
            if (number - 1) // PER_PAGE + 1 == page
        )
        further = (
            f'<a class="next" href="?page={page + 1}">more</a>' if page * PER_PAGE < len(chapters) else ""
        )
        return _html(
            title,
            f'<h1>{escape(title)}</h1><p class="author">{escape(author)}</p><p class="about">A story in '
            f'{len(chapters)} chapters.</p><ul class="chapters">{items}</ul>{further}',
        )

    async def _chapter(self, call: Call) -> web.StreamResponse:
        number, (name, text) = _chapter_of(call.request.match_info["slug"], call.request.match_info["number"])
        # The texts are the site's own, as it has them: with entities in them.
        return _html(
            name,
            f'<h2>{number}. {escape(name)}</h2><div class="text"><p>{text.replace(". ", ".</p><p>", 1)}</p></div>',
        )

    async def _api_list(self, call: Call) -> web.StreamResponse:
        slug, page = call.request.match_info["slug"], _page(call)
        chapters = _story(slug)[2]
        found = [
            {"index": number, "name": name, "id": f"{slug}-{number}", "path": f"{PATH}/{slug}/{number}"}
            for number, (name, _) in enumerate(chapters, 1)
            if (number - 1) // PER_PAGE + 1 == page
        ]
        further = page + 1 if page * PER_PAGE < len(chapters) else None
        return web.json_response({"data": {"chapters": found, "next": further}})

    async def _api_text(self, call: Call) -> web.StreamResponse:
        slug, _, said = call.request.match_info["id"].rpartition("-")
        number, (name, text) = _chapter_of(slug, said)
        response = web.json_response({"data": {"index": number, "name": name, "text": text}})
        response.etag = f"{slug}-{number}"
        return response


def _story(slug: str) -> tuple[str, str, list[tuple[str, str]]]:
    if slug not in STORIES:
        raise web.HTTPNotFound
    return STORIES[slug]


def _chapter_of(slug: str, said: str) -> tuple[int, tuple[str, str]]:
    chapters = _story(slug)[2]
    number = int(said) if said.isdecimal() and len(said) < 6 else 0
    if not 0 < number <= len(chapters):
        raise web.HTTPNotFound
    return number, chapters[number - 1]


def _page(call: Call) -> int:
    said = call.request.query.get("page", "1")
    return int(said) if said.isdecimal() and len(said) < 6 else 1


def _html(title: str, body: str) -> web.Response:
    head = f"<!doctype html><html lang=en><head><title>{escape(title)}</title></head>"
    text = f"{head}<body><main>{body}</main></body></html>"
    return web.Response(text=text, content_type="text/html")
