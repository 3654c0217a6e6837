"""Pipeline jobs started from the lists of sources, works, editions and segments."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.starting import Refused, chain
from jobs.pipeline.subjects import Edition
from jobs.reports import Report
from jobs.staff_pages import StaffAdmin

# More rows than this are not started for in one request.
MOST_AT_ONCE = 200
Steps = list[tuple[str, dict[str, Any]]]
TEXTS: Steps = [("clean", {}), ("summarize", {}), ("entities", {}), ("embed", {})]
FETCH: Steps = [("scrape", {"scriptType": "scrape-chereads-segment"})]


class StartsJobs(StaffAdmin):
    """Starts jobs about each chosen row; for those who may add pipeline jobs."""

    actions: Any = ("start_clean", "start_summarize", "start_entities", "start_embed", "start_all")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, models.URLField):
            kwargs["assume_scheme"] = "https"
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def has_start_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("jobs.add_pipelinejob"))

    @admin.action(description="Clean the texts", permissions=["start"])
    def start_clean(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self.start(request, queryset, TEXTS[:1])

    @admin.action(description="Summarize the texts", permissions=["start"])
    def start_summarize(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self.start(request, queryset, TEXTS[1:2])

    @admin.action(description="Find names in the texts", permissions=["start"])
    def start_entities(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self.start(request, queryset, TEXTS[2:3])

    @admin.action(description="Embed the texts", permissions=["start"])
    def start_embed(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self.start(request, queryset, TEXTS[3:])

    @admin.action(
        description="Clean, summarize, find names, embed: one after the other", permissions=["start"]
    )
    def start_all(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self.start(request, queryset, TEXTS)

    def start(self, request: HttpRequest, rows: QuerySet[Any], steps: Steps) -> None:
        """One chain for each row; reports how many jobs were queued, and why others were not."""
        report, who, link = Report(), request.user.get_username(), str(self.opts.model_name)
        report.leave(max(rows.count() - MOST_AT_ONCE, 0))
        for row in rows.order_by("pk")[:MOST_AT_ONCE]:
            links = {link: row}
            if isinstance(row, Edition):
                links["work"] = row.work_id
            try:
                jobs: list[PipelineJob] = chain(steps, who=who, now=timezone.now(), **links)
            except Refused as refusal:
                report.refuse(refusal)
            else:
                for _ in jobs:
                    report.count("queued")
        report.tell(request)


class StartsMatching(StartsJobs):
    """Also compares works with the catalog."""

    actions = (*StartsJobs.actions, "start_match")

    @admin.action(description="Match with the catalog", permissions=["start"])
    def start_match(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self.start(request, queryset, [("match", {})])


class StartsFetching(StartsMatching):
    """Also fetches the texts that are missing."""

    actions = ("start_fetch", *StartsMatching.actions)

    @admin.action(description="Fetch the missing texts", permissions=["start"])
    def start_fetch(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self.start(request, queryset, FETCH)
