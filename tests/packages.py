"""Small packages as transcoding leaves them, of any bytes: what they carry is not looked into by an upload."""

from __future__ import annotations

import random
from pathlib import Path

from uploader.catalog import Film
from uploader.transcoding.packages import Package, Rendition, SubtitleTrack

SIZES = {"FHD": (1920, 1080), "HD": (1280, 720), "SD": (640, 360)}


def make_package(
    root: Path,
    film: Film,
    *,
    labels: tuple[str, ...] = ("HD", "SD"),
    languages: tuple[str, ...] = ("en", "id"),
    segments: int = 4,
    segment_bytes: int = 2000,
    seed: int = 1,
) -> Package:
    """A package of so many renditions, one sound track, and a subtitle per language."""
    dice = random.Random(seed)
    root.mkdir(parents=True)
    renditions = [rendition(root, label, "video", segments, segment_bytes, dice) for label in labels]
    renditions.append(rendition(root, "audio-en", "audio", segments, segment_bytes, dice))
    tracks = [subtitle(root, language) for language in languages]
    lines = ["#EXTM3U"]
    lines += [
        f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="{track.name}",LANGUAGE="{track.language}",'
        f'URI="{track.playlist.relative_to(root).as_posix()}"'
        for track in tracks
    ]
    lines.append(
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="English",DEFAULT=YES,URI="audio-en/index.m3u8"'
    )
    for each in renditions:
        if each.kind == "video":
            lines += [
                '#EXT-X-STREAM-INF:BANDWIDTH=800000,AUDIO="audio",SUBTITLES="subs"',
                f"{each.label}/index.m3u8",
            ]
    master = root / "master.m3u8"
    master.write_text("\n".join(lines) + "\n")
    package = Package(
        root=root, resource_type="film", resource_id=film.pk, master=master, renditions=renditions, subtitles=tracks,
        duration_seconds=4.0 * segments,
    )  # fmt: skip
    package.save()
    return package


def rendition(
    root: Path, label: str, kind: str, segments: int, segment_bytes: int, dice: random.Random
) -> Rendition:
    folder = root / label
    folder.mkdir()
    (folder / "init.mp4").write_bytes(dice.randbytes(700))
    names = [f"seg_{number:05}.m4s" for number in range(segments)]
    for name in names:
        (folder / name).write_bytes(dice.randbytes(segment_bytes))
    playlist = folder / "index.m3u8"
    playlist.write_text(
        '#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n'
        + "".join(f"#EXTINF:4.0,\n{name}\n" for name in names)
        + "#EXT-X-ENDLIST\n"
    )
    files = [folder / "init.mp4", *(folder / name for name in names), playlist]
    width, height = SIZES.get(label, (0, 0))
    return Rendition(
        label=label, kind=kind, directory=folder, playlist=playlist, files=files,
        bytes=sum(file.stat().st_size for file in files), width=width, height=height,
        language="en" if kind == "audio" else "",
    )  # fmt: skip


def subtitle(root: Path, language: str) -> SubtitleTrack:
    folder = root / "subtitles"
    folder.mkdir(exist_ok=True)
    text, playlist = folder / f"{language}.vtt", folder / f"{language}.m3u8"
    text.write_text(f"WEBVTT\n\n00:00.000 --> 00:02.000\nHello in {language}\n")
    playlist.write_text(f"#EXTM3U\n#EXTINF:16.0,\n{text.name}\n#EXT-X-ENDLIST\n")
    return SubtitleTrack(
        language=language, name={"en": "English", "id": "Indonesian"}.get(language, language), playlist=playlist,
        files=[text, playlist], bytes=text.stat().st_size + playlist.stat().st_size, default=language == "en",
    )  # fmt: skip
