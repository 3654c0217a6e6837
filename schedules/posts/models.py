"""Scheduled posts (seed 003): their states, and the only verbs that move them from one to the next.

A claim is a lease, not a state: `leased_by` is the token of the publisher that holds the post, and is in the
WHERE of every write it makes. What has been asked of the platform is remembered column by column.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import connection, models, transaction
from django.utils import timezone

from jobs import events
from jobs.errors import ErrorKind, LeaseLost, LostRace
from jobs.events import LONGEST_WHO, Event, subject_of
from uploader.social_accounts import SocialAccount

log = logging.getLogger(__name__)

# A publisher takes a post so long before its moment: to make its draft and to open connections.
PREPARE = timedelta(seconds=10)
# A dead publisher's posts are free after so long, or after LEASE_SECONDS where that is less.
LEASE_SECONDS = 8.0


class PostStatus(models.TextChoices):
    PENDING = "PENDING", "Pending"  # saved here; nothing is on the platform; its media jobs move it on
    MEDIA_UPLOADED = "MEDIA_UPLOADED", "Media uploaded"  # waits for its moment; a publisher moves it on
    PUBLISHED = "PUBLISHED", "Published"  # the platform said so when asked; final
    FAILED = "FAILED", "Failed"  # the kind and the message say why; a person moves it on
    CANCELLED = "CANCELLED", "Cancelled"  # by a person, who may schedule it again


class PostType(models.TextChoices):
    REEL = "reel", "Reel"
    STORY = "story", "Story"
    POST = "post", "Post"


OPEN = (PostStatus.PENDING, PostStatus.MEDIA_UPLOADED)


def grace() -> timedelta:
    """How late a post may be published."""
    return timedelta(seconds=settings.PUBLISH_GRACE_SECONDS)


def lease() -> timedelta:
    """How long a claim lasts; a publisher that lives renews it four times as often."""
    return timedelta(seconds=min(LEASE_SECONDS, settings.LEASE_SECONDS))


class ScheduledPostQuerySet(models.QuerySet["ScheduledPost"]):
    def open(self) -> Self:
        """Not ended yet."""
        return self.filter(status__in=OPEN)

    def takeable(self, now: datetime) -> Self:
        """What a publisher has something to do for at `now` and no living publisher holds."""
        return self.filter(take_at__lte=now).filter(
            models.Q(leased_until=None) | models.Q(leased_until__lt=now)
        )

    def claim(self, token: str, *, now: datetime, limit: int) -> list[ScheduledPost]:
        """Hold up to `limit` of them under `token`, the earliest first. Give them back with `put_back`."""
        with transaction.atomic():
            free = self.takeable(now).order_by("take_at", "pk").select_related("account__destination")
            if connection.features.has_select_for_update_skip_locked:
                free = free.select_for_update(skip_locked=True, of=("self",))
            posts = list(free.prefetch_related("videos")[:limit])
            ScheduledPost.objects.filter(pk__in=[post.pk for post in posts]).update(
                leased_by=token, leased_until=now + lease()
            )
            for post in posts:
                lost, post.leased_by, post.leased_until = post.leased_by, token, now + lease()
                if lost:
                    why = f"The publisher {lost.partition('#')[0]} stopped answering"
                    events.record(post, "rescued", now=now, who=token, why=why)
        return posts

    def overdue(self, now: datetime) -> Self:
        """Open posts past their grace that were never asked to be published: they are missed."""
        return (
            self.open()
            .filter(scheduled_for__lt=now - grace(), publish_intended_at=None)
            .filter(models.Q(leased_until=None) | models.Q(leased_until__lt=now))
        )


class ScheduledPost(models.Model):
    """Videos and a caption to be published on one social account at one moment."""

    account = models.ForeignKey(SocialAccount, on_delete=models.PROTECT, related_name="posts")
    caption = models.TextField(blank=True)
    post_type = models.CharField(max_length=8, choices=PostType, default=PostType.REEL)
    # Empty: in the tray, without a moment yet; it never starts by itself.
    scheduled_for = models.DateTimeField(null=True, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC", help_text="The zone its time was entered in")
    status = models.CharField(max_length=16, choices=PostStatus, default=PostStatus.PENDING, editable=False)
    total_bytes = models.BigIntegerField(default=0, editable=False)

    pre_uploaded = models.BooleanField(default=False, editable=False)
    pre_upload_at = models.DateTimeField(null=True, blank=True, editable=False)

    # When a publisher looks at it next; empty: there is nothing to do for one.
    take_at = models.DateTimeField(null=True, blank=True, editable=False)
    leased_by = models.CharField(max_length=96, blank=True, editable=False)
    leased_until = models.DateTimeField(null=True, blank=True, editable=False)
    tries = models.PositiveSmallIntegerField(default=0, editable=False)

    # Each is written by itself: the intent before its call, the uuid before anything else happens.
    create_intended_at = models.DateTimeField(null=True, blank=True, editable=False)
    remote_uuid = models.CharField(max_length=64, blank=True, editable=False)
    is_draft_stale = models.BooleanField(default=False, editable=False)
    # An answer to “create” was lost and no post found: one may have come to be after the look.
    has_stray_draft = models.BooleanField(default=False, editable=False)
    publish_intended_at = models.DateTimeField(null=True, blank=True, editable=False)
    publish_accepted_at = models.DateTimeField(null=True, blank=True, editable=False)
    remote_status = models.CharField(max_length=32, blank=True, editable=False)
    remote_url = models.URLField(max_length=500, blank=True, editable=False)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    late_seconds = models.FloatField(
        null=True, blank=True, editable=False, help_text="From the plan to the platform's acceptance"
    )

    error_kind = models.CharField(max_length=16, choices=ErrorKind, blank=True, editable=False)
    error_message = models.TextField(blank=True, editable=False)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True, unique=True, editable=False)
    # Of the request that made it: the same key with another body is a mistake of the sender's.
    request_digest = models.CharField(max_length=64, blank=True, editable=False)
    created_by = models.CharField(max_length=150, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ScheduledPostQuerySet.as_manager()

    class Meta:
        db_table = "scheduled_posts"
        ordering = ("scheduled_for", "id")
        constraints = (
            models.CheckConstraint(
                condition=~models.Q(status=PostStatus.PUBLISHED) | ~models.Q(published_at=None),
                name="scheduled_post_published_has_its_moment",
            ),
        )
        indexes = (
            # The publishers' claim.
            models.Index(
                fields=["take_at", "id"], condition=models.Q(take_at__isnull=False), name="post_take"
            ),
            # Pre-upload, what is missed, what is at risk: open posts by their moment.
            models.Index(
                fields=["scheduled_for", "id"],
                condition=models.Q(status__in=["PENDING", "MEDIA_UPLOADED"]),
                name="post_open",
            ),
            # The calendar, and the lane of one account.
            models.Index(fields=["scheduled_for", "account"], name="post_calendar"),
            # Lists and counts by status.
            models.Index(fields=["status", "-id"], name="post_status"),
        )

    def __str__(self) -> str:
        moment = f" at {self.scheduled_for:%Y-%m-%d %H:%M:%S} UTC" if self.scheduled_for else ""
        return f"Post {self.pk} on {self.account}{moment}"

    # ---------------------------------------------------------------- questions

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def is_accepted(self) -> bool:
        """The platform has promised to publish it: nothing is ever sent again."""
        return self.publish_accepted_at is not None

    def is_held(self, now: datetime) -> bool:
        """A publisher is at work on it: people wait."""
        return self.leased_until is not None and self.leased_until > now

    @property
    def is_revocable(self) -> bool:
        """Nobody has been told to publish it: a person may decide even while a publisher prepares it."""
        return self.is_open and self.publish_intended_at is None

    def is_past_grace(self, now: datetime) -> bool:
        return self.scheduled_for is not None and now > self.scheduled_for + grace()

    @property
    def media_ids(self) -> list[int]:
        """The ids of its media on the platform, in the order of its videos."""
        return [video.media_id for video in self.videos.all() if video.media_id is not None]

    # ---------------------------------------------------------------- its beginning, and pre-upload

    def begin(self, *, who: str, now: datetime, why: str = "") -> None:
        """Saved as PENDING: the first line of its history; live pages hear of it."""
        events.record(self, "scheduled", now=now, new=self.status, who=who, why=why)
        self.tell("post_scheduled", now=now)

    def note_media_uploaded(self, *, now: datetime) -> None:
        """PENDING → MEDIA_UPLOADED: the last video's media id is saved."""
        self._move(
            "media_uploaded", [PostStatus.PENDING], PostStatus.MEDIA_UPLOADED, now=now,
            pre_uploaded=True, pre_upload_at=now, take_at=self.first_take(self.scheduled_for),
            error_kind="", error_message="", tries=0,
        )  # fmt: skip
        self.tell("post_media_uploaded", now=now)

    @staticmethod
    def first_take(scheduled_for: datetime | None) -> datetime | None:
        """When a publisher takes a post of that moment."""
        return scheduled_for - PREPARE if scheduled_for else None

    # ---------------------------------------------------------------- verbs of the publisher that holds it

    def publish(self, *, now: datetime, url: str, remote_status: str) -> None:
        """MEDIA_UPLOADED → PUBLISHED: the platform said that it is out."""
        at = self.publish_accepted_at or now
        planned = self.scheduled_for or at
        self._move(
            "published", [PostStatus.MEDIA_UPLOADED], PostStatus.PUBLISHED, now=now, fenced=True,
            published_at=at, late_seconds=(at - planned).total_seconds(), remote_url=url,
            remote_status=remote_status, error_kind="", error_message="", take_at=None, **released(),
        )  # fmt: skip
        self.tell("post_published", now=now)

    def put_back(
        self, type_: str = "", *, now: datetime, take_at: datetime | None, why: str = "", **columns: Any
    ) -> None:
        """MEDIA_UPLOADED | CANCELLED, unchanged: let it go until `take_at`. Raises `LeaseLost`."""
        self.note(type_, now=now, why=why, take_at=take_at, **columns, **released())

    def note(self, type_: str = "", *, now: datetime, why: str = "", **columns: Any) -> None:
        """Write columns of the publisher's own, and an event if `type_` names one. Raises `LeaseLost`."""
        with transaction.atomic():
            held = ScheduledPost.objects.filter(pk=self.pk, leased_by=self.leased_by)
            if held.update(updated_at=now, **columns) != 1:
                raise LeaseLost
            if type_:
                events.record(self, type_, now=now, who=self.leased_by, why=why)
        self._take(columns)

    def fail(self, kind: str, message: str, *, now: datetime, fenced: bool = True, **columns: Any) -> None:
        """PENDING | MEDIA_UPLOADED → FAILED. `fenced`: by the publisher that holds it."""
        guard = {} if fenced else {"publish_intended_at": self.publish_intended_at}
        self._move(
            "missed" if kind == ErrorKind.MISSED else "failed", OPEN, PostStatus.FAILED, now=now,
            fenced=fenced, guard=guard, why=message, error_kind=kind, error_message=message, take_at=None,
            **columns, **released(),
        )  # fmt: skip
        log.warning("Post %d: status: %s (%s). %s", self.pk, self.status, kind, message)
        self.tell("post_failed", now=now)

    # ---------------------------------------------------------------- verbs of people

    def move(self, scheduled_for: datetime | None, *, time_zone: str, who: str, now: datetime) -> None:
        """PENDING | MEDIA_UPLOADED, unchanged: another moment, or none (into the tray)."""
        self._decide(
            "moved", OPEN, self.status, who=who, now=now,
            why=f"from {_spoken(self.scheduled_for)} to {_spoken(scheduled_for)}",
            scheduled_for=scheduled_for, time_zone=time_zone, tries=0,
            take_at=self.first_take(scheduled_for) if self.pre_uploaded else None,
        )  # fmt: skip

    def edit(self, *, who: str, now: datetime, **columns: Any) -> None:
        """PENDING | MEDIA_UPLOADED, unchanged: another text, type or account."""
        self._decide(
            "edited", OPEN, self.status, who=who, now=now, why=", ".join(columns),
            # As the row stands: a publisher may have asked for the draft meanwhile.
            is_draft_stale=models.Case(
                models.When(remote_uuid="", create_intended_at=None, then=models.Value(False)),
                default=models.Value(True),
            ),
            **columns,
        )  # fmt: skip
        self.refresh_from_db(fields=["is_draft_stale"])

    def cancel(self, *, who: str, now: datetime) -> None:
        """PENDING | MEDIA_UPLOADED | FAILED → CANCELLED. A draft left on the platform is taken away."""
        has_draft = bool(self.remote_uuid or self.create_intended_at) and not self.publish_intended_at
        may_have = has_draft or (self.is_revocable and self.is_held(now))
        self._decide(
            "cancelled", [*OPEN, PostStatus.FAILED], PostStatus.CANCELLED, who=who, now=now,
            error_kind=ErrorKind.CANCELLED, error_message=f"Cancelled by {who}",
            take_at=now if may_have else None, tries=0,
        )  # fmt: skip

    def reopen(
        self, *, who: str, now: datetime, scheduled_for: datetime | None, time_zone: str, **columns: Any
    ) -> None:
        """FAILED | CANCELLED → PENDING, or MEDIA_UPLOADED where the platform has all its media."""
        status = PostStatus.MEDIA_UPLOADED if self.pre_uploaded else PostStatus.PENDING
        is_asked = columns.get("publish_intended_at", self.publish_intended_at) is not None
        take_at = now if is_asked else self.first_take(scheduled_for)
        self._decide(
            "reopened", [PostStatus.FAILED, PostStatus.CANCELLED], status, who=who, now=now,
            why=f"for {_spoken(scheduled_for)}", scheduled_for=scheduled_for, time_zone=time_zone,
            error_kind="", error_message="", tries=0, take_at=take_at if self.pre_uploaded else None,
            **columns,
        )  # fmt: skip

    # ---------------------------------------------------------------- the one door to the row

    def _decide(
        self, type_: str, old: Sequence[str], new: str, *, who: str, now: datetime, **columns: Any
    ) -> None:
        """A person's change of a post that was not promised meanwhile; who prepares it finds the lease gone."""
        guard: dict[str, Any] = {"publish_intended_at": self.publish_intended_at}
        if self.is_revocable:
            columns |= released()
        else:
            guard["leased_until"] = self.leased_until
        self._move(type_, old, new, now=now, guard=guard, who=who, **columns)
        self.tell("post_scheduled", now=now)

    def _move(
        self,
        type_: str,
        old: Sequence[str],
        new: str,
        *,
        now: datetime,
        fenced: bool = False,
        guard: dict[str, Any] | None = None,
        who: str = "",
        why: str = "",
        **columns: Any,
    ) -> None:
        """One guarded UPDATE and one event. Raises LostRace, or LeaseLost for who was given up for dead."""
        before = self.status
        rows = ScheduledPost.objects.filter(pk=self.pk, status__in=old, **(guard or {}))
        if fenced:
            rows = rows.filter(leased_by=self.leased_by)
        with transaction.atomic():
            if rows.update(status=new, updated_at=now, **columns) != 1:
                raise LeaseLost if fenced else LostRace(f"{self} was changed by somebody else meanwhile")
            Event.objects.create(
                at=now, type=type_, old=before, new=new, who=(who or self.leased_by)[:LONGEST_WHO], why=why,
                attempt=self.tries, **subject_of(self),
            )  # fmt: skip
        self._take({"status": new, "updated_at": now, **columns})

    def _take(self, columns: dict[str, Any]) -> None:
        for name, value in columns.items():
            setattr(self, name, value)

    def tell(self, type_: str, *, now: datetime) -> None:
        """Tell live pages how it stands."""
        events.publish("posts", type_, self.envelope, now=now)

    @property
    def envelope(self) -> dict[str, Any]:
        """What live pages are told about it."""
        return {
            "postId": self.pk,
            "accountUuid": self.account.uuid,
            "account": str(self.account),
            "postType": self.post_type,
            "status": self.status,
            "scheduledFor": stamp(self.scheduled_for),
            "preUploadAt": stamp(self.pre_upload_at),
            "publishedAt": stamp(self.published_at),
            "lateSeconds": self.late_seconds,
            "errorKind": self.error_kind,
            "error": self.error_message,
        }


def hold_on(posts: Iterable[ScheduledPost], token: str, *, now: datetime) -> None:
    """Renew the lease of what `token` still holds."""
    ids = [post.pk for post in posts]
    ScheduledPost.objects.filter(pk__in=ids, leased_by=token).update(leased_until=now + lease())


def stamp(at: datetime | None) -> str | None:
    """A moment as programs read it: UTC with milliseconds, as in `2025-10-30T14:00:00.000Z`."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _spoken(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else "no moment"


def released() -> dict[str, Any]:
    return {"leased_by": "", "leased_until": None}
