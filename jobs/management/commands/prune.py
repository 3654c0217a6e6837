from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from jobs import tidying
from jobs.tidying import Days, Round

LONGEST_DAYS = 36_500


class Command(BaseCommand):
    help = "Do the clean-up now, all of it; with --days, for rows and history of another age than the settings say."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--days",
            type=int,
            help="In place of JOBS_LISTED_DAYS, JOBS_KEPT_DAYS, HISTORY_KEPT_DAYS, QUEUE_KEPT_DAYS",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        days, chosen = Days.configured(), options["days"]
        if chosen is not None:
            if not 1 <= chosen <= LONGEST_DAYS:
                raise CommandError(
                    f"--days takes a whole number from 1 to {LONGEST_DAYS}; nothing was dropped."
                )
            days = days.with_rows_of(chosen)
        done = tidying.tidy(Round(timezone.now(), days, is_whole=True))
        for what, count in done.items():
            if count:
                self.stdout.write(f"{count} {what}")
        self.stdout.write(str(sum(done.values())))
