"""What pipeline jobs are about: where texts come from, the works found there, their editions and segments."""

from __future__ import annotations

from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from jobs.pipeline.ids import new_id


class Subject(models.Model):
    """What every subject has: an id that scripts may pass on, and when it was made and changed."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True, editable=False)

    class Meta:
        abstract = True


class Source(Subject):
    """A site or an API that works are taken from, and how its pages are read."""

    name = models.CharField(max_length=100, unique=True)
    base_url = models.URLField(max_length=500, blank=True)
    configuration = models.JSONField(
        default=dict, blank=True, help_text="Selectors of its pages, delays and limits, as JSON"
    )
    is_active = models.BooleanField(
        "active", default=True, help_text="Scripts leave an inactive source alone"
    )

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        # Here and not above: it knows jobs, which know this.
        from jobs.scraping import configuration

        if not self.base_url and not self.configuration:
            return
        try:
            configuration.read(self.name, self.base_url, self.configuration)
        except configuration.BadConfiguration as error:
            raise ValidationError({"configuration": str(error)}) from error


class Work(Subject):
    """A novel, a series or a film as a source knows it."""

    source = models.ForeignKey(Source, null=True, blank=True, on_delete=models.SET_NULL, related_name="works")
    title = models.CharField(max_length=500)
    slug = models.CharField(max_length=255, blank=True, db_index=True)
    url = models.URLField(max_length=1000, blank=True)
    provider = models.CharField(max_length=100, blank=True)
    external_id = models.CharField(max_length=255, blank=True, help_text="Its id at the source")
    author = models.CharField(max_length=255, blank=True)
    language = models.CharField(max_length=35, blank=True)
    description = models.TextField(blank=True)
    data = models.JSONField(default=dict, blank=True, help_text="What else the source tells")

    class Meta:
        ordering = ("title", "id")
        constraints = (
            models.UniqueConstraint(
                fields=["source", "external_id"], condition=~models.Q(external_id=""), name="work_once"
            ),
        )

    def __str__(self) -> str:
        return self.title


class Edition(Subject):
    """A work in one language or version, from one source; its segments are numbered within it."""

    work = models.ForeignKey(Work, on_delete=models.CASCADE, related_name="editions")
    source = models.ForeignKey(
        Source, null=True, blank=True, on_delete=models.SET_NULL, related_name="editions"
    )
    title = models.CharField(max_length=500, blank=True)
    language = models.CharField(max_length=35, blank=True)
    url = models.URLField(max_length=1000, blank=True)
    provider = models.CharField(max_length=100, blank=True)
    external_id = models.CharField(max_length=255, blank=True, help_text="Its id at the source")
    data = models.JSONField(default=dict, blank=True, help_text="What else the source tells")

    class Meta:
        ordering = ("work", "id")
        constraints = (
            models.UniqueConstraint(
                fields=["work", "source", "external_id"],
                condition=~models.Q(external_id=""),
                name="edition_once",
            ),
        )

    def __str__(self) -> str:
        return self.title or f"{self.work} ({self.language or self.provider or 'edition'})"


class Segment(Subject):
    """A chapter or an episode of an edition: where it is, its text, and what was made of it."""

    edition = models.ForeignKey(Edition, on_delete=models.CASCADE, related_name="segments")
    season = models.PositiveIntegerField(default=0, help_text="0 where there are no seasons")
    # Chapter 10.5 is a chapter.
    number = models.DecimalField(max_digits=9, decimal_places=2)
    title = models.CharField(max_length=500, blank=True)
    url = models.URLField(max_length=1000, blank=True)
    external_id = models.CharField(max_length=255, blank=True, help_text="Its id at the source")
    language = models.CharField(max_length=35, blank=True)
    content = models.TextField(blank=True, help_text="As it was found")
    fetched_at = models.DateTimeField(null=True, blank=True, editable=False)
    clean_content = models.TextField(blank=True, help_text="The content, normalised")
    summary = models.TextField(blank=True)
    entities = models.JSONField(default=list, blank=True)
    embedding = models.JSONField(null=True, blank=True, editable=False)
    data = models.JSONField(default=dict, blank=True, help_text="What else the source tells")

    class Meta:
        ordering = ("edition", "season", "number")
        constraints = (models.UniqueConstraint(fields=["edition", "season", "number"], name="segment_once"),)

    def __str__(self) -> str:
        place = f"{self.season}x{self.numbered}" if self.season else self.numbered
        return f"{place} {self.title}".strip()

    @property
    def numbered(self) -> str:
        """ "10", "10.5"."""
        return f"{Decimal(self.number).normalize():f}"
