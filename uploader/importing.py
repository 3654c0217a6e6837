"""Files of the library into the catalog: a folder as a series, a file as a film.

The folder is read and its files are probed first, with no transaction open; one transaction then writes all.
Doing it again changes nothing; what a person has edited since is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from django.db import transaction

from uploader import folders, library, naming, probing
from uploader.catalog import UNKNOWN, Episode, Film, Series, Subtitle
from uploader.folders import Folder, Found
from uploader.library import LibraryError, LibraryUnavailable, shown
from uploader.matching import Matching

PROBES_AT_ONCE = 8


class NothingToImport(LibraryError):
    """No video that could be imported was found."""


@dataclass(kw_only=True)
class ImportReport:
    """What an import did; files are named as in their folder."""

    subject: Series | Film | None = None
    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    # What went wrong beside the videos themselves.
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.subject.pk if self.subject else None,
            "title": self.subject.title if self.subject else "",
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "skipped": [{"name": name, "reason": reason} for name, reason in self.skipped],
            "notes": self.notes,
        }


def import_series(
    directory: Path, *, title: str | None = None, now: datetime, posters: bool = True
) -> ImportReport:
    """Make the folder `directory` of the library a series, or bring the series it already is up to date.

    The series is the one called `title`; without it, the one whose files lie in the folder, else the one with
    the folder's name. Numbers come from the file names (`uploader.naming`), else from natural order. Raises
    `LibraryError` when the folder cannot be used, `NothingToImport` when it holds no usable video.
    """
    folder = folders.read(*library.folder(directory))
    report = ImportReport(skipped=folder.skipped)
    title = (title or "").strip()[:200] or _title_so_far(folder) or folder.title
    for video in folder.videos:
        stem = PurePosixPath(video.name).stem
        told = naming.numbered(stem, series=title)
        video.season = video.season if told.season is None else told.season
        video.number, video.title = told.episode, naming.episode_title(stem, series=title)
    usable = look_at(folder.videos, report)
    poster = folders.kept_picture(folder.poster)
    with transaction.atomic():
        written = _write_series(folder, title, usable, poster, report, now)
    if report.subject is None:
        raise NothingToImport(_nothing(folder, report))
    if posters:
        make_posters(written, report)
    return report


def import_film(
    path: Path,
    *,
    title: str | None = None,
    subtitles: Iterable[tuple[str, Path]] = (),
    now: datetime,
    posters: bool = True,
) -> ImportReport:
    """Make the file `path` of the library a film; the file of a known film is looked at again.

    `subtitles` are (language, file) and come beside those that are named after the film. Raises
    `LibraryError` and `Unreadable` when a file cannot be used.
    """
    place = library.located(path)
    inner = library.library_path(place)
    report = ImportReport()
    found = Found(name=place.name, path=inner)
    beside = folders.names_in(place.parent)
    named = [name for name in beside if name.lower().endswith(folders.SUBTITLE_SUFFIXES)]
    folders.attach_subtitles([found], named, inner)
    _attach_given(found, subtitles)
    known = Film.objects.ready().filter(path=inner).values_list("fingerprint", flat=True).first()
    look_into(found, known=known or "")
    intro = next((place.with_suffix(end) for end in (".txt", ".nfo") if place.stem + end in beside), None)
    with transaction.atomic():
        film = Film.objects.select_for_update().filter(path=inner).first() or Film(path=inner)
        texts = (
            (title or "").strip()[:200] or film.title or naming.title_of(place.stem),
            film.intro or (folders.text_of(intro) if intro else ""),
        )
        if texts != (film.title, film.intro):
            film.title, film.intro = texts
            if film.pk:
                film.save(update_fields=["title", "intro", "updated_at"])
        report.subject = film
        write_video(film, found, report, now)
    if posters:
        make_posters([film], report)
    return report


def _attach_given(film: Found, subtitles: Iterable[tuple[str, Path]]) -> None:
    for language, place in subtitles:
        path = library.library_path(library.located(place))
        library.resolve(path)
        others = [known for known in film.subtitles if known[0] != path]
        film.subtitles = [*others, (path, naming.SubtitleName(language, False, False, ""))]


# -------------------------------------------------------------------- looking into files


def look_at(videos: list[Found], report: ImportReport) -> list[Found]:
    """Those of `videos` that are complete videos, looked into unless the catalog knows them as they are.

    The others are reported. Raises `LibraryUnavailable`.
    """
    paths = [video.path for video in videos]
    known = {
        path: fingerprint
        for model in (Episode, Film)
        for path, fingerprint in model.objects.ready()
        .filter(path__in=paths)
        .values_list("path", "fingerprint")
    }

    def problem_of(video: Found) -> str:
        try:
            look_into(video, known=known.get(video.path, ""))
        except LibraryUnavailable:
            raise
        except (LibraryError, probing.Unreadable) as error:
            return str(error)
        return ""

    # Most of a probe is waiting for the disk, and FFmpeg's libraries let other threads run.
    with ThreadPoolExecutor(PROBES_AT_ONCE) as pool:
        problems = list(pool.map(problem_of, videos))
    report.skipped += [(shown(v.name), why) for v, why in zip(videos, problems, strict=True) if why]
    return [video for video, why in zip(videos, problems, strict=True) if not why]


def look_into(video: Found, *, known: str = "") -> None:
    """Probe the file of `video` unless its fingerprint is `known`. Raises `LibraryError`, `Unreadable`."""
    video.fingerprint = library.fingerprint(library.complete(video.path))
    if video.fingerprint == known:
        return
    with library.open_video(video.path) as file:
        video.probe = probing.examine(file, video.path)


# -------------------------------------------------------------------- writing rows


def _write_series(
    folder: Folder, title: str, usable: list[Found], poster: str, report: ImportReport, now: datetime
) -> list[Episode]:
    others = Episode.objects.with_names().filter(path__in=[video.path for video in usable])
    taken = {episode.path: episode for episode in others.exclude(series__title=title)}
    report.skipped += [(shown(v.name), f"already {taken[v.path].subject}") for v in usable if v.path in taken]
    usable = [video for video in usable if video.path not in taken]
    if not usable:
        return []
    Series.objects.get_or_create(title=title)
    # Whoever imports the same series at the same time waits here.
    series = Series.objects.select_for_update().get(title=title)
    texts = (series.intro or folder.intro, poster or series.poster)
    if texts != (series.intro, series.poster):
        series.intro, series.poster = texts
        series.save(update_fields=["intro", "poster", "updated_at"])
    report.subject = series
    matching = Matching(series)
    matched = matching.match(usable)
    report.skipped += [(shown(video.name), why) for video, why in matching.refused]
    for video, episode in matched:
        write_video(episode, video, report, now)
    return [episode for _, episode in matched]


def write_video(row: Episode | Film, video: Found, report: ImportReport, now: datetime) -> None:
    """Save what was found of `video` in `row`, and report it as created, updated or unchanged."""
    is_new, moved = row.pk is None, row.path != video.path
    replaced = video.probe is not None and row.take(video.probe, now)
    row.path = video.path
    if is_new:
        row.title = row.title or video.title
        row.save()
    elif moved or replaced:
        row.save(update_fields=["path", "probed_at", "probe_error", "checksum", *UNKNOWN])
    attached = _write_subtitles(row, video, moved=moved and not is_new)
    kind = "created" if is_new else "updated" if moved or replaced or attached else "unchanged"
    getattr(report, kind).append(shown(video.name))


def _write_subtitles(row: Episode | Film, video: Found, *, moved: bool) -> bool:
    """Attach the subtitle files beside `video`; those of its former name go with it. Whether any changed."""
    owner = {"film": row} if isinstance(row, Film) else {"episode": row}
    known = {subtitle.path: subtitle for subtitle in Subtitle.objects.filter(**owner)}
    wanted = dict(video.subtitles)
    gone = [known[path].pk for path in known.keys() - wanted.keys()] if moved else []
    Subtitle.objects.filter(pk__in=gone).delete()
    new = [
        Subtitle(
            **owner,
            path=path,
            language=said.language,
            label=said.label,
            is_forced=said.is_forced,
            is_default=said.is_default,
        )
        for path, said in wanted.items()
        if path not in known
    ]
    Subtitle.objects.bulk_create(new)
    return bool(new or gone)


def make_posters(rows: Iterable[Episode | Film], report: ImportReport) -> None:
    """A picture for every row whose file is new or that has none; without one a video is as good."""
    for row in rows:
        if row.poster and row.poster == row.poster_name:
            continue
        try:
            row.make_poster()
        except (LibraryError, probing.Unreadable) as error:
            report.notes.append(f"No poster: {error}")


def _title_so_far(folder: Folder) -> str:
    """The title of the one series whose files lie in the folder already, whatever it is called by now."""
    inside = {PurePosixPath(video.path).parent.as_posix() for video in folder.videos}
    rows = Episode.objects.filter(path__startswith=f"{folder.path}/").order_by()
    titles = {
        title
        for path, title in rows.values_list("path", "series__title")
        if PurePosixPath(path).parent.as_posix() in inside
    }
    return titles.pop() if len(titles) == 1 else ""


def _nothing(folder: Folder, report: ImportReport) -> str:
    reasons = "; ".join(f"{name}: {why}" for name, why in report.skipped[:20])
    return f"Folder {shown(folder.path)} holds no video that could be imported. {reasons or 'It is empty.'}"
