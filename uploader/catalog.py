"""The catalog: films, series with their seasons and episodes, subtitles, and what is known of each file."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from uploader import library, probing

V = TypeVar("V", bound="VideoFile")

# RFC 5646, as far as subtitles and platforms use it: "en", "pt-BR", "zh-Hant-TW".
is_language_tag = RegexValidator(
    r"^[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?(-[A-Za-z0-9]{5,8})*$",
    "Give a BCP 47 language tag, for example en, pt-BR or zh-Hant.",
)


# The columns of a file of which nothing is known.
UNKNOWN: dict[str, Any] = {
    "fingerprint": "",
    "size_bytes": None,
    "duration_seconds": None,
    "width": None,
    "height": None,
    "video_codec": "",
    "audio_codec": "",
    "streams": [],
}


class VideoFileQuerySet(models.QuerySet[V]):
    def ready(self) -> VideoFileQuerySet[V]:
        """Files found readable and complete when they were last looked at."""
        return self.filter(probed_at__isnull=False, probe_error="")


class VideoFile(models.Model):
    """A video in the library and what probing found out about it."""

    path = models.CharField(
        max_length=500, help_text="Relative to the library folder, for example harbour/07.mp4"
    )
    size_bytes = models.BigIntegerField("size", null=True, blank=True, editable=False)
    duration_seconds = models.FloatField("duration", null=True, blank=True, editable=False)
    width = models.PositiveIntegerField(null=True, blank=True, editable=False)
    height = models.PositiveIntegerField(null=True, blank=True, editable=False)
    video_codec = models.CharField(max_length=32, blank=True, editable=False)
    audio_codec = models.CharField(max_length=32, blank=True, editable=False)
    streams = models.JSONField(default=list, blank=True, editable=False)
    checksum = models.CharField("SHA-256", max_length=64, blank=True, editable=False)
    fingerprint = models.CharField(max_length=64, blank=True, editable=False)
    poster = models.CharField(max_length=200, blank=True, editable=False, help_text="Relative to MEDIA_ROOT")
    probed_at = models.DateTimeField(null=True, blank=True, editable=False)
    probe_error = models.TextField(blank=True, editable=False)

    class Meta:
        abstract = True

    @property
    def subject(self) -> str:
        """How a sentence about this video begins."""
        raise NotImplementedError

    def readiness(self, now: datetime) -> str:
        """Nothing when the file can be delivered, else why not and what to do, for an operator.

        Looks at the file's size and time only; probes it, and saves what that found, when they changed.
        """
        try:
            status = library.complete(self.path)
        except library.LibraryUnavailable as error:
            return self._sentence(error)
        except library.LibraryError as error:
            self._remember(now, **UNKNOWN, probe_error=str(error))
            return self._sentence(error)
        if self.probed_at is None or self.fingerprint != library.fingerprint(status):
            self.probe(now)
        return self._sentence(self.probe_error) if self.probe_error else ""

    def probe(self, now: datetime) -> None:
        """Look into the file and save what was found; what is wrong with it ends in `probe_error`.

        Raises `LibraryUnavailable`: that says nothing about the file.
        """
        try:
            library.complete(self.path)
            with library.open_video(self.path) as file:
                found = probing.examine(file, self.path)
        except library.LibraryUnavailable:
            raise
        except probing.Unreadable as error:
            columns = {**UNKNOWN, "fingerprint": error.fingerprint, "size_bytes": error.size_bytes}
            self._remember(now, **columns, probe_error=str(error))
        except library.LibraryError as error:
            self._remember(now, **UNKNOWN, probe_error=str(error))
        else:
            self.take(found, now)
            columns = {name: getattr(self, name) for name in (*UNKNOWN, "checksum")}
            self._remember(now, **columns, probe_error="")

    def take(self, found: probing.Probe, now: datetime) -> bool:
        """Set the columns to what `found` says, unsaved; whether the file is another than before."""
        changed = self.fingerprint != found.fingerprint or bool(self.probe_error) or self.probed_at is None
        if self.fingerprint != found.fingerprint:
            self.checksum = ""
        for name, value in found.columns().items():
            setattr(self, name, value)
        self.probed_at, self.probe_error = now, ""
        return changed

    def take_checksum(self) -> str:
        """Read the whole file and save its SHA-256. Raises `LibraryError`."""
        with library.open_video(self.path) as file:
            self.checksum = library.sha256(file)
        type(self)._base_manager.filter(pk=self.pk, path=self.path).update(checksum=self.checksum)
        return self.checksum

    @property
    def poster_name(self) -> str:
        """Where the file's poster belongs; the next file has another name, so no cache errs."""
        stamp = self.fingerprint.rpartition("-")[2][-12:] or "0"
        return f"posters/{self._meta.model_name}-{self.pk}-{stamp}.jpg"

    def make_poster(self) -> None:
        """Take a picture from the video as its poster. Raises `LibraryError` or `Unreadable`."""
        media, name = Path(settings.MEDIA_ROOT), self.poster_name
        with library.open_video(self.path) as file:
            probing.poster_of(file, self.path, (self.duration_seconds or 0) / 10, media / name)
        replaced, self.poster = self.poster, name
        type(self)._base_manager.filter(pk=self.pk).update(poster=name)
        if replaced and replaced != name:
            (media / replaced).unlink(missing_ok=True)

    def _remember(self, now: datetime, **columns: Any) -> None:
        """Save the columns of a probe alone, and only while the row still names the file that was probed."""
        columns["probed_at"] = now
        if columns["fingerprint"] != self.fingerprint:
            columns["checksum"] = ""
        for name, value in columns.items():
            setattr(self, name, value)
        if self.pk:
            type(self)._base_manager.filter(pk=self.pk, path=self.path).update(**columns)

    def _sentence(self, problem: object) -> str:
        text = str(problem)
        return f"{self.subject}: {text[:1].lower()}{text[1:]}"


class Film(VideoFile):
    title = models.CharField(max_length=200)
    intro = models.TextField(blank=True)
    language = models.CharField(
        max_length=35, blank=True, validators=[is_language_tag], help_text="BCP 47: en, pt-BR"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = VideoFileQuerySet.as_manager()

    class Meta:
        ordering = ["title", "id"]
        constraints = [
            # One film per file; serves the look-up of a film by its path when files are imported again.
            models.UniqueConstraint(
                fields=["path"],
                name="uploader_film_path_unique",
                violation_error_message="There is already a film of this file.",
            ),
        ]
        indexes = [
            # Serves the list of films in order of their titles.
            models.Index(fields=["title", "id"], name="uploader_film_title"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def subject(self) -> str:
        return f"Film {self.title}"


class Series(models.Model):
    title = models.CharField(max_length=200)
    intro = models.TextField(blank=True)
    poster = models.CharField(max_length=200, blank=True, editable=False, help_text="Relative to MEDIA_ROOT")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["title"]
        verbose_name_plural = "series"
        constraints = [
            # The title is what imports find a series by; serves that, and the list in order of titles.
            models.UniqueConstraint(
                fields=["title"],
                name="uploader_series_title_unique",
                violation_error_message="There is already a series with this title.",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Season(models.Model):
    series = models.ForeignKey(Series, models.CASCADE, related_name="seasons", db_index=False)
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["series_id", "number"]
        constraints = [
            # Serves the seasons of a series in order.
            models.UniqueConstraint(
                fields=["series", "number"],
                name="uploader_season_number_unique",
                violation_error_message="The series already has a season with this number.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.series} – Season {self.number}"


class EpisodeQuerySet(VideoFileQuerySet["Episode"]):
    def with_names(self) -> EpisodeQuerySet:
        """With the rows that an episode's name is made of."""
        return self.select_related("series", "season")


class Episode(VideoFile):
    series = models.ForeignKey(Series, models.CASCADE, related_name="episodes", db_index=False)
    # RESTRICT: without its season an episode could collide with another number; with its series both may go.
    season = models.ForeignKey(Season, models.RESTRICT, related_name="episodes", null=True, blank=True)
    index_sequence = models.PositiveIntegerField("episode number")
    title = models.CharField(max_length=200, blank=True)

    objects = EpisodeQuerySet.as_manager()

    class Meta:
        # Seed 000 names this table in its troubleshooting queries.
        db_table = "episodes"
        ordering = ["series_id", models.F("season__number").asc(nulls_first=True), "index_sequence", "id"]
        constraints = [
            # A number is used once in a season; serves the episodes of a series in order.
            models.UniqueConstraint(
                fields=["series", "season", "index_sequence"],
                name="uploader_episode_number_in_season",
                violation_error_message="The season already has an episode with this number.",
            ),
            # NULLs differ from each other in a unique index, so a number outside of seasons has its own.
            # Serves the look-up by series and number when episodes are imported again.
            models.UniqueConstraint(
                fields=["series", "index_sequence"],
                condition=models.Q(season=None),
                name="uploader_episode_number_in_series",
                violation_error_message="The series already has an episode with this number.",
            ),
        ]
        indexes = [
            # Serves the question of an import whose episode a file already is.
            models.Index(fields=["path"], name="uploader_episode_path"),
        ]

    def __str__(self) -> str:
        return f"{self.series} – {self.numbered}"

    @property
    def numbered(self) -> str:
        """ "Episode 7", or "Season 2 Episode 7"."""
        season = f"Season {self.season.number} " if self.season else ""
        return f"{season}Episode {self.index_sequence}"

    @property
    def subject(self) -> str:
        return f"{self.numbered} of {self.series}"

    def clean(self) -> None:
        if self.season and self.season.series_id != self.series_id:
            raise ValidationError({"season": "Choose a season of the same series."})


class Subtitle(models.Model):
    film = models.ForeignKey(
        Film, models.CASCADE, related_name="subtitles", null=True, blank=True, db_index=False
    )
    episode = models.ForeignKey(
        Episode, models.CASCADE, related_name="subtitles", null=True, blank=True, db_index=False
    )
    language = models.CharField(max_length=35, validators=[is_language_tag], help_text="BCP 47: en, pt-BR")
    label = models.CharField(
        max_length=100, blank=True, help_text="What viewers choose it by, for example English"
    )
    path = models.CharField(
        max_length=500, help_text="Relative to the library folder, for example harbour/07.en.srt"
    )
    is_default = models.BooleanField("default", default=False)
    is_forced = models.BooleanField("forced", default=False, help_text="Only what is foreign in the video")

    class Meta:
        ordering = ["language", "is_forced", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(film=None, episode__isnull=False)
                | models.Q(film__isnull=False, episode=None),
                name="uploader_subtitle_of_one_video",
                violation_error_message="A subtitle belongs to either a film or an episode.",
            ),
            # A file is attached once; both serve the subtitles of a video.
            models.UniqueConstraint(
                fields=["film", "path"],
                name="uploader_subtitle_film_path",
                violation_error_message="This file is already a subtitle of the film.",
            ),
            models.UniqueConstraint(
                fields=["episode", "path"],
                name="uploader_subtitle_episode_path",
                violation_error_message="This file is already a subtitle of the episode.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.film or self.episode} [{self.language}]"


def unready(episodes: Iterable[Episode], *, now: datetime | None = None) -> list[tuple[Episode, str]]:
    """The episodes that cannot be delivered, each with its sentence for an operator; see `readiness`."""
    asked = list(episodes)
    models.prefetch_related_objects(asked, "series", "season")
    at = now or timezone.now()
    answers = ((episode, episode.readiness(at)) for episode in asked)
    return [(episode, why) for episode, why in answers if why]
