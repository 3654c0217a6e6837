"""Pipeline jobs of long ago go; what they came to stays in the sums of `totals`."""

from __future__ import annotations

from django.db.models import Exists, OuterRef

from jobs.pipeline.pipeline_jobs import PipelineJob, Status
from jobs.tidying import Round


def drop_finished(round_: Round) -> int:
    """Delete jobs that ended long ago and are in the sums, unless another one still waits for them."""
    before = round_.before(round_.days.history)
    if before is None:
        return 0
    waiting = PipelineJob.needs.through._default_manager.filter(
        to_pipelinejob=OuterRef("pk"), from_pipelinejob__status__in=(Status.QUEUED, Status.RUNNING)
    )
    old = PipelineJob.objects.finished().filter(counted=True, finished_at__lt=before)
    return round_.drop(old.filter(~Exists(waiting)))
