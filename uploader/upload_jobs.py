"""Upload jobs: one delivery of one thing to one destination."""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models

from jobs.claiming import claim_index, lease_index
from jobs.lifecycle import Status
from jobs.tending import TendedJob, TendedJobQuerySet, cause_index, created_index, listed_index
from uploader import metadata
from uploader.catalog import Episode, Film
from uploader.destinations import Destination

if TYPE_CHECKING:
    from jobs.running import Run


class UploadType(models.TextChoices):
    VIDEO = "video", "Video"  # an episode or a film, to be a video there
    MEDIA = "media", "Media of a post"  # a file that a post will name by its id
    HLS = "hls", "HLS rendition"  # segments and playlist of one rung of a package
    SUBTITLE = "subtitle", "Subtitle"  # the files of one subtitle of a package
    MASTER_PLAYLIST = "master_playlist", "Master playlist"  # what a player opens; last of a package


# The three kinds of job that bring a package to a storage, in the order its files have to be there.
PACKAGE_TYPES = (UploadType.HLS, UploadType.SUBTITLE, UploadType.MASTER_PLAYLIST)
# What they are called by those who watch them, and what they carry.
JOB_TYPES = {
    UploadType.HLS: "upload-hls-to-s3",
    UploadType.SUBTITLE: "upload-subtitle-to-s3",
    UploadType.MASTER_PLAYLIST: "upload-master-playlist",
    UploadType.VIDEO: "upload-video",
    UploadType.MEDIA: "upload-media",
}
CONTENT_TYPES = {
    UploadType.HLS: "video",
    UploadType.SUBTITLE: "subtitle",
    UploadType.MASTER_PLAYLIST: "playlist",
    UploadType.VIDEO: "video",
    UploadType.MEDIA: "video",
}


# What a package's jobs are marked with while it is taken out of its storage, and afterwards.
REMOVING = "removing"
REMOVED = "removed"


def new_client_id() -> str:
    """By it whoever asked for an upload tells its events from others'; each retry has its own."""
    return str(uuid.uuid4())


def new_tag() -> str:
    """A tag no other video has: by it a video whose creation was not answered is found again."""
    return f"vid-{secrets.token_hex(4)}"


class UploadJobQuerySet(TendedJobQuerySet["UploadJob"]):
    def claimable(self, now: datetime) -> Self:
        """Jobs a worker may take at `now`; a workspace gets ONLYSOCIAL_UPLOADS_AT_ONCE of its files at once.

        More of them run into the platform's rate limit. Workers that claim in the very same moment may take
        one too many.
        """
        busy = (
            UploadJob._base_manager.filter(status=Status.ACTIVE, upload_type=UploadType.MEDIA)
            .order_by()
            .values("destination")
            .annotate(at_once=models.Count("pk"))
            .filter(at_once__gte=settings.ONLYSOCIAL_UPLOADS_AT_ONCE)
            .values("destination")
        )
        # A master playlist goes when all of its package has ended; it looks itself how.
        unfinished = UploadJob._base_manager.filter(
            destination=models.OuterRef("destination"),
            package=models.OuterRef("package"),
            status__in=(Status.WAITING, Status.ACTIVE),
        ).exclude(upload_type=UploadType.MASTER_PLAYLIST)
        is_early = models.Q(upload_type=UploadType.MASTER_PLAYLIST) & models.Exists(unfinished)
        return (
            super()
            .claimable(now)
            .exclude(upload_type=UploadType.MEDIA, destination__in=busy)
            .exclude(is_early)
            .exclude(upload_type__in=PACKAGE_TYPES, remote_status=REMOVING)
        )


class UploadJob(TendedJob):
    """One video, or one file of a post, on its way to one destination.

    What the platform already did is remembered step by step.
    """

    lane = "upload"
    amount_field = "bytes_sent"

    destination = models.ForeignKey(Destination, on_delete=models.PROTECT, related_name="upload_jobs")
    upload_type = models.CharField(max_length=16, choices=UploadType, default=UploadType.VIDEO)
    episode = models.ForeignKey(
        Episode, null=True, blank=True, on_delete=models.SET_NULL, related_name="upload_jobs"
    )
    film = models.ForeignKey(
        Film, null=True, blank=True, on_delete=models.SET_NULL, related_name="upload_jobs"
    )

    # Of a media upload: where the file is, and the name it has at the platform, which no other file has.
    library_path = models.CharField(max_length=1000, blank=True, editable=False)
    media_path = models.CharField(max_length=500, blank=True, editable=False)
    media_url = models.TextField(blank=True, editable=False)
    media_name = models.CharField(max_length=80, blank=True, editable=False)

    # Of a package's upload: which package, what of it, where that lies here, and where it belongs there.
    # The path there begins with the package's folder and is relative to the storage's prefix.
    package = models.CharField(max_length=80, blank=True, editable=False)
    label = models.CharField(max_length=32, blank=True, editable=False)
    resolution = models.CharField(max_length=16, blank=True, editable=False)
    language = models.CharField(max_length=35, blank=True, editable=False)
    local_path = models.CharField(max_length=1000, blank=True, editable=False)
    s3_path = models.CharField(max_length=700, blank=True, editable=False)
    files_total = models.PositiveIntegerField(default=0, editable=False)
    files_done = models.PositiveIntegerField(default=0, editable=False)
    details = models.JSONField(default=dict, blank=True, editable=False)
    client_id = models.CharField(max_length=36, default=new_client_id, editable=False)

    title = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    tag = models.CharField(max_length=16, default=new_tag, unique=True, editable=False)

    bytes_total = models.BigIntegerField(default=0, editable=False)
    bytes_sent = models.BigIntegerField(default=0, editable=False)
    bytes_per_second = models.FloatField(default=0, editable=False)

    # Each is written by itself as soon as the platform has answered, before anything else happens.
    source_fingerprint = models.CharField(max_length=100, blank=True, editable=False)
    source_url = models.TextField(blank=True, editable=False)
    source_hash = models.CharField(max_length=255, blank=True, editable=False)
    create_intended_at = models.DateTimeField(null=True, blank=True, editable=False)
    reconcile_misses = models.PositiveSmallIntegerField(default=0, editable=False)
    remote_id = models.CharField(max_length=64, blank=True, editable=False)
    remote_url = models.URLField(max_length=500, blank=True, editable=False)
    remote_status = models.CharField(max_length=64, blank=True, editable=False)
    remote_created_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = UploadJobQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(episode=None) | models.Q(film=None), name="upload_job_one_video"
            ),
            models.CheckConstraint(
                condition=~models.Q(upload_type=UploadType.MEDIA)
                | models.Q(episode=None, film=None)
                & ~models.Q(media_name="")
                & (
                    (~models.Q(library_path="") & models.Q(media_path="", media_url=""))
                    | (~models.Q(media_path="") & models.Q(library_path="", media_url=""))
                    | (~models.Q(media_url="") & models.Q(library_path="", media_path=""))
                ),
                name="upload_job_media_one_source",
            ),
            # By its name a file whose upload was not answered is found again.
            models.UniqueConstraint(
                fields=["media_name"], condition=~models.Q(media_name=""), name="upload_job_media_name"
            ),
            models.CheckConstraint(
                condition=~models.Q(upload_type__in=PACKAGE_TYPES)
                | ~models.Q(package="") & ~models.Q(local_path="") & ~models.Q(s3_path=""),
                name="upload_job_package_paths",
            ),
            # What belongs to one place in a storage is brought there by one job, which is retried.
            models.UniqueConstraint(
                fields=["destination", "s3_path"], condition=~models.Q(s3_path=""), name="upload_job_s3_path"
            ),
            # A video is delivered to a destination by one job at a time.
            models.UniqueConstraint(
                fields=["destination", "upload_type", "episode"],
                condition=models.Q(status__in=[Status.WAITING, Status.ACTIVE])
                & ~models.Q(upload_type__in=PACKAGE_TYPES),
                name="upload_job_episode_once",
            ),
            models.UniqueConstraint(
                fields=["destination", "upload_type", "film"],
                condition=models.Q(status__in=[Status.WAITING, Status.ACTIVE])
                & ~models.Q(upload_type__in=PACKAGE_TYPES),
                name="upload_job_film_once",
            ),
        )
        indexes = (
            claim_index("upload_job_claim"),
            lease_index("upload_job_lease"),
            # The list of jobs by state, newest first.
            models.Index(fields=["status", "-id"], name="upload_job_status"),
            # The jobs of one package: what the master playlist waits for.
            models.Index(
                fields=["destination", "package"],
                condition=~models.Q(package=""),
                name="upload_job_package",
            ),
            listed_index("upload_job_listed"),
            listed_index("upload_job_type", "upload_type"),
            listed_index("upload_job_error", "error_kind"),
            listed_index("upload_job_label", "label"),
            cause_index("upload_job_cause"),
            created_index("upload_job_created"),
        )

    def __str__(self) -> str:
        return f"Upload {self.pk} of “{self.title}” to {self.destination}"

    @property
    def video(self) -> Episode | Film | None:
        """What is uploaded; None when it was deleted from the catalog."""
        return self.episode or self.film

    @property
    def is_of_package(self) -> bool:
        return self.upload_type in PACKAGE_TYPES

    @property
    def job_type(self) -> str:
        """ "upload-hls-to-s3" and its like."""
        return JOB_TYPES[UploadType(self.upload_type)]

    @property
    def content_type(self) -> str:
        """ "video", "subtitle" or "playlist"."""
        return CONTENT_TYPES[UploadType(self.upload_type)]

    @property
    def seconds_left(self) -> float | None:
        """Time left at the present speed; None while unknown."""
        if self.bytes_per_second <= 0:
            return None
        return max(0, self.bytes_total - self.bytes_sent) / self.bytes_per_second

    def perform(self, run: Run) -> None:
        if self.is_of_package:
            from uploader.delivering_packages import deliver_package

            deliver_package(self, run)
        elif self.upload_type == UploadType.MEDIA:
            from uploader.delivering_media import deliver_media

            deliver_media(self, run)
        else:
            from uploader.delivering import deliver

            deliver(self, run)

    def retry(self, *, who: str, now: datetime, attempts: int | None = None) -> None:
        """As any job's; whoever asks for it anew tells its events by an id of their own."""
        super().retry(who=who, now=now, attempts=attempts)
        columns: dict[str, Any] = {"client_id": new_client_id()}
        UploadJob._base_manager.filter(pk=self.pk).update(**columns)
        self._take(columns)

    def retry_delay(self, failures: int) -> timedelta:
        """UPLOAD_RETRY_DELAYS_SECONDS: the first entry after the first failure; the last one repeats."""
        delays = settings.UPLOAD_RETRY_DELAYS_SECONDS
        return timedelta(seconds=delays[min(max(failures, 1), len(delays)) - 1])


def create_upload(video: Episode | Film, destination: Destination, *, now: datetime) -> UploadJob:
    """A waiting job for `video`; title and description are fixed now from the destination's templates.

    Where an ended job may have left the video on the platform, that job is taken up again: it knows where to
    look, and a new one would make a second video.
    """
    if earlier := left_on_platform(video, destination):
        earlier.retry(who="upload", now=now, attempts=destination.attempts)
        return earlier
    job = new_upload(video, destination, now=now)
    job.save(force_insert=True)
    return job


def new_upload(video: Episode | Film, destination: Destination, *, now: datetime) -> UploadJob:
    """A job for `video`, unsaved, for whoever makes many at once and knows that no earlier one is to be taken up."""
    return UploadJob(
        destination=destination,
        episode=video if isinstance(video, Episode) else None,
        film=video if isinstance(video, Film) else None,
        title=metadata.render(destination.title_template, video, limit=metadata.TITLE_LIMIT),
        description=metadata.render(
            destination.description_template,
            video,
            limit=metadata.DESCRIPTION_LIMIT,
            of_film=metadata.DESCRIPTION,
        ),
        max_attempts=destination.attempts,
        bytes_total=video.size_bytes or 0,
        not_before_at=now,
        created_at=now,
        updated_at=now,
    )


def left_on_platform(video: Episode | Film, destination: Destination) -> UploadJob | None:
    """The last failed or cancelled job that created the video there, or asked for it without an answer."""
    ended = uploads_of(video, destination).filter(status__in=(Status.FAILED, Status.CANCELLED))
    return ended.exclude(remote_id="", create_intended_at=None).order_by("-pk").first()


def delivered(video: Episode | Film, destination: Destination) -> UploadJob | None:
    """The job that delivered the video there, if one did."""
    return uploads_of(video, destination).filter(status=Status.COMPLETED).order_by("pk").first()


def uploads_of(video: Episode | Film, destination: Destination) -> models.QuerySet[UploadJob]:
    """Every upload job of the video itself to the destination."""
    same = {"episode": video} if isinstance(video, Episode) else {"film": video}
    return destination.upload_jobs.filter(upload_type=UploadType.VIDEO, **same)
