from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from jobs.pipeline.subjects import Segment
from jobs.scraping.commanding import ScriptCommand, edition_given, given_only


class Command(ScriptCommand):
    help = "Fetch the texts of segments."
    script = "scrape-readnovel-segment"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("segments", nargs="*", help="ids of segments")
        parser.add_argument("--edition", help="those of this edition that have no text yet")
        parser.add_argument("--limit", type=int, default=1000, help="at most so many (default: %(default)s)")
        parser.add_argument("--delay", type=int, metavar="MS", help="between two requests")
        parser.add_argument("--force", action="store_true", help="also those that have a text")

    def plan(self, options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        ids, links = options["segments"], {}
        if options["edition"]:
            edition = edition_given(options["edition"])
            rows = Segment.objects.filter(edition=edition).order_by("season", "number")
            rows = rows if options["force"] else rows.filter(content="")
            ids = [str(pk) for pk in rows.values_list("pk", flat=True)[: options["limit"]]]
            links = {"edition": edition, "work": edition.work_id}
        if not ids:
            raise CommandError(
                "There is no segment to fetch; give ids, or an edition with segments without text."
            )
        more = given_only(delay=options["delay"], force=options["force"] or None)
        return {"segmentIds": ids, "totalSegments": len(ids), **more}, links
