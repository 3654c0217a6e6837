import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from jobs.errors import JobError
from uploader.destinations import Destination
from uploader.social_accounts import sync


class Command(BaseCommand):
    help = "Ask OnlySocial for the social accounts of each workspace. Prints their number on the last line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--destination", default="", help="Name of one destination; else all of them")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = Destination.objects.for_posts().filter(is_active=True)
        if name := options["destination"]:
            chosen = chosen.filter(name=name)
        if not chosen:
            raise CommandError(
                f"There is no active OnlySocial destination{f' “{name}”' if name else ''}. Add one in the "
                "admin, or put ONLYSOCIAL_API_KEY and ONLYSOCIAL_WORKSPACE into .env and run make setup."
            )
        found, failed = {}, []
        for destination in chosen:
            try:
                found[destination.name] = sync(destination, who="command", now=timezone.now())
            except JobError as error:
                failed.append(f"{destination}: {error}")
        if options["json"]:
            self.stdout.write(json.dumps({each: asdict(synced) for each, synced in found.items()}))
        else:
            for each, synced in found.items():
                self.stdout.write(f"{each}: {synced}")
        if failed:
            raise CommandError("\n".join(failed))
        if not options["json"]:
            self.stdout.write(str(sum(synced.accounts for synced in found.values())))
