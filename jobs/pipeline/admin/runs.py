"""The admin page of pipeline jobs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from jobs.history import spoken_who
from jobs.pipeline import deciding
from jobs.pipeline.pipeline_jobs import PipelineJob, RunBy, Status
from jobs.pipeline.starting import Refused, rerun
from jobs.reports import Report
from jobs.staff_pages import (
    ReadOnlyAdmin,
    badge,
    go_to,
    link_to,
    page_of,
    progress_bar,
    short_moment,
    spoken_length,
)

RETRY = {
    "title": "Retry this job?",
    "description": "It is queued again for our workers, with three fresh attempts.",
    "form_submit_text": "Retry",
}
CANCEL = {
    "title": "Cancel this job?",
    "description": "A queued job ends at once; one that runs is asked to stop. It can be retried later.",
    "form_submit_text": "Cancel the job",
}
RERUN = {
    "title": "Run it again with the same input?",
    "description": "A new job is queued for our workers; this one stays as it is.",
    "form_submit_text": "Run again",
}
RELEASE = {
    "title": "Run it without waiting?",
    "description": "It no longer waits for the jobs it needs; what they were to bring may be missing.",
    "form_submit_text": "Do not wait",
}
HANDLED = {
    "title": "Mark as handled?",
    "description": "It stays failed, and no longer asks for a hand.",
    "form_submit_text": "Mark as handled",
}
# More rows than this are not decided about in one request.
MOST_AT_ONCE = 1000

STATUS_COLOURS = {
    "Queued": "info",
    "Running": "primary",
    "Success": "success",
    "Failed": "danger",
    "Cancelled": "warning",
}


Decision = Callable[[PipelineJob, str, datetime], str]


def queued(job: PipelineJob, who: str, now: datetime) -> str:
    deciding.retry(job, who=who, now=now)
    return "queued"


def cancelled(job: PipelineJob, who: str, now: datetime) -> str:
    deciding.cancel(job, who=who, now=now)
    return "asked to stop" if job.is_active else "cancelled"


def released(job: PipelineJob, who: str, now: datetime) -> str:
    deciding.release(job, who=who, now=now)
    return "waits no longer"


def marked(job: PipelineJob, who: str, now: datetime) -> str:
    deciding.mark_handled(job, who=who, now=now)
    return "marked as handled"


def decide_all(
    request: HttpRequest, jobs: QuerySet[PipelineJob] | list[PipelineJob], decision: Decision
) -> None:
    """Decide the same about each job and report how many it was done for, and why not for the others."""
    report = Report()
    if isinstance(jobs, QuerySet):
        report.leave(max(jobs.count() - MOST_AT_ONCE, 0))
        jobs = list(jobs.order_by("pk")[:MOST_AT_ONCE])
    for job in jobs:
        try:
            report.count(decision(job, request.user.get_username(), timezone.now()))
        except Refused as refusal:
            report.refuse(refusal)
    report.tell(request)


def pretty(value: Any) -> str:
    """JSON on lines of its own."""
    if value in (None, {}, []):
        return "–"
    return format_html(
        '<pre class="sc-wrap">{}</pre>', json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    )


@admin.register(PipelineJob)
class PipelineJobAdmin(ReadOnlyAdmin):
    list_display = (
        "script_text", "job_type", "state", "bar", "attempts", "about", "created", "started", "length",
    )  # fmt: skip
    list_display_links = ("script_text",)
    list_filter = (
        ("job_type", ChoicesDropdownFilter),
        ("status", ChoicesDropdownFilter),
        ("run_by", ChoicesDropdownFilter),
        ("error_kind", ChoicesDropdownFilter),
        ("work", AutocompleteSelectFilter),
        ("created_at", RangeDateTimeFilter),
    )
    list_select_related = ("source", "work", "edition__work", "segment__edition__work")
    search_fields = ("=id", "=script")
    search_help_text = "Id, or the script's name"
    ordering = ("-id",)
    sortable_by = ()
    actions = ("retry_chosen", "cancel_chosen", "mark_chosen")
    actions_detail = ("retry_this", "rerun_this", "release_this", "mark_this", "cancel_this")
    fieldsets = (
        (
            None,
            {"fields": ("state", "job_type", "script", "bar", "attempts", "error_kind", "error_message", "handled")},
        ),
        ("Lineage", {"fields": ("needs_links", "dependant_links", "rerun_link")}),
        ("Input and output", {"fields": ("input_text", "output_text")}),
        ("About", {"fields": ("source_link", "work_link", "edition_link", "segment_link")}),
        (
            "Times",
            {
                "fields": (
                    "created_at", "not_before_at", "started_at", "finished_at", "cancel_requested_at",
                    "run_by", "worker", "leased_until", "priority",
                )
            },
        ),
    )  # fmt: skip

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        job = self.get_object(request, str(object_id))
        fits = {
            "retry_this": job and job.can_retry and job.run_by != RunBy.EXTERNAL,
            "rerun_this": job and job.is_finished and job.run_by != RunBy.EXTERNAL,
            "release_this": job and job.is_waiting and job.open_needs,
            "mark_this": job and job.status == Status.FAILED and job.handled_at is None,
            "cancel_this": job and job.can_cancel,
        }
        return self.offered(request, object_id, {name for name, does in fits.items() if not does})

    # ---------------------------------------------------------------- actions

    @admin.action(description="Retry", permissions=["act"])
    def retry_chosen(self, request: HttpRequest, queryset: QuerySet[PipelineJob]) -> None:
        decide_all(request, queryset, queued)

    @admin.action(description="Cancel", permissions=["act"])
    def cancel_chosen(self, request: HttpRequest, queryset: QuerySet[PipelineJob]) -> None:
        decide_all(request, queryset, cancelled)

    @admin.action(description="Mark as handled", permissions=["act"])
    def mark_chosen(self, request: HttpRequest, queryset: QuerySet[PipelineJob]) -> None:
        decide_all(request, queryset, marked)

    @action(
        description="Retry", permissions=["act"], icon="replay", dialog=RETRY, variant=ActionVariant.PRIMARY
    )
    def retry_this(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self.decide_one(request, object_id, queued)

    @action(description="Run again", permissions=["act"], icon="content_copy", dialog=RERUN)
    def rerun_this(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        job = self.found(request, object_id)
        try:
            again = rerun(job, who=request.user.get_username(), now=timezone.now())
        except Refused as refusal:
            messages.error(request, f"Refused: {refusal}.")
            return go_to(request, page_of(job))
        messages.success(request, "Queued.")
        return go_to(request, page_of(again))

    @action(description="Do not wait", permissions=["act"], icon="fast_forward", dialog=RELEASE)
    def release_this(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self.decide_one(request, object_id, released)

    @action(description="Mark as handled", permissions=["act"], icon="done", dialog=HANDLED)
    def mark_this(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self.decide_one(request, object_id, marked)

    @action(
        description="Cancel", permissions=["act"], icon="cancel", dialog=CANCEL, variant=ActionVariant.DANGER
    )
    def cancel_this(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self.decide_one(request, object_id, cancelled)

    def decide_one(self, request: HttpRequest, object_id: str, decision: Decision) -> HttpResponse:
        job = self.found(request, object_id)
        decide_all(request, [job], decision)
        return go_to(request, page_of(job))

    # ---------------------------------------------------------------- columns

    @display(description="Handled")
    def handled(self, job: PipelineJob) -> str:
        return f"{short_moment(job.handled_at)} by {job.handled_by}" if job.handled_at else "–"

    @display(description="Waits for")
    def needs_links(self, job: PipelineJob) -> str:
        return format_html_join(", ", "{}", ((link_to(need),) for need in job.needs.all())) or "–"

    @display(description="Wait for it")
    def dependant_links(self, job: PipelineJob) -> str:
        return format_html_join(", ", "{}", ((link_to(each),) for each in job.dependants.all())) or "–"

    @display(description="Run again of")
    def rerun_link(self, job: PipelineJob) -> str:
        return link_to(job.rerun_of)

    @display(description="Script")
    def script_text(self, job: PipelineJob) -> str:
        return job.script or str(job.pk)[-8:]

    @display(description="Status")
    def state(self, job: PipelineJob) -> str:
        return badge(job.get_status_display(), STATUS_COLOURS)

    @display(description="Progress")
    def bar(self, job: PipelineJob) -> str:
        return progress_bar(job.progress, f"{job.progress} %{f' · {job.stage}' if job.stage else ''}")

    @display(description="Attempt")
    def attempts(self, job: PipelineJob) -> str:
        return str(job.attempt)

    @display(description="About")
    def about(self, job: PipelineJob) -> str:
        return link_to(job.segment or job.edition or job.work or job.source)

    @display(description="Created")
    def created(self, job: PipelineJob) -> str:
        return short_moment(job.created_at)

    @display(description="Started")
    def started(self, job: PipelineJob) -> str:
        return short_moment(job.started_at)

    @display(description="Took")
    def length(self, job: PipelineJob) -> str:
        return "–" if job.seconds is None else spoken_length(job.seconds)

    @display(description="Input")
    def input_text(self, job: PipelineJob) -> str:
        return pretty(job.input)

    @display(description="Output")
    def output_text(self, job: PipelineJob) -> str:
        return pretty(job.output)

    @display(description="Source")
    def source_link(self, job: PipelineJob) -> str:
        return link_to(job.source)

    @display(description="Work")
    def work_link(self, job: PipelineJob) -> str:
        return link_to(job.work)

    @display(description="Edition")
    def edition_link(self, job: PipelineJob) -> str:
        return link_to(job.edition)

    @display(description="Segment")
    def segment_link(self, job: PipelineJob) -> str:
        return link_to(job.segment)

    @display(description="Held by")
    def worker(self, job: PipelineJob) -> str:
        return spoken_who(job.leased_by)
