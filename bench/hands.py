"""A worker's process at its barest: executes the upload jobs whose ids it reads, tracked or not.

python -m bench.hands    reads lines “ID tracked” or “ID untracked”, answers each with one line of JSON
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from unittest import mock

import django


def untracked() -> contextlib.ExitStack:
    """No supervision, no progress: the bytes alone."""
    from jobs import runner
    from jobs.running import Run

    stack = contextlib.ExitStack()
    stack.enter_context(mock.patch.object(runner.supervision, "over", lambda run: contextlib.nullcontext()))
    stack.enter_context(mock.patch.object(Run, "progress", lambda run, done, total: None))
    return stack


def supervising(spent: list[float]) -> contextlib.AbstractContextManager[object]:
    """Note the CPU seconds of every look of the supervising thread."""
    from jobs.running import Run

    look = Run.look

    def timed(run: Run) -> None:
        began = time.thread_time()
        try:
            look(run)
        finally:
            spent.append(time.thread_time() - began)

    return mock.patch.object(Run, "look", timed)


def work(job_id: int, how: str) -> dict[str, float | str]:
    from django.utils import timezone

    from jobs import runner
    from jobs.running import new_token
    from jobs.workers import process_id
    from uploader.upload_jobs import UploadJob

    [job] = UploadJob.objects.filter(pk=job_id).claim(new_token(process_id()), now=timezone.now())
    spent: list[float] = []
    with untracked() if how == "untracked" else supervising(spent):
        wall, cpu = time.perf_counter(), time.process_time()
        runner.execute(job)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "seconds": wall,
        "cpu": cpu,
        "supervising": sum(spent),
        "status": job.status,
        "error": job.error_message,
    }


def main() -> None:
    django.setup()
    from jobs import runner
    from jobs.workers import Worker
    from uploader import delivering, delivering_packages  # noqa: F401 - a worker that has uploaded has them in memory

    runner.job_models()
    Worker.objects.exists()
    print("ready", flush=True)
    for line in sys.stdin:
        job_id, how = line.split()
        print(json.dumps(work(int(job_id), how)), flush=True)


if __name__ == "__main__":
    main()
