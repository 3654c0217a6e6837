"""Runs a pipeline job by the handler of its type; which callable that is says PIPELINE_HANDLERS."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from jobs.errors import JobError
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.plain import plain, told
from jobs.pipeline.trackers import Tracker
from jobs.running import Run

log = logging.getLogger(__name__)

# A handler does one attempt of `job`, tells `progress(done, total, stage="…")` and gives the output. What it raises:
# a `JobError` means what its class says, anything else that this attempt failed.
Handler = Callable[[PipelineJob, Tracker], "dict[str, Any] | None"]


class NoHandler(JobError):
    """No handler does jobs of this type here."""

    permanent = True


def handler_of(job_type: str) -> Handler:
    """The callable that PIPELINE_HANDLERS names for the type. Raises `NoHandler`."""
    path = settings.PIPELINE_HANDLERS.get(job_type)
    if not path:
        raise NoHandler(f"No handler does “{job_type}” here: name one in PIPELINE_HANDLERS, then retry.")
    try:
        return import_string(path)
    except ImportError as error:
        raise NoHandler(f"The handler {path} of “{job_type}” cannot be loaded: {error}") from error


def handle(job: PipelineJob, run: Run) -> None:
    """One attempt of a job by a worker. Raises `JobError`."""
    handler = handler_of(job.job_type)
    tracker = Tracker(job, run)
    try:
        with tracker.telling():
            tracker.output.update(handler(job, tracker) or {})
    except JobError:
        raise
    except Exception as error:
        log.exception("%s failed", job)
        raise JobError(told(error)) from error
    finally:
        job.output = plain(tracker.output) if tracker.output else None
    job.output = plain(tracker.output)
