"""Proposals that a work is a series of the catalog, or a segment one of its episodes; a person decides."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import IntegrityError, models, transaction
from django.utils import timezone

from jobs.errors import LostRace
from jobs.events import publish, record
from jobs.pipeline.subjects import Segment, Work
from uploader.catalog import Episode, Series


class MatchStatus(models.TextChoices):
    PROPOSED = "proposed", "Proposed"  # a person, or a run that may, accepts or rejects it
    ACCEPTED = "accepted", "Accepted"  # a person may reject it again
    REJECTED = "rejected", "Rejected"  # never proposed again; a person may accept it all the same


class MatchQuerySet(models.QuerySet["Match"]):
    def open(self) -> MatchQuerySet:
        return self.filter(status=MatchStatus.PROPOSED)

    def of_works(self) -> MatchQuerySet:
        return self.filter(segment=None)

    def with_names(self) -> MatchQuerySet:
        return self.select_related(
            "work__source", "series", "segment__edition", "episode__series", "episode__season"
        )


class Match(models.Model):
    """A work ↔ a series; or, when `segment` is given, one of its segments ↔ an episode of the series."""

    work = models.ForeignKey(Work, models.CASCADE, related_name="matches")
    series = models.ForeignKey(Series, models.CASCADE, related_name="matches")
    segment = models.ForeignKey(Segment, models.CASCADE, null=True, blank=True, related_name="matches")
    episode = models.ForeignKey(Episode, models.CASCADE, null=True, blank=True, related_name="matches")
    status = models.CharField(max_length=8, choices=MatchStatus, default=MatchStatus.PROPOSED, editable=False)
    score = models.FloatField(help_text="0 to 100")
    reasons = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    decided_at = models.DateTimeField(null=True, blank=True, editable=False)
    decided_by = models.CharField(max_length=80, blank=True, editable=False)

    objects = MatchQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "matches"
        ordering = ("-score", "id")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(segment=None, episode=None)
                | models.Q(segment__isnull=False, episode__isnull=False),
                name="match_of_works_or_of_segments",
            ),
            models.UniqueConstraint(
                fields=["work", "series"], condition=models.Q(segment=None), name="match_work_series_once"
            ),
            models.UniqueConstraint(
                fields=["segment", "episode"],
                condition=models.Q(segment__isnull=False),
                name="match_segment_episode_once",
            ),
            # A work is one series, a segment one episode.
            models.UniqueConstraint(
                fields=["work"],
                condition=models.Q(segment=None, status="accepted"),
                name="match_work_accepted_once",
            ),
            models.UniqueConstraint(
                fields=["segment"],
                condition=models.Q(status="accepted"),
                name="match_segment_accepted_once",
            ),
        )
        indexes = (
            # The review page: open proposals, the likeliest first.
            models.Index(fields=["status", "-score", "id"], name="match_review"),
        )

    def __str__(self) -> str:
        return f"{self.segment or self.work} ↔ {self.episode or self.series}"

    def accept(self, *, who: str, now: datetime) -> None:
        """PROPOSED | REJECTED → ACCEPTED. Raises LostRace when it is decided, or another one is accepted."""
        try:
            self._decide([MatchStatus.PROPOSED, MatchStatus.REJECTED], MatchStatus.ACCEPTED, who=who, now=now)
        except IntegrityError as error:
            raise LostRace(
                f"{self.segment or self.work} is matched already; reject that match first."
            ) from error

    def reject(self, *, who: str, now: datetime) -> None:
        """PROPOSED | ACCEPTED → REJECTED. Raises LostRace when it is rejected already."""
        self._decide([MatchStatus.PROPOSED, MatchStatus.ACCEPTED], MatchStatus.REJECTED, who=who, now=now)

    def _decide(self, old: list[MatchStatus], new: MatchStatus, *, who: str, now: datetime) -> None:
        columns: dict[str, Any] = {"status": new, "decided_at": now, "decided_by": who[:80]}
        with transaction.atomic():
            row = Match.objects.select_for_update().filter(pk=self.pk, status__in=old)
            before = row.values_list("status", flat=True).first()
            if before is None or row.update(**columns) != 1:
                raise LostRace(f"{self} is decided already.")
            record(self, new, now=now, old=before, new=new, who=who)
            publish("pipeline", "match", {"id": self.pk, "status": new}, now=now)
        for name, value in columns.items():
            setattr(self, name, value)


def episode_of(segment: Segment, series: Series | None) -> Episode | None:
    """The episode a segment is: by an accepted match, else the one of its season and number in `series`."""
    found = (
        Match.objects.filter(segment=segment, status=MatchStatus.ACCEPTED).select_related("episode").first()
    )
    if found is not None:
        return found.episode
    number = segment.number
    if series is None or number != number.to_integral_value():
        return None
    rows = series.episodes.filter(index_sequence=int(number)).select_related("season")
    return next((row for row in rows if is_same_season(row, segment.season)), None)


def is_same_season(episode: Episode, season: int) -> bool:
    """What has no seasons, on either side, is in the first."""
    return (episode.season.number if episode.season else 1) == (season or 1)
