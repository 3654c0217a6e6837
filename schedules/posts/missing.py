"""Why a post was not published in its time, in words."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Max, Min
from django.utils import timezone

from jobs.workers import Worker
from schedules.posts.models import PostStatus, ScheduledPost, grace

# Without a word from any worker for so long around its moment, that is the cause.
SILENCE = timedelta(seconds=30)


def cause(post: ScheduledPost, now: datetime) -> str:
    """One sentence that names the post's obstacle, and one that says what can be done."""
    return f"Missed: {obstacle(post, now)} Publish it now, move it, or cancel it."


def obstacle(post: ScheduledPost, now: datetime) -> str:
    if post.tries and post.error_message:
        # It was tried, and this is what every try met.
        return sentence(post.error_message)
    if down := down_over(post, now):
        return down
    if post.status == PostStatus.PENDING:
        return of_media(post)
    if why := post.account.destination.why_not_now(now):
        return why
    return f"nothing took it within its grace of {grace().total_seconds():.0f} seconds."


def of_media(post: ScheduledPost) -> str:
    """Which video is not on the platform yet, and what its upload says."""
    videos = list(post.videos.select_related("job"))
    for number, video in enumerate(videos, start=1):
        if video.media_id is not None:
            continue
        name = f"video {number} of {len(videos)} ({video.filename}) was not on the platform in time"
        said = video.job.error_message if video.job else ""
        return f"{name}: {sentence(said)}" if said else f"{name}."
    return "its media were on the platform too late."


def down_over(post: ScheduledPost, now: datetime) -> str:
    """“No worker ran from 13:58 to 14:20.” when the post's moment lies in such a time; else empty."""
    if post.scheduled_for is None:
        return ""
    publishers = Worker.objects.filter(lane="publish")
    before = publishers.filter(started_at__lte=post.scheduled_for).aggregate(at=Max("seen_at"))["at"]
    if before is not None and before > post.scheduled_for - SILENCE:
        return ""
    since = publishers.filter(started_at__gt=post.scheduled_for).aggregate(at=Min("started_at"))["at"]
    if before is None and since is None:
        return "no worker of the lane “publish” ran."
    if since is not None and since < post.scheduled_for + SILENCE:
        return ""
    start = f" from {clock(before)}" if before else ""
    end = f" until {clock(since)}" if since else ""
    return f"no worker of the lane “publish” ran{start}{end}."


def sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def clock(at: datetime) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S %Z}"
