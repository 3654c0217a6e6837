"""The weekly windows of seed 002: how many uploads may begin between two wall-clock times of a weekday.

The occurrence a window is in, or comes to next, stands on its row in UTC with the uploads counted to it: what the
clock asks every pass is one look into an index, however many windows there are. Counts of earlier occurrences are
kept beside it. A count belongs to the window and the date, whatever becomes of the videos:

- A limit that is raised lets more videos go in the same occurrence; one that is lowered stops at what has begun.
- Other times on the same day keep the day's count; another day begins anew, and back again finds its count.
- A window that is switched off starts nothing more; what has begun goes on. Switched on again its count stands.
- Windows may overlap: each has its own count, and the one that closes first takes first.
"""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from typing import Any, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models, transaction
from django.utils import timezone

from jobs import events
from schedules.windows import Occurrence, Window, WindowError
from uploader.destinations import Destination

# The end of an occurrence that has yet to be found: the clock's next pass does it.
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Day(models.TextChoices):
    MONDAY = "monday", "Monday"
    TUESDAY = "tuesday", "Tuesday"
    WEDNESDAY = "wednesday", "Wednesday"
    THURSDAY = "thursday", "Thursday"
    FRIDAY = "friday", "Friday"
    SATURDAY = "saturday", "Saturday"
    SUNDAY = "sunday", "Sunday"


def slot_time_zone() -> str:
    return settings.SLOT_TIME_ZONE


class UploadSlotQuerySet(models.QuerySet["UploadSlot"]):
    def active(self) -> Self:
        return self.filter(is_active=True)

    def open(self, now: datetime) -> Self:
        """Switched on, with an occurrence that `now` lies in."""
        return self.active().filter(opens_at__lte=now, closes_at__gt=now)

    def due(self, now: datetime) -> Self:
        """With room, and to be looked at by the clock: opened just now, or not looked at for a while."""
        return self.active().with_room().filter(look_at__lte=now)

    def with_room(self) -> Self:
        """Whose occurrence may begin more uploads."""
        return self.filter(taken__lt=models.F("max_uploads"))

    def ended(self, now: datetime) -> Self:
        """Switched on, with an occurrence that is over or has to be found anew; the changed ones first."""
        return self.active().filter(closes_at__lte=now).order_by("closes_at")


class UploadSlot(models.Model):
    """A weekly window of one person at one destination."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="upload_slots")
    destination = models.ForeignKey(Destination, on_delete=models.PROTECT, related_name="upload_slots")
    day = models.CharField(max_length=20, choices=Day)
    start_time = models.TimeField()
    end_time = models.TimeField(
        help_text="Still open in this second; earlier than the start: on the next day"
    )
    max_uploads = models.PositiveIntegerField(
        "limit", default=1, validators=[MinValueValidator(1)], help_text="Uploads in one occurrence"
    )
    slot_name = models.CharField("name", max_length=50, blank=True)
    is_active = models.BooleanField("active", default=True, help_text="Switched off: nothing new starts")
    time_zone = models.CharField(
        max_length=64, default=slot_time_zone, help_text="Whose clock the times are of"
    )
    # The clock's own columns: the occurrence that is open or comes next, and its count.
    occurs_on = models.DateField(null=True, editable=False)
    opens_at = models.DateTimeField(default=LONG_AGO, editable=False)
    closes_at = models.DateTimeField(default=LONG_AGO, editable=False)
    taken = models.PositiveIntegerField(default=0, editable=False)
    # When the clock looks at it next: as it opens; while there is nothing to begin, once a minute.
    look_at = models.DateTimeField(default=LONG_AGO, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = UploadSlotQuerySet.as_manager()

    class Meta:
        db_table = "upload_schedules"
        verbose_name = "weekly window"
        ordering = ("user_id", "destination_id", "start_time", "id")
        constraints = (
            # One row per window: it is what an import finds a window by. Serves the windows of a person.
            models.UniqueConstraint(
                fields=["user", "destination", "day", "start_time", "end_time", "time_zone"],
                name="upload_slot_once",
                violation_error_message="This window is there already. Change its limit instead.",
            ),
            models.CheckConstraint(
                condition=models.Q(max_uploads__gte=1),
                name="upload_slot_limit",
                violation_error_message="A window takes at least one upload. To stop it, switch it off.",
            ),
            models.CheckConstraint(
                condition=models.Q(day__in=Day.values),
                name="upload_slot_day",
                violation_error_message="The day is one of monday to sunday.",
            ),
        )
        indexes = (
            # The clock: windows to look at, however many there are, open or not, full or with nothing to begin.
            models.Index(
                fields=["look_at"],
                condition=models.Q(is_active=True, taken__lt=models.F("max_uploads")),
                name="upload_slot_due",
            ),
            # The clock: windows whose occurrence is over.
            models.Index(fields=["closes_at"], condition=models.Q(is_active=True), name="upload_slot_ended"),
        )

    def __str__(self) -> str:
        return f"{self.times} → {self.destination}"

    @property
    def times(self) -> str:
        """“Monday 09:00–11:59 morning”."""
        name = f" {self.slot_name}" if self.slot_name else ""
        return f"{self.get_day_display()} {self.start_time:%H:%M}–{self.end_time:%H:%M}{name}"

    def clean(self) -> None:
        """Raises ValidationError for a zone or times that make no window, and where no videos go."""
        if self.destination_id and not self.destination.is_for_videos:
            takes = "packages" if self.destination.is_storage else "posts"
            raise ValidationError({"destination": f"{self.destination} takes {takes}, no whole videos."})
        if self.day in Day.values and self.start_time and self.end_time and (why := self.nonsense):
            raise ValidationError(why)

    def save(self, **options: Any) -> None:
        """Save what people edit; the count is the clock's own, which also finds the occurrence anew."""
        self.closes_at = LONG_AGO
        if not self._state.adding:
            options["update_fields"] = {*(options.get("update_fields") or EDITED), "closes_at", "updated_at"}
        super().save(**options)

    # ---------------------------------------------------------------- questions

    @property
    def window(self) -> Window:
        """What the pure rules of time need of it. Raises WindowError."""
        return Window(
            self.day, self.start_time, self.end_time, self.time_zone,
            limit=self.max_uploads, key=self.pk.int, name=self.slot_name,
        )  # fmt: skip

    @property
    def nonsense(self) -> str:
        """Why its times make no window; empty: they do."""
        try:
            _ = self.window
        except WindowError as error:
            return str(error)
        return ""

    @property
    def occurrence(self) -> Occurrence | None:
        """The occurrence its count is of, as the clock found it; None: it has yet to."""
        if self.occurs_on is None or self.closes_at == LONG_AGO:
            return None
        return Occurrence(self.window, self.occurs_on, self.opens_at, self.closes_at)

    @property
    def room(self) -> int:
        """Uploads that its occurrence may still begin."""
        return max(self.max_uploads - self.taken, 0)

    # ---------------------------------------------------------------- verbs

    def take(self, count: int, *, now: datetime) -> bool:
        """Count `count` uploads to the open occurrence; false when it is over, switched off or has no such room."""
        found = UploadSlot.objects.open(now).filter(
            pk=self.pk, occurs_on=self.occurs_on, taken__lte=models.F("max_uploads") - count
        )
        if found.update(taken=models.F("taken") + count) != 1:
            return False
        self.taken += count
        return True

    def switch(self, *, on: bool, who: str, now: datetime, why: str = "") -> bool:
        """Switch it on or off; false when it was so already."""
        with transaction.atomic():
            changed = UploadSlot.objects.filter(pk=self.pk, is_active=not on)
            if not changed.update(is_active=on, closes_at=LONG_AGO, updated_at=now):
                return False
            events.record(self, "switched_on" if on else "switched_off", now=now, who=who, why=why)
        self.is_active = on
        return True


# What people write; everything else on the row is the clock's.
EDITED = (
    "user", "destination", "day", "start_time", "end_time", "max_uploads", "slot_name", "is_active", "time_zone",
)  # fmt: skip


class SlotOccurrence(models.Model):
    """How many uploads a window began on an earlier date; the count of the present one stands on the window."""

    slot = models.ForeignKey(UploadSlot, on_delete=models.CASCADE, related_name="occurrences", db_index=False)
    on = models.DateField()
    taken = models.PositiveIntegerField()
    max_uploads = models.PositiveIntegerField("limit")

    class Meta:
        constraints = (
            # One count per window and date; serves the look-up of both.
            models.UniqueConstraint(fields=["slot", "on"], name="slot_occurrence_once"),
        )

    def __str__(self) -> str:
        return f"{self.slot} on {self.on}: {self.taken} of {self.max_uploads}"


def look_again(user_id: int, destination_id: int) -> None:
    """Something waits in that line: its windows need not be at rest. One that is missed is looked at in a minute."""
    windows = UploadSlot.objects.active().filter(user=user_id, destination=destination_id)
    resting = windows.filter(look_at__gt=models.F("opens_at")).order_by("pk")
    with transaction.atomic():
        # In one order: two that lock the same rows in different ones would wait for each other.
        found = list(resting.select_for_update().values_list("pk", flat=True))
        if found:
            UploadSlot.objects.filter(pk__in=found).update(look_at=models.F("opens_at"))


def give_back(slot_id: uuid.UUID | None, on: date | None) -> None:
    """One upload of that window's occurrence has failed: another may begin in its place."""
    if slot_id is None or on is None:
        return
    # First where the count of the present occurrence stands: when that one is being rolled on, this waits for it.
    for counts in (
        UploadSlot.objects.filter(pk=slot_id, occurs_on=on),
        SlotOccurrence.objects.filter(slot=slot_id, on=on),
    ):
        if counts.filter(taken__gt=0).update(taken=models.F("taken") - 1):
            return
