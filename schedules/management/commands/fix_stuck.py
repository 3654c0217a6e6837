from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from jobs import recovery
from schedules import hourly


class Command(BaseCommand):
    help = "Take back jobs whose worker died and episodes stuck at “uploading”. Prints how many."

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        rescued = recovery.recover(now)
        reset = hourly.reset_stuck(now)
        rows: list[Any] = [*rescued, *reset]
        for row in rows:
            self.stdout.write(f"{row}: {row.error_message or row.status}")
        self.stdout.write(str(len(rescued) + len(reset)))
