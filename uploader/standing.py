"""How things stand with a destination: switched off, paused by a person, held by its platform; its health."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from jobs import events
from jobs.errors import ErrorKind, Hold
from uploader.accounts import Account


class Health(models.TextChoices):
    UNKNOWN = "unknown", "Not tested yet"  # nobody has spoken to it yet
    OK = "ok", "Working"  # the last call that told anything went well
    FAILING = "failing", "Failing"  # the last call was refused; see the message


class Standing(Account):
    """An account, and how things stand with it."""

    is_active = models.BooleanField(default=True, help_text="Switched off: nothing new starts")
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

    class Meta:
        abstract = True

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

    # ---------------------------------------------------------------- verbs

    def pause(self, *, who: str, now: datetime, until: datetime | None = None, why: str = "") -> None:
        """Let nothing new start, until a time or until resumed."""
        self._set(
            "paused", now=now, who=who, why=why,
            paused_at=now, paused_until=until, paused_reason=why, paused_by=who,
        )  # fmt: skip

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
            held = type(self)._base_manager.select_for_update().get(pk=self.pk)
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

    def _set(self, what: str, *, now: datetime, who: str = "", why: str = "", **columns: Any) -> None:
        with transaction.atomic():
            type(self)._base_manager.filter(pk=self.pk).update(**columns)
            events.record(self, what, now=now, who=who, why=why)
            events.publish("queue", "destination_changed", {"destination": self.name}, now=now)
        for name, value in columns.items():
            setattr(self, name, value)
