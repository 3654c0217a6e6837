"""Telling people elsewhere, by e-mail, Slack, Discord and others, how jobs ended: a digest, never a flood.

An ended job leaves a notice for every channel that wants to hear of it, in the transaction that ends it. A channel
gathers its notices for a while and sends them as one message; what could not be sent is kept and tried again.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from django.apps import apps
from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models, transaction
from django.dispatch import receiver
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from encrypted_fields.fields import EncryptedCharField

from jobs.errors import ErrorKind
from jobs.events import Event, job_changed
from jobs.lifecycle import TrackedJob
from jobs.tending import cause_of

log = logging.getLogger(__name__)

# So many notices are told in one message; more wait for the next.
MOST_AT_ONCE = 5000
# Of each cause so many jobs are named, and so many causes.
NAMED, CAUSES = 3, 10
LEASE = timedelta(minutes=3)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
LONGEST_DIGEST = 86_400


class Outcome(models.TextChoices):
    FAILED = "failed", "failed"
    COMPLETED = "completed", "completed"
    CANCELLED = "cancelled", "cancelled"


class NotificationChannel(models.Model):
    """Where messages go, and about what. The address is a secret: kept encrypted and never shown."""

    name = models.CharField(max_length=60, unique=True)
    address = EncryptedCharField(max_length=1000)
    is_active = models.BooleanField(default=True, help_text="Switched off: nothing is gathered or sent")
    tells_failures = models.BooleanField(default=True)
    tells_completions = models.BooleanField(default=False)
    tells_cancellations = models.BooleanField(default=False)
    about = models.CharField(max_length=40, blank=True, help_text="Only jobs of this kind; empty: every kind")
    digest_seconds = models.PositiveIntegerField(
        default=300,
        validators=[MaxValueValidator(LONGEST_DIGEST)],
        help_text="What ends within so many seconds is told in one message",
    )

    sent_at = models.DateTimeField(null=True, blank=True, editable=False)
    error = models.CharField(max_length=500, blank=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    next_at = models.DateTimeField(null=True, blank=True, editable=False)
    leased_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def service(self) -> str:
        """What stands behind the address: “Slack”, “E-Mail”."""
        from jobs.sending_notices import service_of

        return service_of(self.address)

    def wants(self, outcome: str, label: str) -> bool:
        tells = {
            Outcome.FAILED: self.tells_failures,
            Outcome.COMPLETED: self.tells_completions,
            Outcome.CANCELLED: self.tells_cancellations,
        }
        return self.is_active and tells[Outcome(outcome)] and self.about in ("", label)


class Notice(models.Model):
    """One job that ended, to be told by one channel; gone when it was."""

    id = models.BigAutoField(primary_key=True)
    channel = models.ForeignKey(NotificationChannel, models.CASCADE, related_name="notices", db_index=False)
    at = models.DateTimeField()
    outcome = models.CharField(max_length=16, choices=Outcome)
    model = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=36)
    title = models.CharField(max_length=300)
    kind = models.CharField(max_length=16, choices=ErrorKind, blank=True)
    message = models.TextField(blank=True)

    class Meta:
        indexes = (
            # What a channel has to tell, and since when.
            models.Index(fields=["channel", "id"], name="notice_channel"),
        )

    def __str__(self) -> str:
        return f"{self.title} {self.outcome}"


# -------------------------------------------------------------------- gathering


@receiver(job_changed)
def note(sender: type[TrackedJob], job: TrackedJob, event: Event, **_: Any) -> None:
    """Leave a notice of a job that has just ended, in its transaction."""
    if not sender.is_tallied or event.old == event.new:
        return
    states = sender.states
    ends = {
        states.failed: Outcome.FAILED,
        states.completed: Outcome.COMPLETED,
        states.cancelled: Outcome.CANCELLED,
    }
    outcome, label = ends.get(event.new), sender._meta.label_lower
    if outcome is None:
        return
    channels = NotificationChannel.objects.filter(is_active=True).defer("address")
    Notice.objects.bulk_create(
        Notice(
            channel=channel, at=event.at, outcome=outcome, model=label, subject_id=str(job.pk),
            title=str(job)[:300], **({} if outcome == Outcome.COMPLETED else why(job)),
        )
        for channel in channels
        if channel.wants(outcome, label)
    )  # fmt: skip


def why(job: TrackedJob) -> dict[str, str]:
    return {"kind": job.error_kind, "message": job.error_message}


# -------------------------------------------------------------------- telling


def due(now: datetime) -> list[NotificationChannel]:
    """Channels whose first notice has waited long enough."""
    candidates = (
        NotificationChannel.objects.filter(is_active=True)
        .exclude(next_at__gt=now)
        .exclude(leased_until__gt=now)
        .annotate(
            first_at=models.Subquery(
                Notice.objects.filter(channel=models.OuterRef("pk")).order_by("id").values("at")[:1]
            )
        )
        .filter(first_at__isnull=False)
    )
    return [
        channel
        for channel in candidates
        if getattr(channel, "first_at") + timedelta(seconds=channel.digest_seconds) <= now  # noqa: B009
    ]


def work_is_there(now: datetime) -> bool:
    return bool(due(now))


def tell_due() -> int:
    """Send what is due; gives how many messages went out."""
    now = timezone.now()
    return sum(tell(channel, now=now) for channel in due(now))


def tell(channel: NotificationChannel, *, now: datetime) -> bool:
    """Send what the channel has gathered as one message; what could not be sent stays and is tried later.

    Two workers never tell the same: whoever takes the lease sends.
    """
    # A process that tells nobody anything does not load what it takes.
    from jobs.sending_notices import NotSent, send

    mine = NotificationChannel.objects.filter(pk=channel.pk).filter(
        models.Q(leased_until=None) | models.Q(leased_until__lte=now)
    )
    if mine.update(leased_until=now + LEASE) != 1:
        return False
    notices = list(channel.notices.order_by("id")[:MOST_AT_ONCE])
    if not notices:
        NotificationChannel.objects.filter(pk=channel.pk).update(leased_until=None)
        return False
    try:
        send(channel.address, title=title_of(notices), body=body_of(notices), tone=tone_of(notices))
    except NotSent as error:
        failures = channel.failures + 1
        pause = min(FIRST_PAUSE * 2 ** min(failures - 1, 10), LONGEST_PAUSE)
        NotificationChannel.objects.filter(pk=channel.pk).update(
            error=str(error)[:500], failures=failures, next_at=now + pause, leased_until=None
        )
        log.warning("%s: %d notices could not be told: %s", channel, len(notices), error)
        return False
    with transaction.atomic():
        Notice.objects.filter(pk__in=[notice.pk for notice in notices]).delete()
        NotificationChannel.objects.filter(pk=channel.pk).update(
            sent_at=now, error="", failures=0, next_at=None, leased_until=None
        )
    return True


# -------------------------------------------------------------------- words


def title_of(notices: Sequence[Notice]) -> str:
    """ "Slotcast: 97 upload jobs failed, 3 completed"."""
    counted = Counter((notice.outcome, notice.model) for notice in notices)
    parts = []
    for outcome in Outcome.values:
        of_outcome = {model: count for (each, model), count in counted.items() if each == outcome}
        parts += [f"{spoken(model, count)} {outcome}" for model, count in of_outcome.items()]
    return f"Slotcast: {', '.join(parts)}"


def spoken(label: str, count: int) -> str:
    opts = apps.get_model(label)._meta
    return f"{count} {opts.verbose_name if count == 1 else opts.verbose_name_plural}"


def body_of(notices: Sequence[Notice]) -> str:
    """Failures by cause with their number and some names, then what else ended, then where to look."""
    lines: list[str] = []
    failed = [notice for notice in notices if notice.outcome == Outcome.FAILED]
    causes: dict[str, list[Notice]] = {}
    for notice in failed:
        causes.setdefault(cause_of(notice.message), []).append(notice)
    biggest = sorted(causes.values(), key=len, reverse=True)
    for group in biggest[:CAUSES]:
        first = group[0]
        kind = first.get_kind_display() or "Failed"
        lines.append(f"{len(group)} × {kind}: {first.message or 'no cause was recorded'}")
        lines += [f"  - {notice.title}" for notice in group[:NAMED]]
        if len(group) > NAMED:
            lines.append(f"  - and {len(group) - NAMED} more")
    if len(biggest) > CAUSES:
        rest = sum(len(group) for group in biggest[CAUSES:])
        lines.append(f"And {rest} of {len(biggest) - CAUSES} other causes.")
    for outcome in (Outcome.COMPLETED, Outcome.CANCELLED):
        others = [notice for notice in notices if notice.outcome == outcome]
        if others:
            names = "; ".join(notice.title for notice in others[:NAMED])
            more = f"; and {len(others) - NAMED} more" if len(others) > NAMED else ""
            lines.append(f"{len(others)} {outcome.label}: {names}{more}")
    if where := address_of_page(bool(failed)):
        lines += ["", where]
    return "\n".join(lines)


def address_of_page(has_failures: bool) -> str:
    """Where the jobs are seen, when the installation knows its own address."""
    if not settings.PUBLIC_URL:
        return ""
    try:
        page = reverse("jobs")
    except NoReverseMatch:
        return ""
    return f"{settings.PUBLIC_URL.rstrip('/')}{page}{'?status=failed' if has_failures else ''}"


def tone_of(notices: Sequence[Notice]) -> Literal["failure", "success", "info"]:
    outcomes = {notice.outcome for notice in notices}
    if Outcome.FAILED in outcomes:
        return "failure"
    return "success" if Outcome.COMPLETED in outcomes else "info"
