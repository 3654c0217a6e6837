from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from jobs.errors import JobError
from uploader.importing import import_series
from uploader.management.reporting import write_report


class Command(BaseCommand):
    help = (
        "Import a folder of the library as a series, or bring its series up to date. "
        "Prints a report; the last line is the series' id."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "directory", type=Path, help="a folder in the library: a path in it, or from here"
        )
        parser.add_argument("--title", help="of the series; the folder's name without it")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = import_series(options["directory"], title=options["title"], now=timezone.now())
        except JobError as error:
            raise CommandError(str(error)) from error
        write_report(report, self.stdout, as_json=options["json"])
