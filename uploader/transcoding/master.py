"""The master playlist of a package (RFC 8216, 4.3.4)."""

from __future__ import annotations

from uploader.transcoding import languages
from uploader.transcoding.packages import Package, Rendition, SubtitleTrack
from uploader.transcoding.sources import Source


def master_playlist(package: Package, source: Source) -> str:
    """Every resolution with what was measured of it, every sound track and subtitle, by relative names."""
    videos = [each for each in package.renditions if each.kind == "video"]
    sounds = [each for each in package.renditions if each.kind == "audio"]
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    lines += sound_lines(package, sounds, source)
    lines += [subtitle_line(package, track) for track in package.subtitles]
    for video in videos:
        lines += stream_lines(package, video, sounds, source)
    return "\n".join(lines) + "\n"


def sound_lines(package: Package, sounds: list[Rendition], source: Source) -> list[str]:
    default = next((n for n, track in enumerate(source.audio) if track.is_default), 0)
    names = distinct([
        track.title or languages.name_of(languages.tag_of(track.language)) or f"Track {number}"
        for number, track in enumerate(source.audio, start=1)
    ])  # fmt: skip
    return [
        media(
            TYPE="AUDIO", GROUP_ID=quoted("audio"), NAME=quoted(name),
            LANGUAGE=quoted(sound.language) if sound.language else "",
            DEFAULT="YES" if number == default else "NO", AUTOSELECT="YES", CHANNELS=quoted("2"),
            URI=quoted(relative(package, sound)),
        )
        for number, (sound, name) in enumerate(zip(sounds, names, strict=True))
    ]  # fmt: skip


def subtitle_line(package: Package, track: SubtitleTrack) -> str:
    return media(
        TYPE="SUBTITLES", GROUP_ID=quoted("subs"), NAME=quoted(track.name), LANGUAGE=quoted(track.language),
        DEFAULT="YES" if track.default else "NO", AUTOSELECT="YES", FORCED="YES" if track.forced else "NO",
        URI=quoted(relative(package, track)),
    )  # fmt: skip


def stream_lines(package: Package, video: Rendition, sounds: list[Rendition], source: Source) -> list[str]:
    peak = video.bandwidth + max((sound.bandwidth for sound in sounds), default=0)
    mean = video.average_bandwidth + max((sound.average_bandwidth for sound in sounds), default=0)
    codecs = ",".join(dict.fromkeys([video.codecs, *(sound.codecs for sound in sounds)]))
    described = attributes(
        BANDWIDTH=str(peak), AVERAGE_BANDWIDTH=str(mean), CODECS=quoted(codecs),
        RESOLUTION=f"{video.width}x{video.height}", FRAME_RATE=f"{float(source.rate):.3f}",
        AUDIO=quoted("audio") if sounds else "", SUBTITLES=quoted("subs") if package.subtitles else "",
        CLOSED_CAPTIONS="NONE",
    )  # fmt: skip
    return [f"#EXT-X-STREAM-INF:{described}", relative(package, video)]


def media(**given: str) -> str:
    return f"#EXT-X-MEDIA:{attributes(**given)}"


def attributes(**given: str) -> str:
    return ",".join(f"{name.replace('_', '-')}={value}" for name, value in given.items() if value)


def quoted(text: str) -> str:
    """A quoted string, which may hold neither quotes nor line breaks."""
    return '"' + "".join(" " if c in "\r\n" else "'" if c == '"' else c for c in text) + '"'


def relative(package: Package, part: Rendition | SubtitleTrack) -> str:
    return part.playlist.relative_to(package.root).as_posix()


def distinct(names: list[str]) -> list[str]:
    """Names of one group must differ."""
    return [
        name if name not in names[:place] else f"{name} ({names[:place].count(name) + 1})"
        for place, name in enumerate(names)
    ]
