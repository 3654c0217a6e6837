"""Admin pages of what is delivered: upload jobs, and the ledger of a destination's day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from jobs.errors import JobError
from jobs.history import spoken_who
from jobs.lifecycle import Status
from jobs.reports import Report
from jobs.staff_pages import ReadOnlyAdmin, badge, go_to, link_to, moment, page_of, progress_bar, short_moment
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
# More rows than this are not decided about in one request.
MOST_AT_ONCE = 1000

RETRY = {
    "title": "Retry this upload?",
    "description": "It is queued again with fresh attempts. What the platform already has is kept.",
    "form_submit_text": "Retry",
}
CANCEL = {
    "title": "Cancel this upload?",
    "description": "A waiting upload ends at once; one that runs is asked to stop. It can be retried later.",
    "form_submit_text": "Cancel the upload",
}

REMOVE = {
    "title": "Delete this package from the storage?",
    "description": "Every rendition, subtitle and playlist of it is deleted there, the master playlist first. "
    "Players that have its address get nothing more. Files in the library stay; this cannot be taken back.",
    "form_submit_text": "Delete the package",
}


@admin.register(UploadJob)
class UploadJobAdmin(ReadOnlyAdmin):
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
    actions = ("retry_chosen", "cancel_chosen")
    actions_detail = ("retry_this", "cancel_this", "remove_package")
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

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        job = self.get_object(request, str(object_id))
        hidden = {
            "retry_this": job and job.can_retry,
            "cancel_this": job and job.can_cancel,
            "remove_package": job and job.is_of_package and job.is_finished and job.remote_status != REMOVED,
        }
        return self.offered(request, object_id, {name for name, fits in hidden.items() if not fits})

    # ---------------------------------------------------------------- actions

    @admin.action(description="Retry", permissions=["act"])
    def retry_chosen(self, request: HttpRequest, queryset: QuerySet[UploadJob]) -> None:
        decide_all(request, queryset, queued)

    @admin.action(description="Cancel", permissions=["act"])
    def cancel_chosen(self, request: HttpRequest, queryset: QuerySet[UploadJob]) -> None:
        decide_all(request, queryset, cancelled)

    @action(
        description="Retry", permissions=["act"], icon="replay", dialog=RETRY, variant=ActionVariant.PRIMARY
    )
    def retry_this(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self.decide_one(request, object_id, queued)

    @action(
        description="Cancel", permissions=["act"], icon="cancel", dialog=CANCEL, variant=ActionVariant.DANGER
    )
    def cancel_this(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self.decide_one(request, object_id, cancelled)

    @action(
        description="Delete from storage",
        permissions=["act"],
        icon="delete_forever",
        dialog=REMOVE,
        variant=ActionVariant.DANGER,
    )
    def remove_package(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self.decide_one(request, object_id, removed)

    def decide_one(self, request: HttpRequest, object_id: str, decision: Decision) -> HttpResponse:
        job = self.found(request, object_id)
        decide_all(request, [job], decision)
        return go_to(request, page_of(job))

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
        if not job.remote_url.startswith(("https://", "http://")):
            return job.remote_url or "–"
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500" rel="noopener noreferrer" href="{}">{}</a>',
            job.remote_url,
            job.remote_url,
        )

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


Decision = Callable[[UploadJob, str, datetime], str]


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


def decide_all(request: HttpRequest, jobs: QuerySet[UploadJob] | list[UploadJob], decision: Decision) -> None:
    """Decide the same about each job and report how many it was done for, and why not for the others."""
    report = Report()
    if isinstance(jobs, QuerySet):
        report.leave(max(jobs.count() - MOST_AT_ONCE, 0))
        jobs = list(jobs.select_related("destination", "episode", "film").order_by("pk")[:MOST_AT_ONCE])
    for job in jobs:
        try:
            report.count(decision(job, request.user.get_username(), timezone.now()))
        except deciding.Refused as refusal:
            report.refuse(refusal)
    report.tell(request)
