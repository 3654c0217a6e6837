"""Tiny real video files for tests, each kind made once per session."""

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from uploader.demo_library import ffmpeg

_kept = tempfile.TemporaryDirectory(prefix="slotcast-videos-")


def video(
    path: Path, *, seconds: float = 1, size: str = "160x120", colour: str = "red", sound: bool = True
) -> Path:
    """A playable H.264 (and AAC) file at `path`; its suffix decides the container. Returns `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_made(path.suffix or ".mp4", seconds, size, colour, sound), path)
    return path


def sound_only(path: Path) -> Path:
    """An MP4 that holds sound and no picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = _made(".mp4", 1, "160x120", "red", True)
    _run("-i", str(source), "-vn", "-c", "copy", "-f", "mp4", str(path))
    return path


def picture(path: Path) -> Path:
    """A still picture; its suffix decides the kind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = _made(".mp4", 1, "160x120", "blue", True)
    _run("-i", str(source), "-frames:v", "1", "-update", "1", str(path))
    return path


def cut(path: Path, share: float = 0.6) -> Path:
    """Cut the file at `path` short, as a broken download leaves it."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def hollow(path: Path, share: float = 0.6) -> Path:
    """Fill the end of the file at `path` with zeros, as a download that reserves its space leaves it."""
    data = path.read_bytes()
    kept = int(len(data) * share)
    path.write_bytes(data[:kept] + bytes(len(data) - kept))
    return path


@cache
def _made(suffix: str, seconds: float, size: str, colour: str, sound: bool) -> Path:
    made = Path(_kept.name) / f"{colour}-{size}-{seconds}-{sound}{suffix}"
    picture = f"testsrc2=size={size}:rate=25:duration={seconds},drawbox=w=iw/2:color={colour}:t=fill"
    tone = ["-f", "lavfi", "-i", f"sine=duration={seconds}", "-c:a", "aac"] if sound else []
    # Options of the output stand behind every input.
    inputs = ["-f", "lavfi", "-i", picture, *tone[:4]]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", *tone[4:]]
    faststart = ["-movflags", "+faststart"] if suffix in (".mp4", ".mov", ".m4v") else []
    _run(*inputs, *codecs, *faststart, str(made))
    return made


def _run(*arguments: str) -> None:
    subprocess.run(
        [ffmpeg(), "-nostdin", "-hide_banner", "-loglevel", "error", "-y", *arguments],
        check=True,
        capture_output=True,
        timeout=60,
    )
