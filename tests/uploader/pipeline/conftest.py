"""Jobs of the pipeline done by a worker, in a test's own transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from jobs import runner
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.starting import start


@pytest.fixture
def done(db: None, unseen: None) -> Callable[..., PipelineJob]:
    """`done("match", {...}, work=…)`: the job after one attempt."""

    def run(job_type: str, given: dict[str, Any] | None = None, **links: Any) -> PipelineJob:
        job = start(job_type, given or {}, who="test", now=timezone.now(), **links)
        runner.run_batch(PipelineJob)
        job.refresh_from_db()
        return job

    return run
