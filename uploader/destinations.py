"""Destinations: the accounts videos go to, what they allow, whether they may be used now."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.utils import timezone
from encrypted_fields.fields import EncryptedCharField

from jobs import events
from jobs.errors import ErrorKind, Hold, JobError, LostRace
from uploader import metadata
from uploader.platforms import onlysocial
from uploader.platforms.dailymotion import Credentials, Dailymotion
from uploader.platforms.errors import CredentialsRejected, Rejected
from uploader.platforms.onlysocial import MEDIA_BYTES, OnlySocial
from uploader.transfer import places, storage
from uploader.transfer.places import Place
from uploader.transfer.storage import Storage

if TYPE_CHECKING:
    from uploader.platforms.dailymotion import Identity

CATEGORIES = (
    "animals", "auto", "creation", "fun", "kids", "lifestyle", "music", "news", "people", "school", "sport",
    "tech", "travel", "tv", "videogames", "webcam",
)  # fmt: skip


# OnlySocial counts no videos a day; a file has its largest size.
POST_LIMITS: dict[str, int | None] = {
    "max_videos_per_day": None,
    "max_seconds_per_day": None,
    "max_bytes_per_day": None,
    "max_video_seconds": None,
    "max_video_bytes": MEDIA_BYTES,
}

# A storage counts nothing.
STORAGE_LIMITS: dict[str, int | None] = dict.fromkeys(POST_LIMITS)

SECRETS = ("api_key", "api_secret", "password", "cdn_token")
# What the encrypted fields give when no key fits: the stored text itself.
CIPHERTEXT = re.compile(r"gAAAA[\w-]{80,}=*")


class Platform(models.TextChoices):
    DAILYMOTION = "dailymotion", "Dailymotion"  # whole videos, on the hourly queue
    ONLYSOCIAL = "onlysocial", "OnlySocial"  # posts on social accounts
    SPACES = "spaces", "Storage (Spaces, S3)"  # packages of HLS, in a bucket or a folder


class Dialect(models.TextChoices):
    V2 = "v2", "v2 (private key)"
    PARTNER = "partner", "Partner, legacy (private key)"
    PUBLIC = "public", "Public, legacy (user name and password)"


class PostFormat(models.TextChoices):
    CURRENT = onlysocial.PostFormat.CURRENT.value, "Current"
    LEGACY = onlysocial.PostFormat.LEGACY.value, "Older (media_ids, post_type)"


class Health(models.TextChoices):
    UNKNOWN = "unknown", "Not tested yet"  # nobody has spoken to it yet
    OK = "ok", "Working"  # the last call that told anything went well
    FAILING = "failing", "Failing"  # the last call was refused; see the message


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


class Destination(models.Model):
    """An account on a platform. Credentials come from the environment or are kept here, encrypted."""

    name = models.SlugField(unique=True, help_text="Short name, used in commands and addresses")
    title = models.CharField(max_length=100, blank=True, help_text="What people call it")
    platform = models.CharField(max_length=16, choices=Platform, default=Platform.DAILYMOTION)
    is_active = models.BooleanField(default=True, help_text="Switched off: nothing new starts")

    credentials_from_environment = models.BooleanField(
        default=False,
        help_text="Take the credentials from the environment (.env) instead of the fields below",
    )
    dialect = models.CharField(max_length=8, choices=Dialect, default=Dialect.V2)
    profile_id = models.CharField(max_length=64, blank=True)
    username = models.CharField(max_length=150, blank=True)
    api_key = EncryptedCharField(max_length=500, null=True, blank=True, verbose_name="API key")
    api_secret = EncryptedCharField(max_length=500, null=True, blank=True, verbose_name="API secret")
    password = EncryptedCharField(max_length=500, null=True, blank=True)
    workspace = models.CharField(
        max_length=64, blank=True, help_text="Stands in the address of OnlySocial's dashboard, behind “/os/”"
    )
    bucket = models.CharField(max_length=63, blank=True)
    prefix = models.CharField(
        max_length=200, blank=True, help_text="Everything is stored below it, for example slotcast/films"
    )
    region = models.CharField(max_length=32, blank=True, help_text="Of Spaces, for example fra1")
    cdn_endpoint = models.CharField(
        max_length=64, blank=True, help_text="Id of the CDN endpoint whose cache is purged after an upload"
    )
    cdn_token = EncryptedCharField(max_length=500, null=True, blank=True, verbose_name="API token of the CDN")
    post_format = models.CharField(
        max_length=8,
        choices=PostFormat,
        default=PostFormat.CURRENT,
        help_text="How new posts are written; the older format only where the current one is refused",
    )
    api_url = models.URLField(blank=True, help_text="Leave empty for the platform's own address")
    token_url = models.URLField(blank=True, help_text="Leave empty for the platform's own address")

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

    health = models.CharField(max_length=8, choices=Health, default=Health.UNKNOWN, editable=False)
    health_message = models.TextField(blank=True, editable=False)
    checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    paused_until = models.DateTimeField(null=True, blank=True, editable=False)
    paused_reason = models.CharField(max_length=200, blank=True, editable=False)
    paused_by = models.CharField(max_length=150, blank=True, editable=False)
    held_until = models.DateTimeField(null=True, blank=True, editable=False)
    held_kind = models.CharField(max_length=16, choices=ErrorKind, blank=True, editable=False)
    held_reason = models.TextField(blank=True, editable=False)
    # When its social accounts were last asked for, whether an answer came or not.
    accounts_asked_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = DestinationQuerySet.as_manager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.title or self.name

    def clean(self) -> None:
        if self.is_storage:
            if not self.credentials_from_environment:
                try:
                    _ = self.place
                except JobError as error:
                    raise ValidationError(str(error)) from error
            return
        if self.is_for_posts:
            if not self.credentials_from_environment and not (self.api_key and self.workspace):
                raise ValidationError(
                    "Give an API key and a workspace, or take the credentials from the environment."
                )
            return
        if not self.credentials_from_environment and not (self.api_key and self.api_secret):
            raise ValidationError("Give an API key and secret, or take the credentials from the environment.")
        if (
            self.dialect == Dialect.PUBLIC
            and not self.credentials_from_environment
            and not (self.username and self.password)
        ):
            raise ValidationError("The public dialect signs in with a user name and a password: give both.")

    def save(self, **options: Any) -> None:
        """Save; secrets that cannot be read stay as they are, for the day the former key is back."""
        if self._unreadable and not self._state.adding and options.get("update_fields") is None:
            names = {field.name for field in self._meta.concrete_fields if not field.primary_key}
            options["update_fields"] = names - self._unreadable
        super().save(**options)

    # ---------------------------------------------------------------- questions

    @property
    def is_for_posts(self) -> bool:
        """It takes posts on social accounts, no whole videos."""
        return self.platform == Platform.ONLYSOCIAL

    @property
    def is_storage(self) -> bool:
        """It takes packages of HLS."""
        return self.platform == Platform.SPACES

    @property
    def is_for_videos(self) -> bool:
        """It takes whole videos."""
        return self.platform == Platform.DAILYMOTION

    @property
    def _unreadable(self) -> set[str]:
        """The secrets that came out of the database as they were stored: no key of ours opens them."""
        return {name for name in SECRETS if CIPHERTEXT.fullmatch(getattr(self, name) or "")}

    @property
    def interval(self) -> timedelta:
        """Time between two starts."""
        return timedelta(seconds=self.interval_seconds or settings.UPLOAD_INTERVAL_SECONDS)

    @property
    def attempts(self) -> int:
        return self.max_attempts or settings.UPLOAD_MAX_RETRIES

    def is_paused(self, now: datetime) -> bool:
        return self.paused_at is not None and (self.paused_until is None or self.paused_until > now)

    def is_held(self, now: datetime) -> bool:
        return self.held_until is not None and self.held_until > now

    def why_not_now(self, now: datetime) -> str:
        """Why nothing starts here at `now`, as a sentence; empty: it may."""
        if not self.is_active:
            return f"{self} is switched off."
        if self.is_paused(now):
            until = ""
            if self.paused_until:
                until = f" until {timezone.localtime(self.paused_until):%Y-%m-%d %H:%M %Z}"
            reason = f": {self.paused_reason}" if self.paused_reason else ""
            return f"{self} is paused{until}{reason}."
        if self.is_held(now) and self.held_until:
            return f"{self.held_reason} Next look at {timezone.localtime(self.held_until):%Y-%m-%d %H:%M %Z}."
        return ""

    @property
    def credentials(self) -> Credentials | onlysocial.Credentials:
        """What the platform's client signs in with; its repr shows no secret.

        Raises CredentialsRejected when the stored secrets cannot be read.
        """
        if self.is_storage:
            raise Rejected(f"{self} is a storage. Choose a destination for videos or posts.")
        if self.credentials_from_environment:
            if self.is_for_posts:
                return _social_credentials(**settings.ONLYSOCIAL)
            return Credentials(**dict[str, Any](settings.DAILYMOTION))
        self._refuse_unreadable()
        if self.is_for_posts:
            return _social_credentials(
                key=self.api_key or "",
                workspace=self.workspace,
                api_url=self.api_url,
                post_format=self.post_format,
            )
        return Credentials(
            dialect=self.dialect,
            key=self.api_key or "",
            secret=self.api_secret or "",
            username=self.username,
            password=self.password or "",
            profile_id=self.profile_id,
            api_url=self.api_url,
            token_url=self.token_url,
        )

    @property
    def place(self) -> Place:
        """Where a storage is. Raises NotAPlace, or CredentialsRejected when the stored keys cannot be read."""
        if self.credentials_from_environment:
            return places.of_environment()
        self._refuse_unreadable()
        return places.bucket(
            name=self.bucket,
            prefix=self.prefix.strip("/"),
            key=self.api_key or "",
            secret=self.api_secret or "",
            endpoint=self.api_url,
            region=self.region,
        )

    def _refuse_unreadable(self) -> None:
        if self._unreadable:
            raise CredentialsRejected(
                f"The secrets of {self} cannot be read: SECRET_KEY has changed. Put the former key into "
                "SECRET_KEY_FALLBACKS, or enter the secrets again."
            )

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

    def pause(self, *, who: str, now: datetime, until: datetime | None = None, why: str = "") -> None:
        """Let nothing new start, until a time or until resumed."""
        self._set(
            "paused", now=now, who=who, why=why,
            paused_at=now, paused_until=until, paused_reason=why, paused_by=who,
        )  # fmt: skip

    def resume(self, *, who: str, now: datetime) -> None:
        """Let uploads start again; what waits follows at its interval."""
        self._set(
            "resumed", now=now, who=who,
            paused_at=None, paused_until=None, paused_reason="", paused_by="",
            held_until=None, held_kind="", held_reason="",
        )  # fmt: skip
        self._wake_waiting(who=who, now=now)

    def hold(self, reason: Hold, *, now: datetime, until: datetime) -> None:
        """Wait because the platform said so; every job of this destination waits with it.

        A hold that already lasts longer stays: another worker's shorter one does not end it.
        """
        failing = reason.kind == ErrorKind.CREDENTIALS
        unhealthy: dict[str, Any] = {
            "health": Health.FAILING,
            "health_message": str(reason),
            "checked_at": now,
        }
        with transaction.atomic():
            held = Destination.objects.select_for_update().get(pk=self.pk)
            if held.is_held(now) and held.held_until and held.held_until > until:
                self.held_until, self.held_kind, self.held_reason = (
                    held.held_until, held.held_kind, held.held_reason,
                )  # fmt: skip
                return
            self._set(
                "held", now=now, why=str(reason),
                held_until=until, held_kind=reason.kind, held_reason=str(reason),
                **(unhealthy if failing else {}),
            )  # fmt: skip

    def note_success(self, *, now: datetime) -> None:
        """The platform just did what it was asked; written only when that is news.

        It proves the credentials; a quota or a pause the platform asked for lasts until its time.
        """
        self.refresh_from_db(fields=["health", "held_until", "held_kind", "held_reason"])
        lasts = self.is_held(now) and self.held_kind != ErrorKind.CREDENTIALS
        lifted: dict[str, Any] = {} if lasts else {"held_until": None, "held_kind": "", "held_reason": ""}
        if self.health != Health.OK or (lifted and self.held_until is not None):
            self._set("healthy", now=now, health=Health.OK, health_message="", checked_at=now, **lifted)

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

    def _set(self, what: str, *, now: datetime, who: str = "", why: str = "", **columns: Any) -> None:
        with transaction.atomic():
            Destination.objects.filter(pk=self.pk).update(**columns)
            events.record(self, what, now=now, who=who, why=why)
            events.publish("queue", "destination_changed", {"destination": self.name}, now=now)
        for name, value in columns.items():
            setattr(self, name, value)


def _social_credentials(
    *, key: str, workspace: str, api_url: str, post_format: str
) -> onlysocial.Credentials:
    return onlysocial.Credentials(
        key=key, workspace=workspace, api_url=api_url, post_format=onlysocial.PostFormat(post_format)
    )


def ensure_default(now: datetime) -> Destination | None:
    """The destination `dailymotion` of the environment, made when credentials are there and it is not."""
    if not settings.DAILYMOTION["key"]:
        return None
    destination, _ = Destination.objects.get_or_create(
        name="dailymotion",
        defaults={
            "title": "Dailymotion (sandbox)" if settings.SANDBOX_URL else "Dailymotion",
            "credentials_from_environment": True,
            "created_at": now,
        },
    )
    return destination


def ensure_onlysocial(now: datetime) -> Destination | None:
    """The destination `onlysocial` of the environment, made when credentials are there and it is not."""
    if not settings.ONLYSOCIAL["key"]:
        return None
    destination, _ = Destination.objects.get_or_create(
        name="onlysocial",
        defaults={
            "title": "OnlySocial (sandbox)" if settings.SANDBOX_URL else "OnlySocial",
            "platform": Platform.ONLYSOCIAL,
            "credentials_from_environment": True,
            "created_at": now,
            **POST_LIMITS,
        },
    )
    return destination


def ensure_storage(now: datetime) -> Destination:
    """The destination `spaces` of the environment: the storage STORAGE_URL names, or a folder under var/."""
    destination, _ = Destination.objects.get_or_create(
        name="spaces",
        defaults={
            "title": "Storage",
            "platform": Platform.SPACES,
            "credentials_from_environment": True,
            "created_at": now,
            **STORAGE_LIMITS,
        },
    )
    return destination
