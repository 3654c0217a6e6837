"""A finished HLS package on disk: its renditions, subtitles and master playlist, described by `package.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from django.dispatch import Signal

# Sent with package=, job= in the transaction that completes the TranscodeJob (the sender): what waits for the
# package is created with it, or not at all.
package_ready = Signal()

MANIFEST = "package.json"


class BadPackage(Exception):
    """The folder holds no whole package."""


@dataclass(frozen=True, kw_only=True)
class Rendition:
    """One resolution, or one sound track: a playlist and the segments it names, in a folder of their own."""

    label: str  # UHD, FHD, HD, SD; of a sound track "audio-en", "audio-2"
    kind: str  # "video" or "audio"
    directory: Path
    playlist: Path
    files: list[Path]  # everything to deliver, the playlist last
    bytes: int
    bandwidth: int = 0  # peak and mean, bits a second
    average_bandwidth: int = 0
    codecs: str = ""
    width: int = 0
    height: int = 0
    language: str = ""

    @property
    def segments(self) -> list[Path]:
        return [file for file in self.files if file != self.playlist]


@dataclass(frozen=True, kw_only=True)
class SubtitleTrack:
    """One subtitle: a playlist and WebVTT files in the directory that all resolutions share."""

    language: str  # BCP 47
    name: str
    playlist: Path
    files: list[Path]  # everything to deliver, the playlist last
    bytes: int
    default: bool = False
    forced: bool = False

    @property
    def paths(self) -> list[Path]:
        return self.files


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package below `root`; every path is inside it."""

    root: Path
    resource_type: str  # "film" or "episode"
    resource_id: int
    master: Path
    renditions: list[Rendition]
    subtitles: list[SubtitleTrack] = field(default_factory=list)
    duration_seconds: float = 0.0

    @property
    def resource(self) -> tuple[str, int]:
        return self.resource_type, self.resource_id

    @property
    def files(self) -> Iterator[Path]:
        """Every file to deliver, what names others behind what it names; the master is the last."""
        for part in self.parts:
            yield from part.files
        yield self.master

    @property
    def parts(self) -> list[Rendition | SubtitleTrack]:
        return [*self.renditions, *self.subtitles]

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.parts) + self.master.stat().st_size

    def save(self) -> None:
        """Write `package.json`, with every path relative to the root."""

        def relative(value: Any) -> str:
            return Path(value).relative_to(self.root).as_posix()

        described = {**asdict(self), "version": 1}
        del described["root"]
        text = json.dumps(described, default=relative, ensure_ascii=False, indent=1)
        (self.root / MANIFEST).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, root: Path) -> Self:
        """The package in the folder `root`. Raises BadPackage when it is not whole."""
        try:
            described = json.loads((root / MANIFEST).read_text(encoding="utf-8"))
            if described.pop("version") != 1:
                raise BadPackage(f"{root} was made by another version. Transcode it again.")
            package = cls(
                root=root,
                master=_inside(root, described.pop("master")),
                renditions=[Rendition(**_placed(root, each)) for each in described.pop("renditions")],
                subtitles=[SubtitleTrack(**_placed(root, each)) for each in described.pop("subtitles")],
                **described,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadPackage(f"{root} holds no package: {error}") from error
        if missing := next((file for file in package.files if not file.is_file()), None):
            raise BadPackage(f"{missing} is missing. Transcode it again.")
        return package


def _placed(root: Path, described: dict[str, Any]) -> dict[str, Any]:
    """The fields of a rendition or subtitle with their paths below `root`."""
    placed = {
        name: _inside(root, value) if name in ("directory", "playlist") else value
        for name, value in described.items()
    }
    return {**placed, "files": [_inside(root, name) for name in described["files"]]}


def _inside(root: Path, name: str) -> Path:
    """The path `name` below `root`; a manifest leads nowhere else."""
    path = root / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise BadPackage(f"{name} lies outside of {root}")
    return path
