from argparse import ArgumentParser
from typing import Any

from jobs.pipeline.subjects import Work
from jobs.scraping.commanding import ScriptCommand, given_only
from jobs.scraping.opensubtitles import PROVIDER


class Command(ScriptCommand):
    help = "Fetch subtitles for the episodes of a series from OpenSubtitles and attach them."
    script = "bulk-download-subtitles"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("series", help="title of the series in the catalog")
        parser.add_argument("--languages", default="en", help="tags with commas (default: %(default)s)")
        parser.add_argument("--delay", type=int, default=1000, metavar="MS", help="between two requests")
        parser.add_argument("--limit", type=int, help="at most so many episodes")

    def plan(self, options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        given = {
            "seriesName": options["series"],
            "languages": options["languages"],
            "delay": options["delay"],
            **given_only(limit=options["limit"]),
        }
        known = (
            Work.objects.filter(provider=PROVIDER, title__iexact=options["series"]).order_by("-pk").first()
        )
        edition = known.editions.filter(provider=PROVIDER).order_by("-pk").first() if known else None
        links = {"work": known, "edition": edition} if known and edition else {}
        return given, links
