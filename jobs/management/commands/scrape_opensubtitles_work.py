from argparse import ArgumentParser
from typing import Any

from jobs.scraping.commanding import ScriptCommand, given_only
from jobs.scraping.opensubtitles import PROVIDER, asked_for


class Command(ScriptCommand):
    help = "Take a series with its seasons and episodes from OpenSubtitles, over its official API."
    script = "scrape-opensubtitles-work"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("url", help="address of the work's page, or its IMDb id")
        parser.add_argument("--delay", type=int, metavar="MS", help="between two requests")

    def plan(self, options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        asked_for(options["url"])
        return {"url": options["url"], "provider": PROVIDER, **given_only(delay=options["delay"])}, {}
