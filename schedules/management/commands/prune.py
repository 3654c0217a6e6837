from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from jobs.events import Event
from schedules import hourly

LONGEST_DAYS = 36_500


class Command(BaseCommand):
    help = "Drop what is older than so many days: completed rows of the hourly queue, and events."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=30)

    def handle(self, *args: Any, **options: Any) -> None:
        now, days = timezone.now(), options["days"]
        if not 1 <= days <= LONGEST_DAYS:
            raise CommandError(f"--days takes a whole number from 1 to {LONGEST_DAYS}; nothing was dropped.")
        rows = hourly.archive(now, days=days)
        events, _ = Event.objects.filter(at__lt=now - timedelta(days=days)).delete()
        self.stdout.write(f"Dropped {rows} completed rows of the queue and {events} events.")
        self.stdout.write(str(rows + events))
