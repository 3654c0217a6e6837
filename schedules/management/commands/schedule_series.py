import json
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from schedules import refusals, scheduling
from uploader.catalog import Series


class Command(BaseCommand):
    help = (
        "Put a series on the hourly queue of a destination. Prints the number of episodes on the last line."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("series_id", type=int)
        parser.add_argument("--destination", default="", help="Name of the destination; else the default one")
        parser.add_argument("--on-failure", choices=["skip", "hold"], default="skip")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        series = Series.objects.filter(pk=options["series_id"]).first()
        if series is None:
            raise CommandError(f"There is no series {options['series_id']}.")
        try:
            destination = scheduling.choose_destination(options["destination"])
            rows = scheduling.schedule_series(
                series, destination, who="command", now=timezone.now(), on_failure=options["on_failure"]
            )
        except refusals.NotAllReady as error:
            reasons = "\n".join(f"  {reason}" for _, reason in error.missing)
            raise CommandError(f"{error}\nNot ready:\n{reasons}") from error
        except refusals.Refused as error:
            raise CommandError(str(error)) from error
        first, last = rows[0].scheduled_at, rows[-1].scheduled_at
        assert first is not None and last is not None
        if options["json"]:
            self.stdout.write(
                json.dumps(
                    {
                        "series": series.pk,
                        "destination": destination.name,
                        "episodes": len(rows),
                        "startsAt": first.isoformat(),
                        "endsAt": last.isoformat(),
                    }
                )
            )
            return
        self.stdout.write(
            f"{series.title} goes to {destination}: first at {local(first)}, last at {local(last)}."
        )
        self.stdout.write(str(len(rows)))


def local(at: datetime) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M %Z}"
