"""The admin of films, series, seasons, episodes and subtitles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.safestring import SafeString
from import_export.admin import ImportExportModelAdmin
from import_export.formats.base_formats import CSV, XLSX
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter, DropdownFilter
from unfold.contrib.import_export.forms import ExportForm, ImportForm
from unfold.decorators import display

from jobs.reports import Report
from uploader.admin.exchange import (
    EpisodeResource,
    FilmResource,
    SeasonResource,
    SeriesResource,
    SubtitleResource,
    look_after_commit,
    usable_path,
)
from uploader.admin.files import BADGES, badge_of, make_posters, probe_again, thumbnail
from uploader.catalog import Episode, Film, Season, Series, Subtitle
from uploader.folders import SUBTITLE_SUFFIXES
from uploader.probing import clock
from uploader.transcoding import deciding

if TYPE_CHECKING:
    VideoForm = forms.ModelForm[Any]
else:
    VideoForm = forms.ModelForm


class ReadyFilter(DropdownFilter):
    title = "readiness"
    parameter_name = "ready"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Ready"), ("error", "Not ready"), ("unknown", "Not probed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = {
            "yes": Q(probed_at__isnull=False, probe_error=""),
            "error": Q(probed_at__isnull=False) & ~Q(probe_error=""),
            "unknown": Q(probed_at=None),
        }.get(self.value())
        return queryset.filter(chosen) if chosen is not None else queryset


class LanguageFilter(DropdownFilter):
    title = "language"
    parameter_name = "language"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        used = Film.objects.exclude(language="").order_by("language")
        return [(tag, tag) for tag in used.values_list("language", flat=True).distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(language=self.value()) if self.value() else queryset


class PathForm(VideoForm):
    """A path is checked when it changes: a file that went missing later must not block other edits."""

    def clean_path(self) -> str:
        path: str = self.cleaned_data["path"]
        return usable_path(path) if "path" in self.changed_data else path


class SubtitleForm(PathForm):
    def clean_path(self) -> str:
        path = super().clean_path()
        if not path.lower().endswith(SUBTITLE_SUFFIXES):
            raise forms.ValidationError(f"Subtitles are files that end in {' or '.join(SUBTITLE_SUFFIXES)}.")
        return path


class SubtitleInline(TabularInline):
    model = Subtitle
    form = SubtitleForm
    extra = 0
    fields = ("language", "label", "path", "is_default", "is_forced")


class SeasonInline(TabularInline):
    model = Season
    extra = 0
    fields = ("number", "title")


class EpisodeInline(TabularInline):
    """The episodes of a series to look at; each is edited on its own page."""

    model = Episode
    extra = 0
    per_page = 50
    show_change_link = True
    fields = readonly_fields = ("number", "title", "path", "duration", "state")
    ordering = Episode._meta.ordering

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("series", "season")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description="Number")
    def number(self, episode: Episode) -> str:
        return episode.numbered

    @display(description="Duration")
    def duration(self, episode: Episode) -> str:
        return clock(episode.duration_seconds) if episode.duration_seconds is not None else "–"

    @display(description="Ready", label=BADGES)
    def state(self, episode: Episode) -> str:
        return badge_of(episode)


class ExchangeAdmin(ModelAdmin, ImportExportModelAdmin):
    """Tables in and out, as CSV and XLSX."""

    import_form_class = ImportForm
    export_form_class = ExportForm
    formats = (CSV, XLSX)
    show_full_result_count = False
    list_filter_submit = True
    warn_unsaved_form = True


class VideoAdmin(ExchangeAdmin):
    form = PathForm
    inlines = (SubtitleInline,)
    actions = ("probe_again", "make_posters", "transcode")
    list_per_page = 50
    file_fields = (
        "picture",
        "state",
        "probe_error",
        "probed_at",
        "duration",
        "size",
        "shape",
        "checksum",
        "tracks",
    )
    readonly_fields = file_fields

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change or "path" in form.changed_data:
            look_after_commit(obj)

    @display(description="Poster")
    def picture(self, video: Any) -> SafeString | str:
        return thumbnail(video.poster, video)

    @display(description="Ready", label=BADGES)
    def state(self, video: Any) -> str:
        return badge_of(video)

    @display(description="Duration", ordering="duration_seconds")
    def duration(self, video: Any) -> str:
        return clock(video.duration_seconds) if video.duration_seconds is not None else "–"

    @display(description="Size", ordering="size_bytes")
    def size(self, video: Any) -> str:
        return filesizeformat(video.size_bytes) if video.size_bytes is not None else "–"

    @display(description="Picture and sound")
    def shape(self, video: Any) -> str:
        if not video.width:
            return "–"
        return f"{video.width} × {video.height}, {video.video_codec}, {video.audio_codec or 'no sound'}"

    @display(description="Tracks")
    def tracks(self, video: Any) -> str:
        told = [f"{s['type']} {s['codec']} {s.get('language') or ''}".strip() for s in video.streams]
        return "; ".join(told) or "–"

    @admin.action(description="Probe again", permissions=["change"])
    def probe_again(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        probe_again(request, queryset)

    @admin.action(description="Make posters", permissions=["change"])
    def make_posters(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        make_posters(request, queryset)

    @admin.action(description="Transcode to HLS", permissions=["change"])
    def transcode(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        report = Report()
        for video in queryset:
            try:
                deciding.start(video, now=timezone.now())
                report.count("queued")
            except deciding.Refused as refusal:
                report.refuse(refusal)
        report.tell(request)


@admin.register(Film)
class FilmAdmin(VideoAdmin):
    resource_classes = (FilmResource,)
    list_display = ("picture", "title", "state", "duration", "size", "language", "created_at")
    list_display_links = ("picture", "title")
    list_filter = (ReadyFilter, LanguageFilter)
    search_fields = ("title", "path", "intro")
    ordering = ("title", "id")
    date_hierarchy = "created_at"
    fieldsets = (
        (None, {"fields": ("title", "intro", "language", "path")}),
        ("File", {"fields": VideoAdmin.file_fields}),
    )


@admin.register(Episode)
class EpisodeAdmin(VideoAdmin):
    resource_classes = (EpisodeResource,)
    list_display = ("picture", "name", "title", "state", "duration", "size", "path")
    list_display_links = ("picture", "name")
    list_filter = (ReadyFilter, ("series", AutocompleteSelectFilter))
    list_select_related = ("series", "season")
    search_fields = ("series__title", "title", "path", "=index_sequence")
    ordering = ("series__title", "season__number", "index_sequence", "id")
    autocomplete_fields = ("series", "season")
    fieldsets = (
        (None, {"fields": ("series", "season", "index_sequence", "title", "path")}),
        ("File", {"fields": VideoAdmin.file_fields}),
    )

    @display(description="Episode", ordering="index_sequence")
    def name(self, episode: Episode) -> str:
        return str(episode)


@admin.register(Season)
class SeasonAdmin(ExchangeAdmin):
    resource_classes = (SeasonResource,)
    list_display = ("series", "number", "title")
    list_select_related = ("series",)
    list_filter = (("series", AutocompleteSelectFilter),)
    search_fields = ("series__title", "title", "=number")
    ordering = ("series__title", "number")
    autocomplete_fields = ("series",)


@admin.register(Subtitle)
class SubtitleAdmin(ExchangeAdmin):
    form = SubtitleForm
    resource_classes = (SubtitleResource,)
    list_display = ("path", "film", "episode", "language", "label", "is_default", "is_forced")
    list_select_related = ("film", "episode__series", "episode__season")
    list_filter = ("language", "is_default", "is_forced")
    search_fields = ("path", "label", "film__title", "episode__series__title")
    ordering = ("path", "id")
    autocomplete_fields = ("film", "episode")


@admin.register(Series)
class SeriesAdmin(ExchangeAdmin):
    resource_classes = (SeriesResource,)
    list_display = ("picture", "title", "episode_count", "ready_count", "created_at")
    list_display_links = ("picture", "title")
    search_fields = ("title", "intro")
    ordering = ("title", "id")
    date_hierarchy = "created_at"
    fields = ("title", "intro", "picture")
    readonly_fields = ("picture",)
    inlines = (SeasonInline, EpisodeInline)
    actions = ("probe_again", "make_posters")

    def get_queryset(self, request: HttpRequest) -> Any:
        pictured = Episode.objects.filter(series=OuterRef("pk")).exclude(poster="")
        ready = Q(episodes__probed_at__isnull=False, episodes__probe_error="")
        return super().get_queryset(request).annotate(
            episodes_in_it=Count("episodes"),
            ready_in_it=Count("episodes", filter=ready),
            first_poster=Subquery(pictured.values("poster")[:1]),
        )  # fmt: skip

    @display(description="Poster")
    def picture(self, series: Any) -> SafeString | str:
        return thumbnail(series.poster or series.first_poster or "", series) if series.pk else "–"

    @display(description="Episodes", ordering="episodes_in_it")
    def episode_count(self, series: Any) -> int:
        return int(series.episodes_in_it)

    @display(description="Ready", ordering="ready_in_it")
    def ready_count(self, series: Any) -> str:
        return f"{series.ready_in_it} of {series.episodes_in_it}"

    @admin.action(description="Probe the episodes again", permissions=["change"])
    def probe_again(self, request: HttpRequest, queryset: QuerySet[Series]) -> None:
        probe_again(request, Episode.objects.with_names().filter(series__in=queryset.values("pk")))

    @admin.action(description="Make posters of the episodes", permissions=["change"])
    def make_posters(self, request: HttpRequest, queryset: QuerySet[Series]) -> None:
        make_posters(request, Episode.objects.with_names().filter(series__in=queryset.values("pk")))
