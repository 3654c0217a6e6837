"""The weekly windows at this moment, of everybody and everywhere: what the control room shows of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from schedules.blackouts import Blackout, Rule, applied, at_destination
from schedules.slot_videos import SlotVideo, SlotVideoQuerySet, Status
from schedules.upload_slots import UploadSlot, UploadSlotQuerySet

OPEN, COMING, FAILED = 4, 3, 3
# What failed earlier is on the page of the windows; here it would hide what is new.
LATELY = timedelta(days=7)


@dataclass(frozen=True)
class Shown:
    """A window with its present or next occurrence; `blackout` names what keeps anything from starting in it."""

    slot: UploadSlot
    blackout: str

    @property
    def name(self) -> str:
        return self.slot.slot_name or f"{self.slot.get_day_display()} window"


class WindowsNow:
    """What is open, what opens next, what waits and what failed; each is read when it is first asked for."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    @cached_property
    def open(self) -> list[Shown]:
        """The windows that are open, those that close first in front."""
        return self._shown(UploadSlot.objects.open(self.now).order_by("closes_at", "id")[:OPEN])

    @cached_property
    def more_open(self) -> int:
        return UploadSlot.objects.open(self.now).count() - OPEN if len(self.open) == OPEN else 0

    @cached_property
    def coming(self) -> list[Shown]:
        """The windows that open next."""
        later = UploadSlot.objects.active().filter(opens_at__gt=self.now)
        return self._shown(later.order_by("opens_at", "id")[:COMING])

    @cached_property
    def waiting(self) -> int:
        return SlotVideo.objects.filter(status=Status.INITIATE).count()

    @cached_property
    def in_flight(self) -> int:
        return SlotVideo.objects.filter(taken_at__isnull=False, finished_at=None).count()

    @cached_property
    def failed(self) -> list[SlotVideo]:
        """What failed lately, the latest first."""
        rows = self._failed().with_videos().select_related("destination")
        return list(rows.order_by("-finished_at", "-id")[:FAILED])

    @cached_property
    def failed_count(self) -> int:
        return self._failed().count() if self.failed else 0

    @property
    def is_empty(self) -> bool:
        return not (self.open or self.coming or self.waiting or self.in_flight or self.failed)

    def _failed(self) -> SlotVideoQuerySet:
        return SlotVideo.objects.filter(status=Status.FAILED, finished_at__gte=self.now - LATELY)

    def _shown(self, rows: UploadSlotQuerySet) -> list[Shown]:
        found = [slot for slot in rows.select_related("destination", "user") if not slot.nonsense]
        return [Shown(slot, skipped_by(slot, self._rules)) for slot in found]

    @cached_property
    def _rules(self) -> list[Rule]:
        return Blackout.objects.rules()


def skipped_by(slot: UploadSlot, rules: list[Rule]) -> str:
    """The blackout that skips its present or next occurrence; empty: none does."""
    if slot.occurrence is None:
        return ""
    return applied(slot.occurrence, at_destination(rules, slot.destination_id)).blackout
