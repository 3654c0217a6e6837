"""The upload job of a video that a window has taken, and what the job's fate means for the video."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.dispatch import receiver

from jobs import events, runner
from jobs.errors import ErrorKind, LostRace
from jobs.events import Event, job_changed
from schedules.slot_videos import SlotVideo, Status
from uploader.destinations import Destination
from uploader.upload_jobs import UploadJob, UploadType, new_upload


def give_jobs(videos: Sequence[SlotVideo], destination: Destination, *, now: datetime) -> list[SlotVideo]:
    """Let each taken video have its upload job: a new one, or one that is under way or was left by an earlier try.

    A video that was delivered meanwhile ends so and gives its place back. Returns those that have a job to do.
    Raises IntegrityError when somebody makes a job of the same video at this moment; call it in a transaction.
    """
    found = jobs_of(videos, destination)
    new: list[SlotVideo] = []
    going: list[SlotVideo] = []
    for video in videos:
        earlier = found[video.episode_id, video.film_id]
        if done := next((job for job in earlier if job.status == "completed"), None):
            video.succeed(now=now, why=f"Delivered by upload {done.pk}")
            video.leave_place()
            continue
        going.append(video)
        if job := next((job for job in earlier if not job.is_finished), None):
            video.job = job
        elif job := left_over(video, earlier):
            job.retry(who="windows", now=now, attempts=destination.attempts)
            video.job = job
        else:
            video.job = new_upload(video.video, destination, now=now)
            new.append(video)
    UploadJob.objects.bulk_create([video.job for video in new if video.job])
    SlotVideo.objects.attach(going)
    for video in going:
        if video.job and video.job.is_active:
            video.go_on(now=now)
    if going:
        runner.wake(UploadJob.lane)
    return going


def jobs_of(
    videos: Sequence[SlotVideo], destination: Destination
) -> defaultdict[tuple[int | None, int | None], list[UploadJob]]:
    """Every upload job of these videos to the destination, newest first, by the video."""
    found: defaultdict[tuple[int | None, int | None], list[UploadJob]] = defaultdict(list)
    for name in ("episode", "film"):
        ids = [key for video in videos if (key := getattr(video, f"{name}_id"))]
        if ids:
            rows = UploadJob.objects.filter(Q(**{f"{name}__in": ids}), destination=destination)
            for job in rows.order_by("-pk"):
                found[job.episode_id, job.film_id].append(job)
    return found


def left_over(video: SlotVideo, ended: Sequence[UploadJob]) -> UploadJob | None:
    """The ended job to take up again: one that may have left the video on the platform, else the video's own."""
    on_platform = next((job for job in ended if job.remote_id or job.create_intended_at), None)
    return on_platform or next((job for job in ended if job.pk == video.job_id), None)


@receiver(job_changed, sender=UploadJob)
def follow(sender: type[UploadJob], job: UploadJob, event: Event, **_: Any) -> None:
    """Move the video with its job, in the job's own transaction, and tell open pages."""
    if event.type not in MEANING or job.upload_type == UploadType.MEDIA:
        return
    video = SlotVideo.objects.with_videos().select_related("destination").filter(job=job.pk).first()
    if video is None:
        return
    try:
        MEANING[event.type](video, job, event)
    except LostRace:
        # A person or recovery moved the video meanwhile; the job's own history still tells what happened.
        return
    events.publish("queue", "slots_changed", {"destination": video.destination.name}, now=event.at)


def taken_up(video: SlotVideo, job: UploadJob, event: Event) -> None:
    if video.status == Status.PENDING:
        video.go_on(now=event.at)


def put_back(video: SlotVideo, job: UploadJob, event: Event) -> None:
    if video.status == Status.UPLOADING:
        video.wait(job.error_kind, event.why, now=event.at)


def retried(video: SlotVideo, job: UploadJob, event: Event) -> None:
    """A person retried the job itself: no window counts it."""
    if video.status == Status.FAILED:
        video.expedite(who=event.who, now=event.at)


def failed(video: SlotVideo, job: UploadJob, event: Event) -> None:
    video.fail(job.error_kind, job.error_message, now=event.at)


def cancelled(video: SlotVideo, job: UploadJob, event: Event) -> None:
    video.fail(ErrorKind.CANCELLED, event.why or job.error_message, now=event.at, who=event.who)


def completed(video: SlotVideo, job: UploadJob, event: Event) -> None:
    video.succeed(now=event.at)


MEANING: dict[str, Callable[[SlotVideo, UploadJob, Event], None]] = {
    "claimed": taken_up,
    "retried": retried,
    "attempt_failed": put_back,
    "held": put_back,
    "released": put_back,
    "rescued": put_back,
    "failed": failed,
    "cancelled": cancelled,
    "completed": completed,
}
