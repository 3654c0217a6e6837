"""What an answer of the platform, or its absence, means for a post. Called by the publisher that holds it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Case, DateTimeField, F, Value, When

from jobs.errors import ErrorKind, Hold, JobError, LostRace
from jobs.events import LONGEST_WHO, Event, subject_of
from jobs.runner import hold_end
from schedules.posts import missing
from schedules.posts.calls import NotSent, Result, Step
from schedules.posts.models import PostStatus, ScheduledPost, released
from uploader.platforms.errors import NotFound, OutcomeUnknown, PlatformError
from uploader.platforms.onlysocial import Acceptance, OnlySocial, Post
from uploader.platforms.onlysocial import PostStatus as RemoteStatus

log = logging.getLogger(__name__)

# After a try that failed, and between two looks at a post the platform is working on.
RETRY_SECONDS = (1, 2, 4, 8, 15)
LOOK_SECONDS = (1, 2, 4, 8, 15, 30, 60)
# A destination or an account that is barred is looked at again so often: somebody may have opened it.
BARRED_SECONDS = 5
# A post the platform says nothing final about, or nobody there approves, is left to a person.
CONFIRM_GIVE_UP = timedelta(hours=24)


class Barred(Hold):
    """The destination or the account may not be used now."""

    kind = ErrorKind.CREDENTIALS


def obstacle(post: ScheduledPost, step: Step, *, now: datetime) -> JobError | None:
    """What keeps the call from being made at all."""
    account = post.account
    if step is Step.READ:
        # A pause of ours is none of its business; one that the platform asked for is.
        return Barred(account.destination.held_reason) if account.destination.is_held(now) else None
    if post.status != PostStatus.CANCELLED and post.is_past_grace(now):
        return Missed()
    if why := account.destination.why_not_now(now):
        barred = Barred(why)
        barred.kind = ErrorKind(account.destination.held_kind or ErrorKind.TRANSIENT)
        return barred
    if step is not Step.DISCARD and account.why_not:
        return Barred(account.why_not)
    return None


class Missed(JobError):
    """Its grace is over."""

    kind = ErrorKind.MISSED


def put_off(post: ScheduledPost, error: JobError, *, now: datetime) -> None:
    """Leave the post for later, or end it as missed when its grace is over. Raises LeaseLost."""
    if post.status == PostStatus.CANCELLED:
        wait = timedelta(minutes=1) if post.tries < len(RETRY_SECONDS) else None
        post.put_back(now=now, take_at=now + wait if wait else None, why=str(error), tries=post.tries + 1)
        return
    if post.is_past_grace(now) and not post.publish_intended_at:
        miss(post, now=now)
        return
    at = now + timedelta(seconds=BARRED_SECONDS)
    if isinstance(error, Hold) and not isinstance(error, Barred):
        at = min(hold_end(error, now), at) if error.kind == ErrorKind.CREDENTIALS else hold_end(error, now)
    elif not isinstance(error, Hold):
        at = now + timedelta(seconds=_nth(RETRY_SECONDS, post.tries))
    # A failure that is told again and again is one line of history.
    is_news = post.error_message != str(error)
    post.put_back(
        "put_off" if is_news else "", now=now, take_at=at, why=str(error), tries=post.tries + 1,
        error_kind=error.kind, error_message=str(error),
    )  # fmt: skip


def miss(post: ScheduledPost, *, now: datetime, fenced: bool = True) -> None:
    """The post ends as missed, with its cause in words."""
    post.fail(ErrorKind.MISSED, missing.cause(post, now), now=now, fenced=fenced)


def settle_accepted(results: Sequence[tuple[ScheduledPost, Result]], *, now: datetime) -> bool:
    """Write the plain acceptances among the outcomes of a batch in two statements; false: one by one, please.

    Of a thousand posts of one second this is the outcome of nearly all.
    """
    posts = [post for post, _ in results]
    token = posts[0].leased_by
    rows = ScheduledPost.objects.filter(pk__in=[post.pk for post in posts], leased_by=token)
    columns: dict[str, Any] = {
        "take_at": now + timedelta(seconds=LOOK_SECONDS[0]), "tries": 0, "remote_status": "",
        "error_kind": "", "error_message": "", "updated_at": now, **released(),
    }  # fmt: skip
    moments = [When(pk=post.pk, then=Value(result.ended_at)) for post, result in results]
    accepted_at = Case(*moments, output_field=DateTimeField())
    with transaction.atomic():
        if rows.update(publish_accepted_at=accepted_at, **columns) != len(posts):
            transaction.set_rollback(True)
            return False
        Event.objects.bulk_create(
            Event(
                at=now, type="publish_accepted", who=token[:LONGEST_WHO], why=said_late(post, result),
                **subject_of(post),
            )
            for post, result in results
        )  # fmt: skip
    log.info("Asked OnlySocial to publish now: %s", ", ".join(str(post.pk) for post in posts))
    for post, result in results:
        for name, value in {**columns, "publish_accepted_at": result.ended_at}.items():
            setattr(post, name, value)
    return True


def is_plain_acceptance(post: ScheduledPost, result: Result) -> bool:
    return (
        result.step is Step.PUBLISH
        and result.error is None
        and not result.value.needs_approval
        and post.status == PostStatus.MEDIA_UPLOADED
    )


def settle(post: ScheduledPost, result: Result, *, now: datetime) -> None:
    """Write what came of a call. Raises LeaseLost."""
    error = result.error
    if isinstance(error, Hold) and isinstance(error, PlatformError):
        hold_destination(post, error, now=now)
    match result.step, error:
        case Step.FIND, None:
            found(post, result.value, now=now)
        case Step.DISCARD, None:
            discarded(post, now=now)
        case Step.CREATE, None:
            created(post, str(result.value), now=now)
        case Step.PUBLISH, None:
            accepted(post, result, now=now)
        case Step.READ, None:
            looked(post, result.value, now=now)
        case Step.CREATE, OutcomeUnknown():
            # The intent stays: the next one to take the post asks the platform first.
            put_off(post, error, now=now)
        case Step.PUBLISH, OutcomeUnknown():
            post.put_back(
                "outcome_unknown", now=now, take_at=now + timedelta(seconds=1), why=str(error),
                error_kind=error.kind, error_message=str(error),
            )  # fmt: skip
        case Step.PUBLISH, NotSent():
            post.put_back(now=now, take_at=now, publish_intended_at=None)
        case ((Step.CREATE | Step.PUBLISH), JobError()):
            refused(post, result.step, error, now=now)
        case Step.READ, NotFound():
            post.fail(
                ErrorKind.REJECTED, "OnlySocial no longer has the post: somebody deleted it there.", now=now,
                **FORGOTTEN,
            )  # fmt: skip
        case Step.READ, JobError():
            look_again(post, str(error), now=now)
        case _, JobError():
            put_off(post, error, now=now)


FORGOTTEN: dict[str, Any] = {
    "remote_uuid": "", "create_intended_at": None, "publish_intended_at": None, "publish_accepted_at": None,
    "remote_status": "", "is_draft_stale": False,
}  # fmt: skip


def hold_destination(post: ScheduledPost, reason: Hold, *, now: datetime) -> None:
    """Rate limit, credentials: nothing else of this destination is sent before its time."""
    destination = post.account.destination
    if not destination.is_held(now):
        destination.hold(reason, now=now, until=hold_end(reason, now))


# -------------------------------------------------------------------- create


def created(post: ScheduledPost, uuid: str, *, now: datetime) -> None:
    """The uuid is saved by itself, before anything else happens."""
    log.info("Post %d: post created on OnlySocial with UUID: %s", post.pk, uuid)
    post.note("draft_created", now=now, why=uuid, remote_uuid=uuid, tries=0, is_draft_stale=False)


def found(post: ScheduledPost, posts: list[Post], *, now: datetime) -> None:
    """What the platform has of a creation whose answer was lost: that is our post, or it may be made again."""
    if not posts:
        post.note(
            "draft_not_found", now=now, create_intended_at=None,
            has_stray_draft=post.status != PostStatus.CANCELLED,
        )  # fmt: skip
        return
    ours = next((each for each in posts if each.status is not RemoteStatus.DRAFT), posts[0])
    post.note(
        "draft_found", now=now, why=ours.uuid, remote_uuid=ours.uuid, has_stray_draft=len(posts) > 1,
    )  # fmt: skip


def discarded(post: ScheduledPost, *, now: datetime) -> None:
    post.note(
        "draft_discarded", now=now, why=post.remote_uuid, remote_uuid="", create_intended_at=None,
        is_draft_stale=False,
    )  # fmt: skip


def record_created(post: ScheduledPost, uuid: str, *, now: datetime) -> bool:
    """Whoever holds the post by now: that its draft exists is true. False: another one was recorded first."""
    rows = ScheduledPost.objects.filter(pk=post.pk, remote_uuid="")
    # Of a cancelled post it is to be taken away.
    take_at = Case(When(status=PostStatus.CANCELLED, then=Value(now)), default=F("take_at"))
    return rows.update(remote_uuid=uuid, create_intended_at=now, updated_at=now, take_at=take_at) == 1


def withdraw(client: OnlySocial, uuid: str) -> None:
    """Delete the second draft of a post; one that stays is a draft for ever, and is told in the log."""
    try:
        client.delete_post(uuid)
    except PlatformError as error:
        log.error("The second draft %s could not be deleted at OnlySocial: %s", uuid, error)


# -------------------------------------------------------------------- publish


def accepted(post: ScheduledPost, result: Result, *, now: datetime) -> None:
    """The platform has promised to publish it. Only a look tells whether it did."""
    acceptance: Acceptance = result.value
    waits = acceptance.needs_approval
    log.info("Asked OnlySocial to publish now: %s", post.pk)
    post.put_back(
        "publish_accepted", now=now, why=said_late(post, result),
        take_at=now + timedelta(seconds=LOOK_SECONDS[0]), publish_accepted_at=result.ended_at, tries=0,
        remote_status=RemoteStatus.NEEDS_APPROVAL if waits else "", error_kind="", error_message="",
    )  # fmt: skip


def said_late(post: ScheduledPost, result: Result) -> str:
    planned = post.scheduled_for or result.began_at
    return f"asked {(result.began_at - planned).total_seconds() * 1000:.0f} ms after its moment"


def refused(post: ScheduledPost, step: Step, error: JobError, *, now: datetime) -> None:
    """Nothing was applied: the intent is taken back, and the post waits or ends."""
    intent = "create_intended_at" if step is Step.CREATE else "publish_intended_at"
    gone = FORGOTTEN if isinstance(error, NotFound) else {intent: None}
    if error.permanent:
        post.fail(ErrorKind.REJECTED, str(error), now=now, **gone)
        return
    post.note(now=now, **gone)
    put_off(post, error, now=now)


# -------------------------------------------------------------------- read


def looked(post: ScheduledPost, remote: Post, *, now: datetime) -> None:
    """What the platform says about the post, and what that makes of it here."""
    match remote.status:
        case RemoteStatus.PUBLISHED:
            if not post.is_accepted:
                post.note(now=now, publish_accepted_at=remote.published_at or post.publish_intended_at or now)
            post.publish(now=now, url=first_url(remote), remote_status=remote.status)
            log.info(
                "Post %d: published successfully, %.3f s after its moment. Database updated, status: %s",
                post.pk, post.late_seconds, post.status,
            )  # fmt: skip
        case RemoteStatus.FAILED:
            post.fail(
                ErrorKind.REJECTED, f"OnlySocial could not publish it: {remote.failure or 'it gave no cause'}.",
                now=now, remote_status=remote.status,
            )  # fmt: skip
        case RemoteStatus.PARTLY_PUBLISHED:
            post.fail(
                ErrorKind.REJECTED,
                f"Partly published: it is out at {first_url(remote)}, elsewhere not: {remote.failure}. "
                "It is not made again; finish it at OnlySocial.",
                now=now, remote_status=remote.status, remote_url=first_url(remote),
            )  # fmt: skip
        case RemoteStatus.DRAFT if not post.is_accepted:
            # The lost request was not applied.
            post.note("not_applied", now=now, publish_intended_at=None, error_kind="", error_message="")
        case RemoteStatus.NEEDS_APPROVAL:
            look_again(post, "It waits for an approval at OnlySocial.", now=now, remote_status=remote.status)
        case _:
            if not post.is_accepted and remote.status is not RemoteStatus.UNKNOWN:
                post.note(now=now, publish_accepted_at=post.publish_intended_at or now)
            look_again(post, "", now=now, remote_status=remote.platform_status[:32])


def look_again(post: ScheduledPost, why: str, *, now: datetime, **columns: Any) -> None:
    """The platform has not said the last word yet."""
    since = post.publish_accepted_at or post.publish_intended_at or now
    if now - since > CONFIRM_GIVE_UP:
        post.fail(
            ErrorKind.OUTCOME_UNKNOWN,
            f"OnlySocial has not said in 24 hours whether it published the post. {why} Look at it there; "
            "“Retry” asks again and sends nothing twice.",
            now=now, **columns,
        )  # fmt: skip
        return
    kind = ErrorKind.TRANSIENT if why else ""
    post.put_back(
        "looked" if why and why != post.error_message else "", now=now, why=why,
        take_at=now + timedelta(seconds=_nth(LOOK_SECONDS, post.tries)), tries=post.tries + 1,
        error_kind=kind, error_message=why, **columns,
    )  # fmt: skip


def first_url(remote: Post) -> str:
    return next((account.external_url for account in remote.accounts if account.external_url), "")[:500]


def end_overdue(now: datetime) -> list[ScheduledPost]:
    """End what was never asked to be published and whose grace is over; every ticker's duty."""
    ended = []
    for post in ScheduledPost.objects.overdue(now).select_related("account__destination"):
        try:
            miss(post, now=now, fenced=False)
        except LostRace:
            continue
        ended.append(post)
    return ended


def _nth(seconds: tuple[int, ...], number: int) -> int:
    return seconds[min(number, len(seconds) - 1)]
