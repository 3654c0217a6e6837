"""Putting series on the hourly queue of a destination, and taking them out again."""

from __future__ import annotations

from datetime import datetime

from django.core.validators import slug_re
from django.db import IntegrityError, transaction
from django.db.models import F, Max

from jobs import events
from schedules.refusals import AlreadyScheduled, NoDestination, NoEpisodes, NotAllReady
from schedules.replanning import changed, plan, planned_head
from schedules.slot_videos import SlotVideo
from schedules.upload_schedules import (
    HourlyQueue,
    OnFailure,
    ScheduledUpload,
    Status,
    UploadSchedule,
)
from uploader.catalog import Episode, Series, unready
from uploader.destinations import Destination
from uploader.upload_jobs import UploadJob

BATCH = 500


def schedule_series(
    series: Series,
    destination: Destination,
    *,
    who: str,
    now: datetime,
    on_failure: str = OnFailure.SKIP,
) -> list[ScheduledUpload]:
    """Put every episode that is not there yet into the line, behind what waits. Returns the new rows.

    Raises NotAllReady (nothing is scheduled), AlreadyScheduled, NoDestination for one that takes no videos.
    """
    refuse_for_posts(destination)
    episodes = list(
        series.episodes.select_related("series", "season").order_by("season__number", "index_sequence")
    )
    wanted = without_delivered(episodes, destination)
    if not episodes:
        raise NoEpisodes(f"{series.title} has no episodes yet. Import them, then schedule the series.")
    if not wanted:
        raise AlreadyScheduled(
            f"All {len(episodes)} episodes of {series.title} are already scheduled or uploaded to {destination}."
        )
    if missing := unready(wanted):
        raise NotAllReady(series, missing)
    try:
        with transaction.atomic():
            return append(series, wanted, destination, who=who, now=now, on_failure=on_failure)
    except IntegrityError as error:
        raise AlreadyScheduled(
            f"{series.title} was scheduled to {destination} by somebody else just now."
        ) from error


def without_delivered(episodes: list[Episode], destination: Destination) -> list[Episode]:
    """Those that neither stand in a line of the destination nor were ever delivered there."""
    ids = [episode.pk for episode in episodes]
    taken = set(
        ScheduledUpload.objects.filter(destination=destination, episode__in=ids).values_list(
            "episode_id", flat=True
        )
    ) | set(
        UploadJob.objects.filter(destination=destination, episode__in=ids)
        .exclude(status__in=("failed", "cancelled"))
        .values_list("episode_id", flat=True)
    )
    # What waits for a weekly window goes that way; what failed there may go this one.
    taken |= set(
        SlotVideo.objects.open()
        .filter(destination=destination, episode__in=ids)
        .values_list("episode_id", flat=True)
    )
    return [episode for episode in episodes if episode.pk not in taken]


def append(
    series: Series,
    episodes: list[Episode],
    destination: Destination,
    *,
    who: str,
    now: datetime,
    on_failure: str,
) -> list[ScheduledUpload]:
    queue = HourlyQueue.locked(destination)
    last_position = UploadSchedule.objects.filter(destination=destination).aggregate(last=Max("position"))[
        "last"
    ]
    schedule, is_new = UploadSchedule.objects.get_or_create(
        series=series,
        destination=destination,
        defaults={
            "position": (last_position or 0) + 1,
            "on_failure": on_failure,
            "created_by": who,
            "created_at": now,
        },
    )
    if not is_new and not schedule.uploads.open().exists():
        # Its earlier episodes are done: new ones go to the end of the line like any new series.
        schedule.position = (last_position or 0) + 1
        schedule.save(update_fields=["position"])
    first = schedule.uploads.aggregate(last=Max("position"))["last"] or 0
    ScheduledUpload.objects.bulk_create(
        [
            ScheduledUpload(
                schedule=schedule, destination=destination, series=series, episode=episode,
                position=first + number, created_at=now, updated_at=now,
            )
            for number, episode in enumerate(episodes, start=1)
        ],
        batch_size=BATCH,
    )  # fmt: skip
    plan(queue, now=now)
    rows = list(schedule.uploads.filter(position__gt=first).order_by("position"))
    ScheduledUpload.objects.filter(pk__in=[row.pk for row in rows]).update(planned_at=F("scheduled_at"))
    events.record(schedule, "scheduled", now=now, who=who, why=f"{len(rows)} episodes")
    events.publish(
        "uploads", "upload_scheduled", {"seriesTitle": series.title, "episodesScheduled": len(rows)}, now=now
    )
    return rows


def unschedule_series(
    series: Series, *, who: str, now: datetime, destination: Destination | None = None
) -> int:
    """Take the series' pending and failed episodes out of the line; completed ones stay. Returns how many."""
    removed = 0
    schedules = UploadSchedule.objects.filter(series=series).select_related("destination", "series")
    if destination is not None:
        schedules = schedules.filter(destination=destination)
    for schedule in schedules:
        with transaction.atomic():
            removed += remove(schedule, who=who, now=now)
    return removed


def remove(schedule: UploadSchedule, *, who: str, now: datetime) -> int:
    queue = HourlyQueue.locked(schedule.destination)
    head = planned_head(queue)
    leaving = schedule.uploads.filter(status__in=(Status.PENDING, Status.FAILED))
    removed = leaving.filter(is_in_flight=False).delete()[0]
    for row in leaving.filter(is_in_flight=True).select_related("job"):
        if row.job is not None and not row.job.is_waiting:
            continue
        removed += leaving.filter(pk=row.pk).delete()[0]
        if row.job is not None:
            row.job.cancel(who=who, now=now, why="Its series was taken out of the schedule")
    events.record(schedule, "removed", now=now, who=who, why=f"{removed} episodes")
    if not schedule.uploads.exists():
        schedule.delete()
    plan(queue, now=now, head=head)
    changed(schedule.destination, now=now)
    return removed


def choose_destination(name: str = "") -> Destination:
    """The named destination, else the only one, else `dailymotion`. Raises NoDestination."""
    destinations = Destination.objects.for_videos()
    if name:
        # What is no slug is no name; a database may not even bear being asked for it.
        found = Destination.objects.filter(name=name).first() if slug_re.match(name) else None
        if found is None:
            readable = name[:100].encode("utf-8", "backslashreplace").decode()
            raise NoDestination(f"There is no destination “{readable}”.")
        refuse_for_posts(found)
        return found
    found = destinations.filter(name="dailymotion").first() or destinations.order_by("pk").first()
    if found is None:
        raise NoDestination(
            "No destination is set up. Add one in the admin, or put DAILYMOTION_API_KEY and "
            "DAILYMOTION_API_SECRET into .env and restart."
        )
    return found


def refuse_for_posts(destination: Destination) -> None:
    """Raises NoDestination for a destination that takes posts, or packages."""
    if destination.is_storage:
        raise NoDestination(f"{destination} is a storage of packages. Choose a Dailymotion destination.")
    if destination.is_for_posts:
        raise NoDestination(
            f"{destination} takes posts on social accounts, no whole videos. Choose a Dailymotion destination."
        )
