"""Admin pages of what is delivered: upload jobs, and the ledger of a destination's day."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from jobs.errors import JobError
from jobs.history import spoken_who
from jobs.lifecycle import Status
from jobs.staff_decisions import DecidingAdmin, Offer, cancelling, retrying
from jobs.staff_pages import ReadOnlyAdmin, badge, link_outside, link_to, moment, progress_bar, short_moment
from uploader import deciding, removing_packages
from uploader.explaining import why_not_running
from uploader.models import LedgerEntry, UploadJob
from uploader.upload_jobs import REMOVED, REMOVING, UploadType

STATUS_COLOURS = {
    "Waiting": "info",
    "Active": "primary",
    "Completed": "success",
    "Failed": "danger",
    "Cancelled": "warning",
}


def queued(job: UploadJob, who: str, now: datetime) -> str:
    deciding.retry(job, who=who, now=now)
    return "queued"


def cancelled(job: UploadJob, who: str, now: datetime) -> str:
    deciding.cancel(job, who=who, now=now)
    return "asked to stop" if job.is_active else "cancelled"


def removed(job: UploadJob, who: str, now: datetime) -> str:
    """Calls out: never inside a transaction."""
    try:
        count = removing_packages.remove_package(job, who=who, now=now)
    except JobError as error:
        raise deciding.Refused(f"is not deleted yet: {error} Ask for it again") from error
    return f"deleted ({count} objects)"


def can_be_removed(job: UploadJob) -> bool:
    return job.is_of_package and job.is_finished and job.remote_status != REMOVED


OFFERS = (
    retrying(
        name="retry_this",
        question="Retry this upload?",
        meaning="It is queued again with fresh attempts. What the platform already has is kept.",
        decision=queued,
    ),
    cancelling(
        name="cancel_this",
        question="Cancel this upload?",
        meaning="A waiting upload ends at once; one that runs is asked to stop. It can be retried later.",
        answer="Cancel the upload",
        decision=cancelled,
    ),
    Offer(
        name="remove_package",
        label="Delete from storage",
        icon="delete_forever",
        variant=ActionVariant.DANGER,
        question="Delete this package from the storage?",
        meaning="Every rendition, subtitle and playlist of it is deleted there, the master playlist first. "
        "Players that have its address get nothing more. Files in the library stay; this cannot be taken back.",
        answer="Delete the package",
        decision=removed,
        fits=can_be_removed,
    ),
)


@admin.register(UploadJob)
class UploadJobAdmin(DecidingAdmin):
    list_display = (
        "id", "title_text", "destination", "state", "bar", "attempts", "error",
        "created", "finished",
    )  # fmt: skip
    list_display_links = ("id", "title_text")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("upload_type", ChoicesDropdownFilter),
        ("destination", RelatedDropdownFilter),
        ("error_kind", ChoicesDropdownFilter),
        ("created_at", RangeDateTimeFilter),
    )
    list_select_related = ("destination",)
    search_fields = ("title", "=remote_id", "=tag", "=media_name", "=id")
    search_help_text = "Title, id, or the video's id on the platform"
    ordering = ("-id",)
    sortable_by = ("id",)
    offers = OFFERS
    fieldsets = (
        (None, {"fields": ("state", "why_waiting", "bar_wide", "attempts", "error", "error_message")}),
        ("What and where to", {"fields": ("title", "description", "video", "destination", "upload_type")}),
        (
            "In the storage",
            {
                "classes": ("collapse",),
                "fields": (
                    "package", "label", "resolution", "language", "files_text", "local_path", "s3_path", "playback",
                ),
            },
        ),
        (
            "On the platform",
            {"fields": ("remote", "remote_id", "remote_status", "remote_created_at", "tag", "media_name")},
        ),
        (
            "Times",
            {
                "fields": (
                    "created_at", "not_before_at", "started_at", "finished_at", "cancel_requested_at",
                    "worker", "leased_until", "lost_workers", "priority",
                ),
            },
        ),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[UploadJob]:
        # The signed address of an uploaded file is nobody's to read here.
        rows: QuerySet[UploadJob] = super().get_queryset(request)
        return rows.defer("source_url", "description")

    def has_delete_permission(self, request: HttpRequest, obj: UploadJob | None = None) -> bool:
        """Only what ended and never reached the platform may go: the others are the proof of delivery."""
        if not request.user.has_perm("uploader.delete_uploadjob") or obj is None:
            return False
        return obj.can_retry and not obj.remote_id and obj.create_intended_at is None

    def in_order(self, queryset: QuerySet[UploadJob]) -> QuerySet[UploadJob]:
        return super().in_order(queryset.select_related("destination", "episode", "film"))

    # ---------------------------------------------------------------- columns

    @display(description="Status", ordering="status")
    def state(self, job: UploadJob) -> str:
        return badge(job.get_status_display(), STATUS_COLOURS)

    @display(description="Why has it not run?")
    def why_waiting(self, job: UploadJob) -> str:
        return why_not_running(job, timezone.now()) or f"It is running: {job.stage or 'started'}."

    @display(description="Title", ordering="title")
    def title_text(self, job: UploadJob) -> str:
        return format_html('<div class="sc-wrap">{}</div>', job.title)

    @display(description="Progress")
    def bar(self, job: UploadJob) -> str:
        return progress_bar(job.progress)

    @display(description="Progress")
    def bar_wide(self, job: UploadJob) -> str:
        sent, total = filesizeformat(job.bytes_sent), filesizeformat(job.bytes_total)
        label = f"{job.progress} % · {sent} of {total}{f' · {job.stage}' if job.stage else ''}"
        return progress_bar(job.progress, label)

    @display(description="Attempt")
    def attempts(self, job: UploadJob) -> str:
        return f"{job.attempt} of {job.max_attempts}"

    @display(description="Files")
    def files_text(self, job: UploadJob) -> str:
        return f"{job.files_done} of {job.files_total}" if job.files_total else "–"

    @display(description="Playback")
    def playback(self, job: UploadJob) -> str:
        if job.upload_type != UploadType.MASTER_PLAYLIST or job.status != Status.COMPLETED:
            return "–"
        if job.remote_status in (REMOVING, REMOVED):
            return "Deleted from the storage"
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500" href="{}">Play</a>',
            reverse("package-play", args=[job.pk]),
        )

    @display(description="Error", ordering="error_kind")
    def error(self, job: UploadJob) -> str:
        return job.get_error_kind_display()

    @display(description="Video")
    def video(self, job: UploadJob) -> str:
        if job.upload_type == UploadType.MEDIA:
            # A signed address keeps what stands behind its “?” to itself.
            return job.library_path or job.media_path or job.media_url.partition("?")[0]
        return link_to(job.video) if job.video else "No longer in the catalog"

    @display(description="Address")
    def remote(self, job: UploadJob) -> str:
        return link_outside(job.remote_url)

    @display(description="Held by")
    def worker(self, job: UploadJob) -> str:
        return spoken_who(job.leased_by)

    @display(description="Created", ordering="created_at")
    def created(self, job: UploadJob) -> str:
        return short_moment(job.created_at)

    @display(description="Finished", ordering="finished_at")
    def finished(self, job: UploadJob) -> str:
        return short_moment(job.finished_at)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    change_form_outer_after_template = None
    list_display = ("entered", "destination", "duration", "size", "job_link")
    list_filter = (("destination", RelatedDropdownFilter), ("at", RangeDateTimeFilter))
    list_select_related = ("destination", "job__destination")
    search_fields = ("job__title", "=job__remote_id")
    ordering = ("-id",)
    sortable_by = ()
    fields = ("entered", "destination", "duration", "size", "job_link")

    @display(description="Counted from")
    def entered(self, entry: LedgerEntry) -> str:
        return moment(entry.at)

    @display(description="Duration")
    def duration(self, entry: LedgerEntry) -> str:
        minutes, seconds = divmod(round(entry.duration_seconds), 60)
        return f"{minutes} min {seconds:02} s"

    @display(description="Size")
    def size(self, entry: LedgerEntry) -> str:
        return filesizeformat(entry.size_bytes)

    @display(description="Upload")
    def job_link(self, entry: LedgerEntry) -> str:
        return link_to(entry.job, entry.job.title) if entry.job else "–"
