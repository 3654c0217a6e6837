import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from jobs.pipeline.subjects import Source
from jobs.scraping import configuration
from jobs.scraping.configuration import BadConfiguration


class Command(BaseCommand):
    help = (
        "Make or change sources from a JSON file: one of {name, base_url, configuration}, or a list of them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--check", action="store_true", help="only say whether it can be used")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            told = json.loads(options["file"].read_text(encoding="utf-8"))
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}.") from error
        except (ValueError, RecursionError) as error:
            raise CommandError(f"{options['file']} is no JSON: {error}.") from error
        for each in told if isinstance(told, list) else [told]:
            self.take(each, is_check=options["check"])

    def take(self, told: Any, *, is_check: bool) -> None:
        if not isinstance(told, dict) or not isinstance(told.get("name"), str) or not told["name"].strip():
            raise CommandError("Each source needs a “name”.")
        name, base_url = told["name"].strip(), str(told.get("base_url", ""))
        given = told.get("configuration", {})
        try:
            configuration.read(name, base_url, given)
        except BadConfiguration as error:
            raise CommandError(str(error)) from error
        if is_check:
            self.stdout.write(f"{name}: can be used.")
            return
        row, is_new = Source.objects.update_or_create(
            name=name[:100], defaults={"base_url": base_url, "configuration": given}
        )
        self.stdout.write(f"{name}: {'made' if is_new else 'brought up to date'}.")
        self.stdout.write(str(row.pk))
