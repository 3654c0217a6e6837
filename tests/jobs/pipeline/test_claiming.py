"""A claim reads the line in its order, whatever the planner believes of its length."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.pipeline.pipeline_jobs import PipelineJob

NOW = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)


@pytest.mark.postgres
@pytest.mark.django_db
def test_a_claim_sorts_no_line_that_grew_since_the_table_was_last_analyzed() -> None:
    PipelineJob.objects.bulk_create(
        PipelineJob(job_type="clean", status="success", not_before_at=NOW, finished_at=NOW)
        for _ in range(2000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_pipelinejob")
    PipelineJob.objects.bulk_create(PipelineJob(job_type="clean", not_before_at=NOW) for _ in range(2000))

    with CaptureQueriesContext(connection) as asked:
        claimed = PipelineJob.objects.claim("worker#1", now=NOW, limit=10)
    (question,) = [query["sql"] for query in asked if "FOR UPDATE" in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {question}")
        plan = "\n".join(line for (line,) in cursor)

    assert len(claimed) == 10
    assert "pipeline_job_claim" in plan
    assert "Sort" not in plan
