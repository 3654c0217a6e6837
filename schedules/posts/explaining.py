"""Why a post is not published, and what may keep it from being, as sentences an operator can act on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobs import workers
from schedules.posts.media import Speed
from schedules.posts.missing import clock, sentence
from schedules.posts.models import PREPARE, PostStatus, ScheduledPost
from schedules.posts.videos import PostVideo
from uploader import kept_files, library
from uploader.explaining import why_not_running
from uploader.platforms.onlysocial import PostStatus as RemoteStatus

# With so little time left, or half of their lead where that is less, media that are not up yet are a danger.
LITTLE_TIME = timedelta(minutes=10)


@dataclass(frozen=True)
class Risk:
    """One thing that may keep a post from its moment."""

    kind: (
        str  # file_missing, account_unauthorized, destination, media_late, too_little_time, worker, approval
    )
    sentence: str


def why_not_published(post: ScheduledPost, now: datetime) -> str:
    """What the post waits for or died of at `now`, the farthest obstacle first; empty: it is published."""
    match post.status:
        case PostStatus.PUBLISHED:
            return ""
        case PostStatus.CANCELLED:
            return f"{sentence(post.error_message or 'Cancelled')} “Retry” or “Move to…” schedules it again."
        case PostStatus.FAILED:
            return sentence(post.error_message)
        case PostStatus.PENDING:
            return of_pending(post, now)
        case _:
            return of_uploaded(post, now)


def of_pending(post: ScheduledPost, now: datetime) -> str:
    if post.scheduled_for is None:
        return "It has no moment yet. Give it one with “Move to…”."
    begins = post.scheduled_for - Speed.of(post.account.destination_id).lead(post.total_bytes)
    video = next((each for each in post.videos.select_related("job__destination") if not each.media_id), None)
    if video is not None and video.job is not None and not video.job.is_finished:
        percent = f"{video.job.progress} % of {video}"
        return f"Its media are being uploaded: {percent}. {why_not_running(video.job, now)}".strip()
    if begins > now:
        return (
            f"Its media go to OnlySocial from {clock(begins)} on; it goes out at {clock(post.scheduled_for)}."
        )
    return f"Its media are to be uploaded since {clock(begins)}. {of_lanes(now, 'upload')}".strip()


def of_uploaded(post: ScheduledPost, now: datetime) -> str:
    assert post.scheduled_for is not None or post.take_at is None
    if post.remote_status == RemoteStatus.NEEDS_APPROVAL:
        return "OnlySocial waits for somebody to approve the post there."
    if post.is_accepted:
        return "OnlySocial has accepted it and is publishing it."
    if post.publish_intended_at is not None:
        return f"OnlySocial was asked to publish it; whether it did is being looked up. {post.error_message}".strip()
    if post.scheduled_for is None:
        return "Its media are uploaded, and it has no moment yet. Give it one with “Move to…”."
    if post.error_message:
        return f"{sentence(post.error_message)} It is tried again until its grace is over."
    if post.scheduled_for > now:
        return f"It goes out at {clock(post.scheduled_for)}."
    return f"Its moment has come. {of_lanes(now, 'publish')}".strip()


def of_lanes(now: datetime, lane: str) -> str:
    if workers.alive(now).filter(lane=lane).exists():
        return ""
    return f"No worker of the lane “{lane}” is alive. Start one with “manage.py worker”."


def at_risk(posts: Iterable[ScheduledPost], now: datetime) -> dict[int, list[Risk]]:
    """The posts among these that may miss their moment, and why; prefetch `videos__job`."""
    speeds: dict[int, Speed] = {}
    found = {post.pk: list(risks(post, now, speeds)) for post in posts if post.is_open}
    return {pk: of_post for pk, of_post in found.items() if of_post}


def risks(post: ScheduledPost, now: datetime, speeds: dict[int, Speed] | None = None) -> Iterator[Risk]:
    """Everything that may keep an open post from its moment. `speeds` by destination: measured once for many."""
    if not post.is_open or post.scheduled_for is None:
        return
    if post.remote_status == RemoteStatus.NEEDS_APPROVAL:
        yield Risk("approval", "OnlySocial waits for somebody to approve the post there.")
    if post.is_accepted:
        return
    account = post.account
    if account.why_not:
        yield Risk("account_unauthorized", account.why_not)
    if (why := account.destination.why_not_now(now)) and lasts(post, now):
        yield Risk(account.destination.held_kind or "destination", why)
    if post.status == PostStatus.PENDING:
        yield from of_media(post, now, {} if speeds is None else speeds)
    if post.scheduled_for - now < PREPARE and (why := of_lanes(now, "publish")):
        yield Risk("worker", why)


def lasts(post: ScheduledPost, now: datetime) -> bool:
    """Will what bars the destination still bar it at the post's moment?"""
    destination = post.account.destination
    until = destination.paused_until if destination.is_paused(now) else destination.held_until
    if not destination.is_active or until is None or destination.held_kind == "credentials":
        return True
    return post.scheduled_for is not None and until > post.scheduled_for


def of_media(post: ScheduledPost, now: datetime, speeds: dict[int, Speed]) -> Iterator[Risk]:
    assert post.scheduled_for is not None
    left_bytes = 0
    for video in post.videos.all():
        if video.media_id is not None:
            continue
        left_bytes += bytes_left(video)
        if why := missing_file(video):
            yield Risk("file_missing", why)
        if video.job is not None and video.job.error_message:
            yield Risk("media_failing", f"{video}: {sentence(video.job.error_message)}")
    left = post.scheduled_for - now
    destination_id = post.account.destination_id
    if destination_id not in speeds:
        speeds[destination_id] = Speed.of(destination_id)
    speed = speeds[destination_id]
    if left <= timedelta():
        yield Risk("media_late", "Its moment has passed; it goes out as soon as its media are on OnlySocial.")
    elif left_bytes and speed.needs(left_bytes) > left:
        yield Risk(
            "too_little_time",
            f"{left_bytes / 1e6:,.1f} MB are to be uploaded, which takes {spoken(speed.needs(left_bytes))} at "
            f"the measured speed; {spoken(left)} are left.",
        )
    elif left < min(LITTLE_TIME, speed.lead(post.total_bytes) / 2):
        yield Risk("media_late", "Its media are not all on OnlySocial yet.")


def spoken(length: timedelta) -> str:
    seconds = length.total_seconds()
    return f"{seconds:,.0f} seconds" if seconds < 120 else f"{seconds / 60:,.0f} minutes"


def bytes_left(video: PostVideo) -> int:
    sent = video.job.bytes_sent if video.job is not None and video.job.is_active else 0
    return max((video.size_bytes or 0) - sent, 0)


def missing_file(video: PostVideo) -> str:
    """Why the file cannot be read now; empty: it can, or it lies elsewhere."""
    if video.media_path:
        return kept_files.why_missing(video.media_path)
    if not video.library_path:
        return ""
    try:
        library.complete(video.library_path)
    except library.LibraryError as error:
        return str(error)
    return ""
