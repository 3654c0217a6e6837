from argparse import ArgumentParser
from typing import Any

from jobs.pipeline.subjects import Work
from jobs.scraping.commanding import ScriptCommand, given_only, work_named
from jobs.scraping.opensubtitles import PROVIDER, asked_for


class Command(ScriptCommand):
    help = "Take a series with its seasons and episodes from OpenSubtitles, over its official API."
    script = "scrape-opensubtitles-work"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("url", help="address of the work's page, or its IMDb id")
        parser.add_argument("--work", help="id or title of the work it belongs to; else it is made")
        parser.add_argument("--delay", type=int, metavar="MS", help="between two requests")

    def plan(self, options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        url = options["url"]
        asked_for(url)
        # A work that is known is linked from the job's first moment.
        known = Work.objects.filter(provider=PROVIDER, url=url).order_by("-pk").first()
        work = work_named(options["work"]) if options["work"] else known
        given = {"url": url, "provider": PROVIDER, **given_only(delay=options["delay"])}
        return given, {"work": work} if work else {}
