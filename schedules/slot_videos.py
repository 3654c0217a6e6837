"""The line of seed 002: videos that wait for a weekly window, and what became of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from jobs import events
from jobs.errors import ErrorKind, LostRace
from schedules.upload_slots import UploadSlot, give_back, look_again
from uploader.catalog import Episode, Film
from uploader.destinations import Destination
from uploader.upload_jobs import UploadJob


class Status(models.TextChoices):
    INITIATE = "initiate", "Waiting"  # in the line; the clock takes it when a window has room
    PENDING = (
        "pending",
        "Taken",
    )  # a window's place is its own; a worker moves it on, or it goes back when stale
    UPLOADING = "uploading", "Uploading"  # a worker is at its upload job; the job's outcome moves it on
    SUCCESS = "success", "Delivered"  # published; final
    FAILED = "failed", "Failed"  # given up or cancelled; a person may retry it


IN_FLIGHT = (Status.PENDING, Status.UPLOADING)
OPEN = (Status.INITIATE, *IN_FLIGHT)
LINE_ORDER = ("priority", "position", "id")


class SlotVideoQuerySet(models.QuerySet["SlotVideo"]):
    def line(self, user_id: int | models.OuterRef, destination_id: int | models.OuterRef) -> Self:
        """What waits for the windows of a person at a destination, in the order it goes."""
        waiting = self.filter(user=user_id, destination=destination_id, status=Status.INITIATE)
        return waiting.order_by(*LINE_ORDER)

    def open(self) -> Self:
        """Not finished yet."""
        return self.filter(status__in=OPEN)

    def with_videos(self) -> Self:
        return self.select_related("film", "episode__series", "episode__season")

    def head(self, slot: UploadSlot, limit: int) -> list[SlotVideo]:
        """The first of the slot's line, locked until the transaction ends; what others hold is left to them."""
        line = self.line(slot.user_id, slot.destination_id)
        return list(line.select_for_update(skip_locked=True, of=("self",))[:limit])

    def claim(self, slot: UploadSlot, *, limit: int, now: datetime, who: str = "clock") -> list[SlotVideo]:
        """INITIATE → PENDING for up to `limit` videos of the slot's line, each with a place in its occurrence.

        Nothing when the slot is closed or full, or others have the videos. A video and its place go together.
        """
        with transaction.atomic(savepoint=False):
            return self.take(slot, self.head(slot, min(limit, slot.room)), now=now, who=who)

    def take(
        self, slot: UploadSlot, videos: Sequence[SlotVideo], *, now: datetime, who: str = "clock"
    ) -> list[SlotVideo]:
        """INITIATE → PENDING for these videos, all or none. Call it in the transaction that locked them."""
        if not videos or not slot.take(len(videos), now=now):
            return []
        columns: dict[str, Any] = {
            "status": Status.PENDING, "slot": slot, "occurrence_on": slot.occurs_on, "holds_place": True,
            "taken_at": now, "updated_at": now, "finished_at": None, "error_kind": "", "error_message": "",
        }  # fmt: skip
        waiting = self.filter(pk__in=[video.pk for video in videos], status=Status.INITIATE)
        if waiting.update(**columns) != len(videos):
            raise LostRace("A video of the line was taken by somebody else")
        for video in videos:
            video._take_over(columns)
        why = f"{slot.times} on {slot.occurs_on}"
        events.record_many(
            videos, "taken", now=now, old=Status.INITIATE, new=Status.PENDING, who=who, why=why
        )
        return list(videos)

    def attach(self, videos: Iterable[SlotVideo]) -> None:
        """Write the upload jobs that the videos were given."""
        self.bulk_update(videos, ["job"])

    def stale(self, since: datetime) -> Self:
        """Taken or uploading without a job that is under way, and untouched since then."""
        no_job = models.Q(job=None) | models.Q(job__status__in=("failed", "cancelled", "completed"))
        in_flight = self.filter(taken_at__isnull=False, finished_at=None)
        return in_flight.filter(no_job, updated_at__lt=since).order_by("updated_at")

    def counts(self) -> dict[str, int]:
        """Rows by status, and their total."""
        found = dict(self.order_by().values_list("status").annotate(models.Count("id")))
        return {"total": sum(found.values()), **{status.value: found.get(status, 0) for status in Status}}


class SlotVideo(models.Model):
    """A film or an episode in the line for the windows of one person at one destination."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="slot_videos")
    destination = models.ForeignKey(
        Destination, on_delete=models.PROTECT, related_name="slot_videos", db_index=False
    )
    film = models.ForeignKey(
        Film, null=True, blank=True, on_delete=models.CASCADE, related_name="slot_videos"
    )
    episode = models.ForeignKey(
        Episode, null=True, blank=True, on_delete=models.CASCADE, related_name="slot_videos"
    )
    status = models.CharField(max_length=16, choices=Status, default=Status.INITIATE, editable=False)
    priority = models.SmallIntegerField(default=0, help_text="Lower goes first")
    # Places leave gaps, so that a video can be put between two others without moving anything else.
    position = models.BigIntegerField(editable=False)
    slot = models.ForeignKey(
        UploadSlot, null=True, blank=True, on_delete=models.SET_NULL, related_name="videos",
        editable=False, db_index=False,
    )  # fmt: skip
    occurrence_on = models.DateField(null=True, blank=True, editable=False)
    # Counted to the occurrence it was taken for; a failure gives the place back, once.
    holds_place = models.BooleanField(default=False, editable=False)
    job = models.OneToOneField(
        UploadJob, null=True, blank=True, on_delete=models.SET_NULL, related_name="slot_video", editable=False
    )
    error_kind = models.CharField(max_length=16, choices=ErrorKind, blank=True, editable=False)
    error_message = models.TextField(blank=True, editable=False)
    added_by = models.CharField(max_length=150, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    # Taken and not finished is what is in flight.
    taken_at = models.DateTimeField(null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = SlotVideoQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = "video in line", "videos in line"
        ordering = ("user_id", "destination_id", *LINE_ORDER)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(film=None, episode__isnull=False)
                | models.Q(film__isnull=False, episode=None),
                name="slot_video_one_video",
                violation_error_message="Choose either a film or an episode.",
            ),
            # Never twice: a video stands in one line of a destination.
            models.UniqueConstraint(
                fields=["destination", "film"],
                name="slot_video_film_once",
                violation_error_message="This film stands in a line of the destination already.",
            ),
            models.UniqueConstraint(
                fields=["destination", "episode"],
                name="slot_video_episode_once",
                violation_error_message="This episode stands in a line of the destination already.",
            ),
        )
        indexes = (
            # The clock: the head of a line, however long it is and however many videos are done.
            models.Index(
                fields=["user", "destination", *LINE_ORDER],
                condition=models.Q(status="initiate"),
                name="slot_video_head",
            ),
            # What a window took in one occurrence.
            models.Index(
                fields=["slot", "occurrence_on"],
                condition=models.Q(slot__isnull=False),
                name="slot_video_slot",
            ),
            # Recovery: what is begun and not finished, by its age.
            models.Index(
                fields=["updated_at"],
                condition=models.Q(taken_at__isnull=False, finished_at=None),
                name="slot_video_in_flight",
            ),
            # The list of a state, newest first.
            models.Index(fields=["status", "-id"], name="slot_video_status"),
        )

    def __str__(self) -> str:
        return f"{self.video} → {self.destination}"

    @property
    def video(self) -> Episode | Film:
        found = self.episode or self.film
        assert found is not None  # a constraint of the table
        return found

    @property
    def is_waiting(self) -> bool:
        return self.status == Status.INITIATE

    @property
    def is_in_flight(self) -> bool:
        return self.status in IN_FLIGHT

    @property
    def can_retry(self) -> bool:
        return self.status == Status.FAILED or (
            self.status == Status.PENDING and self.job is not None and self.job.is_waiting
        )

    @property
    def can_expedite(self) -> bool:
        return self.status in (Status.INITIATE, Status.FAILED)

    # ---------------------------------------------------------------- verbs

    def go_on(self, *, now: datetime) -> None:
        """PENDING → UPLOADING: a worker took its job."""
        self._move("started", [Status.PENDING], Status.UPLOADING, now=now)

    def wait(self, kind: str, message: str, *, now: datetime) -> None:
        """UPLOADING → PENDING: its job waits for its next try; the place stays its own."""
        self._move(
            "waits", [Status.UPLOADING], Status.PENDING, now=now, why=message,
            error_kind=kind, error_message=message,
        )  # fmt: skip

    def succeed(self, *, now: datetime, why: str = "") -> None:
        """PENDING | UPLOADING → SUCCESS."""
        self._move(
            "delivered", IN_FLIGHT, Status.SUCCESS, now=now, why=why,
            error_kind="", error_message="", finished_at=now,
        )  # fmt: skip

    def fail(self, kind: str, message: str, *, now: datetime, who: str = "") -> None:
        """PENDING | UPLOADING → FAILED; its place is free again."""
        with transaction.atomic():
            self._move(
                "failed", IN_FLIGHT, Status.FAILED, now=now, who=who, why=message,
                error_kind=kind, error_message=message, finished_at=now,
            )  # fmt: skip
            self.leave_place()

    def release(self, message: str, *, now: datetime) -> None:
        """PENDING | UPLOADING → INITIATE: nobody carries it any more; its place is free again."""
        with transaction.atomic():
            self._move(
                "released", IN_FLIGHT, Status.INITIATE, now=now, why=message,
                error_kind=ErrorKind.LOST_WORKER, error_message=message, taken_at=None,
            )  # fmt: skip
            self.leave_place()
            look_again(self.user_id, self.destination_id)

    def reopen(self, *, who: str, now: datetime) -> None:
        """FAILED → INITIATE: a person wants it tried again, in the next window with room."""
        with transaction.atomic():
            self._move(
                "reopened", [Status.FAILED], Status.INITIATE, now=now, who=who,
                taken_at=None, finished_at=None,
            )  # fmt: skip
            look_again(self.user_id, self.destination_id)

    def expedite(self, *, who: str, now: datetime) -> None:
        """INITIATE | FAILED → PENDING without a window: a person wants it uploaded now, or retried its job."""
        self._move(
            "expedited", [Status.INITIATE, Status.FAILED], Status.PENDING, now=now, who=who,
            slot=None, occurrence_on=None, taken_at=now, finished_at=None, error_kind="", error_message="",
        )  # fmt: skip

    def leave_place(self) -> None:
        """Give the place in the occurrence back, once."""
        if SlotVideo.objects.filter(pk=self.pk, holds_place=True).update(holds_place=False):
            give_back(self.slot_id, self.occurrence_on)
        self.holds_place = False

    def _move(
        self, type_: str, old: Sequence[str], new: str, *, now: datetime, who: str = "", why: str = "",
        **columns: Any,
    ) -> None:  # fmt: skip
        """One guarded UPDATE and one event. Raises LostRace when the row was in none of the states `old`."""
        columns = {"status": new, "updated_at": now, **columns}
        before = self.status
        with transaction.atomic():
            if SlotVideo.objects.filter(pk=self.pk, status__in=old).update(**columns) != 1:
                raise LostRace(f"{self} is no longer {' or '.join(old)}")
            events.record(self, type_, now=now, old=before, new=new, who=who, why=why)
        self._take_over(columns)

    def _take_over(self, columns: dict[str, Any]) -> None:
        for name, value in columns.items():
            setattr(self, name, value)
