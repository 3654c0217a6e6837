"""The subtitles of a film in its package: WebVTT files in one directory that all resolutions share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jobs.errors import ErrorKind, JobError
from uploader import library
from uploader.catalog import Episode, Film, Subtitle
from uploader.transcoding import cues, languages
from uploader.transcoding.packages import SubtitleTrack

DIRECTORY = "subtitles"


class SubtitleRefused(JobError):
    """A subtitle file is broken. Correct it, then retry."""

    kind = ErrorKind.REJECTED
    permanent = True


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A subtitle that was read, and what viewers choose it by."""

    language: str  # BCP 47; "und" when neither file nor text tells it
    name: str
    is_default: bool
    is_forced: bool
    cues: list[cues.Cue]


def prepare(video: Episode | Film) -> list[Prepared]:
    """Every subtitle of the video. Raises SubtitleRefused with file, line and cause, and LibraryError."""
    found = [prepared(video, row) for row in video.subtitles.order_by("-is_default", "language", "pk")]
    first_default = next((track for track in found if track.is_default), None)
    names: list[str] = []
    kept = []
    for track in found:
        count = sum(name == track.name or name.startswith(f"{track.name} (") for name in names) + 1
        name = track.name if count == 1 else f"{track.name} ({count})"
        names.append(name)
        kept.append(
            Prepared(
                language=track.language, name=name, is_default=track is first_default,
                is_forced=track.is_forced, cues=track.cues,
            )
        )  # fmt: skip
    return kept


def prepared(video: Episode | Film, row: Subtitle) -> Prepared:
    with library.open_video(row.path) as file:
        data = file.read(cues.MOST_BYTES + 1)
    try:
        read = cues.read(data)
    except cues.BadSubtitle as error:
        raise SubtitleRefused(
            f"{video.subject}: the subtitle {library.shown(row.path)} is refused. {error} "
            "Correct the file, then retry."
        ) from error
    tag = languages.tag_of(row.language) or languages.detected(cues.spoken(read))
    name = row.label or languages.name_of(tag) or "Unknown"
    return Prepared(
        language=tag or "und",
        name=f"{name} (forced)" if row.is_forced and not row.label else name,
        # What is forced is shown without being asked for; a default is chosen for those who want subtitles.
        is_default=row.is_default and not row.is_forced,
        is_forced=row.is_forced,
        cues=read,
    )


def write(tracks: list[Prepared], root: Path, *, seconds: float) -> list[SubtitleTrack]:
    """Write each as a WebVTT file and the playlist that names it, below `root`."""
    folder = root / DIRECTORY
    if tracks:
        folder.mkdir()
    written: list[SubtitleTrack] = []
    stems: set[str] = set()
    for track in tracks:
        stem = stem_of(track, stems)
        stems.add(stem)
        text, playlist = folder / f"{stem}.vtt", folder / f"{stem}.m3u8"
        text.write_text(cues.webvtt(track.cues), encoding="utf-8")
        # A cue may stand longer than the film; a playlist's length is that of what it names.
        length = max(seconds, track.cues[-1].end / 1000, 1.0)
        playlist.write_text(playlist_of(text.name, length), encoding="utf-8")
        written.append(
            SubtitleTrack(
                language=track.language, name=track.name, playlist=playlist, files=[text, playlist],
                bytes=text.stat().st_size + playlist.stat().st_size, default=track.is_default,
                forced=track.is_forced,
            )
        )  # fmt: skip
    return written


def stem_of(track: Prepared, taken: set[str]) -> str:
    """ "en", "en-forced", "en-2"."""
    stem = f"{track.language}-forced" if track.is_forced else track.language
    number = 1
    while (name := stem if number == 1 else f"{stem}-{number}") in taken:
        number += 1
    return name


def playlist_of(name: str, seconds: float) -> str:
    """One file, from the beginning to the end (RFC 8216, 4.3.3)."""
    return (
        "#EXTM3U\n#EXT-X-VERSION:7\n"
        f"#EXT-X-TARGETDURATION:{-(-seconds // 1):.0f}\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        f"#EXTINF:{seconds:.3f},\n{name}\n#EXT-X-ENDLIST\n"
    )
