"""Tracks the run of a script: announced, running, ended, whatever happens to the script meanwhile.

    with track("scrape", work=work, input={"url": url, "scriptType": "scrape-novel"}) as job:
        for number, page in enumerate(pages):
            job.progress(number, len(pages))
            …
        job.attach(edition=edition)
        job.output.update(total=…, success=…, failed=…)

A thread of the process renews the run's lease; a script that is killed ends `failed`, its worker lost, when that
lease has run out. `announcing.create_job` and `stepping.update_job_status` are the same in single steps.
What is tracked must be committed to be seen by that thread: tests need `django_db(transaction=True)`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from django.db import transaction
from django.utils import timezone

from jobs.pipeline.announcing import new_job
from jobs.pipeline.holding import end, hold
from jobs.pipeline.pipeline_jobs import JobType, RunBy, columns_of
from jobs.pipeline.trackers import Tracker
from jobs.running import new_token
from jobs.workers import process_id

P = ParamSpec("P")
R = TypeVar("R")


class track:
    """`with track("scrape", input={…}, work=…) as job:`, or `@track("scrape", script="…")` over a function.

    However the block ends, so does the job: normally with `job.output`: `success`; by an exception: `failed`
    with its words; asked to stop: `cancelled`. The exception goes on. Around a function the input is what it is
    called with, a dict it returns is the output, and a parameter named `job` is given the running job.
    """

    def __init__(
        self, job_type: str, input: dict[str, Any] | None = None, *, script: str = "", **links: Any
    ) -> None:
        if job_type not in JobType.values:
            raise ValueError(f"There is no job type “{job_type}”. Types: {', '.join(JobType.values)}.")
        self.job_type, self.script, self.links = job_type, script, columns_of(links)
        self.input = dict(input or {})
        self._stack = ExitStack()
        self._tracker: Tracker | None = None

    def __enter__(self) -> Tracker:
        now = timezone.now()
        given = {**self.input, **({"scriptType": self.script} if self.script else {})}
        job = new_job(self.job_type, given, run_by=RunBy.SCRIPT, now=now, **self.links)
        # Whoever opened a transaction around it would hide the run until it is over.
        with transaction.atomic(durable=True):
            job.insert_begun(new_token(process_id()), now=now)
        self._tracker = hold(job, self._stack)
        return self._tracker

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._tracker is not None
        self._stack.close()
        end(self._tracker, error)

    def __call__(self, function: Callable[P, R]) -> Callable[..., R]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def tracked(*args: Any, **kwargs: Any) -> Any:
            wants_job = "job" in signature.parameters
            bound = signature.bind(*args, **({**kwargs, "job": None} if wants_job else kwargs))
            bound.apply_defaults()
            called_with = {name: value for name, value in bound.arguments.items() if name != "job"}
            block = track(
                self.job_type,
                {**self.input, **called_with},
                script=self.script or function.__name__.replace("_", "-"),
                **self.links,
            )
            with block as job:
                result = function(*args, **({**kwargs, "job": job} if wants_job else kwargs))
                if isinstance(result, dict):
                    job.output.update(result)
            return result

        return tracked
