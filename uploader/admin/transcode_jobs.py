"""Admin pages of transcode jobs: what came of each, and ffmpeg's log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from jobs.history import spoken_who
from jobs.reports import Report
from jobs.staff_pages import ReadOnlyAdmin, badge, go_to, link_to, page_of, progress_bar, short_moment
from uploader.admin.upload_jobs import MOST_AT_ONCE, STATUS_COLOURS
from uploader.models import TranscodeJob
from uploader.transcoding import deciding

RETRY = {
    "title": "Retry this transcoding?",
    "description": "It is queued again with fresh attempts. Pieces that are finished are used.",
    "form_submit_text": "Retry",
}
CANCEL = {
    "title": "Cancel this transcoding?",
    "description": "ffmpeg is stopped at once and what was made so far is removed. It can be retried later.",
    "form_submit_text": "Cancel the transcoding",
}
CLEAN_UP = {
    "title": "Remove its temporary files?",
    "description": "What the job has left of its work is removed; a finished package stays.",
    "form_submit_text": "Clean up",
}
Decision = Callable[[TranscodeJob, str, datetime], str]


@admin.register(TranscodeJob)
class TranscodeJobAdmin(ReadOnlyAdmin):
    list_display = ("id", "title_text", "state", "bar", "rungs", "error", "created", "finished")
    list_display_links = ("id", "title_text")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("error_kind", ChoicesDropdownFilter),
        ("created_at", RangeDateTimeFilter),
    )
    search_fields = ("resource_name", "source_path", "=job_id", "=id")
    search_help_text = "Title, file or id"
    ordering = ("-id",)
    sortable_by = ("id",)
    actions = ("retry_chosen", "cancel_chosen", "clean_up_chosen")
    actions_detail = ("retry_this", "cancel_this", "clean_up_this")
    fieldsets = (
        (None, {"fields": ("state", "bar_wide", "attempts", "error", "error_message")}),
        ("The film", {"fields": ("resource", "source_path", "resolution", "length", "sound")}),
        ("The package", {"fields": ("rungs", "subtitles", "package", "size")}),
        ("ffmpeg", {"fields": ("log_text",)}),
        (
            "Times",
            {
                "fields": (
                    "job_id", "client_id", "created_at", "not_before_at", "started_at", "finished_at",
                    "cancel_requested_at", "worker", "leased_until", "lost_workers", "priority",
                ),
            },
        ),
    )  # fmt: skip

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        job = self.get_object(request, str(object_id))
        fitting = {
            "retry_this": job and job.can_retry,
            "cancel_this": job and job.can_cancel,
            "clean_up_this": job and job.is_finished,
        }
        return self.offered(request, object_id, {name for name, fits in fitting.items() if not fits})

    # ---------------------------------------------------------------- actions

    @admin.action(description="Retry", permissions=["act"])
    def retry_chosen(self, request: HttpRequest, queryset: QuerySet[TranscodeJob]) -> None:
        decide_all(request, queryset, retried)

    @admin.action(description="Cancel", permissions=["act"])
    def cancel_chosen(self, request: HttpRequest, queryset: QuerySet[TranscodeJob]) -> None:
        decide_all(request, queryset, cancelled)

    @admin.action(description="Clean up", permissions=["act"])
    def clean_up_chosen(self, request: HttpRequest, queryset: QuerySet[TranscodeJob]) -> None:
        decide_all(request, queryset, cleaned_up)

    @action(
        description="Retry", permissions=["act"], icon="replay", dialog=RETRY, variant=ActionVariant.PRIMARY
    )
    def retry_this(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self.decide_one(request, object_id, retried)

    @action(
        description="Cancel", permissions=["act"], icon="cancel", dialog=CANCEL, variant=ActionVariant.DANGER
    )
    def cancel_this(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self.decide_one(request, object_id, cancelled)

    @action(description="Clean up", permissions=["act"], icon="mop", dialog=CLEAN_UP)
    def clean_up_this(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self.decide_one(request, object_id, cleaned_up)

    def decide_one(self, request: HttpRequest, object_id: str, decision: Decision) -> HttpResponse:
        job = self.found(request, object_id)
        decide_all(request, [job], decision)
        return go_to(request, page_of(job))

    # ---------------------------------------------------------------- columns

    @display(description="Status", ordering="status")
    def state(self, job: TranscodeJob) -> str:
        return badge(job.get_status_display(), STATUS_COLOURS)

    @display(description="Film or episode", ordering="resource_name")
    def title_text(self, job: TranscodeJob) -> str:
        return format_html('<div class="sc-wrap">{}</div>', job.resource_name)

    @display(description="Film or episode")
    def resource(self, job: TranscodeJob) -> str:
        return link_to(job.video) if job.video else "No longer in the catalog"

    @display(description="Progress")
    def bar(self, job: TranscodeJob) -> str:
        return progress_bar(job.progress)

    @display(description="Progress")
    def bar_wide(self, job: TranscodeJob) -> str:
        parts = [f"{job.progress} %", job.stage]
        if job.pieces_total > 1:
            parts.append(f"{job.pieces_done} of {job.pieces_total} pieces")
        if job.stage and job.frames_per_second:
            parts.append(f"{job.frames_per_second:.0f} frames a second")
        return progress_bar(job.progress, " · ".join(part for part in parts if part))

    @display(description="Attempt")
    def attempts(self, job: TranscodeJob) -> str:
        return f"{job.attempt} of {job.max_attempts}"

    @display(description="Resolutions")
    def rungs(self, job: TranscodeJob) -> str:
        return ", ".join(f"{r['label']} {r['width']}×{r['height']}" for r in job.ladder) or "–"

    @display(description="Length")
    def length(self, job: TranscodeJob) -> str:
        return f"{job.duration_seconds:.1f} s, {job.frames_total:,} frames" if job.duration_seconds else "–"

    @display(description="Sound")
    def sound(self, job: TranscodeJob) -> str:
        tracks = job.source.get("audio", [])
        return ", ".join(track["language"] or "und" for track in tracks) or "none"

    @display(description="Subtitles")
    def subtitles(self, job: TranscodeJob) -> str:
        return ", ".join(job.subtitle_languages) or "none"

    @display(description="Folder")
    def package(self, job: TranscodeJob) -> str:
        return job.package_path or "–"

    @display(description="Size")
    def size(self, job: TranscodeJob) -> str:
        return (
            f"{filesizeformat(job.package_bytes)} in {job.package_files} files" if job.package_files else "–"
        )

    @display(description="Log")
    def log_text(self, job: TranscodeJob) -> str:
        runs = job.logs.order_by("-attempt", "id")[:50]
        return format_html_join(
            "",
            '<details class="mb-2"><summary>Attempt {}, {}{}: {} after {} s</summary>'
            '<pre class="sc-pre text-xs">{}\n\n{}</pre></details>',
            (
                (
                    run.attempt, run.stage, "" if run.piece is None else f", piece {run.piece + 1}",
                    "done" if run.exit_code == 0 else f"ended with {run.exit_code}", f"{run.seconds:.1f}",
                    run.command, run.text,
                )
                for run in runs
            ),
        ) or "It has not run yet."  # fmt: skip

    @display(description="Error", ordering="error_kind")
    def error(self, job: TranscodeJob) -> str:
        return job.get_error_kind_display()

    @display(description="Held by")
    def worker(self, job: TranscodeJob) -> str:
        return spoken_who(job.leased_by)

    @display(description="Created", ordering="created_at")
    def created(self, job: TranscodeJob) -> str:
        return short_moment(job.created_at)

    @display(description="Finished", ordering="finished_at")
    def finished(self, job: TranscodeJob) -> str:
        return short_moment(job.finished_at)


def retried(job: TranscodeJob, who: str, now: datetime) -> str:
    deciding.retry(job, who=who, now=now)
    return "queued"


def cancelled(job: TranscodeJob, who: str, now: datetime) -> str:
    deciding.cancel(job, who=who, now=now)
    return "asked to stop" if job.is_active else "cancelled"


def cleaned_up(job: TranscodeJob, who: str, now: datetime) -> str:
    deciding.clean_up(job)
    return "cleaned up"


def decide_all(
    request: HttpRequest, jobs: QuerySet[TranscodeJob] | list[TranscodeJob], decision: Decision
) -> None:
    """Decide the same about each job and report how many it was done for, and why not for the others."""
    report = Report()
    if isinstance(jobs, QuerySet):
        report.leave(max(jobs.count() - MOST_AT_ONCE, 0))
        jobs = list(jobs.order_by("pk")[:MOST_AT_ONCE])
    for job in jobs:
        try:
            report.count(decision(job, request.user.get_username(), timezone.now()))
        except deciding.Refused as refusal:
            report.refuse(refusal)
    report.tell(request)
