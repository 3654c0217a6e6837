"""The admin page of the schedules of scripts."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from cronsim import CronSim, CronSimError
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget

from jobs.pipeline.admin.runs import STATUS_COLOURS
from jobs.pipeline.starting import Refused
from jobs.pipeline.timetable import PipelineSchedule
from jobs.staff_pages import (
    StaffAdmin,
    badge,
    go_to,
    page_of,
    short_moment,
)

RUN_NOW = {
    "title": "Run it now?",
    "description": "Its jobs are queued once; its next run stays as planned.",
    "form_submit_text": "Run now",
}


@admin.register(PipelineSchedule)
class PipelineScheduleAdmin(StaffAdmin):
    list_display = (
        "name",
        "job_type",
        "cron",
        "time_zone",
        "is_active",
        "next_run",
        "last_run",
        "last_state",
    )
    list_filter = ("is_active", ("job_type", ChoicesDropdownFilter))
    list_select_related = ("last_job",)
    search_fields = ("name",)
    autocomplete_fields = ("source", "work", "edition", "segment")
    readonly_fields = ("in_words", "next_run", "last_run", "last_state")
    actions_detail = ("run_now",)
    fieldsets = (
        (None, {"fields": ("name", "is_active", "job_type", "input", "then")}),
        ("When", {"fields": ("cron", "time_zone", "in_words", "next_run", "last_run", "last_state")}),
        ("About", {"fields": ("source", "work", "edition", "segment")}),
        ("How", {"fields": ("priority", "max_attempts", "warn_after_hours")}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: PipelineSchedule | None = None) -> Any:
        """What is told of its runs is told once there is one to tell of."""
        if obj is not None:
            return self.fieldsets
        return [
            (name, {"fields": tuple(each for each in said["fields"] if each not in self.readonly_fields)})
            for name, said in self.fieldsets
        ]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "time_zone":
            zones = [(zone, zone) for zone in sorted(available_timezones())]
            return db_field.formfield(widget=UnfoldAdminSelectWidget(choices=zones))
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    @action(description="Run now", permissions=["act"], icon="play_arrow", dialog=RUN_NOW)
    def run_now(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        schedule = self.found(request, object_id)
        try:
            jobs = schedule.run(who=request.user.get_username(), now=timezone.now())
        except Refused as refusal:
            messages.error(request, f"{str(refusal)[0].upper()}{str(refusal)[1:]}.")
            return go_to(request, page_of(schedule))
        messages.success(request, f"{len(jobs)} queued.")
        return go_to(request, page_of(jobs[0]))

    @display(description="Next run", ordering="next_at")
    def next_run(self, schedule: PipelineSchedule) -> str:
        return short_moment(schedule.next_at)

    @display(description="Last run", ordering="last_at")
    def last_run(self, schedule: PipelineSchedule) -> str:
        return short_moment(schedule.last_at)

    @display(description="Came to")
    def last_state(self, schedule: PipelineSchedule) -> str:
        job = schedule.last_job
        return "–" if job is None else badge(job.get_status_display(), STATUS_COLOURS)

    @display(description="In words")
    def in_words(self, schedule: PipelineSchedule) -> str:
        try:
            return CronSim(schedule.cron, timezone.now()).explain()
        except CronSimError:
            return "–"
