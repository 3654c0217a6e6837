from argparse import ArgumentParser
from typing import Any

from jobs.scraping.commanding import ScriptCommand, edition_given, given_only


class Command(ScriptCommand):
    help = "Fetch the texts of an edition's chapters."
    script = "scrape-chereads-segment"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("edition", help="id of the edition")
        parser.add_argument("--start", type=float, default=0, metavar="CHAPTER", help="the first chapter")
        parser.add_argument(
            "--end", type=float, default=9_999_999, metavar="CHAPTER", help="the last chapter"
        )
        parser.add_argument("--delay", type=int, default=1000, metavar="MS", help="between two requests")
        parser.add_argument("--force", action="store_true", help="also those that have a text")

    def plan(self, options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        edition = edition_given(options["edition"])
        given = {
            "startChapter": options["start"],
            "endChapter": options["end"],
            "delay": options["delay"],
            **given_only(force=options["force"] or None),
        }
        return given, {"edition": edition, "work": edition.work_id}
