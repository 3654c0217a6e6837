"""What people decide about windows and blackouts: each is one write, one event, and a word to open pages."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from jobs import events
from schedules import slot_clock
from schedules.blackouts import Blackout
from schedules.slot_line import changed
from schedules.upload_slots import UploadSlot
from uploader.destinations import Destination


def save_window(slot: UploadSlot, *, who: str, now: datetime) -> None:
    """Save a window that was checked; the clock goes by it from its next pass on."""
    with transaction.atomic():
        type_ = "window_added" if slot._state.adding else "window_changed"
        left = UploadSlot.objects.filter(pk=slot.pk).exclude(destination=slot.destination_id).first()
        slot.save()
        slot_clock.roll_on(now, only=[slot.pk])
        events.record(slot, type_, now=now, who=who, why=f"{slot.max_uploads} at most")
        for destination in {slot.destination, left.destination} if left else {slot.destination}:
            changed(destination, now=now)


def delete_window(slot: UploadSlot, *, who: str, now: datetime) -> None:
    """Delete a window; what it has begun goes on, and what it did stays in the history of its videos."""
    with transaction.atomic():
        events.record(slot, "window_deleted", now=now, who=who, why=str(slot))
        slot.delete()
        changed(slot.destination, now=now)


def save_blackout(blackout: Blackout, *, who: str, now: datetime) -> None:
    with transaction.atomic():
        type_ = "blackout_added" if blackout._state.adding else "blackout_changed"
        blackout.save()
        events.record(blackout, type_, now=now, who=who, why=str(blackout))
        told_everywhere(now)


def delete_blackout(blackout: Blackout, *, who: str, now: datetime) -> None:
    with transaction.atomic():
        events.record(blackout, "blackout_deleted", now=now, who=who, why=str(blackout))
        blackout.delete()
        told_everywhere(now)


def told_everywhere(now: datetime) -> None:
    for destination in Destination.objects.filter(upload_slots__isnull=False).distinct():
        changed(destination, now=now)
