"""One job on a page of its own: attempts, timeline, log, what went in and what came out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Max
from django.urls import reverse
from django.utils.safestring import SafeString

from jobs.events import Event
from jobs.history import history_html
from jobs.lifecycle import Status
from jobs.staff_pages import spoken_length
from uploader.explaining import local, why_not_running
from uploader.manager.answers import bucket_of
from uploader.manager.board import sendings_of
from uploader.manager.cards import Card, Sending
from uploader.manager.kinds import Kind
from uploader.transcoding.transcode_jobs import TranscodeJob, TranscodeLog
from uploader.upload_jobs import PACKAGE_TYPES, REMOVED, REMOVING, UploadJob, UploadType

# So many lines of a log are shown, the last ones.
TAIL_LINES = 200
LOGS = 12


@dataclass(frozen=True)
class Log:
    """One run of ffmpeg: what it was told and the end of what it said."""

    log: TranscodeLog
    tail: str
    left_out: int


class Details:
    """A job's page at `now`; each part is read when it is first asked for."""

    def __init__(self, kind: Kind, job: Any, *, now: datetime) -> None:
        self.kind, self.job, self.now = kind, job, now
        self.position = Event.objects.aggregate(newest=Max("id"))["newest"] or 0
        sendings = sendings_of([job]) if isinstance(job, TranscodeJob) else {}
        self.card = Card(kind, job, sendings.get(job.pk, Sending()))

    @property
    def why(self) -> str:
        """Why it has not run, or is not done; empty while it runs well."""
        return why_not_running(self.job, self.now)

    @property
    def took(self) -> str:
        """How long the last attempt took, or has been running."""
        if not self.job.started_at:
            return ""
        end = self.job.finished_at or (self.now if self.job.is_active else None)
        return spoken_length((end - self.job.started_at).total_seconds()) if end else ""

    @property
    def history(self) -> SafeString:
        return history_html(self.job)

    @cached_property
    def logs(self) -> list[Log]:
        """The runs of ffmpeg, attempts newest first, and each of them its end."""
        if not isinstance(self.job, TranscodeJob):
            return []
        found = []
        for log in self.job.logs.order_by("-attempt", "-id")[:LOGS]:
            lines = log.text.splitlines()
            found.append(Log(log, "\n".join(lines[-TAIL_LINES:]), max(0, len(lines) - TAIL_LINES)))
        return found

    @cached_property
    def siblings(self) -> list[Card]:
        """The uploads of the same package."""
        from uploader.manager.kinds import UPLOAD

        if isinstance(self.job, UploadJob):
            if not self.job.package:
                return []
            rows = UploadJob.objects.filter(destination=self.job.destination, package=self.job.package)
        else:
            root = self.job.package_root
            if root is None:
                return []
            rows = UploadJob.objects.filter(
                film=self.job.film, episode=self.job.episode, upload_type__in=PACKAGE_TYPES,
                details__root=str(root),
            )  # fmt: skip
        listed = rows.filter(cleared_at=None).select_related(*UPLOAD.related).order_by("pk")[:100]
        return [Card(UPLOAD, job) for job in listed]

    @property
    def player(self) -> str:
        """Where the package is played; empty until its master playlist is in the storage."""
        masters = (card.job for card in self.siblings if card.job.upload_type == UploadType.MASTER_PLAYLIST)
        for job in masters:
            if job.status == Status.COMPLETED and job.remote_status not in (REMOVING, REMOVED):
                return reverse("package-play", args=[job.pk])
        return ""

    # ---------------------------------------------------------------- what went in, what came out

    @property
    def inputs(self) -> list[tuple[str, Any]]:
        job = self.job
        if isinstance(job, TranscodeJob):
            facts: list[tuple[str, Any]] = [
                ("File", job.source_path),
                ("Picture", job.resolution),
                ("Length", spoken_length(job.duration_seconds) if job.duration_seconds else ""),
                ("Ladder", ", ".join(job.labels)),
            ]
        else:
            source = job.local_path or job.library_path or job.media_path or job.media_url.partition("?")[0]
            facts = [
                ("File", source or (job.video.path if job.video else "")),
                ("Files", f"{job.files_total:,}" if job.files_total else ""),
                ("Bytes", job.bytes_total),
                ("Language", job.language),
                ("Resolution", job.resolution),
                ("Description", job.description),
            ]
        return [fact for fact in facts if fact[1]]

    @property
    def outputs(self) -> list[tuple[str, Any]]:
        job = self.job
        if isinstance(job, TranscodeJob):
            facts: list[tuple[str, Any]] = [
                ("Package", job.package_path),
                ("No longer here since", local(job.package_removed_at) if job.package_removed_at else ""),
                ("Files", f"{job.package_files:,}" if job.package_files else ""),
                ("Bytes", job.package_bytes),
                ("Subtitles", ", ".join(map(str, job.subtitle_languages))),
            ]
        else:
            facts = [
                ("Destination", str(job.destination)),
                ("Bucket", bucket_of(job)),
                ("Path there", job.s3_path),
                ("Id there", job.remote_id),
                ("State there", job.remote_status),
                ("Address", job.remote_url if job.status == Status.COMPLETED else ""),
            ]
        return [fact for fact in facts if fact[1]]

    @property
    def metadata(self) -> dict[str, Any]:
        """What was found out about the video."""
        return self.job.source if isinstance(self.job, TranscodeJob) else self.job.details
