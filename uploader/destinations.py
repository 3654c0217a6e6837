"""Destinations: the accounts videos go to, how fast and what they allow."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from jobs.errors import ErrorKind, JobError, LostRace
from uploader import metadata
from uploader.accounts import Platform
from uploader.platforms import onlysocial
from uploader.platforms.dailymotion import Credentials, Dailymotion
from uploader.platforms.errors import Rejected
from uploader.platforms.onlysocial import MEDIA_BYTES, OnlySocial
from uploader.standing import Health, Standing
from uploader.transfer import storage
from uploader.transfer.storage import Storage

if TYPE_CHECKING:
    from uploader.platforms.dailymotion import Identity

CATEGORIES = (
    "animals", "auto", "creation", "fun", "kids", "lifestyle", "music", "news", "people", "school", "sport",
    "tech", "travel", "tv", "videogames", "webcam",
)  # fmt: skip


class DestinationQuerySet(models.QuerySet["Destination"]):
    def for_videos(self) -> Self:
        """Those that take whole videos; the others take posts."""
        return self.filter(platform=Platform.DAILYMOTION)

    def for_posts(self) -> Self:
        """Those with social accounts."""
        return self.filter(platform=Platform.ONLYSOCIAL)

    def for_packages(self) -> Self:
        """Storages."""
        return self.filter(platform=Platform.SPACES)

    def usable(self, now: datetime) -> Self:
        """Destinations that may start an upload at `now`."""
        return (
            self.filter(is_active=True)
            .exclude(
                models.Q(paused_at__isnull=False)
                & (models.Q(paused_until=None) | models.Q(paused_until__gt=now))
            )
            .exclude(held_until__gt=now)
        )


class Destination(Standing):
    """Where videos, posts or packages go, and what is made of them on the way."""

    category = models.CharField(max_length=20, default="tv", choices=[(c, c) for c in CATEGORIES])
    language = models.CharField(max_length=8, blank=True)
    is_for_kids = models.BooleanField(default=False)
    visibility = models.CharField(
        max_length=8, default="public", choices=[("public", "Public"), ("private", "Private")]
    )
    title_template = models.CharField(
        max_length=200,
        default=metadata.TITLE,
        validators=[metadata.validate_template],
        help_text=metadata.HELP,
    )
    description_template = models.TextField(
        default=metadata.DESCRIPTION,
        blank=True,
        validators=[metadata.validate_template],
        help_text=metadata.HELP,
    )
    tags = models.CharField(max_length=500, blank=True, help_text="Comma-separated, put on every video")
    interval_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Between two starts; empty: UPLOAD_INTERVAL_SECONDS",
    )
    max_videos_per_day = models.PositiveIntegerField(null=True, blank=True, default=15)
    max_seconds_per_day = models.PositiveIntegerField(null=True, blank=True, default=36_000)
    max_bytes_per_day = models.PositiveBigIntegerField(null=True, blank=True)
    max_video_bytes = models.PositiveBigIntegerField(null=True, blank=True, default=4_000_000_000)
    max_video_seconds = models.PositiveIntegerField(null=True, blank=True, default=7200)
    max_attempts = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(20)],
        help_text="Tries per video; empty: UPLOAD_MAX_RETRIES",
    )
    # When its social accounts were last asked for, whether an answer came or not.
    accounts_asked_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = DestinationQuerySet.as_manager()

    class Meta:
        ordering = ("name",)

    @property
    def interval(self) -> timedelta:
        """Time between two starts."""
        return timedelta(seconds=self.interval_seconds or settings.UPLOAD_INTERVAL_SECONDS)

    @property
    def attempts(self) -> int:
        return self.max_attempts or settings.UPLOAD_MAX_RETRIES

    # ---------------------------------------------------------------- its platform

    def open_storage(self) -> Storage:
        """Its storage. Raises Rejected for an account of a platform, and what `place` raises."""
        if not self.is_storage:
            raise Rejected(f"{self} is no storage. Choose a destination for packages.")
        return Storage(self.place)

    def open_client(self) -> Dailymotion | OnlySocial | Storage:
        """A client of its platform; close it after use. Raises CredentialsRejected."""
        if self.is_storage:
            return self.open_storage()
        credentials = self.credentials
        if isinstance(credentials, Credentials):
            return Dailymotion(credentials)
        return OnlySocial(credentials, max_media_bytes=self.max_video_bytes or MEDIA_BYTES)

    def open_dailymotion(self) -> Dailymotion:
        """A client of Dailymotion; close it after use. Raises Rejected for another platform's account."""
        client = self.open_client()
        if isinstance(client, Dailymotion):
            return client
        raise Rejected(f"{self} takes posts, no whole videos. Choose a Dailymotion destination.")

    def open_onlysocial(self) -> OnlySocial:
        """A client of OnlySocial; close it after use. Raises Rejected for another platform's account."""
        client = self.open_client()
        if isinstance(client, OnlySocial):
            return client
        raise Rejected(f"{self} takes whole videos, no posts. Choose an OnlySocial destination.")

    # ---------------------------------------------------------------- verbs

    def resume(self, *, who: str, now: datetime) -> None:
        """Let uploads start again; what waits follows at its interval."""
        self._set(
            "resumed", now=now, who=who,
            paused_at=None, paused_until=None, paused_reason="", paused_by="",
            held_until=None, held_kind="", held_reason="",
        )  # fmt: skip
        self._wake_waiting(who=who, now=now)

    def test_connection(
        self, *, who: str, now: datetime
    ) -> Identity | onlysocial.Identity | storage.Identity:
        """Sign in and ask who we are; remembers the answer. Raises what the platform's client raises."""
        try:
            with self.open_client() as client:
                identity: Identity | onlysocial.Identity | storage.Identity = client.identify()
        except JobError as error:
            self._set(
                "tested", now=now, who=who, why=str(error),
                health=Health.FAILING, health_message=str(error), checked_at=now,
            )  # fmt: skip
            raise
        lifted: dict[str, Any] = (
            {"held_until": None, "held_kind": "", "held_reason": ""}
            if self.held_kind == ErrorKind.CREDENTIALS
            else {}
        )
        reached = {Platform.ONLYSOCIAL: "Reached", Platform.SPACES: "Wrote, read and deleted in"}
        message = (
            f"{reached.get(Platform(self.platform), 'Signed in as')} {identity.name or identity.profile_id}"
        )
        self._set(
            "tested", now=now, who=who, why=message,
            health=Health.OK, health_message=message, checked_at=now, **lifted,
        )  # fmt: skip
        if lifted:
            self._wake_waiting(who=who, now=now)
        return identity

    def _wake_waiting(self, *, who: str, now: datetime) -> None:
        """Let the jobs that wait for it go on at once; whatever still bars one holds it again."""
        for job in self.upload_jobs.claimable_later(now).exclude(error_kind=""):
            with contextlib.suppress(LostRace):
                job.wake(who=who, now=now, why=f"{self} may be used again")
