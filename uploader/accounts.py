"""Accounts on platforms: what they are called, and what one signs in with."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from encrypted_fields.fields import EncryptedCharField

from jobs.errors import JobError
from uploader.platforms import onlysocial
from uploader.platforms.dailymotion import Credentials
from uploader.platforms.errors import CredentialsRejected, Rejected
from uploader.transfer import places
from uploader.transfer.places import Place

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


class Account(models.Model):
    """An account on a platform. Credentials come from the environment or are kept here, encrypted."""

    name = models.SlugField(unique=True, help_text="Short name, used in commands and addresses")
    title = models.CharField(max_length=100, blank=True, help_text="What people call it")
    platform = models.CharField(max_length=16, choices=Platform, default=Platform.DAILYMOTION)
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

    class Meta:
        abstract = True

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


def _social_credentials(
    *, key: str, workspace: str, api_url: str, post_format: str
) -> onlysocial.Credentials:
    return onlysocial.Credentials(
        key=key, workspace=workspace, api_url=api_url, post_format=onlysocial.PostFormat(post_format)
    )
