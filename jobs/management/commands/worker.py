"""`manage.py worker`: do the work of all lanes, or of some, until told to stop."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from jobs import runner
from jobs.supervisor import Supervisor


class Command(BaseCommand):
    help = "Run the clusters of all lanes and the ticker; restart what dies; stop on SIGTERM or Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--lanes", help=f"comma-separated, of: {', '.join(settings.LANES)} (default: all)"
        )
        parser.add_argument(
            "--grace",
            type=float,
            default=settings.WORKER_GRACE_SECONDS,
            help="seconds that running work has to finish or step back when stopped (default: %(default)g)",
        )

    def handle(self, *args: Any, lanes: str | None, grace: float, **options: Any) -> None:
        Supervisor(_lanes(lanes), grace=grace).run()


def _lanes(given: str | None) -> list[str]:
    if given is None:
        return runner.running_lanes()
    lanes = list(dict.fromkeys(lane.strip() for lane in given.split(",") if lane.strip()))
    unknown = [lane for lane in lanes if lane not in settings.LANES]
    if unknown or not lanes:
        raise CommandError(
            f"No such lane: {', '.join(unknown) or '(none)'}. Lanes: {', '.join(settings.LANES)}"
        )
    return lanes
