"""The calls a post needs at its platform, one after the other, and which of them is next. No database here."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from jobs.errors import JobError
from schedules.posts.models import PostStatus, ScheduledPost
from schedules.posts.threads import SetBack, sleep_until
from uploader.platforms.errors import NotFound, OutcomeUnknown
from uploader.platforms.onlysocial import Draft, OnlySocial, Post
from uploader.platforms.onlysocial import PostStatus as RemoteStatus
from uploader.platforms.onlysocial import PostType as RemoteType

log = logging.getLogger(__name__)

# A moment farther away than this is none a publisher holds: the clock was set.
FURTHEST_SECONDS = 60.0


class Step(StrEnum):
    """What is asked of the platform."""

    FIND = "find"  # did an earlier “create” without an answer make the post?
    DISCARD = "discard"  # delete a draft whose text has changed, or whose post was cancelled
    CREATE = "create"  # make the post, which nobody sees yet
    PUBLISH = "publish"  # at its moment, never before
    READ = "read"  # how far is it?


class NotSent(JobError):
    """Nothing was sent: the publisher was not sure any more that the post is its own."""


@dataclass(frozen=True)
class Result:
    """What came of a call: its value, or the error it raised."""

    step: Step
    value: Any
    error: JobError | None
    began_at: datetime
    ended_at: datetime


def next_step(post: ScheduledPost) -> Step | None:
    """The next call the post needs; None: none."""
    is_asked = post.create_intended_at is not None or bool(post.remote_uuid)
    if post.status == PostStatus.CANCELLED:
        if not is_asked or post.publish_intended_at is not None:
            return None
        return Step.DISCARD if post.remote_uuid else Step.FIND
    if post.status != PostStatus.MEDIA_UPLOADED:
        return None
    if post.is_accepted or post.publish_intended_at is not None:
        return Step.READ
    if not post.remote_uuid:
        return Step.FIND if post.create_intended_at is not None else Step.CREATE
    return Step.DISCARD if post.is_draft_stale else Step.PUBLISH


def draft_of(post: ScheduledPost) -> Draft:
    """The body of the post, made ahead."""
    return Draft(
        account_id=post.account.remote_id,
        provider=post.account.provider,
        caption=post.caption,
        media_ids=tuple(post.media_ids),
        post_type=RemoteType(post.post_type),
    )


def call_for(step: Step, post: ScheduledPost, client: OnlySocial) -> Callable[[], Any]:
    """The call without arguments, all it needs bound now."""
    uuid, media_ids = post.remote_uuid, post.media_ids
    match step:
        case Step.FIND:
            return lambda: [found for found in client.find_posts(media_ids) if not found.is_trashed]
        case Step.DISCARD:
            return lambda: client.delete_post(uuid)
        case Step.CREATE:
            return lambda: client.create_post(draft_of(post))
        case Step.PUBLISH:
            return lambda: client.publish_now(uuid)
        case Step.READ:
            stray = media_ids if post.has_stray_draft else []
            return lambda: read(client, uuid, stray)


def read(client: OnlySocial, uuid: str, stray: list[int]) -> Post:
    """How far the post is. With the media ids of a post that may have been created twice, its other drafts
    are deleted once it has ended."""
    post = client.read_post(uuid)
    if stray and post.status.is_final:
        for other in client.find_posts(stray):
            if other.uuid != uuid and other.status is RemoteStatus.DRAFT:
                client.delete_post(other.uuid)
    return post


def outcome(step: Step, call: Callable[[], Any]) -> Result:
    """Make the call now. Whatever it meets is its outcome: a post is never left waiting for one."""
    began = time.time()
    value, error = attempt(call)
    if step is Step.DISCARD and isinstance(error, NotFound):
        error = None
    return Result(step, value, error, moment(began), moment(time.time()))


def attempt(call: Callable[[], Any]) -> tuple[Any, JobError | None]:
    """What the call gives, or why it gives nothing; of what nobody foresaw the outcome is unknown."""
    try:
        return call(), None
    except JobError as error:
        return None, error
    except Exception as error:
        log.exception("A call to OnlySocial broke off")
        return None, OutcomeUnknown(f"The call broke off: {type(error).__name__}: {error}"[:300])


def outcome_at(
    at: float, call: Callable[[], Any], *, may_send: Callable[[float], bool], latest: float
) -> Result:
    """Make the call at `at`, never before; not at all after `latest`, or unless `may_send` says so.

    `may_send` gets the seconds it may wait for the word.
    """
    try:
        sleep_until(at, furthest=FURTHEST_SECONDS)
    except SetBack:
        return unsent("The clock of this machine was set back")
    if not may_send(5.0):
        return unsent()
    now = time.time()
    if now > latest:
        return unsent("Its grace was over")
    if now < at:
        return unsent("The clock of this machine was set back")
    return outcome(Step.PUBLISH, call)


def unsent(why: str = "") -> Result:
    now = moment(time.time())
    return Result(Step.PUBLISH, None, NotSent(why), now, now)


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
