"""The admin page of episodes at their planned hours."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from jobs.staff_pages import (
    ReadOnlyAdmin,
    badge,
    go_to,
    in_cascade,
    link_to,
    page_of,
    progress_bar,
    short_moment,
)
from schedules import decisions
from schedules.admin.deciding import Decision, decide
from schedules.models import ScheduledUpload
from schedules.upload_schedules import OPEN

STATUS_COLOURS = {
    "Pending": "info",
    "Uploading": "primary",
    "Completed": "success",
    "Failed": "warning",
    "Skipped": "danger",
}
RETRY = {
    "title": "Try this episode again?",
    "description": "It goes to the front of its destination's line with a fresh allowance of attempts.",
    "form_submit_text": "Retry",
}
UPLOAD_NOW = {
    "title": "Upload this episode now?",
    "description": "It starts as soon as nothing else runs at its destination. The others keep their hours.",
    "form_submit_text": "Upload now",
}
CANCEL = {
    "title": "Cancel this upload?",
    "description": "It stops and ends as skipped. It can be retried later.",
    "form_submit_text": "Cancel the upload",
}


@admin.register(ScheduledUpload)
class ScheduledUploadAdmin(ReadOnlyAdmin):
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
    actions = ("retry_chosen", "upload_chosen_now", "cancel_chosen")
    actions_detail = ("retry", "upload_now", "cancel")
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

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        row = self.get_object(request, str(object_id))
        fits = {
            "retry": row is not None and row.can_retry,
            "upload_now": row is not None and row.can_expedite,
            "cancel": row is not None and row.can_cancel,
        }
        return self.offered(request, object_id, {name for name, is_shown in fits.items() if not is_shown})

    # ---------------------------------------------------------------- actions

    @admin.action(description="Retry", permissions=["act"])
    def retry_chosen(self, request: HttpRequest, queryset: QuerySet[ScheduledUpload]) -> None:
        decide(request, in_line(queryset), retried)

    @admin.action(description="Upload now", permissions=["act"])
    def upload_chosen_now(self, request: HttpRequest, queryset: QuerySet[ScheduledUpload]) -> None:
        decide(request, in_line(queryset), put_in_front)

    @admin.action(description="Cancel the upload", permissions=["act"])
    def cancel_chosen(self, request: HttpRequest, queryset: QuerySet[ScheduledUpload]) -> None:
        decide(request, in_line(queryset), cancelled)

    @action(
        description="Retry", permissions=["act"], icon="replay", dialog=RETRY, variant=ActionVariant.PRIMARY
    )
    def retry(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self.decide_one(request, object_id, retried)

    @action(
        description="Upload now",
        permissions=["act"],
        icon="bolt",
        dialog=UPLOAD_NOW,
        variant=ActionVariant.PRIMARY,
    )
    def upload_now(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self.decide_one(request, object_id, put_in_front)

    @action(
        description="Cancel", permissions=["act"], icon="cancel", dialog=CANCEL, variant=ActionVariant.DANGER
    )
    def cancel(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self.decide_one(request, object_id, cancelled)

    def decide_one(self, request: HttpRequest, object_id: str, decision: Decision) -> HttpResponse:
        row = self.found(request, object_id)
        decide(request, [row], decision)
        return go_to(request, page_of(row))

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


def retried(row: ScheduledUpload, who: str, now: datetime) -> str:
    decisions.retry(row, who=who, now=now)
    return "queued again"


def put_in_front(row: ScheduledUpload, who: str, now: datetime) -> str:
    decisions.upload_now(row, who=who, now=now)
    return "put in front"


def cancelled(row: ScheduledUpload, who: str, now: datetime) -> str:
    decisions.cancel_upload(row, who=who, now=now)
    return "cancelled"


def in_line(queryset: QuerySet[ScheduledUpload]) -> QuerySet[ScheduledUpload]:
    """The chosen rows in the order of the line, with what a decision and its sentence need."""
    rows = queryset.select_related("episode__series", "episode__season", "destination", "job", "schedule")
    return rows.order_by("scheduled_at", "id")
