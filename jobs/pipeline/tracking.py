"""Tracks the run of a script: announced, running, ended, whatever happens to the script meanwhile.

    with track("scrape", work=work, input={"url": url, "scriptType": "scrape-novel"}) as job:
        for number, page in enumerate(pages):
            job.progress(number, len(pages))
            …
        job.attach(edition=edition)
        job.output.update(total=…, success=…, failed=…)

A thread of the process renews the run's lease; a script that is killed ends `failed`, its worker lost, when that
lease has run out. `create_job` and `update_job_status` are the same in single steps, for scripts of the old shape.
What is tracked must be committed to be seen by that thread: tests need `django_db(transaction=True)`.
"""

from __future__ import annotations

import atexit
import functools
import inspect
import logging
import signal
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from django.db import transaction
from django.utils import timezone

from jobs.errors import Cancelled, JobError, LeaseLost, LostRace
from jobs.events import Event, subject_of
from jobs.pipeline import live
from jobs.pipeline.pipeline_jobs import JobType, PipelineJob, RunBy, Status, columns_of
from jobs.pipeline.plain import plain, text, told
from jobs.running import Run, new_token, patiently, supervision
from jobs.workers import process_id

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

# So many lines of a run's own log are kept per attempt.
MOST_LINES = 1000


class IllegalTransition(LostRace):
    """The job is not in a state from which it may go there."""


class Stopped(JobError):
    """The script was stopped before it was done."""


# -------------------------------------------------------------------- announcing


def create_job(
    job_type: str,
    input: dict[str, Any] | None = None,
    *,
    run_by: str = RunBy.SCRIPT,
    **links: Any,
) -> uuid.UUID:
    """A queued job, attempt 0, that the caller is going to run; gives its id.

    `create_job("scrape", {"url": …})`, or `create_job(job_type="scrape", work_id=…, edition_id=…, input={…})`.
    `links` are `source`, `work`, `edition`, `segment`, each as a row or as `…_id`. Raises ValueError for an
    unknown type, TypeError for an unknown link.
    """
    job = new_job(job_type, input, run_by=run_by, now=timezone.now(), **links)
    save_new(job)
    return job.pk


def new_job(
    job_type: str, input: dict[str, Any] | None, *, run_by: str, now: datetime, **links: Any
) -> PipelineJob:
    """A queued job, unsaved. Raises ValueError for an unknown type, TypeError for what is no link or no input."""
    if job_type not in JobType.values:
        raise ValueError(f"There is no job type “{job_type}”. Types: {', '.join(JobType.values)}.")
    given = plain({} if input is None else input)
    if not isinstance(given, dict):
        raise TypeError("The input of a pipeline job is an object: names and values.")
    return PipelineJob(
        job_type=job_type,
        input=given,
        script=text(str(given.get("scriptType") or ""), 100)[:100],
        run_by=run_by,
        not_before_at=now,
        created_at=now,
        updated_at=now,
        **columns_of(links),
    )


def save_new(job: PipelineJob, *, who: str = "") -> None:
    """Insert the job with the first line of its history, and tell the pages."""
    with transaction.atomic():
        job.save(force_insert=True)
        job._event("created", old="", new=job.status, now=job.created_at, who=who or process_id()).save(
            force_insert=True
        )
        live.tell(job)


# -------------------------------------------------------------------- running


class Tracker:
    """What a script sees of its own run. Calling it tells progress."""

    def __init__(self, job: PipelineJob, run: Run) -> None:
        self.job = job
        self.run = run
        self.output: dict[str, Any] = {}
        self._stage = job.stage
        self._lines: deque[Event] = deque()
        self._line_count = 0

    @property
    def id(self) -> uuid.UUID:
        return self.job.pk

    @property
    def input(self) -> dict[str, Any]:
        return self.job.input

    def __call__(self, done: int, total: int = 0, stage: str | None = None) -> None:
        """Say how far it is, as often as one likes: it is written once a second. Raises when asked to stop."""
        if stage is not None:
            self._stage = stage
        self.run.progress(done, total)

    progress = __call__

    def check(self) -> None:
        """Raise `Cancelled` (or what else it was stopped for) when it was asked to stop."""
        self.run.check()

    def wait(self, seconds: float) -> None:
        """Sleep, unless asked to stop; then raise that."""
        self.run.wait(seconds)

    def attach(self, **links: Any) -> None:
        """Say what the run is about once that is known: `work=`, `edition_id=` …; written at once."""
        columns = columns_of(links)
        patiently(lambda: self.job.save_progress(now=timezone.now(), **columns))

    def log(self, line: str) -> None:
        """A line for the run's page; written within half a second."""
        self._line_count += 1
        if self._line_count <= MOST_LINES:
            last = self._line_count == MOST_LINES
            self._lines.append(
                Event(
                    at=timezone.now(), type="log", attempt=self.job.attempt,
                    why="Further lines were left out" if last else text(line, 2000), **subject_of(self.job),
                )
            )  # fmt: skip

    # ---------------------------------------------------------------- for whoever runs it

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Progress, log lines and live messages are written in here."""
        try:
            with self.run.telling(self._columns, beside=self._write_lines):
                yield
        finally:
            patiently(self._write_lines)

    def _columns(self, done: int, total: int, per_second: float) -> dict[str, Any]:
        percent = min(99, done * 100 // total) if total else 0
        columns = {"progress": percent, "stage": self._stage[:32]}
        live.tell(self.job, **columns)
        return columns

    def _write_lines(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if lines:
            Event.objects.bulk_create(lines)


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
            save_new(job)
            job.begin(new_token(process_id()), now=now)
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


def hold(job: PipelineJob, stack: ExitStack) -> Tracker:
    """Look after a job that has begun in this process until `stack` is closed."""
    run = Run(job)
    tracker = Tracker(job, run)
    stack.enter_context(stopped_by_sigterm())
    stack.enter_context(supervision.over(run))
    stack.enter_context(tracker.telling())
    return tracker


@contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """A polite kill ends the script by an exception, so that its job is told."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def stop(signum: int, frame: object) -> None:
        raise SystemExit(128 + signum)

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def end(tracker: Tracker, error: BaseException | None) -> None:
    """Write how the run ended. Raises `LeaseLost` when it had been given up for dead and thinks it succeeded."""
    job = tracker.job
    job.output = plain(tracker.output) if tracker.output or error is None else None
    try:
        patiently(lambda: settle(job, error, now=timezone.now()))
    except LeaseLost:
        log.warning("%s was given up for dead before it ended", job)
        if error is None:
            raise


def settle(job: PipelineJob, error: BaseException | None, *, now: datetime) -> None:
    """The outcome a block's end means. Raises `LeaseLost`."""
    match error:
        case None | SystemExit(code=None | 0):
            job.complete(now=now)
        case Cancelled():
            job.acknowledge_cancel(now=now)
        case LeaseLost():
            raise LeaseLost
        case JobError():
            job.fail(error, now=now)
        case KeyboardInterrupt():
            job.fail(Stopped("Interrupted from the keyboard"), now=now)
        case SystemExit(code=code):
            job.fail(Stopped(f"The script was stopped (exit {told(error)})" if code else ""), now=now)
        case _:
            job.fail(JobError(told(error)), now=now)


# -------------------------------------------------------------------- in single steps

_held: dict[uuid.UUID, tuple[Tracker, ExitStack]] = {}


def update_job_status(
    job_id: uuid.UUID | str,
    status: str,
    output: dict[str, Any] | None = None,
    error: str | None = None,
) -> PipelineJob:
    """Move a job that this process runs, filling in what follows from it; gives the job as it is now.

    `running`: started_at is now, attempt one more; a failed one begins anew. `success`, `failed`: finished_at is
    now, with the output or the error. Raises `IllegalTransition` for any other way, `PipelineJob.DoesNotExist`.
    """
    job = PipelineJob.objects.get(pk=job_id)
    match status:
        case Status.RUNNING:
            return _begin(job)
        case Status.SUCCESS | Status.FAILED if job.pk in _held:
            return _end(job, status, output, error)
        case Status.FAILED if job.status == Status.QUEUED:
            job.output = None if output is None else plain(output)
            _move_or_refuse(job, status, lambda: job.give_up(JobError(error or ""), now=timezone.now()))
            return job
        case Status.QUEUED:
            _move_or_refuse(job, status, lambda: job.retry(who=process_id(), now=timezone.now()))
            return job
        case Status.CANCELLED if job.pk in _held:
            return _end(job, status, output, error)
        case Status.CANCELLED:
            _move_or_refuse(job, status, lambda: job.cancel(who=process_id(), now=timezone.now()))
            return job
    if status not in Status.values:
        raise ValueError(f"There is no status “{status}”. Statuses: {', '.join(Status.values)}.")
    raise refusal(job, status)


def attach_job(job_id: uuid.UUID | str, **links: Any) -> None:
    """Say what a job is about once that is known, in whatever state it is: `edition_id=…`."""
    columns = columns_of(links)
    PipelineJob.objects.filter(pk=job_id).update(updated_at=timezone.now(), **columns)


def tracker_of(job_id: uuid.UUID) -> Tracker:
    """The tracker of a job begun by `update_job_status` in this process. Raises KeyError."""
    return _held[job_id][0]


def _begin(job: PipelineJob) -> PipelineJob:
    now = timezone.now()

    def begin() -> None:
        with transaction.atomic():
            if job.can_retry:
                job.retry(who=process_id(), now=now)
            job.begin(new_token(process_id()), now=now)

    _move_or_refuse(job, Status.RUNNING, begin)
    stack = ExitStack()
    _held[job.pk] = (hold(job, stack), stack)
    log.info("Pipeline job %s is running, attempt %d", job.pk, job.attempt)
    return job


def _end(job: PipelineJob, status: str, output: dict[str, Any] | None, error: str | None) -> PipelineJob:
    tracker, stack = _held.pop(job.pk)
    stack.close()
    tracker.output.update(output or {})
    outcome: JobError | None = None
    if status == Status.FAILED:
        outcome = JobError(error or "The script failed and did not say why")
    elif status == Status.CANCELLED:
        outcome = Cancelled()
    end(tracker, outcome)
    if status != Status.SUCCESS:
        tracker.job.refresh_from_db()
    log.info("Pipeline job %s: %s, attempt %d", job.pk, tracker.job.status, tracker.job.attempt)
    return tracker.job


def _move_or_refuse(job: PipelineJob, status: str, move: Callable[[], None]) -> None:
    try:
        move()
    except (LostRace, LeaseLost) as lost:
        raise refusal(job, status) from lost


def refusal(job: PipelineJob, status: str) -> IllegalTransition:
    """Why the job may not go there, as the row is now."""
    row = PipelineJob.objects.filter(pk=job.pk).values("status", "run_by", "open_needs").first()
    if row is None:
        return IllegalTransition(f"{job} is no longer there.")
    if status == Status.RUNNING and row["open_needs"]:
        return IllegalTransition(f"{job} waits for {row['open_needs']} other jobs.")
    if row["run_by"] == RunBy.WORKER and row["status"] == Status.QUEUED:
        return IllegalTransition(f"{job} is run by our workers.")
    return IllegalTransition(f"{job} is {row['status']} and cannot become {status} from here.")


@atexit.register
def _end_what_is_held() -> None:
    """A script that ends without a word about its job has failed."""
    for job_id in list(_held):
        tracker, stack = _held.pop(job_id)
        stack.close()
        end(tracker, Stopped("The script ended without saying how it went"))
