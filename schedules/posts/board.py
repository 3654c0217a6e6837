"""What the calendar of posts shows: queries, and plain rows for its templates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from jobs.events import Event, history_of
from schedules.posts import explaining
from schedules.posts.explaining import Risk
from schedules.posts.models import PostStatus, ScheduledPost, ScheduledPostQuerySet
from uploader.social_accounts import SocialAccount

# Posts that are looked at for risks, on a page and for its badge: those of the next days.
RISK_AHEAD = timedelta(days=2)


@dataclass(frozen=True)
class Day:
    """A day of the zone's calendar and its posts, the earliest first."""

    on: date
    posts: list[ScheduledPost] = field(default_factory=list)


@dataclass(frozen=True)
class Phase:
    """One of the three phases of a post (seed 003) at a glance."""

    name: str  # saved, media, published
    state: str  # done, active, waiting, failed
    at: datetime | None


def posts() -> ScheduledPostQuerySet:
    """Posts with all that pages and answers read, in few queries."""
    return ScheduledPost.objects.select_related("account__destination").prefetch_related(
        "videos__job__destination"
    )


def between(
    start: datetime, end: datetime, *, accounts: Iterable[int] = (), status: str = ""
) -> QuerySet[ScheduledPost]:
    """The posts with a moment from `start` to before `end`."""
    found = posts().filter(scheduled_for__gte=start, scheduled_for__lt=end)
    if accounts := list(accounts):
        found = found.filter(account__in=accounts)
    return found.filter(status=status) if status else found


def days(found: Iterable[ScheduledPost], first: date, count: int, zone: ZoneInfo) -> list[Day]:
    """`count` days from `first` on, each with its posts."""
    by_day: defaultdict[date, list[ScheduledPost]] = defaultdict(list)
    for post in found:
        if post.scheduled_for:
            by_day[post.scheduled_for.astimezone(zone).date()].append(post)
    return [Day(on, by_day.get(on, [])) for on in (first + timedelta(days=number) for number in range(count))]


def lanes(found: Iterable[ScheduledPost]) -> dict[SocialAccount, list[ScheduledPost]]:
    """The posts by account, accounts by name."""
    by_account: defaultdict[SocialAccount, list[ScheduledPost]] = defaultdict(list)
    for post in found:
        by_account[post.account].append(post)
    return dict(sorted(by_account.items(), key=lambda lane: str(lane[0])))


def tray() -> QuerySet[ScheduledPost]:
    """Open posts without a moment, the newest first."""
    return posts().open().filter(scheduled_for=None).order_by("-pk")


def needing_a_hand(now: datetime, *, days: int = 7) -> QuerySet[ScheduledPost]:
    """Posts that failed or were missed lately, the latest first."""
    since = now - timedelta(days=days)
    return posts().filter(status=PostStatus.FAILED, updated_at__gte=since).order_by("-updated_at")


def at_risk(now: datetime) -> dict[ScheduledPost, list[Risk]]:
    """Open posts of the next days that may miss their moment, the earliest first, and why."""
    soon = list(posts().open().filter(scheduled_for__lt=now + RISK_AHEAD))
    found = explaining.at_risk(soon, now)
    return {post: found[post.pk] for post in soon if post.pk in found}


def phases(post: ScheduledPost) -> list[Phase]:
    """Saved, media on the platform, published."""
    is_over = post.status in (PostStatus.FAILED, PostStatus.CANCELLED)
    has_job = any(video.job is not None and not video.job.is_finished for video in post.videos.all())
    media = "done" if post.pre_uploaded else "failed" if is_over else "active" if has_job else "waiting"
    if post.status == PostStatus.PUBLISHED:
        published = "done"
    elif is_over:
        published = "failed"
    else:
        published = "active" if post.publish_intended_at else "waiting"
    return [
        Phase("saved", "done", post.created_at),
        Phase("media", media, post.pre_upload_at),
        Phase("published", published, post.published_at or post.scheduled_for),
    ]


def timeline(post: ScheduledPost) -> list[Event]:
    """Everything that happened to the post and to its media jobs, oldest first."""
    found = list(history_of(post))
    for video in post.videos.select_related("job"):
        if video.job is not None:
            found += history_of(video.job)
    return sorted(found, key=lambda event: (event.at, event.pk))
