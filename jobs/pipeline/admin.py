"""Admin pages of the pipeline: its runs, and the sources, works, editions and segments they are about."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from jobs.history import spoken_who
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.subjects import Edition, Segment, Source, Work
from jobs.staff_pages import (
    ReadOnlyAdmin,
    StaffAdmin,
    badge,
    link_to,
    progress_bar,
    short_moment,
    spoken_length,
)

STATUS_COLOURS = {
    "Queued": "info",
    "Running": "primary",
    "Success": "success",
    "Failed": "danger",
    "Cancelled": "warning",
}


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
    fieldsets = (
        (None, {"fields": ("state", "job_type", "script", "bar", "attempts", "error_kind", "error_message")}),
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

    @display(description="Script")
    def script_text(self, job: PipelineJob) -> str:
        return job.script or str(job.pk)[:8]

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


@admin.register(Source)
class SourceAdmin(StaffAdmin):
    list_display = ("name", "base_url", "is_active", "works_count")
    list_filter = ("is_active",)
    search_fields = ("name", "base_url")
    fields = ("name", "base_url", "is_active", "configuration")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        return super().get_queryset(request).annotate(work_count=Count("works"))

    @display(description="Works")
    def works_count(self, source: Any) -> str:
        return str(source.work_count)


@admin.register(Work)
class WorkAdmin(StaffAdmin):
    list_display = ("title", "source", "author", "language", "created")
    list_filter = (("source", AutocompleteSelectFilter), "language")
    list_select_related = ("source",)
    search_fields = ("title", "=slug", "=external_id", "author")
    autocomplete_fields = ("source",)
    fields = (
        "title", "source", "provider", "slug", "url", "external_id", "author", "language", "description", "data",
    )  # fmt: skip

    @display(description="Found", ordering="created_at")
    def created(self, work: Work) -> str:
        return short_moment(work.created_at)


@admin.register(Edition)
class EditionAdmin(StaffAdmin):
    list_display = ("name", "work", "language", "provider", "source", "created")
    list_filter = (("source", AutocompleteSelectFilter), "language")
    list_select_related = ("work", "source")
    search_fields = ("title", "work__title", "=external_id")
    autocomplete_fields = ("work", "source")
    fields = ("work", "title", "source", "provider", "url", "external_id", "language", "data")

    @display(description="Edition")
    def name(self, edition: Edition) -> str:
        return str(edition)

    @display(description="Found", ordering="created_at")
    def created(self, edition: Edition) -> str:
        return short_moment(edition.created_at)


@admin.register(Segment)
class SegmentAdmin(StaffAdmin):
    list_display = ("name", "edition", "language", "is_fetched", "is_clean", "fetched")
    list_filter = (("edition", AutocompleteSelectFilter), "language")
    list_select_related = ("edition__work",)
    search_fields = ("title", "edition__work__title", "=external_id")
    autocomplete_fields = ("edition",)
    fields = (
        "edition", "season", "number", "title", "url", "external_id", "language", "content", "clean_content",
        "summary", "entities", "data",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        rows: QuerySet[Segment] = super().get_queryset(request)
        return rows.defer("embedding")

    @display(description="Segment")
    def name(self, segment: Segment) -> str:
        return str(segment)

    @display(description="Fetched", boolean=True)
    def is_fetched(self, segment: Segment) -> bool:
        return segment.fetched_at is not None

    @display(description="Cleaned", boolean=True)
    def is_clean(self, segment: Segment) -> bool:
        return bool(segment.clean_content)

    @display(description="At")
    def fetched(self, segment: Segment) -> str:
        return short_moment(segment.fetched_at)
