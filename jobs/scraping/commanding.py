"""What the commands of the scripts share: the run is tracked, its progress drawn, its outcome printed."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable
from types import TracebackType
from typing import Any, cast
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import models
from tqdm import tqdm

from jobs.errors import JobError
from jobs.pipeline.plain import without_secrets
from jobs.pipeline.subjects import Edition, Work
from jobs.pipeline.trackers import Tracker
from jobs.pipeline.tracking import track
from jobs.scraping.scripts import script_of


class Drawn:
    """A tracker whose progress is also drawn in the terminal; nothing is drawn where there is none."""

    def __init__(self, tracker: Tracker, label: str, stream: Any) -> None:
        self._tracker = tracker
        # disable=None: only on a terminal.
        self._bar = tqdm(total=None, desc=label, file=stream, disable=None, dynamic_ncols=True, leave=True)

    def __enter__(self) -> Drawn:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def __call__(self, done: int, total: int = 0, stage: str | None = None) -> None:
        if stage:
            self._bar.set_postfix_str(stage, refresh=False)
        if total and self._bar.total != total:
            self._bar.total = total
        self._bar.update(done - self._bar.n)
        self._tracker(done, total, stage=stage)

    progress = __call__

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tracker, name)


class ScriptCommand(BaseCommand):
    """A script of the pipeline, run here and now, tracked from its first moment.

    It prints the output and, alone on the last line, the id of the job. A failed run exits with 1.
    """

    script = ""
    job_type = "scrape"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print id, status and output as JSON")

    def plan(self, options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The job's input and its links. Raises CommandError or JobError."""
        raise NotImplementedError

    def runner(self) -> Callable[[Tracker], None]:
        return script_of(self.script)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            given, links = self.plan(options)
            run = self.runner()
            with (
                track(self.job_type, {**given, "scriptType": self.script}, **links) as tracker,
                Drawn(tracker, self.script, self.stderr) as drawn,
            ):
                run(cast("Tracker", drawn))
        except JobError as error:
            raise CommandError(without_secrets(str(error))) from error
        output = tracker.output
        if options["json"]:
            self.stdout.write(json.dumps({"id": str(tracker.id), "status": "success", "output": output}))
            return
        for name, value in output.items():
            self.stdout.write(f"{name}: {value}")
        self.stdout.write(str(tracker.id))


def row_of(model: type[models.Model], said: str) -> Any:
    """The row with the id. Raises CommandError."""
    try:
        found = model._default_manager.filter(pk=UUID(said)).first()
    except ValueError as error:
        raise CommandError(f"“{said}” is no id of {model._meta.verbose_name_plural}.") from error
    if found is None:
        raise CommandError(f"There is no {model._meta.verbose_name} {said}.")
    return found


def work_named(said: str) -> Work:
    """The work with the id or the title. Raises CommandError."""
    try:
        UUID(said)
    except ValueError:
        found = list(Work.objects.filter(title__iexact=said).order_by("pk")[:2])
        if len(found) != 1:
            many = "Several works are" if found else "No work is"
            raise CommandError(f"{many} called “{said}”; give the id of one.") from None
        return found[0]
    return cast("Work", row_of(Work, said))


def edition_given(said: str) -> Edition:
    return cast("Edition", row_of(Edition, said))


def given_only(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", [])}
