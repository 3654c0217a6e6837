"""Admin pages of sources, works, editions and segments."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from jobs.pipeline.admin.starts import StartsFetching, StartsJobs, StartsMatching
from jobs.pipeline.subjects import Edition, Segment, Source, Work
from jobs.staff_pages import short_moment


@admin.register(Source)
class SourceAdmin(StartsMatching):
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
class WorkAdmin(StartsFetching):
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
class EditionAdmin(StartsFetching):
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
class SegmentAdmin(StartsJobs):
    list_display = ("name", "edition", "language", "is_fetched", "is_clean", "fetched")
    list_filter = (
        ("edition__work", AutocompleteSelectFilter),
        ("edition", AutocompleteSelectFilter),
        "language",
    )
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
