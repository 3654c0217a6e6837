"""History in words: what happened to uploads, series and destinations, as an operator would say it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db.models import Max, Q, QuerySet

from jobs.events import Event, subject_of
from schedules.slot_videos import SlotVideo
from schedules.upload_schedules import HourlyQueue, ScheduledUpload, UploadSchedule
from schedules.upload_slots import UploadSlot
from uploader.catalog import Film
from uploader.destinations import Destination
from uploader.upload_jobs import UploadJob

# (tone, words) by what happened; {why} is the event's own sentence.
WORDS: dict[str, tuple[str, str]] = {
    "scheduled": ("plain", "put on the schedule"),
    "started": ("busy", "started"),
    "claimed": ("busy", "taken by a worker"),
    "went_on": ("busy", "goes on"),
    "parked": ("plain", "waits for the platform"),
    "released": ("plain", "handed back by a worker that stops"),
    "rescued": ("warn", "taken back from a worker that stopped answering"),
    "attempt_failed": ("warn", "attempt failed"),
    "failed": ("warn", "failed"),
    "held": ("warn", "held"),
    "skipped": ("bad", "skipped"),
    "cancelled": ("plain", "cancelled"),
    "cancel_requested": ("plain", "is being stopped"),
    "completed": ("good", "published"),
    "reopened": ("plain", "back in the line"),
    "retried": ("plain", "retried"),
    "woken": ("plain", "woken up"),
    "expedited": ("plain", "put in front"),
    "paused": ("warn", "paused"),
    "resumed": ("good", "resumed"),
    "removed": ("plain", "taken off the schedule"),
    "policy_changed": ("plain", "failure policy changed"),
    "reordered": ("plain", "put in another order"),
    "shifted": ("warn", "plan moved"),
    "healthy": ("good", "works again"),
    "tested": ("plain", "tested"),
    "added": ("plain", "put in the line"),
    "taken": ("busy", "taken by a window"),
    "waits": ("warn", "waits for its next try"),
    "delivered": ("good", "delivered"),
    "moved": ("plain", "moved in the line"),
    "priority": ("plain", "priority changed"),
    "switched_on": ("good", "switched on"),
    "switched_off": ("warn", "switched off"),
    "window_added": ("plain", "window made"),
    "window_changed": ("plain", "window changed"),
}
# How far back the newest history is looked for between live messages.
LOOK_BACK_IDS = 20_000

RELATED: dict[str, tuple[str, ...]] = {
    "schedules.scheduledupload": ("episode__series", "episode__season", "destination"),
    "schedules.uploadschedule": ("series", "destination"),
    "schedules.hourlyqueue": ("destination",),
    "schedules.slotvideo": ("film", "episode__series", "episode__season"),
    "schedules.uploadslot": ("destination",),
    "uploader.uploadjob": ("destination",),
    "uploader.destination": (),
}


@dataclass(frozen=True)
class Told:
    """One event as a line to read."""

    at: datetime
    # plain | busy | good | warn | bad
    tone: str
    subject: str
    what: str
    why: str
    who: str


def recent(limit: int) -> list[Told]:
    """The newest events of the hourly queue and what belongs to it, newest first."""
    newest = Event.objects.aggregate(newest=Max("id"))["newest"] or 0
    rows = Event.objects.filter(id__gt=newest - LOOK_BACK_IDS, subject_type__in=RELATED).filter(
        # An episode's own history already tells what its job goes through.
        ~Q(subject_type="uploader.uploadjob") & ~Q(type="went_on")
    )
    return tell(rows.order_by("-id")[:limit])


def of_upload(row: ScheduledUpload | SlotVideo, limit: int = 40) -> list[Told]:
    """What happened to one scheduled episode, or one video of a line, and its job, newest first."""
    mine = Q(**subject_of(row))
    if row.job_id:
        mine |= Q(subject_type=UploadJob._meta.label_lower, subject_id=str(row.job_id))
    rows: QuerySet[Event] = Event.objects.filter(mine).order_by("-id")[: limit * 2]
    told = tell(rows)
    seen: set[tuple[str, str]] = set()
    kept = []
    for line in told:
        # A job and its row say the same thing in the same moment: once is enough.
        key = (f"{line.at:%Y%m%d%H%M%S}", line.what)
        if key not in seen:
            seen.add(key)
            kept.append(line)
    return kept[:limit]


def tell(rows: Iterable[Event]) -> list[Told]:
    """The events in words; one query for each kind of subject."""
    found = list(rows)
    names = subjects(found)
    return [in_words(event, names.get((event.subject_type, event.subject_id), "")) for event in found]


def subjects(found: list[Event]) -> dict[tuple[str, str], str]:
    ids: dict[str, set[str]] = defaultdict(set)
    for event in found:
        ids[event.subject_type].add(event.subject_id)
    names = {}
    for label, wanted in ids.items():
        if label in RELATED:
            rows: Any = (
                apps.get_model(label)._base_manager.select_related(*RELATED[label]).filter(pk__in=wanted)
            )
            names.update({(label, str(row.pk)): name_of(row) for row in rows})
    return names


def name_of(row: Any) -> str:
    if isinstance(row, ScheduledUpload):
        return str(row.episode)
    if isinstance(row, UploadSchedule):
        return row.series.title
    if isinstance(row, SlotVideo):
        return str(row.video)
    if isinstance(row, HourlyQueue):
        return str(row.destination)
    if isinstance(row, UploadJob | Film):
        return row.title
    return str(row) if isinstance(row, Destination | UploadSlot) else ""


def in_words(event: Event, subject: str) -> Told:
    tone, what = WORDS.get(event.type, ("plain", event.type.replace("_", " ")))
    return Told(event.at, tone, subject or "A removed series", what, event.why, person(event.who))


def person(who: str) -> str:
    """The name of a person who did something; processes are not named."""
    return "" if ":" in who or who in ("schedule", "recovery", "policy", "clock", "windows") else who
