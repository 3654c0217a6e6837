"""A table of films and episodes into the catalog: all of its lines, or none.

Columns, in any order; the first line names them. Separated by commas, semicolons or tabs, in UTF-8.

| column   | meaning                                                                              |
|----------|--------------------------------------------------------------------------------------|
| path     | the video, relative to the library folder; required                                  |
| series   | the series' title; empty: the line is a film                                         |
| season   | the season's number; empty: none                                                     |
| episode  | the episode's number; empty: the one in the file's name                              |
| title    | of the film or episode; a film without one gets its file's name                      |
| intro    | of the film, or of the series                                                        |
| language | of the film, BCP 47: en, pt-BR                                                       |

An empty cell leaves alone what the catalog holds; a filled one replaces it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from uploader import naming
from uploader.catalog import Episode, Film, Season, Series
from uploader.folders import Found
from uploader.importing import ImportReport, look_at, make_posters, write_video
from uploader.library import LibraryError, shown

COLUMNS = ("path", "series", "season", "episode", "title", "intro", "language")
MOST_FILE_BYTES = 64 * 1024 * 1024


class BadTable(LibraryError):
    """The table cannot be read. Correct it, then import it again."""


@dataclass(kw_only=True)
class TableReport(ImportReport):
    """What importing a table did, or would do; with any error nothing was written."""

    errors: list[tuple[int, str]] = field(default_factory=list)
    is_dry_run: bool = False

    def as_json(self) -> dict[str, Any]:
        errors = [{"line": line, "reason": reason} for line, reason in self.errors]
        return {**super().as_json(), "errors": errors, "is_dry_run": self.is_dry_run}


@dataclass(kw_only=True)
class Line:
    """One line of the table, understood."""

    number: int
    video: Found
    series: str
    season: int | None
    episode: int | None
    title: str
    intro: str
    language: str


def import_catalog(table: Path, *, now: datetime, dry_run: bool = False, posters: bool = True) -> TableReport:
    """Write the lines of the CSV file `table` to the catalog; with `dry_run` only tell what would be written.

    Every file is looked into before anything is written. What is wrong with a line is in `errors`,
    by its number in the file. Raises `BadTable` when the table as a whole is wrong.
    """
    report = TableReport(is_dry_run=dry_run)
    lines = list(_understood(table, report))
    _refuse_repeated(lines, report)
    _look_at(lines, report)
    if report.errors:
        report.errors.sort()
        return report
    written: list[Episode | Film] = []
    with transaction.atomic():
        for line in lines:
            with _told(line, report), transaction.atomic():
                written.append(_write(line, report, now))
        transaction.set_rollback(dry_run or bool(report.errors))
    if report.errors:
        report.created, report.updated, report.unchanged = [], [], []
    elif posters and not dry_run:
        make_posters(written, report)
    return report


class _told:
    """What is wrong with a line becomes one of the report's errors instead of the end of the import."""

    def __init__(self, line: Line, report: TableReport) -> None:
        self.line, self.report = line, report

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, ValidationError):
            return False
        self.report.errors.append((self.line.number, " ".join(error.messages)))
        return True


def _rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Each filled line with its number in the file, its cells by column."""
    try:
        if table.stat().st_size > MOST_FILE_BYTES:
            raise BadTable(f"Table {shown(table)} is larger than 64 MB. Split it, then import the parts.")
        text = table.read_bytes().decode("utf-8-sig")
    except OSError as exc:
        raise BadTable(f"Table {shown(table)} cannot be read ({exc.strerror}). Correct the path.") from exc
    except UnicodeDecodeError as exc:
        raise BadTable(f"Table {shown(table)} is not in UTF-8. Save it as “CSV UTF-8”.") from exc
    head = text.partition("\n")[0]
    reader = csv.reader(text.splitlines(keepends=True), delimiter=max(",;\t", key=head.count), strict=True)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        _check_columns(names, table)
        start = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                padded = [*cells, *[""] * (len(names) - len(cells))]
                yield start, dict(zip(names, padded, strict=False))
            start = reader.line_num + 1
    except csv.Error as exc:
        raise BadTable(f"Table {shown(table)}, line {reader.line_num}: {exc}. Correct it.") from exc


def _check_columns(names: list[str], table: Path) -> None:
    unknown = [name for name in names if name not in COLUMNS]
    twice = {name for name in names if names.count(name) > 1}
    if unknown or twice or "path" not in names:
        wrong = (
            f"column {', '.join(map(shown, unknown))} is unknown" if unknown
            else f"column {', '.join(twice)} is there twice" if twice
            else "there is no column path"
        )  # fmt: skip
        raise BadTable(f"Table {shown(table)}: {wrong}. The columns are {', '.join(COLUMNS)}.")


def _understood(table: Path, report: TableReport) -> Iterator[Line]:
    for number, row in _rows(table):
        cell = {name: row.get(name, "").strip() for name in COLUMNS}
        # A name may end in spaces; only the path is taken as it stands.
        path = PurePosixPath(row["path"]).as_posix() if row["path"].strip() else ""
        problems = [
            "path is empty" if not path else "",
            *(
                f"{name} “{shown(cell[name])}” is not a number"
                for name in ("season", "episode")
                if cell[name] and not (cell[name].isdecimal() and len(cell[name]) < 7)
            ),
            "a film has no season or episode: fill in series" if _is_lost(cell) else "",
        ]
        told = naming.numbered(PurePosixPath(path).stem, series=cell["series"]) if path else naming.Numbered()
        if cell["series"] and not cell["episode"] and told.episode is None:
            problems.append("episode is empty, and the file's name tells none")
        if wrong := [problem for problem in problems if problem]:
            report.errors.append((number, "; ".join(wrong)))
            continue
        yield Line(
            number=number,
            video=Found(name=path, path=path),
            series=cell["series"],
            season=int(cell["season"]) if cell["season"] else None if cell["episode"] else told.season,
            episode=int(cell["episode"]) if cell["episode"] else told.episode,
            title=cell["title"],
            intro=cell["intro"],
            language=cell["language"],
        )


def _is_lost(cell: dict[str, str]) -> bool:
    return not cell["series"] and bool(cell["season"] or cell["episode"])


def _refuse_repeated(lines: list[Line], report: TableReport) -> None:
    """Two lines of one file, or of one number, cannot both be meant."""
    seen: dict[object, int] = {}
    for line in lines:
        keys: list[tuple[object, str]] = [(line.video.path, "this file")]
        if line.series:
            keys.append(((line.series, line.season, line.episode), f"episode {line.episode}"))
        for key, words in keys:
            if key in seen:
                report.errors.append((line.number, f"{words} is in line {seen[key]} already"))
            seen.setdefault(key, line.number)


def _look_at(lines: list[Line], report: TableReport) -> None:
    looked = ImportReport()
    usable = {video.path for video in look_at([line.video for line in lines], looked)}
    reasons = dict(looked.skipped)
    report.errors += [
        (line.number, reasons[shown(line.video.name)]) for line in lines if line.video.path not in usable
    ]


def _write(line: Line, report: TableReport, now: datetime) -> Episode | Film:
    row = _episode_of(line) if line.series else _film_of(line)
    before = (row.title, getattr(row, "language", ""), getattr(row, "intro", ""))
    row.title = line.title or row.title
    if isinstance(row, Film):
        row.title = row.title or naming.title_of(PurePosixPath(line.video.path).stem)
        row.intro, row.language = line.intro or row.intro, line.language or row.language
    row.path, known_path = line.video.path, row.path
    row.full_clean(exclude=["checksum", "fingerprint", "streams"])
    row.path = known_path
    edited = row.pk is not None and before != (
        row.title,
        getattr(row, "language", ""),
        getattr(row, "intro", ""),
    )
    if edited:
        columns = ["title", "intro", "language", "updated_at"] if isinstance(row, Film) else ["title"]
        row.save(update_fields=columns)
    write_video(row, line.video, report, now)
    name = shown(line.video.name)
    if edited and name in report.unchanged:
        report.unchanged.remove(name)
        report.updated.append(name)
    return row


def _film_of(line: Line) -> Film:
    return Film.objects.filter(path=line.video.path).first() or Film(path=line.video.path)


def _episode_of(line: Line) -> Episode:
    series = Series.objects.filter(title=line.series).first() or Series(title=line.series)
    if series.pk is None or (line.intro and line.intro != series.intro):
        series.intro = line.intro or series.intro
        series.full_clean()
        series.save()
    season = None
    if line.season is not None:
        season, _ = Season.objects.get_or_create(series=series, number=line.season)
    elsewhere = Episode.objects.with_names().filter(path=line.video.path).first()
    wanted = {"series": series, "season": season, "index_sequence": line.episode}
    known = Episode.objects.with_names().filter(**wanted).first()
    if elsewhere and elsewhere != known:
        raise ValidationError(f"the file is already {elsewhere.subject}")
    return known or Episode(series=series, season=season, index_sequence=line.episode or 0)
