"""The scripts, by the name that stands in a job's `scriptType`: run by a worker, or by a command of the same name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from jobs.errors import ErrorKind, JobError
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.subjects import Source
from jobs.pipeline.trackers import Tracker
from jobs.scraping import configuration
from jobs.scraping.configuration import Configuration

# A script reads its job's input and links, tells progress, and fills in `tracker.output` as it goes.
Script = Callable[[Tracker], None]

MOST_NAMES = 10_000


class BadInput(JobError):
    """The job's input cannot be used. Correct it and start it again."""

    kind = ErrorKind.REJECTED
    permanent = True


class SourceMissing(BadInput):
    """There is no such source."""


def scrape(job: PipelineJob, progress: Tracker) -> dict[str, Any]:
    """The handler of `scrape`: runs the script that the input's `scriptType` names."""
    script_of(job.script)(progress)
    return progress.output


def script_of(name: str) -> Script:
    """Raises BadInput for a name nobody has."""
    path = settings.PIPELINE_SCRIPTS.get(name)
    if not path:
        known = ", ".join(sorted(settings.PIPELINE_SCRIPTS))
        raise BadInput(f"There is no script “{name}”; give one of {known} as “scriptType”.")
    try:
        return import_string(path)
    except ImportError as error:
        raise BadInput(f"The script {path} cannot be loaded: {error}") from error


def source_named(name: str) -> Source:
    """Raises SourceMissing, with the way to make it."""
    found = Source.objects.filter(name=name).first()
    if found is None:
        raise SourceMissing(
            f"There is no source “{name}”. Make it in the admin, or with manage.py source FILE.json, "
            "with the selectors of a catalog you have the rights to."
        )
    return found


def source_of(tracker: Tracker, default: str) -> Source:
    """The source the job is about: its own link, that of its work, the one its input names, else `default`.

    Raises SourceMissing, and BadInput when it is switched off.
    """
    job = tracker.job
    source = job.source or (job.work and job.work.source)
    source = source or source_named(str(tracker.input.get("source") or default))
    if not source.is_active:
        raise BadInput(f"The source “{source}” is switched off. Switch it on in the admin, then retry.")
    return source


def configuration_of(source: Source) -> Configuration:
    """Raises BadConfiguration."""
    return configuration.read(source.name, source.base_url, source.configuration)


# -------------------------------------------------------------------- what an input may say


def wanted_text(tracker: Tracker, name: str, most: int = 1000) -> str:
    """Raises BadInput when it is missing, empty, or too long."""
    value = tracker.input.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > most:
        raise BadInput(f"The input needs “{name}”, a text of at most {most} characters.")
    return value.strip()


def wanted_number(
    tracker: Tracker, name: str, default: float | None, *, least: float, most: float
) -> float | None:
    """Raises BadInput."""
    value = tracker.input.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise BadInput(f"“{name}” must be a number from {least:g} to {most:g}.")
    return value


def wanted_list(tracker: Tracker, name: str) -> list[str]:
    """A list of texts, or one text with commas between. Raises BadInput."""
    value = tracker.input.get(name)
    if isinstance(value, str):
        value = [each for each in re.split(r"[\s,]+", value) if each]
    if not isinstance(value, list) or not value or len(value) > MOST_NAMES:
        raise BadInput(f"The input needs “{name}”, a list.")
    if not all(isinstance(each, str | int) and not isinstance(each, bool) for each in value):
        raise BadInput(f"“{name}” must hold texts.")
    return [str(each) for each in value]


def delay_of(tracker: Tracker) -> float | None:
    """The input's `delay` in milliseconds, as seconds. Raises BadInput."""
    delay = wanted_number(tracker, "delay", None, least=0, most=3_600_000)
    return None if delay is None else delay / 1000
