from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from jobs.errors import JobError
from uploader.catalog import is_language_tag
from uploader.importing import import_film
from uploader.management.reporting import write_report


def language_and_file(text: str) -> tuple[str, Path]:
    """ "en=films/keeper.srt" in two. Raises ArgumentTypeError."""
    language, _, file = text.partition("=")
    try:
        is_language_tag(language)
    except ValidationError as error:
        raise ArgumentTypeError(" ".join(error.messages)) from error
    if not file:
        raise ArgumentTypeError("Give LANG=FILE, for example en=films/keeper.srt.")
    return language, Path(file)


class Command(BaseCommand):
    help = "Import a file of the library as a film. Prints a report; the last line is the film's id."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="a video in the library: a path in it, or from here")
        parser.add_argument("--title", help="of the film; made from the file's name without it")
        parser.add_argument(
            "--subtitle",
            type=language_and_file,
            action="append",
            default=[],
            metavar="LANG=FILE",
            help="a subtitle file of the library that is not named after the film; may be given again",
        )
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = import_film(
                options["path"],
                title=options["title"],
                subtitles=options["subtitle"],
                now=timezone.now(),
            )
        except JobError as error:
            raise CommandError(str(error)) from error
        write_report(report, self.stdout, as_json=options["json"])
