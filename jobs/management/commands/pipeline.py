import json
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any, cast

from django.core.management.base import CommandError
from django.utils import timezone

from jobs.errors import JobError
from jobs.pipeline.handling import handler_of
from jobs.pipeline.pipeline_jobs import JobType
from jobs.pipeline.starting import Refused, chain
from jobs.pipeline.subjects import Segment, Source
from jobs.pipeline.trackers import Tracker
from jobs.scraping.commanding import ScriptCommand, edition_given, row_of, work_named


def name_and_value(text: str) -> tuple[str, Any]:
    """ "delay=500" in two; the value is JSON, else a text. Raises ArgumentTypeError."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ArgumentTypeError("give NAME=VALUE")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


class Command(ScriptCommand):
    help = (
        "Put a pipeline job of a type on the workers' line, or run it here and now. With --then, a chain: each step is "
        "about what the one before was about."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        types = JobType.values
        parser.add_argument("type", choices=types, metavar="TYPE", help=", ".join(types))
        parser.add_argument(
            "--set", action="append", default=[], type=name_and_value, metavar="NAME=VALUE",
            help="of the input, for example scriptType=scrape-chereads-segment",
        )  # fmt: skip
        parser.add_argument("--input", default="{}", metavar="JSON", help="the input as one object")
        parser.add_argument("--source", metavar="NAME")
        parser.add_argument("--work", metavar="ID|TITLE")
        parser.add_argument("--edition", metavar="ID")
        parser.add_argument("--segment", metavar="ID")
        parser.add_argument("--then", action="append", default=[], choices=types, metavar="TYPE")
        parser.add_argument("--priority", type=int, default=0, help="lower goes first")
        parser.add_argument("--here", action="store_true", help="run it in this process, at once")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["here"]:
            if options["then"]:
                raise CommandError("A chain is run by the workers: leave out --here.")
            self.job_type = options["type"]
            super().handle(*args, **options)
            return
        given, links = self.plan(options)
        steps = [(options["type"], given), *((each, {}) for each in options["then"])]
        try:
            jobs = chain(steps, who="manage.py", now=timezone.now(), priority=options["priority"], **links)
        except Refused as error:
            raise CommandError(f"Not started: {error}.") from error
        if options["json"]:
            self.stdout.write(json.dumps([{"id": str(job.pk), "status": job.status} for job in jobs]))
            return
        for job in jobs:
            self.stdout.write(str(job.pk))

    def plan(self, options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            given = json.loads(options["input"])
        except (ValueError, RecursionError) as error:
            raise CommandError(f"--input is no JSON: {error}.") from error
        if not isinstance(given, dict):
            raise CommandError("--input must be an object.")
        given.update(options["set"])
        self.script = str(given.get("scriptType") or "")
        links: dict[str, Any] = {}
        if options["source"]:
            links["source"] = Source.objects.filter(name=options["source"]).first()
            if links["source"] is None:
                raise CommandError(f"There is no source “{options['source']}”.")
        if options["work"]:
            links["work"] = work_named(options["work"])
        if options["edition"]:
            edition = edition_given(options["edition"])
            links |= {"edition": edition, "work": links.get("work", edition.work_id)}
        if options["segment"]:
            links["segment"] = cast("Segment", row_of(Segment, options["segment"]))
        return given, links

    def runner(self) -> Any:
        handler = handler_of(self.job_type)

        def run(tracker: Tracker) -> None:
            output = handler(tracker.job, tracker)
            if output is not None and not isinstance(output, dict):
                raise JobError("The handler did not give an object.")
            tracker.output.update(output or {})

        return run
