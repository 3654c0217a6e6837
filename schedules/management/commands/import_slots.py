import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from schedules import slot_exchange
from schedules.refusals import Refused
from schedules.scheduling import choose_destination


class Command(BaseCommand):
    help = (
        "Import weekly windows from a JSON list: all of its lines, or none. Prints how many there are in it."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = slot_exchange.__doc__
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a JSON file, anywhere")
        parser.add_argument("--destination", default="", help="for lines without one; else the default one")
        parser.add_argument("--dry-run", action="store_true", help="only tell what would be written")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            place = choose_destination(options["destination"])
            dataset = slot_exchange.dataset_of(options["file"].read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise CommandError(
                f"{options['file']} cannot be read ({error.strerror}). Correct the path."
            ) from error
        except UnicodeDecodeError as error:
            raise CommandError(f"{options['file']} is not in UTF-8. Save it as UTF-8.") from error
        except Refused as error:
            raise CommandError(str(error)) from error
        report = slot_exchange.import_slots(
            dataset, who="command", destination=place.name, dry_run=options["dry_run"]
        )
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json(), ensure_ascii=False))
        if report.errors:
            lines = "\n".join(f"  line {line}: {reason}" for line, reason in report.errors)
            raise CommandError(f"Nothing was written:\n{lines}")
        if not options["json"]:
            undone = " Nothing was written: this was a dry run." if options["dry_run"] else ""
            self.stdout.write(
                f"{report.created} created, {report.updated} updated, {report.unchanged} unchanged.{undone}"
            )
            self.stdout.write(str(report.created + report.updated + report.unchanged))
