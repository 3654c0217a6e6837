"""Reading the media playlists that ffmpeg wrote, and what their segments say of themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import av

from jobs.errors import JobError


class BadPlaylist(JobError):
    """A playlist names files that are not there. The film is made anew."""


class Segment(NamedTuple):
    path: Path
    seconds: float


class Playlist(NamedTuple):
    init: Path | None
    segments: list[Segment]

    @property
    def files(self) -> list[Path]:
        """Every file it names, in playing order."""
        return [*([self.init] if self.init else []), *(segment.path for segment in self.segments)]

    @property
    def seconds(self) -> float:
        return sum(segment.seconds for segment in self.segments)

    @property
    def bit_rates(self) -> tuple[int, int]:
        """Peak and mean bits a second, as RFC 8216 (4.3.4.2) asks for: of segments, and of all together."""
        sizes = [(segment.path.stat().st_size * 8, segment.seconds) for segment in self.segments]
        # A last segment of a moment says nothing about the rate a player has to expect.
        longest = max(seconds for _, seconds in sizes)
        peak = max(bits / max(seconds, longest / 2) for bits, seconds in sizes)
        return round(peak), round(sum(bits for bits, _ in sizes) / max(self.seconds, 0.001))


def read(path: Path) -> Playlist:
    """The media playlist at `path`. Raises BadPlaylist when it is not whole, or names what is not there."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise BadPlaylist(f"The playlist {path.name} of {path.parent.name} was not written.") from error
    init = next((m[1] for line in lines if (m := re.match(r'#EXT-X-MAP:URI="([^"]+)"', line))), None)
    segments: list[Segment] = []
    seconds = 0.0
    for line in lines:
        if line.startswith("#EXTINF:"):
            seconds = float(line.removeprefix("#EXTINF:").partition(",")[0])
        elif line and not line.startswith("#"):
            segments.append(Segment(path.parent / line, seconds))
    found = Playlist(path.parent / init if init else None, segments)
    if not segments or lines[-1] != "#EXT-X-ENDLIST":
        raise BadPlaylist(f"The playlist {path.name} of {path.parent.name} is not whole.")
    if missing := next((file for file in found.files if not file.is_file()), None):
        raise BadPlaylist(f"{missing.name} of {path.parent.name} is missing.")
    return found


def avc_codec(folder: Path) -> str:
    """ "avc1.64001f", from the decoder configuration in the init segment (ISO/IEC 14496-15, 5.3.3)."""
    with av.open(str(folder / "init.mp4")) as container:
        configuration = container.streams.video[0].codec_context.extradata or b""
    return f"avc1.{configuration[1:4].hex()}"
