"""Social accounts: what posts are published on. A copy of what the platform says, kept up to date."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import connection, models, transaction
from django.utils import timezone

from jobs import events
from jobs.errors import Hold, JobError
from uploader.destinations import Destination
from uploader.platforms.onlysocial import Account

log = logging.getLogger(__name__)


class SocialAccountQuerySet(models.QuerySet["SocialAccount"]):
    def listed(self) -> Self:
        """Those the platform still names."""
        return self.filter(gone_at=None)

    def usable(self) -> Self:
        """Those a post can be published on."""
        return self.listed().filter(is_authorized=True, destination__is_active=True)


class SocialAccount(models.Model):
    """One account of one person or brand on one social platform, reached through a destination."""

    destination = models.ForeignKey(Destination, on_delete=models.CASCADE, related_name="social_accounts")
    remote_id = models.BigIntegerField(help_text="The number by which posts name it")
    uuid = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    username = models.CharField(max_length=255, blank=True)
    provider = models.CharField(max_length=64)
    is_authorized = models.BooleanField(
        default=False, help_text="The platform may publish on it; if not, reconnect it there"
    )
    seen_at = models.DateTimeField(help_text="When the platform last named it")
    gone_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when the platform names it no more"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = SocialAccountQuerySet.as_manager()

    class Meta:
        ordering = ("destination", "provider", "name")
        constraints = (
            models.UniqueConstraint(fields=["destination", "remote_id"], name="social_account_once"),
        )
        indexes = (
            # A request names an account by its uuid.
            models.Index(fields=["uuid"], name="social_account_uuid"),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.provider})"

    @property
    def why_not(self) -> str:
        """Why nothing can be published on it, as a sentence; empty: it can."""
        if self.gone_at is not None:
            return f"{self} is no longer in {self.destination}'s workspace."
        if not self.is_authorized:
            return f"{self} is not connected any more. Reconnect it at OnlySocial, then update the accounts."
        return ""


@dataclass(frozen=True)
class Synced:
    """What an update of a destination's accounts changed."""

    accounts: int
    added: int
    changed: int
    gone: int

    def __str__(self) -> str:
        noun = "account" if self.accounts == 1 else "accounts"
        return f"{self.accounts} {noun}: {self.added} new, {self.changed} changed, {self.gone} gone"


def sync(destination: Destination, *, who: str, now: datetime) -> Synced:
    """Ask the platform for the accounts and write them here. Calls out: never inside a transaction.

    Raises what the platform's client raises; a refusal of the credentials also holds the destination.
    """
    Destination.objects.filter(pk=destination.pk).update(accounts_asked_at=now)
    try:
        with destination.open_onlysocial() as client:
            accounts = client.accounts()
    except Hold as reason:
        from jobs.runner import hold_end

        destination.hold(reason, now=now, until=hold_end(reason, now))
        raise
    destination.note_success(now=now)
    return take(destination, accounts, who=who, now=now)


def take(destination: Destination, accounts: Iterable[Account], *, who: str, now: datetime) -> Synced:
    """Write what the platform named; what it names no more stays, marked, for the posts that refer to it."""
    named = {account.id: account for account in accounts}
    with transaction.atomic():
        # The destination's row is the lock: two updates at once do not add an account twice.
        Destination.objects.select_for_update().get(pk=destination.pk)
        known = {row.remote_id: row for row in destination.social_accounts.all()}
        added = [_add(destination, named[each], now=now) for each in named if each not in known]
        changed = sum(_update(known[each], named[each], who=who, now=now) for each in named if each in known)
        gone = [row for each, row in known.items() if each not in named and row.gone_at is None]
        for row in gone:
            SocialAccount.objects.filter(pk=row.pk).update(gone_at=now, is_authorized=False)
            events.record(row, "gone", now=now, who=who, why="The platform names it no more")
        for row in added:
            events.record(row, "added", now=now, who=who)
        if added or changed or gone:
            events.publish("queue", "destination_changed", {"destination": destination.name}, now=now)
    return Synced(accounts=len(named), added=len(added), changed=changed, gone=len(gone))


def _add(destination: Destination, account: Account, *, now: datetime) -> SocialAccount:
    return SocialAccount.objects.create(
        destination=destination, remote_id=account.id, seen_at=now, created_at=now, **_columns(account)
    )


def _update(row: SocialAccount, account: Account, *, who: str, now: datetime) -> bool:
    """Whether anything about it was news."""
    columns = _columns(account)
    news = [name for name, value in columns.items() if getattr(row, name) != value]
    SocialAccount.objects.filter(pk=row.pk).update(**columns, seen_at=now, gone_at=None)
    if row.gone_at is not None:
        news.append("listed again")
    if "is_authorized" in news:
        what = "authorized" if account.is_authorized else "unauthorized"
        events.record(row, what, now=now, who=who)
    elif news:
        events.record(row, "changed", now=now, who=who, why=", ".join(news))
    return bool(news)


def _columns(account: Account) -> dict[str, str | bool]:
    return {
        "uuid": account.uuid[:64],
        "name": (account.name or account.username or str(account.id))[:255],
        "username": account.username[:255],
        "provider": account.provider[:64],
        "is_authorized": account.is_authorized,
    }


def claim_due(now: datetime) -> list[Destination]:
    """Destinations whose accounts are to be asked for again; each is given to one ticker only."""
    before = now - timedelta(seconds=settings.SOCIAL_ACCOUNTS_SECONDS)
    due = models.Q(accounts_asked_at=None) | models.Q(accounts_asked_at__lte=before)
    claimed = []
    for destination in Destination.objects.usable(now).for_posts().filter(due):
        rows = Destination.objects.filter(due, pk=destination.pk)
        if rows.update(accounts_asked_at=now) == 1:
            claimed.append(destination)
    return claimed


def sync_due(now: datetime) -> None:
    """Update what is due, beside the ticker: it must not wait for a platform."""
    if claimed := claim_due(now):
        threading.Thread(target=_sync_all, args=(claimed,), name="social-accounts").start()


def _sync_all(destinations: list[Destination]) -> None:
    try:
        for destination in destinations:
            try:
                synced = sync(destination, who="ticker", now=timezone.now())
            except JobError as error:
                log.warning("The accounts of %s could not be updated: %s", destination, error)
            else:
                log.info("%s: %s", destination, synced)
    finally:
        connection.close()
