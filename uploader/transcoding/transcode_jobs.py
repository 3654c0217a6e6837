"""Transcode jobs: one film or episode on its way to an HLS package."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, models, transaction

from jobs.claiming import claim_index, lease_index
from jobs.lifecycle import Status
from jobs.tending import TendedJob, cause_index, created_index, listed_index
from uploader.catalog import Episode, Film

if TYPE_CHECKING:
    from jobs.running import Run


class Stage(models.TextChoices):
    """What an active job is at, in this order; each takes its share of the progress."""

    PROBING = "probing", "Probing"  # what is in the file
    SPLITTING = "splitting", "Splitting"  # into pieces, for films that are long
    TRANSCODING = "transcoding", "Transcoding"  # each piece to every rung
    MERGING = "merging", "Merging"  # the pieces of a rung to segments
    PACKAGING = "packaging", "Packaging"  # sound, subtitles, the master playlist


# Where a stage begins, in percent of the whole job; encoding is nearly all of the work.
STAGE_BEGINS = {
    Stage.PROBING: 0,
    Stage.SPLITTING: 1,
    Stage.TRANSCODING: 2,
    Stage.MERGING: 95,
    Stage.PACKAGING: 98,
}


class AlreadyUnderWay(Exception):
    """The video is being transcoded already."""


def new_job_id() -> str:
    return f"transcode-{secrets.token_hex(8)}"


def new_client_id() -> str:
    return f"client-{secrets.token_hex(8)}"


class TranscodeJob(TendedJob):
    """One film or episode being made into an HLS package, and what was found and made on the way."""

    lane = "transcode"
    amount_field = "duration_seconds"

    job_id = models.CharField(max_length=40, unique=True, default=new_job_id, editable=False)
    # Whose page hears of it; every retry takes a fresh one.
    client_id = models.CharField(max_length=40, default=new_client_id, editable=False)

    film = models.ForeignKey(
        Film, null=True, blank=True, on_delete=models.SET_NULL, related_name="transcode_jobs"
    )
    episode = models.ForeignKey(
        Episode, null=True, blank=True, on_delete=models.SET_NULL, related_name="transcode_jobs"
    )
    resource_name = models.CharField(max_length=255, editable=False)
    source_path = models.CharField(max_length=500, editable=False, help_text="Relative to the library folder")
    source_fingerprint = models.CharField(max_length=100, blank=True, editable=False)

    # What probing found (`sources.Source`) and what is made of it (`ladder.Rung`), as JSON.
    source = models.JSONField(default=dict, blank=True, editable=False)
    ladder = models.JSONField(default=list, blank=True, editable=False)
    duration_seconds = models.FloatField(null=True, blank=True, editable=False)

    # Percent of the present stage; frames of the pieces; frames a second at present.
    stage_progress = models.PositiveSmallIntegerField(default=0, editable=False)
    frames_total = models.BigIntegerField(default=0, editable=False)
    frames_done = models.BigIntegerField(default=0, editable=False)
    frames_per_second = models.FloatField(default=0, editable=False)
    pieces_total = models.PositiveIntegerField(default=0, editable=False)
    pieces_done = models.PositiveIntegerField(default=0, editable=False)

    # The finished package: below TRANSCODE_ROOT.
    package_path = models.CharField(max_length=300, blank=True, editable=False)
    # When its folder here was removed, all of it being in the storage.
    package_removed_at = models.DateTimeField(null=True, blank=True, editable=False)
    package_bytes = models.BigIntegerField(default=0, editable=False)
    package_files = models.PositiveIntegerField(default=0, editable=False)
    subtitle_languages = models.JSONField(default=list, blank=True, editable=False)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(episode=None) | models.Q(film=None), name="transcode_job_one_video"
            ),
            # A video is transcoded by one job at a time.
            models.UniqueConstraint(
                fields=["episode"],
                condition=models.Q(status__in=[Status.WAITING, Status.ACTIVE]),
                name="transcode_job_episode_once",
            ),
            models.UniqueConstraint(
                fields=["film"],
                condition=models.Q(status__in=[Status.WAITING, Status.ACTIVE]),
                name="transcode_job_film_once",
            ),
        )
        indexes = (
            claim_index("transcode_job_claim"),
            lease_index("transcode_job_lease"),
            # The list of jobs by state, newest first.
            models.Index(fields=["status", "-id"], name="transcode_job_status"),
            listed_index("transcode_job_listed"),
            listed_index("transcode_job_error", "error_kind"),
            cause_index("transcode_job_cause"),
            created_index("transcode_job_created"),
        )

    def __str__(self) -> str:
        return f"Transcoding {self.pk} of “{self.resource_name}”"

    # ---------------------------------------------------------------- what it is about

    @property
    def video(self) -> Episode | Film | None:
        """What is transcoded; None when it was deleted from the catalog."""
        return self.episode or self.film

    @property
    def resource_type(self) -> str:
        return "film" if self.film_id else "episode" if self.episode_id else ""

    @property
    def resource_id(self) -> int | None:
        return self.film_id or self.episode_id

    @property
    def filename(self) -> str:
        return PurePosixPath(self.source_path).name

    @property
    def labels(self) -> list[str]:
        """The labels of its ladder, the largest first: UHD, FHD, HD, SD."""
        return [rung["label"] for rung in self.ladder]

    @property
    def resolution(self) -> str:
        """Of the source, as shown: "1920×1080"."""
        found = self.source
        return f"{found['width']}×{found['height']}" if found else ""

    @property
    def seconds_left(self) -> float | None:
        """Encoding time left at the present speed; None while unknown."""
        if self.frames_per_second <= 0:
            return None
        return max(0, self.frames_total - self.frames_done) / self.frames_per_second

    @property
    def package_root(self) -> Path | None:
        """The folder of the finished package, also when that was removed; None while there is none."""
        return Path(settings.TRANSCODE_ROOT) / self.package_path if self.package_path else None

    # ---------------------------------------------------------------- its life

    def perform(self, run: Run) -> None:
        from uploader.transcoding.making import make_package

        make_package(self, run)

    def retry_delay(self, failures: int) -> timedelta:
        """TRANSCODE_RETRY_SECONDS after the first failure, twice as long after each further one."""
        return timedelta(seconds=settings.TRANSCODE_RETRY_SECONDS * 2 ** max(failures - 1, 0))

    def retry(self, *, who: str, now: datetime, attempts: int | None = None) -> None:
        """FAILED | CANCELLED → WAITING, under a fresh client id; what it is about stays as it was."""
        with transaction.atomic():
            super().retry(who=who, now=now, attempts=attempts)
            self.client_id = new_client_id()
            type(self)._base_manager.filter(pk=self.pk).update(client_id=self.client_id)

    def complete(self, *, now: datetime) -> None:
        """ACTIVE → COMPLETED; whoever waits for the package hears of it in the same transaction."""
        from uploader.transcoding.packages import Package, package_ready

        root = self.package_root
        package = Package.load(root) if root else None
        with transaction.atomic():
            super().complete(now=now)
            if package is not None:
                package_ready.send(sender=TranscodeJob, package=package, job=self)


class TranscodeLog(models.Model):
    """What ffmpeg was told and what it said, once per run of it."""

    job = models.ForeignKey(TranscodeJob, models.CASCADE, related_name="logs", db_index=False)
    attempt = models.PositiveIntegerField()
    stage = models.CharField(max_length=16, choices=Stage)
    piece = models.PositiveIntegerField(null=True, blank=True, help_text="Counted from 0")
    command = models.TextField()
    exit_code = models.IntegerField(null=True, blank=True, help_text="Negative: the signal that ended it")
    text = models.TextField(blank=True)
    seconds = models.FloatField(default=0)
    at = models.DateTimeField()

    class Meta:
        ordering = ("-attempt", "id")
        indexes = (
            # The logs of a job, attempts newest first.
            models.Index(fields=["job", "-attempt", "id"], name="transcode_log_job"),
        )

    def __str__(self) -> str:
        return f"{self.job}, attempt {self.attempt}, {self.stage}"


def create_transcode(video: Episode | Film, *, now: datetime) -> TranscodeJob:
    """A waiting job for `video`. Raises AlreadyUnderWay."""
    of: dict[str, Any] = {"episode": video} if isinstance(video, Episode) else {"film": video}
    job = TranscodeJob(
        **of, resource_name=str(video)[:255], source_path=video.path,
        max_attempts=settings.UPLOAD_MAX_RETRIES, not_before_at=now, created_at=now, updated_at=now,
    )  # fmt: skip
    try:
        with transaction.atomic():
            job.save(force_insert=True)
    except IntegrityError as error:
        running = TranscodeJob.objects.unfinished().filter(**of).values_list("pk", flat=True).first()
        raise AlreadyUnderWay(f"{video.subject} is being transcoded already, by job {running}.") from error
    return job
