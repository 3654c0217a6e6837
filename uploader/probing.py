"""Looking into video files nobody vouches for: what they hold, whether all of it is there, and a picture.

FFmpeg's libraries get an open file and a list of container formats, never a name: nothing in a file or in its
name can make them open another file or an address.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import av
import av.error
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame

from jobs.errors import ErrorKind, JobError
from uploader import library
from uploader.containers import missing_part

# Containers that hold their own data. Playlists (hls, dash, concat) and picture sequences are not among them.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,ogg,rm,mxf,nut,dv,vob"
)
VIDEO_KINDS = "mp4 m4v mov mkv webm avi ts m2ts mts mpg mpeg vob flv f4v wmv asf ogv 3gp 3g2 mxf"
VIDEO_SUFFIXES = frozenset(f".{kind}" for kind in VIDEO_KINDS.split())

OPEN_SECONDS = 30.0
POSTER_WIDTH = 640
PICTURE_FORMATS = "jpeg_pipe,png_pipe,webp_pipe,image2"
# 16K by 16K pictures: more is no video but a bomb for the decoder's memory.
MOST_PIXELS = 16384 * 16384
# The last packet may lie so far before the stated end: sound seldom ends with the pictures.
TAIL_SECONDS = 2.0
TAIL_SHARE = 0.002


class Unreadable(JobError):
    """The file is no complete video. Replace it, then retry."""

    kind = ErrorKind.REJECTED
    permanent = True

    def __init__(self, message: str = "", *, fingerprint: str = "", size_bytes: int | None = None) -> None:
        super().__init__(message)
        self.fingerprint = fingerprint
        self.size_bytes = size_bytes


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What a readable, complete video file holds."""

    fingerprint: str
    size_bytes: int
    duration_seconds: float
    width: int
    height: int
    video_codec: str
    audio_codec: str = ""
    streams: list[dict[str, Any]] = field(default_factory=list)

    def columns(self) -> dict[str, Any]:
        """The values by the names of the catalog's columns."""
        return asdict(self)


def probe(path: Path) -> Probe:
    """What the video file at `path`, anywhere on this machine, holds.

    Raises `Unreadable` (empty, no video, truncated) and `LibraryError` when it cannot be opened as a file.
    """
    with _opened(path) as file:
        return examine(file, str(path))


def examine(file: BinaryIO, name: str) -> Probe:
    """What the open video `file` holds; `name` is what an operator knows it by.

    Reads the structure, the beginning and the end, not the whole. Raises `Unreadable`, with the file's
    fingerprint, and `LibraryUnavailable` when its disk fails.
    """
    status = os.fstat(file.fileno())
    mark = library.fingerprint(status)
    try:
        found = _examine(file, name, status.st_size, mark)
    except Unreadable as error:
        error.fingerprint, error.size_bytes = mark, status.st_size
        raise
    except OSError as exc:
        raise disk_fails(name, exc) from exc
    if library.fingerprint(os.fstat(file.fileno())) != mark:
        raise Unreadable(
            f"File {library.shown(name)} is being written to. Wait until it is complete, then retry."
        )
    return found


def poster(path: Path, seconds: float, target: Path) -> None:
    """Write the picture at `seconds` of the video at `path` to `target`, a JPEG of at most 640 pixels' width.

    Raises as `probe` does. `target` appears whole or not at all.
    """
    with _opened(path) as file:
        poster_of(file, str(path), seconds, target)


def poster_of(file: BinaryIO, name: str, seconds: float, target: Path, *, formats: str = FORMATS) -> None:
    """As `poster`, of an open `file` known to an operator as `name`."""
    try:
        with demuxed(file, name, formats) as container:
            frame = _picture_at(container, seconds) or _picture_at(container, 0)
            if frame is None:
                _refuse(name, "holds no picture that can be decoded")
            small = frame.reformat(*_poster_shape(frame, container), format="yuvj420p")
    except OSError as exc:
        raise disk_fails(name, exc) from exc
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".poster-") as folder:
        made = Path(folder) / "poster.jpg"
        small.save(made)
        made.replace(target)


def picture(path: Path, target: Path) -> None:
    """Write the picture file at `path` (JPEG, PNG, WebP) to `target` as `poster` does."""
    with _opened(path) as file:
        poster_of(file, str(path), 0, target, formats=PICTURE_FORMATS)


def _examine(file: BinaryIO, name: str, size_bytes: int, mark: str) -> Probe:
    if not size_bytes:
        _refuse(name, "is empty (0 bytes)", "Copy it again, then retry.")
    if missing := missing_part(file, size_bytes):
        _refuse(name, f"is truncated: {missing}", "Copy or download it again, then retry.")
    with demuxed(file, name) as container:
        streams = [_described(stream) for stream in container.streams]
        video = next((s for s in streams if s["type"] == "video" and not s["is_cover"]), None)
        if video is None or not video["width"] or not video["height"]:
            _refuse(name, "has no video stream")
        audio = next((s for s in streams if s["type"] == "audio"), None)
        return Probe(
            fingerprint=mark,
            size_bytes=size_bytes,
            duration_seconds=round(_proven_duration(container, name), 3),
            width=video["width"],
            height=video["height"],
            video_codec=video["codec"],
            audio_codec=audio["codec"] if audio else "",
            streams=streams,
        )


@contextmanager
def demuxed(file: BinaryIO, name: str, formats: str = FORMATS) -> Iterator[InputContainer]:
    """`file` as a demuxer sees it; FFmpeg's complaints, also in the block, become `Unreadable`."""
    file.seek(0)
    try:
        with av.open(
            file,
            mode="r",
            metadata_errors="replace",
            timeout=OPEN_SECONDS,
            io_open=_refuse_to_open,
            container_options={"format_whitelist": formats, "protocol_whitelist": "none"},
        ) as container:
            yield container
    except (av.error.FFmpegError, ValueError) as exc:
        # FFmpeg's own findings; what the Python file raised is an OSError and comes through as it is.
        raise Unreadable(
            f"File {library.shown(name)} is not a video that can be read. Replace it, then retry."
        ) from exc


def _refuse_to_open(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise ValueError("it refers to other files")


def _described(stream: Any) -> dict[str, Any]:
    codec = stream.codec_context
    described = {
        "index": stream.index,
        "type": stream.type,
        "codec": codec.name if codec else "",
        "language": (stream.language or "").replace("\0", ""),
        "is_default": bool(stream.disposition & Disposition.default),
        "is_cover": bool(stream.disposition & Disposition.attached_pic),
    }
    if codec and stream.type == "video":
        rate = stream.average_rate
        described |= {
            "width": codec.width,
            "height": codec.height,
            "frames_per_second": round(float(rate), 3) if rate else None,
            "pixel_format": codec.pix_fmt or "",
            "bits_per_second": codec.bit_rate or None,
        }
    elif codec and stream.type == "audio":
        described |= {
            "channels": codec.channels,
            "samples_per_second": codec.sample_rate,
            "bits_per_second": codec.bit_rate or None,
        }
    return described


def _proven_duration(container: InputContainer, name: str) -> float:
    """The stated duration, once a packet near its end was read; else the length of all packets."""
    if not container.duration or container.duration < 0:
        return _last_packet_seconds(container, name)
    stated = container.duration / av.time_base
    allowed = max(TAIL_SECONDS, stated * TAIL_SHARE)
    start = container.start_time or 0
    try:
        container.seek(start + int(max(stated - allowed, 0) * av.time_base), backward=True)
    except av.error.FFmpegError:
        container.seek(start, backward=True)
    reached = _last_packet_seconds(container, name)
    if reached < stated - allowed:
        _refuse(
            name,
            f"is truncated: it states {clock(stated)} but ends at {clock(max(reached, 0))}",
            "Copy or download it again, then retry.",
        )
    return stated


def _last_packet_seconds(container: InputContainer, name: str) -> float:
    """Where the packets from here to the end of the file end, in seconds from its beginning."""
    start = (container.start_time or 0) / av.time_base
    reached, last_video = 0.0, None
    pictures = {s.index for s in container.streams.video if not s.disposition & Disposition.attached_pic}
    try:
        for packet in container.demux():
            if not packet.size or packet.time_base is None or packet.stream.type not in ("video", "audio"):
                continue
            at = packet.pts if packet.pts is not None else packet.dts
            if at is not None:
                reached = max(reached, float((at + (packet.duration or 0)) * packet.time_base) - start)
            if packet.stream.index in pictures:
                last_video = packet
    except (av.error.FFmpegError, ValueError):
        pass  # the packets end here: what they reached is what counts
    if last_video is None:
        _refuse(name, "is truncated: no picture can be read at its end", "Copy it again, then retry.")
    if not any(bytes(last_video)):
        # Downloaders reserve the whole file and fill it as pieces arrive.
        _refuse(name, "is incomplete: its end holds only zeros", "Finish its download, then retry.")
    return reached


def _picture_at(container: InputContainer, seconds: float) -> VideoFrame | None:
    videos = (s for s in container.streams.video if not s.disposition & Disposition.attached_pic)
    stream = next(videos, None)
    if stream is None or stream.codec_context.width * stream.codec_context.height > MOST_PIXELS:
        return None
    start = container.start_time or 0
    try:
        container.seek(start + int(max(seconds, 0) * av.time_base), backward=True)
        return next((frame for frame in container.decode(stream) if not frame.is_corrupt), None)
    except av.error.FFmpegError:
        return None


def _poster_shape(frame: VideoFrame, container: InputContainer) -> tuple[int, int]:
    """Width and height as the picture is shown, scaled down, both even."""
    pixel = float(container.streams.video[0].sample_aspect_ratio or 1)
    shown = frame.width * pixel
    width = min(shown, POSTER_WIDTH)
    return max(round(width / 2) * 2, 2), max(round(frame.height * width / shown / 2) * 2, 2)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The regular file at `path`, whatever characters its name has; a name is never read as an address."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as exc:
        raise library.FileMissing(
            f"File {library.shown(path)} cannot be opened ({exc}). Restore it, then retry."
        ) from exc
    with library.regular(opened, str(path)) as file:
        yield file


def clock(seconds: float) -> str:
    """`seconds` as h:mm:ss."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def disk_fails(name: str, error: OSError) -> library.LibraryUnavailable:
    return library.LibraryUnavailable(
        f"File {library.shown(name)} could not be read ({error.strerror or error}). "
        "Check the library's disk; the work goes on by itself then.",
        delay_seconds=60,
    )


def _refuse(name: str, why: str, next_step: str = "Replace it, then retry.") -> NoReturn:
    raise Unreadable(f"File {library.shown(name)} {why}. {next_step}")
