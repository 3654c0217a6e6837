"""A video for one occurrence of a window: where in the line it must stand for that, and where it really goes.

A line has an order and no reservations: the first window with a free place takes its head. So a video stands before
everything that goes in the wanted occurrence or later, and what is said is what the forecast then shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from schedules.refusals import Refused
from schedules.slot_forecast import Place
from schedules.slot_videos import SlotVideo
from schedules.upload_slots import UploadSlot
from schedules.windows import Occurrence, in_words


@dataclass(frozen=True)
class Goal:
    """An occurrence of a window of somebody's line, that is not over."""

    slot: UploadSlot
    occurrence: Occurrence

    @classmethod
    def of(cls, text: str, *, user: int, destination: int, now: datetime) -> Goal:
        """From its name in addresses, “window's id:date”. Raises Refused when it is none of this line's, or over."""
        slot_id, _, day = text.partition(":")
        try:
            slot = UploadSlot.objects.get(pk=UUID(slot_id), user=user, destination=destination)
            occurrence = slot.window.occurrence_on(date.fromisoformat(day))
        except (ValueError, UploadSlot.DoesNotExist) as error:
            raise Refused("That window is not one of this line's. Look at the week again.") from error
        if occurrence is None or occurrence.ends_at <= now:
            raise Refused("That window is over. Choose one that is to come.")
        return cls(slot, occurrence)

    def __str__(self) -> str:
        """“morning, Monday 2 March 2026”."""
        day = self.occurrence.date
        return f"{self.slot.slot_name or 'the window'}, {day:%A} {in_words(day)}"

    @property
    def key(self) -> str:
        return f"{self.slot.pk}:{self.occurrence.date.isoformat()}"

    def is_reached_by(self, place: Place) -> bool:
        return (
            place.occurrence.window.key == self.slot.pk.int and place.occurrence.date == self.occurrence.date
        )

    def behind(self, line: Iterable[SlotVideo], placed: Mapping[int, Place]) -> SlotVideo | None:
        """The first video of the line that goes in it, after its start, or nowhere; None: the end of the line."""
        return next((row for row in line if not self._goes_before(placed.get(row.pk))), None)

    def _goes_before(self, place: Place | None) -> bool:
        return place is not None and not self.is_reached_by(place) and place.at < self.occurrence.starts_at

    def told(self, place: Place | None, why: str) -> str:
        """Where a video really goes that was meant for it, in a sentence; `why` it goes nowhere, if so."""
        if place is None:
            return f"It has no window: {why}"
        if self.is_reached_by(place):
            return f"It goes in {self}."
        window = place.occurrence.window
        where = f"{window.name or 'another window'} on {in_words(place.occurrence.date)}"
        if place.at < self.occurrence.starts_at:
            return f"It goes earlier, in {where}: the first window with a free place takes it."
        return f"It goes later, in {where}: something keeps it from going in {self}."
