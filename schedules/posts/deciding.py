"""A person's decisions about a post. Each refusal is a sentence an operator can act on."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from jobs import runner
from jobs.errors import LostRace, Refusal
from schedules.posts import media
from schedules.posts.models import PostStatus, PostType, ScheduledPost, grace
from schedules.posts.videos import PostVideo
from uploader.platforms.onlysocial import PostStatus as RemoteStatus
from uploader.platforms.onlysocial import PostType as RemoteType
from uploader.platforms.onlysocial import can_take
from uploader.social_accounts import SocialAccount


class Refused(Refusal):
    """The decision cannot be carried out; the message says why and what to do."""


def publish_now(post: ScheduledPost, *, who: str, now: datetime) -> None:
    """Its moment is now: published as soon as its media are on the platform. Raises Refused."""
    move(post, now, time_zone=post.time_zone, who=who, now=now)


def move(
    post: ScheduledPost, scheduled_for: datetime | None, *, time_zone: str, who: str, now: datetime
) -> None:
    """Another moment, or none (into the tray); what was missed or failed is scheduled again. Raises Refused."""
    refuse_move(post, scheduled_for, now=now)
    with decided(post):
        if post.is_open:
            post.move(scheduled_for, time_zone=time_zone, who=who, now=now)
        else:
            open_again(post, scheduled_for, time_zone=time_zone, who=who, now=now)
        go_on(post, now=now)


def refuse_move(post: ScheduledPost, scheduled_for: datetime | None, *, now: datetime) -> None:
    """The dry run of `move`: raises Refused for whatever it would."""
    refuse_while_held(post, now=now)
    refuse_published(post)
    if post.publish_intended_at is not None and not is_dead(post):
        raise Refused("OnlySocial was asked to publish it already; its answer is being awaited.")
    if scheduled_for is not None and scheduled_for < now - grace():
        raise Refused(f"{timezone.localtime(scheduled_for):%Y-%m-%d %H:%M %Z} is in the past.")


def retry(post: ScheduledPost, *, who: str, now: datetime) -> None:
    """Try what failed again at its own moment; where OnlySocial never answered, ask it again. Raises Refused."""
    refuse_retry(post, now=now)
    with decided(post):
        open_again(post, post.scheduled_for, time_zone=post.time_zone, who=who, now=now)
        go_on(post, now=now)


def cancel(post: ScheduledPost, *, who: str, now: datetime) -> None:
    """It is not published; its upload stops, its draft is taken off the platform. Raises Refused."""
    refuse_cancel(post, now=now)
    with decided(post):
        post.cancel(who=who, now=now)
        for video in post.videos.filter(job__status__in=("waiting", "active")).select_related("job"):
            if video.job is not None:
                with contextlib.suppress(LostRace):
                    video.job.cancel(who=who, now=now, why=f"{post} was cancelled")
        runner.wake("publish")


def edit(
    post: ScheduledPost,
    *,
    who: str,
    now: datetime,
    caption: str | None = None,
    post_type: str | None = None,
    account: SocialAccount | None = None,
) -> None:
    """Another text, type, or account of the same destination. Raises Refused."""
    refuse_edit(post, now=now)
    changes: dict[str, Any] = {}
    if caption is not None and caption != post.caption:
        changes["caption"] = caption
    if post_type is not None and post_type != post.post_type:
        changes["post_type"] = post_type
    if account is not None and account.pk != post.account_id:
        if account.destination_id != post.account.destination_id:
            raise Refused("its media belong to another workspace. Duplicate it for that account.")
        changes["account"] = account
    refuse_combination(account or post.account, post_type or post.post_type)
    if changes:
        with decided(post):
            post.edit(who=who, now=now, **changes)


def duplicate(
    post: ScheduledPost, *, scheduled_for: datetime | None, who: str, now: datetime
) -> ScheduledPost:
    """A new post of the same videos and text; its media are uploaded anew. Raises Refused."""
    if scheduled_for is not None and scheduled_for < now - grace():
        raise Refused(f"{timezone.localtime(scheduled_for):%Y-%m-%d %H:%M %Z} is in the past.")
    with transaction.atomic():
        copy = ScheduledPost.objects.create(
            account=post.account, caption=post.caption, post_type=post.post_type, scheduled_for=scheduled_for,
            time_zone=post.time_zone, total_bytes=post.total_bytes, created_by=who, created_at=now,
            updated_at=now,
        )  # fmt: skip
        PostVideo.objects.bulk_create(
            PostVideo(
                post=copy, position=video.position, library_path=video.library_path, url=video.url,
                media_path=video.media_path, size_bytes=video.size_bytes,
            )
            for video in post.videos.all()
        )  # fmt: skip
        copy.begin(who=who, now=now, why=f"a copy of post {post.pk}")
        go_on(copy, now=now)
    return copy


def refuse_combination(account: SocialAccount, post_type: str) -> None:
    """Raises Refused for what the account's platform has no place for."""
    if post_type not in PostType.values:
        raise Refused(f"“{post_type}” is no type of post: {', '.join(PostType.values)}.")
    if not can_take(account.provider, RemoteType(post_type)):
        raise Refused(f"An account of {account.provider} has no stories. Choose post or reel.")


def open_again(
    post: ScheduledPost, scheduled_for: datetime | None, *, time_zone: str, who: str, now: datetime
) -> None:
    """FAILED | CANCELLED → open. What the platform failed is dead: its post is deleted, a new one made."""
    anew: dict[str, Any] = {}
    if is_dead(post):
        anew = {
            "publish_intended_at": None, "publish_accepted_at": None, "remote_status": "",
            "is_draft_stale": bool(post.remote_uuid),
        }  # fmt: skip
    post.reopen(who=who, now=now, scheduled_for=scheduled_for, time_zone=time_zone, **anew)


def is_dead(post: ScheduledPost) -> bool:
    """The platform said that it failed on every account: nothing of it will ever be out."""
    return post.status == PostStatus.FAILED and post.remote_status == RemoteStatus.FAILED


def go_on(post: ScheduledPost, *, now: datetime) -> None:
    """What is due for the post now begins now, not with the next minute."""
    if post.status == PostStatus.PENDING and post.scheduled_for is not None:
        speed = media.Speed.of(post.account.destination_id)
        if post.scheduled_for - speed.lead(post.total_bytes) <= now:
            media.begin_next(post, now=now)
    elif post.take_at is not None and post.take_at <= now:
        runner.wake("publish")


def refuse_retry(post: ScheduledPost, *, now: datetime) -> None:
    """The dry run of `retry`: raises Refused for whatever it would."""
    if post.status not in (PostStatus.FAILED, PostStatus.CANCELLED):
        raise Refused(
            f"it is {post.get_status_display().lower()}; only failed or cancelled posts are retried."
        )
    refuse_while_held(post, now=now)
    refuse_published(post)
    if not post.is_accepted and post.is_past_grace(now):
        raise Refused("its moment has passed: publish it now, or move it to another moment.")


def refuse_cancel(post: ScheduledPost, *, now: datetime) -> None:
    """The dry run of `cancel`: raises Refused for whatever it would."""
    refuse_while_held(post, now=now)
    if post.status not in (PostStatus.PENDING, PostStatus.MEDIA_UPLOADED, PostStatus.FAILED):
        raise Refused(f"it is {post.get_status_display().lower()} already.")
    if post.is_open and post.publish_intended_at is not None:
        raise Refused("OnlySocial was asked to publish it already; that cannot be taken back.")


def refuse_edit(post: ScheduledPost, *, now: datetime) -> None:
    """Raises Refused for a post that nobody may edit any more."""
    refuse_while_held(post, now=now)
    if not post.is_open or post.publish_intended_at is not None:
        raise Refused(f"it is {post.get_status_display().lower()}; only waiting posts are edited.")


def refuse_while_held(post: ScheduledPost, *, now: datetime) -> None:
    """What a publisher prepares is taken out of its hands; what it is about to send, or takes away, is not."""
    if post.is_held(now) and not post.is_revocable:
        raise Refused("it is being published at this moment.")


def refuse_published(post: ScheduledPost) -> None:
    if post.status == PostStatus.PUBLISHED:
        raise Refused("it is published already. Duplicate it to publish it again.")
    if post.remote_status == RemoteStatus.PARTLY_PUBLISHED:
        raise Refused("it is partly published; a second one would double it. Finish it at OnlySocial.")


@contextlib.contextmanager
def decided(post: ScheduledPost) -> Any:
    """One transaction; who was overtaken is refused in words."""
    try:
        with transaction.atomic():
            yield
    except LostRace as error:
        raise Refused("it was changed by somebody else meanwhile. Look at it again.") from error
