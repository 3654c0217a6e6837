"""Tokens of external scripts: whoever holds one may report its own pipeline jobs, and nothing else."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from jobs.pipeline.ids import new_id

# By its beginning a token is known to be one of these; scanners of repositories look for such.
PREFIX = "slp_"
SHOWN = len(PREFIX) + 6
# The time of its last use is written so seldom that a heartbeat costs no write.
USED_EVERY = timedelta(minutes=1)


class PipelineToken(models.Model):
    """The digest of a token, whose it is, and when it was last used. The token itself is shown once."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=60, unique=True, help_text="Which script, or which machine, holds it")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    begins_with = models.CharField(max_length=SHOWN, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+",
        editable=False,
    )  # fmt: skip
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: never")
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def is_valid(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def fill(self) -> str:
        """Give it a fresh token, which is returned and kept nowhere."""
        token = f"{PREFIX}{secrets.token_urlsafe(32)}"
        self.digest, self.begins_with = digest_of(token), token[:SHOWN]
        return token

    def revoke(self, *, now: datetime) -> bool:
        """False when it was revoked before."""
        return bool(PipelineToken.objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=now))


def digest_of(token: str) -> str:
    """A token has 256 random bits: a plain hash of it cannot be guessed back."""
    return hashlib.sha256(token.encode()).hexdigest()


def holder_of(token: str, *, now: datetime) -> PipelineToken | None:
    """The row of a token that is valid now, whose use is noted; None for any other."""
    found = PipelineToken.objects.filter(digest=digest_of(token)).first()
    if found is None or not found.is_valid(now):
        return None
    if found.last_used_at is None or now - found.last_used_at > USED_EVERY:
        PipelineToken.objects.filter(pk=found.pk).update(last_used_at=now)
    return found
