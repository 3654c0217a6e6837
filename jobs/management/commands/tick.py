from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from jobs import ticker


class Command(BaseCommand):
    help = "One pass of all schedules and of recovery, for those who drive it by cron."

    def handle(self, *args: Any, **options: Any) -> None:
        if undone := ticker.tick(timezone.now()):
            raise CommandError(f"Not done this time: {', '.join(undone)}. The lines above say why.")
