from argparse import ArgumentParser
from typing import Any

from jobs.polite.errors import Unreadable
from jobs.polite.targets import checked
from jobs.scraping import catalogs
from jobs.scraping.commanding import ScriptCommand, given_only, work_named
from jobs.scraping.keeping import keep_work
from jobs.scraping.novels import CHEREADS
from jobs.scraping.scripts import configuration_of, source_named


class Command(ScriptCommand):
    help = "Take a work and its list of chapters from the pages of a site."
    script = "scrape-chereads-work"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("url", help="address of the list of chapters")
        parser.add_argument("title", nargs="?", default="", help="of the work; else what the page says")
        parser.add_argument("--work", help="id or title of the work it belongs to; else it is made")
        parser.add_argument("--source", default=CHEREADS, help="name of the source (default: %(default)s)")
        parser.add_argument("--delay", type=int, metavar="MS", help="between two requests")

    def plan(self, options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        source = source_named(options["source"])
        configuration = configuration_of(source)
        url, title = options["url"], options["title"]
        if options["work"]:
            work = work_named(options["work"])
        elif title:
            # With a title the work is known before anything is asked, and linked from the job's first moment.
            checked(url, configuration.hosts)
            slug = catalogs.slug_of(url)
            work = keep_work(source, external_id=url, title=title, url=url, slug=slug, provider=source.name)
        elif "work" not in configuration.sections:
            raise Unreadable("Give the title: the source's configuration has no “work” to read it by.")
        else:
            work = None
        given = {"url": url, "title": title, **given_only(delay=options["delay"])}
        return given, {"source": source, **({"work": work} if work else {})}
