from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from jobs.errors import JobError
from uploader import catalog_file
from uploader.management.reporting import write_report


class Command(BaseCommand):
    help = "Import a table (CSV) of films and episodes: all of its lines, or none."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = catalog_file.__doc__
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("table", type=Path, help="a CSV file, anywhere")
        parser.add_argument("--dry-run", action="store_true", help="only tell what would be written")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = catalog_file.import_catalog(
                options["table"], now=timezone.now(), dry_run=options["dry_run"]
            )
        except JobError as error:
            raise CommandError(str(error)) from error
        write_report(report, self.stdout, as_json=options["json"])
        if report.errors:
            lines = "\n".join(f"  line {line}: {reason}" for line, reason in report.errors)
            raise CommandError(f"Nothing was written:\n{lines}")
        if report.is_dry_run and not options["json"]:
            self.stdout.write("Nothing was written: this was a dry run.")
