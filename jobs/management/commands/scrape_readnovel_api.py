from argparse import ArgumentParser
from typing import Any

from jobs.scraping.commanding import ScriptCommand, given_only, work_named
from jobs.scraping.novels import READNOVEL
from jobs.scraping.scripts import configuration_of, source_named


class Command(ScriptCommand):
    help = "Take a novel's list of chapters from an API into an edition of a work."
    script = "scrape-readnovel-api"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("work", help="id or title of the work")
        parser.add_argument("novel_slug", help="the novel's slug, from its address")
        parser.add_argument("--source", default=READNOVEL, help="name of the source (default: %(default)s)")
        parser.add_argument("--delay", type=int, metavar="MS", help="between two requests")

    def plan(self, options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        work, source = work_named(options["work"]), source_named(options["source"])
        configuration = configuration_of(source)
        slug = options["novel_slug"]
        url = configuration.address(configuration.section("chapters"), slug=slug, page=1)
        given = {"novelSlug": slug, "apiUrl": url, **given_only(delay=options["delay"])}
        return given, {"work": work, "source": source}
