"""What lies in a folder of the library before it is looked into: videos, subtitles, texts, a poster."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from django.conf import settings
from natsort import natsorted, ns

from uploader import library, naming, probing

MOST_TEXT_BYTES = 256 * 1024
SUBTITLE_SUFFIXES = (".srt", ".vtt")
INTRO_NAMES = ("intro.txt", "description.txt")
POSTER_NAMES = ("poster.jpg", "poster.jpeg", "poster.png", "cover.jpg", "folder.jpg")


@dataclass(kw_only=True)
class Found:
    """A video file met in a folder."""

    name: str
    path: str
    season: int | None = None
    number: int | None = None
    title: str = ""
    fingerprint: str = ""
    probe: probing.Probe | None = None
    subtitles: list[tuple[str, naming.SubtitleName]] = field(default_factory=list)


@dataclass(kw_only=True)
class Folder:
    """What a series' folder holds, before any of it is looked into."""

    place: Path
    path: str
    title: str
    videos: list[Found] = field(default_factory=list)
    intro: str = ""
    poster: Path | None = None
    # Entries of no use, each with the reason.
    skipped: list[tuple[str, str]] = field(default_factory=list)


def read(place: Path, path: str) -> Folder:
    """What lies in the folder and its season folders; what is of no use is in `skipped`."""
    season = naming.season_of_folder(place.name)
    named_by = place.parent if season is not None and place.parent != library.root() else place
    folder = Folder(place=place, path=path, title=naming.title_of(named_by.name))
    names = names_in(place)
    nfo = [name for name in names if name.lower().endswith(".nfo")]
    intro = next((name for name in (*INTRO_NAMES, "tvshow.nfo", *nfo) if name in names), None)
    folder.intro = text_of(place / intro) if intro else ""
    picture = next((name for name in POSTER_NAMES if name in names), None)
    folder.poster = place / picture if picture else None
    used = {*nfo, *INTRO_NAMES, *([picture] if picture else [])}
    _sort_out(folder, "", season, [name for name in names if name not in used])
    return folder


def _sort_out(folder: Folder, below: str, season: int | None, names: list[str]) -> None:
    subtitles, found = [], []
    for name in names:
        place, shown_name = folder.place / below / name, f"{below}{name}"
        path = f"{folder.path}/{shown_name}"
        inner = naming.season_of_folder(name) if place.is_dir() and not below else None
        if inner is not None:
            _sort_out(folder, f"{name}/", inner, names_in(place))
        elif name.lower().endswith(SUBTITLE_SUFFIXES) and not name.startswith("."):
            subtitles.append(name)
        elif reason := _useless(place, path):
            folder.skipped.append((library.shown(shown_name), reason))
        else:
            found.append(Found(name=shown_name, path=path, season=season))
    unattached = attach_subtitles(found, subtitles, f"{folder.path}/{below}x")
    folder.skipped += [(library.shown(f"{below}{name}"), "no video of that name") for name in unattached]
    folder.videos += found


def _useless(place: Path, path: str) -> str:
    """Why the entry of a folder cannot be an episode; "" when it may be one."""
    suffix = place.suffix.lower()
    marks = tuple(mark.lower() for mark in library.INCOMPLETE_MARKS)
    reasons = [
        (place.name.startswith("."), "hidden file"),
        (place.is_dir(), "folder, and not named like a season"),
        (place.name.lower().endswith(marks), "still being downloaded"),
        (suffix not in probing.VIDEO_SUFFIXES, f"not a video file ({suffix or 'no suffix'})"),
        (not _can_be_stored(path), "its name is not valid UTF-8: rename it"),
        (len(path) > 500, "its path is longer than 500 characters: shorten it"),
    ]
    return next((reason for applies, reason in reasons if applies), "")


def _can_be_stored(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def attach_subtitles(videos: list[Found], names: Iterable[str], beside: str) -> list[str]:
    """Give the subtitle files `names` to the videos they are named after; the names of the others."""
    by_stem = {PurePosixPath(video.name).stem: video for video in videos}
    left = []
    for name in names:
        said = naming.subtitle_of(name, list(by_stem)) if _can_be_stored(name) else None
        if said:
            path = PurePosixPath(beside).with_name(name).as_posix()
            by_stem[said[0]].subtitles.append((path, said[1]))
        else:
            left.append(name)
    return left


def names_in(place: Path) -> list[str]:
    return natsorted(sorted(os.listdir(place)), alg=ns.IGNORECASE)


def text_of(place: Path) -> str:
    """The text of an intro file, or the plot of an .nfo; "" when there is none to be had."""
    try:
        with library.open_video(library.library_path(place)) as file:
            text = file.read(MOST_TEXT_BYTES).decode("utf-8-sig", "replace").replace("\0", "")
    except library.LibraryError:
        return ""
    if place.suffix.lower() != ".nfo":
        return text.strip()
    # A document type could define entities that grow without limit; an .nfo has no use for one.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return ""
    try:
        return (ElementTree.fromstring(text.strip()).findtext(".//plot") or "").strip()  # noqa: S314
    except ElementTree.ParseError:
        found = re.search(r"<plot>([^<]*)</plot>", text)
        return found[1].strip() if found else ""


def kept_picture(source: Path | None) -> str:
    """The name below MEDIA_ROOT of a small copy of the poster `source`; "" when that is no picture."""
    if source is None:
        return ""
    try:
        with library.open_video(library.library_path(source)) as file:
            name = f"posters/series-{library.sha256(file)[:16]}.jpg"
            target = Path(settings.MEDIA_ROOT) / name
            if not target.exists():
                probing.poster_of(file, source.name, 0, target, formats=probing.PICTURE_FORMATS)
    except (library.LibraryError, probing.Unreadable):
        return ""
    return name
