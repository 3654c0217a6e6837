"""What of the catalog goes to tables and comes from them: columns, natural keys, checks of each line."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from import_export import fields, resources, widgets

from jobs.errors import JobError
from uploader import library
from uploader.catalog import Episode, Film, Season, Series, Subtitle, VideoFile


def usable_path(path: str) -> str:
    """`path` as it is stored. Raises `ValidationError` unless it names a file in the library."""
    try:
        library.resolve(path)
    except library.LibraryError as error:
        raise ValidationError(str(error)) from error
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def look_after_commit(video: VideoFile) -> None:
    """Probe the file of a saved row, and take its poster, once the transaction has ended well."""

    def look() -> None:
        if not video.readiness(timezone.now()):
            try:
                video.make_poster()
            except JobError:
                return  # the row is good without one; "Make posters" tells why it fails

    transaction.on_commit(look)


class SeriesWidget(widgets.ForeignKeyWidget):
    """A series by its title."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Series:
        title = str(value or "").strip()
        series = Series.objects.filter(title=title).first()
        if series is None:
            raise ValueError(f"There is no series “{title}”. Add it first, or correct the title.")
        return series


class SeasonWidget(widgets.ForeignKeyWidget):
    """A season by its number, in the line's series; a new number makes a new season."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Season | None:
        text = str(value if value is not None else "").strip().removesuffix(".0")
        if not text:
            return None
        if not text.isdecimal():
            raise ValueError(f"Season “{text}” is not a number.")
        series = SeriesWidget(Series, "title").clean(row["series"])
        return Season.objects.get_or_create(series=series, number=int(text))[0]


class VideoResource(resources.ModelResource):
    """Lines are checked as a person's input is; a path new to its row must name a file in the library."""

    duration_seconds = fields.Field("duration_seconds", "duration_seconds", readonly=True)
    size_bytes = fields.Field("size_bytes", "size_bytes", readonly=True)
    probe_error = fields.Field("probe_error", "probe_error", readonly=True)

    def import_field(self, field: Any, instance: Any, row: Any, is_m2m: bool = False, **kwargs: Any) -> None:
        before = instance.path
        super().import_field(field, instance, row, is_m2m, **kwargs)
        if field.attribute == "path" and (instance.path != before or instance.pk is None):
            instance.path = usable_path(instance.path or "")

    def after_save_instance(self, instance: Any, row: Any, **kwargs: Any) -> None:
        look_after_commit(instance)


class FilmResource(VideoResource):
    class Meta:
        model = Film
        import_id_fields = ("path",)
        fields = ("path", "title", "intro", "language", "duration_seconds", "size_bytes", "probe_error")
        clean_model_instances = True
        skip_unchanged = True
        report_skipped = True


class EpisodeResource(VideoResource):
    series = fields.Field("series", "series", widget=SeriesWidget(Series, "title"))
    season = fields.Field("season", "season", widget=SeasonWidget(Season, "number"))

    class Meta:
        model = Episode
        import_id_fields = ("series", "season", "index_sequence")
        fields = (
            "series",
            "season",
            "index_sequence",
            "title",
            "path",
            "duration_seconds",
            "size_bytes",
            "probe_error",
        )
        clean_model_instances = True
        skip_unchanged = True
        report_skipped = True

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        # A table without seasons is common; its episodes stand outside of them.
        if dataset.headers and "season" not in dataset.headers:
            dataset.append_col([""] * len(dataset), header="season")

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("series", "season")


class SeriesResource(resources.ModelResource):
    class Meta:
        model = Series
        import_id_fields = ("title",)
        fields = ("title", "intro")
        clean_model_instances = True
        skip_unchanged = True
        report_skipped = True


class FilmWidget(widgets.ForeignKeyWidget):
    """A film by its file; empty: none."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Film | None:
        path = str(value or "").strip()
        if not path:
            return None
        film = Film.objects.filter(path=path).first()
        if film is None:
            raise ValueError(f"There is no film at “{path}”. Add it first, or correct the path.")
        return film


class EpisodeWidget(widgets.ForeignKeyWidget):
    """An episode by its file; empty: none."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Episode | None:
        path = str(value or "").strip()
        if not path:
            return None
        episodes = list(Episode.objects.filter(path=path)[:2])
        if len(episodes) != 1:
            raise ValueError(f"There is {'no' if not episodes else 'more than one'} episode at “{path}”.")
        return episodes[0]


class SubtitleResource(resources.ModelResource):
    """A subtitle by its video's file and its own."""

    film = fields.Field("film", "film", widget=FilmWidget(Film, "path"))
    episode = fields.Field("episode", "episode", widget=EpisodeWidget(Episode, "path"))

    class Meta:
        model = Subtitle
        import_id_fields = ("film", "episode", "path")
        fields = ("film", "episode", "path", "language", "label", "is_default", "is_forced")
        clean_model_instances = True
        skip_unchanged = True
        report_skipped = True

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        # A table of films alone needs no column for episodes, and the other way round.
        for name in ("film", "episode"):
            if dataset.headers and name not in dataset.headers:
                dataset.append_col([""] * len(dataset), header=name)

    def before_save_instance(self, instance: Any, row: Any, **kwargs: Any) -> None:
        instance.path = usable_path(instance.path)

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("film", "episode")


class SeasonResource(resources.ModelResource):
    """A season by its series and number."""

    series = fields.Field("series", "series", widget=SeriesWidget(Series, "title"))

    class Meta:
        model = Season
        import_id_fields = ("series", "number")
        fields = ("series", "number", "title")
        clean_model_instances = True
        skip_unchanged = True
        report_skipped = True

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("series")
