"""Admin pages of transcode jobs: what came of each, and ffmpeg's log."""

from __future__ import annotations

from datetime import datetime
from operator import attrgetter

from django.contrib import admin
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html, format_html_join
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from jobs.history import spoken_who
from jobs.staff_decisions import DecidingAdmin, Offer, cancelling, retrying
from jobs.staff_pages import badge, link_to, progress_bar, short_moment
from uploader.admin.upload_jobs import STATUS_COLOURS
from uploader.models import TranscodeJob, TranscodeLog
from uploader.transcoding import deciding, languages


def how_ended(run: TranscodeLog) -> str:
    if run.exit_code is None:
        return "unfinished"
    return f"ended with {run.exit_code}" if run.exit_code else "done"


def retried(job: TranscodeJob, who: str, now: datetime) -> str:
    deciding.retry(job, who=who, now=now)
    return "queued"


def cancelled(job: TranscodeJob, who: str, now: datetime) -> str:
    deciding.cancel(job, who=who, now=now)
    return "asked to stop" if job.is_active else "cancelled"


def cleaned_up(job: TranscodeJob, who: str, now: datetime) -> str:
    deciding.clean_up(job)
    return "cleaned up"


OFFERS = (
    retrying(
        name="retry_this",
        question="Retry this transcoding?",
        meaning="It is queued again with fresh attempts. Pieces that are finished are used.",
        decision=retried,
    ),
    cancelling(
        name="cancel_this",
        question="Cancel this transcoding?",
        meaning="ffmpeg is stopped at once and what was made so far is removed. It can be retried later.",
        answer="Cancel the transcoding",
        decision=cancelled,
    ),
    Offer(
        name="clean_up_this",
        chosen="clean_up_chosen",
        label="Clean up",
        icon="mop",
        question="Remove its temporary files?",
        meaning="What the job has left of its work is removed; a finished package stays.",
        answer="Clean up",
        decision=cleaned_up,
        fits=attrgetter("is_finished"),
    ),
)


@admin.register(TranscodeJob)
class TranscodeJobAdmin(DecidingAdmin):
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
    offers = OFFERS
    fieldsets = (
        (None, {"fields": ("state", "bar_wide", "attempts", "error", "error_message")}),
        ("The film", {"fields": ("resource", "source_path", "resolution", "length", "sound")}),
        ("The package", {"fields": ("rungs", "subtitles", "package", "size")}),
        ("Log of ffmpeg", {"fields": ("log_text",)}),
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
        sizes = ", ".join(f"{r['label']} {r['width']}×{r['height']}" for r in job.ladder)
        return format_html('<div class="sc-wrap">{}</div>', sizes) if sizes else "–"

    @display(description="Length")
    def length(self, job: TranscodeJob) -> str:
        return f"{job.duration_seconds:.1f} s, {job.frames_total:,} frames" if job.duration_seconds else "–"

    @display(description="Sound")
    def sound(self, job: TranscodeJob) -> str:
        tracks = [languages.tag_of(track["language"]) for track in job.source.get("audio", [])]
        return ", ".join(languages.name_of(tag) or "language not stated" for tag in tracks) or "none"

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
            '<details class="sc-run"><summary>Attempt {}, {}{}: {} after {} s</summary>'
            '<pre class="sc-pre text-xs">{}\n\n{}</pre></details>',
            (
                (
                    run.attempt, run.stage, "" if run.piece is None else f", piece {run.piece + 1}",
                    how_ended(run), f"{run.seconds:.1f}",
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
