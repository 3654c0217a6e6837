"""What people do with the line of videos that wait for weekly windows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models import Max, Q

from jobs import events, runner
from jobs.errors import ErrorKind, LostRace
from schedules.refusals import Refused
from schedules.scheduling import refuse_for_posts
from schedules.slot_jobs import give_jobs
from schedules.slot_videos import SlotVideo, Status
from schedules.upload_schedules import OPEN as ON_THE_QUEUE
from schedules.upload_schedules import ScheduledUpload
from schedules.upload_slots import look_again
from uploader.catalog import Episode, Film
from uploader.destinations import Destination
from uploader.upload_jobs import UploadJob

Video = Episode | Film
# Between two neighbours of the line: so often a video can be put between the same two before places are given anew.
GAP = 1 << 20


class Added(NamedTuple):
    """What became of the videos that somebody wanted in the line: the rows, and why the others are none."""

    rows: list[SlotVideo]
    refused: list[tuple[Video, str]]


def add_videos(
    videos: Sequence[Video],
    *,
    user: AbstractBaseUser,
    destination: Destination,
    who: str,
    now: datetime,
    priority: int = 0,
    before: SlotVideo | None = None,
) -> Added:
    """Put videos at the end of a person's line, or before one that waits there; those that may not are told.

    Looks at each file. A video stands in one line of a destination, never goes to one where it was delivered,
    where it is being uploaded or where the hourly queue will bring it. Raises Refused when somebody adds the
    same at this moment, NoDestination for a destination that takes posts.
    """
    refuse_for_posts(destination)
    refused = why_not(videos, destination)
    for video in videos:
        if video not in refused and (why := video.readiness(now)):
            refused[video] = why
    wanted = [video for video in dict.fromkeys(videos) if video not in refused]
    try:
        with transaction.atomic():
            rows = append(wanted, user, destination, who=who, now=now, priority=priority, before=before)
    except IntegrityError as error:
        raise Refused(
            "Somebody else added some of these videos just now. Look again, then add the rest."
        ) from error
    return Added(rows, list(refused.items()))


def why_not(videos: Iterable[Video], destination: Destination) -> dict[Video, str]:
    """Which of the videos may not be put in a line of the destination, and why; three queries."""
    asked = {key_of(video): video for video in videos}
    mine = of_videos(asked)
    reasons: dict[Video, str] = {}
    for row in SlotVideo.objects.filter(mine, destination=destination).select_related("user"):
        place = f"the line of {row.user.get_username()} for {destination}"
        reasons[asked[key_of(row)]] = (
            f"It was delivered to {destination} from {place}." if row.status == Status.SUCCESS
            else f"It stands in {place} already ({row.get_status_display().lower()})."
        )  # fmt: skip
    jobs = UploadJob.objects.filter(mine, destination=destination).exclude(status__in=("failed", "cancelled"))
    for job in jobs.order_by("pk"):
        done = job.status == "completed"
        reasons.setdefault(
            asked[key_of(job)],
            f"It was delivered to {destination} by upload {job.pk}." if done
            else f"Upload {job.pk} is bringing it to {destination}.",
        )  # fmt: skip
    episodes = [video.pk for video in asked.values() if isinstance(video, Episode)]
    queued = ScheduledUpload.objects.filter(
        destination=destination, episode__in=episodes, status__in=ON_THE_QUEUE
    )
    for episode in queued.values_list("episode_id", flat=True):
        reasons.setdefault(
            asked[(episode, None)],
            f"It stands in the hourly queue of {destination}. Take its series out of it first.",
        )
    return reasons


def key_of(row: Any) -> tuple[int | None, int | None]:
    """The ids of a row's episode and film; of a video, its own."""
    if isinstance(row, Episode):
        return row.pk, None
    if isinstance(row, Film):
        return None, row.pk
    return row.episode_id, row.film_id


def of_videos(keys: Iterable[tuple[int | None, int | None]]) -> Q:
    """Rows about these videos."""
    found = list(keys)
    return Q(episode__in=[key[0] for key in found if key[0]]) | Q(
        film__in=[key[1] for key in found if key[1]]
    )


def append(
    videos: Sequence[Video],
    user: AbstractBaseUser,
    destination: Destination,
    *,
    who: str,
    now: datetime,
    priority: int,
    before: SlotVideo | None,
) -> list[SlotVideo]:
    if not videos:
        return []
    last = SlotVideo.objects.filter(user=user.pk, destination=destination).aggregate(last=Max("position"))[
        "last"
    ]
    rows = SlotVideo.objects.bulk_create(
        [
            SlotVideo(
                user_id=user.pk, destination=destination, priority=priority, position=(last or 0) + GAP * number,
                episode=video if isinstance(video, Episode) else None,
                film=video if isinstance(video, Film) else None,
                added_by=who, created_at=now, updated_at=now,
            )
            for number, video in enumerate(videos, start=1)
        ],
        batch_size=500,
    )  # fmt: skip
    events.record_many(rows, "added", now=now, new=Status.INITIATE, who=who)
    look_again(user.pk, destination.pk)
    if before is not None:
        move(rows, before=before, who=who, now=now)
    changed(destination, now=now)
    return rows


def remove_videos(rows: Iterable[SlotVideo], *, who: str, now: datetime) -> int:
    """Take videos out of the line that wait or have failed; what is under way or delivered stays. Returns how many."""
    removed = 0
    with transaction.atomic():
        for row in rows:
            leaving = SlotVideo.objects.filter(pk=row.pk, status__in=(Status.INITIATE, Status.FAILED))
            if leaving.delete()[0]:
                events.record(row, "removed", now=now, old=row.status, who=who, why=str(row))
                removed += 1
                changed(row.destination, now=now)
    return removed


# -------------------------------------------------------------------- order


def move(rows: Sequence[SlotVideo], *, before: SlotVideo | None, who: str, now: datetime) -> None:
    """Put waiting videos of one line before another of its videos; None: at its end. They take its priority.

    Raises Refused when one of them no longer waits, or they are not of one line.
    """
    with transaction.atomic():
        line = locked_line(rows if before is None else [*rows, before])
        moving = {row.pk for row in rows}
        others = [row for row in line if row.pk not in moving]
        at = len(others)
        if before is not None:
            at = next((place for place, row in enumerate(others) if row.pk == before.pk), -1)
            if at < 0:
                raise Refused(f"{before.video} cannot be put before itself.")
        place_between(
            others[at - 1] if at else None, rows, others[at] if at < len(others) else None, others, at
        )
        for row in rows:
            events.record(
                row, "moved", now=now, who=who, why=f"before {before.video}" if before else "to the end"
            )
        changed(rows[0].destination, now=now)


def place_between(
    left: SlotVideo | None,
    rows: Sequence[SlotVideo],
    right: SlotVideo | None,
    others: list[SlotVideo],
    at: int,
) -> None:
    """Give `rows` places between two neighbours; where no gap is left the whole line is placed anew."""
    beside = right or left
    priority = beside.priority if beside else rows[0].priority
    low = left.position if left and left.priority == priority else None
    high = right.position if right else None
    if low is None:
        low = (high or 0) - GAP * (len(rows) + 1)
    step = GAP if high is None else (high - low) // (len(rows) + 1)
    placed = list(rows)
    if step > 0:
        for number, row in enumerate(rows, start=1):
            row.position, row.priority = low + step * number, priority
    else:
        for row in rows:
            row.priority = priority
        placed = [*others[:at], *rows, *others[at:]]
        for number, row in enumerate(placed, start=1):
            row.position = GAP * number
    SlotVideo.objects.bulk_update(placed, ["position", "priority"], batch_size=500)


def reorder(rows: Sequence[SlotVideo], *, who: str, now: datetime) -> None:
    """Let waiting videos of one line stand in this order, in the places they have now among the others.

    Raises Refused when one of them no longer waits, or they are not of one line.
    """
    with transaction.atomic():
        wanted = {row.pk: row for row in rows}
        places = [(row.priority, row.position) for row in locked_line(rows) if row.pk in wanted]
        for row, (priority, position) in zip(wanted.values(), places, strict=True):
            row.priority, row.position = priority, position
        SlotVideo.objects.bulk_update(wanted.values(), ["position", "priority"], batch_size=500)
        for row in rows:
            events.record(row, "reordered", now=now, who=who)
        changed(rows[0].destination, now=now)


def locked_line(rows: Sequence[SlotVideo]) -> list[SlotVideo]:
    """The whole line these videos wait in, locked, in its order; what the clock has hold of is not in it."""
    lines = {(row.user_id, row.destination_id) for row in rows}
    if len(lines) != 1:
        raise Refused("Choose videos that wait in one line: of one person, for one destination.")
    line = list(SlotVideo.objects.line(*lines.pop()).select_for_update())
    if missing := {row.pk: row for row in rows}.keys() - {row.pk for row in line}:
        gone = next(row for row in rows if row.pk in missing)
        raise Refused(f"{gone.video} no longer waits in the line. Look at the line again, then move it.")
    return line


def set_priority(rows: Iterable[SlotVideo], priority: int, *, who: str, now: datetime) -> int:
    """Let waiting videos go before (lower) or after (higher) the rest of their line. Returns how many."""
    changed_rows = 0
    with transaction.atomic():
        for row in rows:
            found = SlotVideo.objects.filter(pk=row.pk, status=Status.INITIATE).exclude(priority=priority)
            if found.update(priority=priority, updated_at=now):
                events.record(row, "priority", now=now, who=who, why=f"{row.priority} → {priority}")
                row.priority = priority
                changed_rows += 1
                changed(row.destination, now=now)
    return changed_rows


# -------------------------------------------------------------------- one video


def retry(row: SlotVideo, *, who: str, now: datetime) -> None:
    """Try a failed video again in the next window with room; one whose upload waits for its next try, at once.

    Raises Refused.
    """
    with transaction.atomic():
        row.refresh_from_db()
        if not row.can_retry:
            raise Refused(
                f"{row.video} is {row.get_status_display().lower()}; only failed videos are retried."
            )
        try:
            if row.status == Status.FAILED:
                row.reopen(who=who, now=now)
            elif row.job is not None:
                row.job.wake(who=who, now=now, why="Retried by hand")
                runner.wake(row.job.lane)
        except LostRace as error:
            raise Refused(f"{row.video} has changed meanwhile. Look again.") from error
        changed(row.destination, now=now)


def cancel(row: SlotVideo, *, who: str, now: datetime) -> None:
    """Stop a video's upload: it ends as failed and can be retried; its place in the window is free. Raises Refused."""
    with transaction.atomic():
        row.refresh_from_db()
        if row.is_waiting:
            raise Refused(f"{row.video} only waits. Take it out of the line instead.")
        if not row.is_in_flight:
            raise Refused(f"{row.video} is not being uploaded.")
        why = f"Cancelled by {who}"
        try:
            if row.job is None:
                row.fail(ErrorKind.CANCELLED, why, now=now, who=who)
            else:
                row.job.cancel(who=who, now=now, why=why)
        except LostRace as error:
            raise Refused(f"{row.video} has finished meanwhile.") from error
        changed(row.destination, now=now)


def upload_now(row: SlotVideo, *, who: str, now: datetime) -> None:
    """Upload a waiting or failed video without a window: no limit counts it, the destination's own rules hold.

    Raises Refused.
    """
    try:
        with transaction.atomic():
            row.refresh_from_db()
            row.expedite(who=who, now=now)
            give_jobs([row], row.destination, now=now)
            changed(row.destination, now=now)
    except (LostRace, IntegrityError) as error:
        row.refresh_from_db()
        raise Refused(
            f"{row.video} is {row.get_status_display().lower()}; only waiting or failed videos can be uploaded now."
        ) from error


def changed(destination: Destination, *, now: datetime) -> None:
    """Tell open pages that windows or their lines look different now."""
    events.publish("queue", "slots_changed", {"destination": destination.name}, now=now)
