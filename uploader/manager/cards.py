"""One job as the list and its own page show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from jobs.lifecycle import Status
from uploader.manager.answers import content_of, filename, resource_of
from uploader.manager.kinds import Kind
from uploader.transcoding.transcode_jobs import STAGE_BEGINS, Stage, TranscodeJob
from uploader.upload_jobs import UploadJob, UploadType

# What the stages of an upload are called on the page.
STAGES = {
    "uploading": "Uploading",
    "creating": "Creating the video",
    "encoding": "Encoding at the platform",
    "checking": "Checking what arrived",
    **dict(Stage.choices),
}


@dataclass(frozen=True)
class Step:
    """One stage of a transcoding, and how far it is."""

    name: str
    state: str  # done, now, ahead
    percent: int


@dataclass(frozen=True)
class Sending:
    """The uploads that follow a transcoding, together."""

    total: int = 0
    done: int = 0
    failed: int = 0
    percent: int = 0


@dataclass(frozen=True)
class Card:
    """A job, and what its buttons may do."""

    kind: Kind
    job: Any
    sending: Sending = Sending()

    @property
    def url(self) -> str:
        return reverse("jobs-detail", args=(self.kind.name, self.job.pk))

    @property
    def title(self) -> str:
        return self.job.title if isinstance(self.job, UploadJob) else self.job.resource_name

    @property
    def resource(self) -> dict[str, Any]:
        if isinstance(self.job, UploadJob):
            return resource_of(self.job)
        return {"resourceType": self.job.resource_type, "resourceName": self.job.resource_name}

    @property
    def filename(self) -> str:
        return (filename(self.job) if isinstance(self.job, UploadJob) else self.job.filename) or ""

    @property
    def content(self) -> str:
        return content_of(self.job) if isinstance(self.job, UploadJob) else ""

    @property
    def part(self) -> str:
        """What of its video an upload brings: "HLS rendition HD", "Subtitle Deutsch (de)", "Master playlist"."""
        job = self.job
        language = f"({job.language})" if job.upload_type == UploadType.SUBTITLE and job.language else ""
        label = "" if job.upload_type == UploadType.MASTER_PLAYLIST else job.label
        return " ".join(filter(None, (str(job.get_upload_type_display()), label, language)))

    @property
    def stage(self) -> str:
        job = self.job
        if job.is_active:
            if job.cancel_requested_at:
                return "Being stopped"
            return STAGES.get(job.stage, job.stage.replace("_", " ").capitalize()) or "Starting"
        return str(job.get_status_display())

    @property
    def can_clean_up(self) -> bool:
        return bool(self.job.can_retry)

    @property
    def can_handle(self) -> bool:
        return bool(self.job.is_untended)

    @property
    def can_delete(self) -> bool:
        return bool(self.job.is_finished)

    @property
    def can_cancel(self) -> bool:
        return bool(self.job.can_cancel and not self.job.cancel_requested_at)

    @property
    def steps(self) -> list[Step]:
        """Splitting, transcoding, merging, packaging and uploading of a transcoding, each with its percent."""
        job = self.job
        if not isinstance(job, TranscodeJob):
            return []
        order = list(STAGE_BEGINS)
        at = order.index(Stage(job.stage)) if job.stage in Stage.values else -1
        steps = []
        for place, stage in enumerate(order):
            is_done = job.status == Status.COMPLETED or place < at
            percent = 100 if is_done else job.stage_progress if place == at else 0
            state = "done" if is_done else "now" if place == at and job.is_active else "ahead"
            steps.append(Step(str(stage.label), state, percent))
        if self.sending.total:
            is_sent = self.sending.done == self.sending.total
            steps.append(Step("Uploading", "done" if is_sent else "now", self.sending.percent))
        else:
            steps.append(Step("Uploading", "ahead", 0))
        return steps
