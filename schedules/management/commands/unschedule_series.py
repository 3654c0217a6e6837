from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from schedules import refusals, scheduling
from uploader.catalog import Series


class Command(BaseCommand):
    help = "Take a series' pending and failed episodes off the queue; completed ones stay."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("series_id", type=int)
        parser.add_argument("--destination", default="", help="Only this destination's queue")

    def handle(self, *args: Any, **options: Any) -> None:
        series = Series.objects.filter(pk=options["series_id"]).first()
        if series is None:
            raise CommandError(f"There is no series {options['series_id']}.")
        try:
            destination = (
                scheduling.choose_destination(options["destination"]) if options["destination"] else None
            )
        except refusals.Refused as error:
            raise CommandError(str(error)) from error
        removed = scheduling.unschedule_series(
            series, who="command", now=timezone.now(), destination=destination
        )
        self.stdout.write(f"Removed {removed} scheduled uploads of {series.title}.")
        self.stdout.write(str(removed))
