"""The parts a film is encoded in. Each is claimed and done by itself, by any worker of the lane."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models

from jobs.claiming import TrackedJobQuerySet, claim_index, lease_index
from jobs.lifecycle import Status, TrackedJob

if TYPE_CHECKING:
    from jobs.running import Run


class TranscodePieceQuerySet(TrackedJobQuerySet["TranscodePiece"]):
    def claimable(self, now: datetime) -> Self:
        """Pieces of films that are being made: without its job, or beside a cancelled one, none is begun."""
        return super().claimable(now).filter(job__status=Status.ACTIVE, job__cancel_requested_at=None)


class TranscodePiece(TrackedJob):
    """One part of a film, encoded to every rung of its ladder in one decode.

    It has a single try: what it fails with is its film's failure, and the film's next attempt takes it up again.
    """

    lane = "transcode"

    job = models.ForeignKey(
        "uploader.TranscodeJob", on_delete=models.CASCADE, related_name="pieces", db_index=False
    )
    number = models.PositiveIntegerField(editable=False)
    # Frames of the fixed grid; no count: to the end of the film.
    first_frame = models.BigIntegerField(default=0, editable=False)
    frame_count = models.BigIntegerField(null=True, blank=True, editable=False)
    has_video = models.BooleanField(default=True, editable=False)
    has_audio = models.BooleanField(default=False, editable=False)
    frames_done = models.BigIntegerField(default=0, editable=False)
    frames_per_second = models.FloatField(default=0, editable=False)
    max_attempts = models.PositiveIntegerField(default=1)

    objects = TranscodePieceQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ("job_id", "number")
        constraints = (
            # Serves the pieces of a job in order.
            models.UniqueConstraint(fields=["job", "number"], name="transcode_piece_once"),
        )
        indexes = (
            claim_index("transcode_piece_claim"),
            lease_index("transcode_piece_lease"),
        )

    def __str__(self) -> str:
        return f"Piece {self.number + 1} of transcoding {self.job_id}"

    def perform(self, run: Run) -> None:
        from uploader.transcoding.encoding import encode_piece

        encode_piece(self, run)
