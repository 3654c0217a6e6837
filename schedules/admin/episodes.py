"""The admin page of episodes at their planned hours."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import display

from jobs.staff_decisions import DecidingAdmin, cancelling, retrying
from jobs.staff_pages import badge, in_cascade, link_to, progress_bar, short_moment
from schedules import decisions
from schedules.admin.offers import uploading_now
from schedules.models import ScheduledUpload
from schedules.upload_schedules import OPEN

STATUS_COLOURS = {
    "Pending": "info",
    "Uploading": "primary",
    "Completed": "success",
    "Failed": "warning",
    "Skipped": "danger",
}


def retried(row: ScheduledUpload, who: str, now: datetime) -> str:
    decisions.retry(row, who=who, now=now)
    return "queued again"


def put_in_front(row: ScheduledUpload, who: str, now: datetime) -> str:
    decisions.upload_now(row, who=who, now=now)
    return "put in front"


def cancelled(row: ScheduledUpload, who: str, now: datetime) -> str:
    decisions.cancel_upload(row, who=who, now=now)
    return "cancelled"


OFFERS = (
    retrying(
        name="retry",
        question="Try this episode again?",
        meaning="It goes to the front of its destination's line with a fresh allowance of attempts.",
        decision=retried,
    ),
    uploading_now(
        question="Upload this episode now?",
        meaning="It starts as soon as nothing else runs at its destination. The others keep their hours.",
        decision=put_in_front,
    ),
    cancelling(
        name="cancel",
        chosen_label="Cancel the upload",
        question="Cancel this upload?",
        meaning="It stops and ends as skipped. It can be retried later.",
        answer="Cancel the upload",
        decision=cancelled,
    ),
)


@admin.register(ScheduledUpload)
class ScheduledUploadAdmin(DecidingAdmin):
    list_display = (
        "episode",
        "destination",
        "state",
        "bar",
        "planned",
        "retries",
        "error",
        "done_at",
    )
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("destination", RelatedDropdownFilter),
        ("series", AutocompleteSelectFilter),
        ("error_kind", ChoicesDropdownFilter),
        ("scheduled_at", RangeDateTimeFilter),
    )
    list_select_related = ("episode__series", "episode__season", "destination")
    search_fields = ("series__title", "episode__title", "=dailymotion_video_id", "=id")
    ordering = ("-id",)
    sortable_by = ()
    offers = OFFERS
    fieldsets = (
        (None, {"fields": ("state", "bar", "retries", "error", "error_message")}),
        (
            "What and where to",
            {
                "fields": (
                    "episode_link",
                    "schedule_link",
                    "destination_link",
                    "job_link",
                    "position",
                    "video_id",
                )
            },
        ),
        (
            "Times",
            {"fields": ("planned", "planned_at", "expedited_at", "started_at", "completed_at", "created_at")},
        ),
    )

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "schedule__id__exact" or super().lookup_allowed(lookup, value, request)

    def has_delete_permission(self, request: HttpRequest, obj: ScheduledUpload | None = None) -> bool:
        """Never here; with their series, those that are finished may go."""
        return obj is not None and obj.status not in OPEN and in_cascade(self, request)

    def in_order(self, queryset: QuerySet[ScheduledUpload]) -> QuerySet[ScheduledUpload]:
        """In the order of the line, with what a decision and its sentence need."""
        rows = queryset.select_related("episode__series", "episode__season", "destination", "job", "schedule")
        return rows.order_by("scheduled_at", "id")

    # ---------------------------------------------------------------- columns

    @display(description="Status", ordering="status")
    def state(self, row: ScheduledUpload) -> str:
        return badge(row.get_status_display(), STATUS_COLOURS)

    @display(description="Video id on the platform")
    def video_id(self, row: ScheduledUpload) -> str:
        return row.dailymotion_video_id or "–"

    @display(description="Progress")
    def bar(self, row: ScheduledUpload) -> str:
        return progress_bar(row.upload_progress)

    @display(description="Planned", ordering="scheduled_at")
    def planned(self, row: ScheduledUpload) -> str:
        return short_moment(row.scheduled_at)

    @display(description="Failures")
    def retries(self, row: ScheduledUpload) -> str:
        return str(row.retry_count)

    @display(description="Error")
    def error(self, row: ScheduledUpload) -> str:
        return row.get_error_kind_display()

    @display(description="Completed")
    def done_at(self, row: ScheduledUpload) -> str:
        return short_moment(row.completed_at)

    @display(description="Episode")
    def episode_link(self, row: ScheduledUpload) -> str:
        return link_to(row.episode)

    @display(description="Series on the queue")
    def schedule_link(self, row: ScheduledUpload) -> str:
        return link_to(row.schedule)

    @display(description="Destination")
    def destination_link(self, row: ScheduledUpload) -> str:
        return link_to(row.destination)

    @display(description="Upload job")
    def job_link(self, row: ScheduledUpload) -> str:
        return link_to(row.job, f"Upload {row.job_id}")
