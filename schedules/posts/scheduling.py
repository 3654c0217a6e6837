"""Saving posts (seed 003, phase 1): everything is checked, then saved as PENDING; nothing goes to the platform."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.db.models import Q

from jobs import runner
from schedules.posts import deciding, media
from schedules.posts.models import PostStatus, ScheduledPost, stamp
from schedules.posts.sources import Source
from schedules.posts.spreading import LONGEST_SEARCH, Window, every, into_windows
from schedules.posts.videos import PostVideo
from uploader.platforms.onlysocial.records import CAPTION_CHARACTERS
from uploader.social_accounts import SocialAccount

log = logging.getLogger(__name__)

MOST_VIDEOS = 10
MOST_POSTS = 500
# A moment so little in the past is now: the request took its time.
JUST_NOW = timedelta(seconds=30)
FARTHEST = timedelta(days=2 * 366)


class Refused(Exception):
    """The request cannot be carried out; the message says why and what to do."""

    code = "refused"
    status = 400

    def __init__(self, message: str, *, number: int | None = None) -> None:
        super().__init__(message if number is None else f"Post {number}: {message}")


class UnknownAccount(Refused):
    """There is no such account."""

    code = "unknown_account"
    status = 404


class UnauthorizedAccount(Refused):
    """The account is no longer connected."""

    code = "unauthorized_account"
    status = 409


class InThePast(Refused):
    """The moment is over."""

    code = "in_the_past"


class Duplicate(Refused):
    """The same request was carried out before."""

    code = "duplicate_request"
    status = 409

    def __init__(self, key: str, posts: Sequence[ScheduledPost]) -> None:
        self.posts = list(posts)
        super().__init__(
            f"A request with the Idempotency-Key “{key}” was carried out already: post {ids_of(posts)}. "
            "Nothing was scheduled a second time."
        )


class KeyReused(Duplicate):
    """The key is that of another request: its sender takes two requests for one."""

    code = "idempotency_key_reused"
    status = 422

    def __init__(self, key: str, posts: Sequence[ScheduledPost]) -> None:
        super().__init__(key, posts)
        self.args = (
            f"The Idempotency-Key “{key}” belongs to another request, which made post {ids_of(posts)}. "
            "Nothing was scheduled. Send a new key with a new request.",
        )


class NoRoom(Refused):
    """The windows have no room for so many posts."""

    code = "no_room"


@dataclass(frozen=True)
class Wish:
    """One post as it was asked for."""

    account_uuid: str
    caption: str
    post_type: str
    scheduled_for: datetime | None
    time_zone: str
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Spread:
    """How several posts get their moments: as given, every `hours` from the first on, in free `windows`, or
    none yet (`tray`)."""

    mode: str = "keep"
    hours: float = 1.0
    start: datetime | None = None
    windows: tuple[Window, ...] = ()
    gap: timedelta = timedelta(hours=1)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))


def schedule(
    wishes: Sequence[Wish], *, spread: Spread, key: str, digest: str = "", who: str, now: datetime
) -> list[ScheduledPost]:
    """Save all of them or none. What is due within its lead begins to be uploaded.

    A `key` is carried out once; with the `digest` of its request, another request under it is told from the
    same one come twice. Raises Refused.
    """
    if not wishes:
        raise Refused("There is nothing to schedule: give a post, or a list of posts.")
    if len(wishes) > MOST_POSTS:
        raise Refused(f"{len(wishes)} posts are too many at once; at most {MOST_POSTS}.")
    refuse_repeated(key, digest)
    accounts = [account_of(wish, number) for number, wish in enumerate(wishes, start=1)]
    for number, (wish, account) in enumerate(zip(wishes, accounts, strict=True), start=1):
        refuse_unfit(wish, account, number)
    moments = moments_of(wishes, accounts, spread, now=now)
    log.info("Saving %d videos to database for user %s", sum(len(wish.sources) for wish in wishes), who)
    try:
        with transaction.atomic():
            posts = [
                save(wish, account, at, key=key, digest=digest, number=number, who=who, now=now)
                for number, (wish, account, at) in enumerate(
                    zip(wishes, accounts, moments, strict=True), start=1
                )
            ]
            for post in posts:
                deciding.go_on(post, now=now)
            runner.wake("upload")
    except IntegrityError as error:
        # Somebody sent the same request at the same moment.
        try:
            refuse_repeated(key, digest)
        except Duplicate as duplicate:
            raise duplicate from error
        raise
    return posts


def ids_of(posts: Sequence[ScheduledPost]) -> str:
    return ", ".join(str(post.pk) for post in posts)


def refuse_repeated(key: str, digest: str) -> None:
    """Raises Duplicate, KeyReused for a key that has made posts already."""
    if key and (earlier := made_with(key)):
        is_other = digest and earlier[0].request_digest and digest != earlier[0].request_digest
        raise (KeyReused if is_other else Duplicate)(key, earlier)


def made_with(key: str) -> list[ScheduledPost]:
    """The posts of an earlier request with this key."""
    rows = ScheduledPost.objects.filter(Q(idempotency_key=key) | Q(idempotency_key__startswith=f"{key}\n"))
    return list(rows.order_by("pk"))


def account_of(wish: Wish, number: int) -> SocialAccount:
    """Raises UnknownAccount, UnauthorizedAccount."""
    rows = SocialAccount.objects.select_related("destination").filter(uuid=wish.account_uuid)
    # Where two workspaces name the same account, the one that still has it.
    account = min(rows, key=lambda row: bool(row.why_not), default=None)
    if account is None:
        raise UnknownAccount(
            f"there is no social account “{wish.account_uuid[:64]}”. Update the accounts of the destination "
            "in the admin, and take the account's uuid from there.",
            number=number,
        )
    if account.why_not:
        raise UnauthorizedAccount(account.why_not, number=number)
    return account


def refuse_unfit(wish: Wish, account: SocialAccount, number: int) -> None:
    """Raises Refused for what could never be published."""
    if not wish.sources:
        raise Refused("give at least one video.", number=number)
    if len(wish.sources) > MOST_VIDEOS:
        raise Refused(f"{len(wish.sources)} videos are too many; at most {MOST_VIDEOS}.", number=number)
    if len(wish.caption) > CAPTION_CHARACTERS:
        raise Refused(
            f"the caption has {len(wish.caption):,} characters; at most {CAPTION_CHARACTERS:,}.",
            number=number,
        )
    try:
        deciding.refuse_combination(account, wish.post_type)
    except deciding.Refused as error:
        raise Refused(str(error), number=number) from error


def moments_of(
    wishes: Sequence[Wish], accounts: Sequence[SocialAccount], spread: Spread, *, now: datetime
) -> list[datetime] | list[None]:
    """The posts' moments in UTC, checked. Raises InThePast, NoRoom, Refused."""
    if spread.mode == "tray":
        return [None] * len(wishes)
    if spread.mode == "every":
        first = spread.start or wishes[0].scheduled_for
        if first is None:
            raise Refused("Say when the first post goes out: scheduledFor of the first post, or startsAt.")
        given: list[datetime | None] = list(every(first, spread.hours, len(wishes)))
    elif spread.mode == "windows":
        given = list(in_windows(accounts, spread, now=now))
    else:
        given = [wish.scheduled_for for wish in wishes]
    return [checked(at, number, now=now) for number, at in enumerate(given, start=1)]


def checked(at: datetime | None, number: int, *, now: datetime) -> datetime:
    if at is None:
        raise Refused("say when: scheduledFor is missing.", number=number)
    if at < now - JUST_NOW:
        raise InThePast(f"{at:%Y-%m-%d %H:%M:%S} UTC is in the past. Choose a later moment.", number=number)
    if at > now + FARTHEST:
        raise Refused(f"{at:%Y-%m-%d} is more than two years ahead.", number=number)
    return at


def in_windows(accounts: Sequence[SocialAccount], spread: Spread, *, now: datetime) -> list[datetime]:
    """For each post the first free place of its account's windows."""
    after = max(spread.start or now, now)
    found: list[datetime] = []
    taken: dict[int, list[datetime]] = {}
    for account in accounts:
        if account.pk not in taken:
            rows = ScheduledPost.objects.filter(
                account=account,
                scheduled_for__gte=after - spread.gap,
                scheduled_for__lt=after + LONGEST_SEARCH,
            ).exclude(status=PostStatus.CANCELLED)
            taken[account.pk] = [at for at in rows.values_list("scheduled_for", flat=True) if at]
        places = into_windows(
            spread.windows, count=1, after=after, zone=spread.zone, gap=spread.gap, taken=taken[account.pk]
        )
        if not places:
            raise NoRoom("The windows have no room for so many posts within a year. Widen them.")
        taken[account.pk].append(places[0])
        found += places
    return found


def save(
    wish: Wish,
    account: SocialAccount,
    at: datetime | None,
    *,
    key: str,
    digest: str,
    number: int,
    who: str,
    now: datetime,
) -> ScheduledPost:
    keyed = None if not key else key if number == 1 else f"{key}\n{number}"
    post = ScheduledPost.objects.create(
        account=account, caption=wish.caption, post_type=wish.post_type, scheduled_for=at,
        time_zone=wish.time_zone, total_bytes=sum(source.size_bytes or 0 for source in wish.sources),
        idempotency_key=keyed, request_digest=digest, created_by=who, created_at=now, updated_at=now,
    )  # fmt: skip
    PostVideo.objects.bulk_create(
        PostVideo(
            post=post, position=position, size_bytes=source.size_bytes, library_path=source.library_path,
            media_path=source.media_path, url=source.url,
        )
        for position, source in enumerate(wish.sources, start=1)
    )  # fmt: skip
    count = f"{len(wish.sources)} video{'s' if len(wish.sources) != 1 else ''}"
    if at is None:
        post.begin(who=who, now=now, why=f"{count}, without a moment yet")
        return post
    begins = at - media.Speed(None).lead(post.total_bytes)
    log.info(
        "Post %d: saved to database with %s. Scheduled for (UTC): %s. Will be uploaded at (UTC): %s",
        post.pk, ", ".join(source.filename for source in wish.sources), stamp(at), stamp(max(begins, now)),
    )  # fmt: skip
    post.begin(
        who=who, now=now, why=f"{count} for {at:%Y-%m-%d %H:%M:%S} UTC, "
        f"uploaded from {max(begins, now):%Y-%m-%d %H:%M:%S} UTC on",
    )  # fmt: skip
    return post
