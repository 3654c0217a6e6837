"""Which jobs are asked for: the filters of the page and of the API, and how they read the tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from jobs.errors import ErrorKind
from jobs.lifecycle import Status
from jobs.pages import whole
from uploader.catalog import Episode, Film
from uploader.manager.answers import SOUND
from uploader.manager.kinds import UPLOAD, Kind
from uploader.upload_jobs import UploadType

RESOURCES = {"film": "Film", "episode": "Episode", "season": "Season"}
# What each type of upload carries (`content` in the address).
CONTENT = {
    "video": (UploadType.VIDEO, UploadType.MEDIA, UploadType.HLS),
    "audio": (UploadType.HLS,),
    "subtitle": (UploadType.SUBTITLE,),
    "playlist": (UploadType.MASTER_PLAYLIST,),
}
# More videos than these are not looked for by their titles.
MOST_FOUND = 500


class BadFilter(ValueError):
    """A filter has a value it cannot have; the message says which and what it takes."""

    def __init__(self, name: str, says: str) -> None:
        super().__init__(f"{name} {says}")
        self.name, self.says = name, says


@dataclass(frozen=True)
class Wanted:
    """What is asked for; an empty filter lets everything pass."""

    status: str = ""
    type: str = ""  # of the resource: film, episode
    upload: str = ""  # hls, master_playlist, subtitle, video, media
    content: str = ""  # video, audio, subtitle, playlist
    label: str = ""  # SD, HD, FHD, UHD
    destination: str = ""
    error: str = ""
    cause: str = ""
    since: str = ""
    until: str = ""
    q: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str], *, kind: Kind) -> Self:
        """What a query string asks for. Raises BadFilter for what no job can have."""
        given = {
            field.name: str(query.get(field.name) or "").replace("\0", "").strip()[:200]
            for field in fields(cls)
        }
        wanted = cls(**given)
        checks: list[tuple[str, Mapping[str, Any] | list[str]]] = [
            ("status", list(Status.values)),
            ("type", RESOURCES),
            ("error", list(ErrorKind.values)),
            ("upload", list(UploadType.values)),
            ("content", CONTENT),
        ]
        for name, allowed in checks:
            value = getattr(wanted, name)
            if value and value not in allowed:
                raise BadFilter(name, f"takes {', '.join(allowed)}; “{value[:40]}” is none of them.")
        for name in ("since", "until"):
            if getattr(wanted, name):
                moment(getattr(wanted, name), name)
        if kind is not UPLOAD:
            wanted = replace(wanted, upload="", content="", label="", destination="")
        return wanted

    @classmethod
    def forgiving(cls, query: Mapping[str, str], *, kind: Kind) -> Self:
        """As `of`; a filter that is not understood counts as not given."""
        kept = {}
        for field in fields(cls):
            if value := query.get(field.name):
                try:
                    cls.of({field.name: value}, kind=kind)
                except BadFilter:
                    continue
                kept[field.name] = value
        return cls.of(kept, kind=kind)

    # ---------------------------------------------------------------- what it says

    @property
    def given(self) -> dict[str, str]:
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name))}

    @property
    def is_only_status(self) -> bool:
        """Is it a state alone, or nothing: what the database keeps count of?"""
        return not set(self.given) - {"status"}

    def query(self, **changes: str) -> str:
        """It as a query string, with changes."""
        return urlencode({name: value for name, value in {**self.given, **changes}.items() if value})

    # ---------------------------------------------------------------- what it finds

    def find(self, kind: Kind) -> QuerySet[Any]:
        """The jobs asked for, newest first."""
        rows: QuerySet[Any] = kind.model._default_manager.filter(cleared_at=None)
        exact = {"status": self.status, "error_kind": self.error, "cause": self.cause}
        rows = rows.filter(**{name: value for name, value in exact.items() if value})
        if self.cause:
            rows = rows.filter(handled_at=None)
        if self.type:
            rows = rows.filter(**of_resource(self.type))
        if kind is UPLOAD:
            rows = self._of_uploads(rows)
        if self.since:
            rows = rows.filter(created_at__gte=moment(self.since, "since"))
        if self.until:
            rows = rows.filter(created_at__lt=moment(self.until, "until"))
        if self.q:
            rows = rows.filter(matching(self.q, kind))
        # A span of time is read in its own order: by id the way to a day long ago leads past everything since.
        return rows.order_by("-created_at", "-pk") if self.has_span else rows.order_by("-pk")

    @property
    def has_span(self) -> bool:
        return bool(self.since or self.until)

    def older(self, rows: QuerySet[Any], job_id: int) -> QuerySet[Any]:
        """Of what `find` gave only what comes behind the job; all of it when there is no such job."""
        if not job_id:
            return rows
        if not self.has_span:
            return rows.filter(pk__lt=job_id)
        at = rows.model._default_manager.filter(pk=job_id).values_list("created_at", flat=True).first()
        if at is None:
            return rows
        behind = Q(created_at__lt=at) | Q(created_at=at, pk__lt=job_id)
        return rows.filter(behind, created_at__lte=at)

    def _of_uploads(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        if self.upload:
            rows = rows.filter(upload_type=self.upload)
        if self.content:
            rows = rows.filter(upload_type__in=CONTENT[self.content])
        if self.content == "audio":
            rows = rows.filter(label__startswith=SOUND)
        elif self.content == "video":
            rows = rows.exclude(label__startswith=SOUND)
        if self.label:
            rows = rows.filter(label__in={self.label, self.label.upper()})
        if self.destination:
            rows = rows.filter(destination__name=self.destination)
        return rows


def of_resource(name: str) -> dict[str, bool]:
    """The condition of jobs about a film, an episode, or an episode that stands in a season."""
    if name == "season":
        return {"episode__season__isnull": False}
    return {f"{name}__isnull": False}


def matching(text: str, kind: Kind) -> Q:
    """Jobs about the videos whose title holds `text`, and the job that has it for its id.

    Titles are looked for in the catalog, which is small beside the jobs.
    """
    films = Film.objects.filter(title__icontains=text).order_by("pk").values("pk")[:MOST_FOUND]
    of_title = Q(title__icontains=text) | Q(series__title__icontains=text)
    episodes = Episode.objects.filter(of_title).order_by("pk").values("pk")[:MOST_FOUND]
    found = Q(film__in=[row["pk"] for row in films]) | Q(episode__in=[row["pk"] for row in episodes])
    if number := whole(text.removeprefix("#")):
        found |= Q(pk=number)
    if kind is UPLOAD:
        return found | Q(tag=text) | (Q(media_name=text) & ~Q(media_name=""))
    return found | Q(job_id=text)


def moment(text: str, name: str) -> datetime:
    """A date (`until` means its end) or a time. Raises BadFilter."""
    try:
        if (day := parse_date(text)) is not None:
            if name == "until":
                day += timedelta(days=1)
            return timezone.make_aware(datetime.combine(day, time.min))
        # A “+” of an offset that arrived as a space.
        at = parse_datetime(text.replace(" ", "+") if "T" in text else text)
        if at is not None:
            at = at if timezone.is_aware(at) else timezone.make_aware(at)
            return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadFilter(name, f"takes a date such as {date(2026, 11, 21)}, or a time.") from error
    raise BadFilter(name, f"takes a date such as {date(2026, 11, 21)}, or a time.")
