"""Pre-upload (seed 003, phase 2): the media of a post go to the platform ahead of its moment, one after the other.

A media upload job per video does the work; its outcome moves the video, and at last the post, in the same
transaction. Nothing here makes a post at the platform.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.dispatch import receiver

from jobs import events, runner
from jobs.errors import ErrorKind, LostRace
from jobs.events import Event, job_changed
from schedules.posts.models import PostStatus, ScheduledPost, stamp
from schedules.posts.videos import PostVideo
from uploader.media_uploads import create_media_upload
from uploader.platforms.errors import PlatformError
from uploader.social_accounts import SocialAccount
from uploader.upload_jobs import UploadJob, UploadType

log = logging.getLogger(__name__)

# The measured time is doubled: a platform is slower at full hours.
CAUTION = 2.0
# Of so many last uploads the speed is taken.
MEASURED_UPLOADS = 10
# However slow: no upload begins earlier than this before its moment.
LONGEST_LEAD = timedelta(hours=24)


@dataclass(frozen=True)
class Speed:
    """Bytes a second of the last media uploads to a destination; None: none was measured."""

    bytes_per_second: float | None

    @classmethod
    def of(cls, destination_id: int) -> Speed:
        done = UploadJob.objects.filter(
            destination=destination_id, upload_type=UploadType.MEDIA, status="completed", bytes_total__gt=0,
            started_at__isnull=False, finished_at__isnull=False,
        ).order_by("-id")[:MEASURED_UPLOADS]  # fmt: skip
        spent = [((job.finished_at - job.started_at).total_seconds(), job.bytes_total) for job in done]  # type: ignore[operator]
        seconds = sum(took for took, _ in spent)
        return cls(sum(size for _, size in spent) / seconds if seconds > 0 else None)

    def needs(self, size_bytes: int) -> timedelta:
        """How long so many bytes take; none where nothing was measured."""
        if not self.bytes_per_second:
            return timedelta()
        return timedelta(seconds=size_bytes / self.bytes_per_second)

    def lead(self, size_bytes: int) -> timedelta:
        """How long before its moment a post of so many bytes is begun."""
        usual = timedelta(seconds=settings.PRE_UPLOAD_LEAD_SECONDS)
        return min(max(usual, self.needs(size_bytes) * CAUTION), LONGEST_LEAD)


def due(now: datetime) -> list[ScheduledPost]:
    """Pending posts whose lead has begun and that have no media job at work, the earliest first."""
    waiting = (
        ScheduledPost.objects.filter(status=PostStatus.PENDING, scheduled_for__isnull=False)
        .exclude(videos__job__status__in=("waiting", "active"))
        .select_related("account__destination")
        .order_by("scheduled_for", "id")
    )
    found: list[ScheduledPost] = []
    for destination_id in destinations_with_posts(now):
        speed = Speed.of(destination_id)
        usual = timedelta(seconds=settings.PRE_UPLOAD_LEAD_SECONDS)
        # Only what is larger than the usual lead carries needs a look at its own lead.
        large = (speed.bytes_per_second or float("inf")) * usual.total_seconds() / CAUTION
        soon = Q(scheduled_for__lte=now + usual)
        if large < 2**62:
            soon |= Q(total_bytes__gt=int(large), scheduled_for__lte=now + LONGEST_LEAD)
        candidates = waiting.filter(soon, account__destination=destination_id)
        found += [
            post
            for post in candidates
            if post.scheduled_for and post.scheduled_for - speed.lead(post.total_bytes) <= now
        ]
    return sorted(found, key=lambda post: (post.scheduled_for, post.pk))


def destinations_with_posts(now: datetime) -> Iterable[int]:
    return (
        SocialAccount.objects.filter(
            posts__status=PostStatus.PENDING, posts__scheduled_for__lte=now + LONGEST_LEAD
        )
        .order_by()
        .values_list("destination_id", flat=True)
        .distinct()
    )


def pre_upload(now: datetime) -> list[ScheduledPost]:
    """Begin what is due. Any number of callers at once do no harm. Returns the posts begun."""
    begun = []
    found = due(now)
    if found:
        log.info("Found %d posts to pre-upload", len(found))
    for post in found:
        if begin_next(post, now=now):
            begun.append(post)
    return begun


def begin_next(post: ScheduledPost, *, now: datetime) -> UploadJob | None:
    """Make the media job of the post's next video; None when there is none to make."""
    # What is raised in here ends the caller's transaction, too, if it has one.
    with transaction.atomic(savepoint=False):
        # The post's row is the lock: two callers do not begin the same video.
        row = ScheduledPost.objects.select_for_update().filter(pk=post.pk, status=PostStatus.PENDING).first()
        if row is None:
            return None
        row.account = post.account
        videos = list(row.videos.select_related("job").order_by("position"))
        video = next((video for video in videos if video.media_id is None), None)
        if video is None:
            row.note_media_uploaded(now=now)
            log.info(
                "Post %d: database updated, status: %s. It will be published at (UTC): %s",
                row.pk, row.status, stamp(row.scheduled_for),
            )  # fmt: skip
            return None
        if video.job is not None and not video.job.is_finished:
            return None
        try:
            job = job_for(row, video, now=now)
        except PlatformError as error:
            row.fail(error.kind, f"{video}: {error}", now=now, fenced=False)
            return None
        PostVideo.objects.filter(pk=video.pk).update(job=job)
        which = f"video {videos.index(video) + 1} of {len(videos)}: {video}"
        events.record(row, "uploading", now=now, why=which)
        log.info("Post %d: uploading %s", row.pk, which)
        runner.wake(job.lane)
    return job


def job_for(post: ScheduledPost, video: PostVideo, *, now: datetime) -> UploadJob:
    """The video's media job: the one of an earlier try, which knows what the platform may have, or a new one."""
    if video.job is not None and video.job.can_retry:
        video.job.retry(who="pre-upload", now=now, attempts=post.account.destination.attempts)
        return video.job
    return create_media_upload(
        post.account.destination, library_path=video.library_path, media_path=video.media_path, url=video.url,
        size_bytes=video.size_bytes, title=video.filename, now=now,
    )  # fmt: skip


@receiver(job_changed, sender=UploadJob)
def follow(sender: type[UploadJob], job: UploadJob, event: Event, **_: Any) -> None:
    """What a media job's fate means for its post, in the same transaction."""
    if job.upload_type != UploadType.MEDIA or event.type not in ("completed", "failed", "cancelled"):
        return
    video = PostVideo.objects.filter(job_id=job.pk).select_related("post__account__destination").first()
    if video is None:
        return
    if event.type == "completed":
        PostVideo.objects.filter(pk=video.pk).update(media_id=int(job.remote_id), uploaded_at=event.at)
        log.info("Post %d: video %d uploaded. Media ID: %s", video.post_id, video.position, job.remote_id)
        if video.post.status == PostStatus.PENDING:
            begin_next(video.post, now=event.at)
        return
    kind = job.error_kind or ErrorKind.TRANSIENT
    number = f"Video {video.position} of {video.post.videos.count()} ({video})"
    try:
        video.post.fail(kind, f"{number}: {job.error_message or event.why}", now=event.at, fenced=False)
    except LostRace:
        return
