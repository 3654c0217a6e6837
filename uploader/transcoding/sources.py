"""What a film's file holds, as far as encoding it is concerned."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any, BinaryIO, Self

import av
import av.error
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from uploader import library, probing
from uploader.transcoding.ffmpeg import SourceDamaged

STANDARD_RATES = [
    Fraction(*rate)
    for rate in ((24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1), (60000, 1001),
                 (60, 1), (15, 1), (12, 1), (10, 1))
]  # fmt: skip
HIGHEST_RATE = 60
LOWEST_RATE = Fraction(1, 2)
# ITU-T H.273, table 3: PQ and HLG.
HDR_TRANSFERS = {16: "pq", 18: "hlg"}
# How much of the end is read to see where the pictures really stop.
TAIL_SECONDS = 10
MOST_PIXELS = probing.MOST_PIXELS
# Containers whose time stamps ffmpeg meets exactly when it jumps into the middle.
EXACT_FORMATS = {"mov", "mp4", "matroska", "webm"}


@dataclass(frozen=True, kw_only=True)
class AudioTrack:
    index: int  # of the stream in the file
    language: str = ""  # as the file says: "eng", "und", ""
    title: str = ""
    channels: int = 2
    is_default: bool = False


@dataclass(frozen=True, kw_only=True)
class Source:
    """One film's file: its picture as it is shown, its grid of frames, its sound tracks."""

    format: str
    video_index: int
    width: int  # as shown: turned and with square pixels
    height: int
    rate_numerator: int  # of the fixed grid it is encoded on
    rate_denominator: int
    frames: int
    duration_seconds: float
    codec: str
    hdr: str = ""  # "", "pq" or "hlg"
    is_interlaced: bool = False
    has_variable_rate: bool = False
    audio: list[AudioTrack] = field(default_factory=list)

    @property
    def rate(self) -> Fraction:
        return Fraction(self.rate_numerator, self.rate_denominator)

    @property
    def can_be_cut(self) -> bool:
        """Whether ffmpeg finds any picture of it exactly."""
        return not EXACT_FORMATS.isdisjoint(self.format.split(","))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, described: dict[str, Any]) -> Self:
        tracks = [AudioTrack(**track) for track in described["audio"]]
        return cls(**{**described, "audio": tracks})


def examine(file: BinaryIO, name: str) -> Source:
    """What the open video `file` holds; an operator knows it as `name`.

    Raises `Unreadable` (empty, truncated, no video), `SourceDamaged` (no picture can be decoded) and
    `LibraryUnavailable`.
    """
    found = probing.examine(file, name)
    try:
        with probing.demuxed(file, name) as container:
            return _described(container, found, name)
    except OSError as error:
        raise probing.disk_fails(name, error) from error


def _described(container: InputContainer, found: probing.Probe, name: str) -> Source:
    video = next(s for s in container.streams.video if not s.disposition & Disposition.attached_pic)
    # Taken before reading: the container forgets nothing, but a seek may end in an error.
    audio = [_audio(stream) for stream in container.streams.audio if stream.codec_context is not None]
    picture = _first_picture(container, video, name)
    width, height = shown_size(picture, video.sample_aspect_ratio)
    rate, varies = grid_rate(video.average_rate, video.base_rate)
    seconds = _video_seconds(container, video) or found.duration_seconds
    frames = video.frames if not varies and video.frames and _is_close(rate, video.average_rate) else 0
    return Source(
        format=container.format.name,
        video_index=video.index,
        width=width,
        height=height,
        rate_numerator=rate.numerator,
        rate_denominator=rate.denominator,
        frames=frames or max(1, round(seconds * rate)),
        duration_seconds=round(seconds, 3),
        codec=video.codec_context.name,
        hdr=HDR_TRANSFERS.get(int(picture.color_trc), ""),
        is_interlaced=bool(picture.interlaced_frame),
        has_variable_rate=varies,
        audio=audio,
    )


def _first_picture(container: InputContainer, video: VideoStream, name: str) -> VideoFrame:
    if video.codec_context.width * video.codec_context.height > MOST_PIXELS:
        raise SourceDamaged(
            f"File {library.shown(name)} states a picture no film has. Replace it, then retry."
        )
    with suppress(av.error.FFmpegError):
        for frame in container.decode(video):
            if not frame.is_corrupt:
                return frame
    raise SourceDamaged(
        f"File {library.shown(name)} holds no picture that can be decoded. Replace it, then retry."
    )


def shown_size(picture: VideoFrame, aspect: Fraction | None) -> tuple[int, int]:
    """Width and height with square pixels, upright."""
    width, height = picture.width, picture.height
    if aspect and aspect > 0:
        # Pixels are made square by stretching the smaller side: nothing of the picture is lost.
        if aspect > 1:
            width = round(width * aspect)
        else:
            height = round(height / aspect)
    return (height, width) if round(picture.rotation) % 180 == 90 else (width, height)


def grid_rate(average: Fraction | None, base: Fraction | None) -> tuple[Fraction, bool]:
    """Frames a second of the fixed grid, and whether the source has no fixed rate of its own."""
    average = Fraction(average) if average else Fraction(base) if base else Fraction(25)
    varies = bool(base) and abs(average - Fraction(base or 0)) > average / 100
    standard = min(STANDARD_RATES, key=lambda rate: abs(rate - average))
    if abs(standard - average) <= standard / 2500:
        rate = standard
    elif base and not varies and Fraction(base).numerator <= 120_000:
        rate = Fraction(base)
    else:
        rate = average.limit_denominator(1001)
    while rate > HIGHEST_RATE:
        rate /= 2
    return max(rate, LOWEST_RATE), varies


def _is_close(rate: Fraction, average: Fraction | None) -> bool:
    return bool(average) and abs(rate - Fraction(average or 0)) * 2500 <= rate


def _video_seconds(container: InputContainer, video: VideoStream) -> float:
    """Where the last picture ends, from the beginning of the file; 0: it cannot be told."""
    start = (container.start_time or 0) / av.time_base
    end = start + (container.duration or 0) / av.time_base
    for back in (TAIL_SECONDS, TAIL_SECONDS * 30, None):
        target = start if back is None else max(start, end - back)
        reached = 0.0
        with suppress(av.error.FFmpegError, ValueError):
            container.seek(int(target * av.time_base), backward=True)
            for packet in container.demux(video):
                if packet.pts is not None and packet.size and packet.time_base:
                    reached = max(
                        reached, float((packet.pts + (packet.duration or 0)) * packet.time_base) - start
                    )
        if reached or target == start:
            return reached
    return 0.0


def _audio(stream: Any) -> AudioTrack:
    return AudioTrack(
        index=stream.index,
        language=(stream.language or "").replace("\0", ""),
        title=str(stream.metadata.get("title", "")).replace("\0", "")[:100],
        channels=stream.codec_context.channels or 2,
        is_default=bool(stream.disposition & Disposition.default),
    )
