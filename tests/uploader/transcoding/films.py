"""Small sources of every awkward kind, made with real ffmpeg once per session, and looks into what came out."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import av

from uploader.transcoding.ffmpeg import program
from uploader.transcoding.packages import Rendition

_kept = Path(tempfile.mkdtemp(prefix="slotcast-films-"))
atexit.register(shutil.rmtree, _kept, ignore_errors=True)

X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
TONE = ["-f", "lavfi", "-i", "sine=frequency=440:duration={seconds}:sample_rate=48000"]


def film(
    path: Path,
    *,
    seconds: float = 2,
    size: str = "320x180",
    rate: str = "25",
    tones: int = 1,
    filters: str = "null",
    options: tuple[str, ...] = (),
    encoder: tuple[str, ...] = tuple(X264),
) -> Path:
    """A moving test picture with so many tones at `path`, whose suffix decides the container. Returns `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = _made(path.suffix, seconds, size, rate, tones, filters, options, encoder)
    shutil.copyfile(made, path)
    return path


@cache
def _made(
    suffix: str,
    seconds: float,
    size: str,
    rate: str,
    tones: int,
    filters: str,
    options: tuple[str, ...],
    encoder: tuple[str, ...],
) -> Path:
    target = Path(tempfile.mkdtemp(dir=_kept)) / f"film{suffix}"
    inputs = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds},{filters}"]
    maps = ["-map", "0:v"]
    for number in range(tones):
        frequency = 440 * (number + 1)
        inputs += ["-f", "lavfi", "-i", f"sine=frequency={frequency}:duration={seconds}:sample_rate=48000"]
        maps += ["-map", f"{number + 1}:a"]
    sound = ["-c:a", "aac", "-b:a", "64k"] if tones else []
    ffmpeg(*inputs, *maps, *encoder, *sound, *options, str(target))
    return target


def flashes(path: Path, *, seconds: int = 12) -> Path:
    """Each second of the film begins with a white flash and a beep of a tenth of a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ffmpeg(
        "-f", "lavfi", "-i", f"color=black:size=320x180:rate=25:duration={seconds}",
        "-f", "lavfi", "-i", f"sine=frequency=1000:duration={seconds}:sample_rate=48000",
        "-vf", "drawbox=color=white:t=fill:enable='lt(mod(t,1),0.1)'",
        "-af", "volume='lt(mod(t,1),0.1)':eval=frame",
        *X264, "-g", "60", "-c:a", "aac", str(path),
    )  # fmt: skip
    return path


def turned(path: Path, lying: Path) -> Path:
    """The film `lying` with the note that it is to be shown a quarter turned. Returns `path`."""
    with av.open(str(lying)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(90)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return path


def ffmpeg(*arguments: str) -> None:
    subprocess.run(
        [program(), "-nostdin", "-hide_banner", "-loglevel", "error", "-y", *arguments],
        check=True,
        capture_output=True,
        timeout=60,
    )


def joined(rendition: Rendition, target: Path) -> Path:
    """The rendition as one file: its init segment and all segments behind each other."""
    with target.open("wb") as file:
        for part in rendition.segments:
            file.write(part.read_bytes())
    return target


def frame_times(path: Path) -> list[float]:
    """When each picture is shown, in order."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return sorted(float(frame.pts * stream.time_base) for frame in container.decode(stream))


def begins_at(rendition: Rendition) -> float:
    """When its first picture is shown, as its boxes say (ISO/IEC 14496-12: `mdhd`, `tfdt`, `trun`).

    FFmpeg, which reads for the other looks, shows pictures later by the largest negative offset it meets.
    """
    init, first = (path.read_bytes() for path in rendition.segments[:2])
    timescale = int.from_bytes(_box(init, b"mdhd")[12:16])
    decoded_at, run = int.from_bytes(_box(first, b"tfdt")[4:12]), _box(first, b"trun")
    flags = int.from_bytes(run[1:4])
    # Behind count, data offset and first flags: of the first picture its duration, size and flags, then the offset.
    before = 8 + 4 * sum(bool(flags & each) for each in (0x1, 0x4, 0x100, 0x200, 0x400))
    assert flags & 0x800
    return (decoded_at + int.from_bytes(run[before : before + 4], signed=True)) / timescale


def _box(data: bytes, name: bytes) -> bytes:
    return data[data.index(name) + 4 :]


def key_frame_numbers(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        frames = container.decode(container.streams.video[0])
        return [number for number, frame in enumerate(frames) if frame.key_frame]


def flash_times(path: Path) -> list[float]:
    """Where the picture turns white."""
    found, was_white = [], False
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            is_white = bytes(frame.planes[0])[0] > 128
            if is_white and not was_white:
                found.append(float(frame.pts * stream.time_base))
            was_white = is_white
    return found


def beep_times(path: Path) -> list[float]:
    """Where the sound sets in."""
    import numpy

    found, quiet_until = [], -1.0
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        for frame in container.decode(stream):
            levels = numpy.abs(frame.to_ndarray()[0])
            for place in numpy.nonzero(levels > 0.02)[0]:
                at = float(frame.pts * stream.time_base) + place / frame.sample_rate
                if at > quiet_until:
                    found.append(at)
                quiet_until = at + 0.5
                break
    return found
