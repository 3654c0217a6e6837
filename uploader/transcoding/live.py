"""What live clients hear of transcoding on the topic `jobs`, and the progress that goes with it."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from jobs.events import publish
from jobs.lifecycle import Status
from jobs.running import Run
from uploader.transcoding.transcode_jobs import STAGE_BEGINS, Stage, TranscodeJob


def percent_of(stage: Stage, share: float) -> int:
    """Percent of the whole job when `share` (0–1) of the stage is done."""
    begins = [*STAGE_BEGINS.values(), 99]
    place = list(STAGE_BEGINS).index(stage)
    return int(begins[place] + (begins[place + 1] - begins[place]) * min(1.0, share))


def enter(job: TranscodeJob, run: Run, stage: Stage) -> None:
    """Begin a stage: written and published at once. Raises `LeaseLost`, and what the attempt was stopped for."""
    run.stage(stage, stage_progress=0, progress=percent_of(stage, 0))
    moved(job, stage, 0)


def transcoding_moved(job: TranscodeJob, *, frames: int, per_second: float) -> None:
    """Write and publish how far the pieces are, whoever encodes them."""
    share = min(1.0, frames / job.frames_total) if job.frames_total else 0.0
    moved(
        job,
        Stage.TRANSCODING,
        share,
        frames_done=min(frames, job.frames_total),
        frames_per_second=per_second,
    )


def moved(job: TranscodeJob, stage: Stage, share: float, **columns: Any) -> None:
    """Write and publish the progress of an active job in its `stage`."""
    columns |= {"progress": percent_of(stage, share), "stage_progress": int(share * 100)}
    rows = TranscodeJob.objects.filter(pk=job.pk, status=Status.ACTIVE, stage=stage)
    if rows.update(updated_at=timezone.now(), **columns):
        for name, value in columns.items():
            setattr(job, name, value)
        job.stage = stage
        publish("jobs", "transcodeProgress", progress_of(job), now=timezone.now())


def progress_of(job: TranscodeJob) -> dict[str, Any]:
    left = job.seconds_left if job.stage == Stage.TRANSCODING else None
    return {
        **identity(job),
        "progress": job.progress,
        "stage": job.stage,
        "stageProgress": job.stage_progress,
        "framesDone": job.frames_done,
        "framesTotal": job.frames_total,
        "framesPerSecond": round(job.frames_per_second, 1),
        "piecesDone": job.pieces_done,
        "piecesTotal": job.pieces_total,
        "secondsLeft": None if left is None else round(left, 1),
    }


def identity(job: TranscodeJob) -> dict[str, Any]:
    return {
        "jobId": job.job_id,
        "id": job.pk,
        "jobType": "transcode",
        "clientId": job.client_id,
        "resourceType": job.resource_type,
        "resourceId": job.resource_id,
        "resourceName": job.resource_name,
        "title": job.resource_name,
        "labels": job.labels,
        "status": job.status,
        "attempt": job.attempt,
    }
