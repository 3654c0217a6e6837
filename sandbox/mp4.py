"""Duration, size and codecs of an mp4 file, read from its boxes while the file streams past."""

from __future__ import annotations

import struct
from dataclasses import dataclass

MOOV_LIMIT = 1 << 20  # mvhd and the track headers are at its start
CONTAINERS = frozenset({b"trak", b"mdia", b"minf", b"stbl"})
VIDEO_CODECS = {
    b"avc1": "AVC",
    b"avc3": "AVC",
    b"hvc1": "HEVC",
    b"hev1": "HEVC",
    b"av01": "AV1",
    b"vp09": "VP9",
}
AUDIO_CODECS = {b"mp4a": "AAC", b"Opus": "Opus", b"ac-3": "AC-3"}


@dataclass
class Movie:
    duration_ms: int = 0
    width: int = 0
    height: int = 0
    vcodec: str = ""
    acodec: str = ""


class BoxWalker:
    """Walks the outer boxes of a stream, keeps the start of `moov` and skips all else without a copy."""

    def __init__(self) -> None:
        self._header = b""
        self._skip = 0  # bytes of the current box still to come
        self._in_moov = False
        self._lost = False
        self.moov = bytearray()

    def feed(self, data: bytes | memoryview) -> None:
        position = 0
        while position < len(data) and not self._lost:
            if self._skip:
                taken = min(self._skip, len(data) - position)
                if self._in_moov and len(self.moov) < MOOV_LIMIT:
                    room = min(taken, MOOV_LIMIT - len(self.moov))
                    self.moov += data[position : position + room]
                self._skip -= taken
                position += taken
            else:
                position += self._read_header(bytes(data[position : position + 16]))

    def _read_header(self, data: bytes) -> int:
        """Give how many bytes of `data` belong to the header."""
        before = len(self._header)
        header = (self._header + data)[:16]
        needed = 16 if header[:4] == b"\0\0\0\1" else 8
        if len(header) < needed:
            self._header = header
            return len(header) - before
        size, kind = struct.unpack(">I4s", header[:8])
        if size == 1:
            (size,) = struct.unpack(">Q", header[8:16])
        self._lost = size < needed  # 0 is "up to the end of the file": nothing follows
        self._in_moov = kind == b"moov"
        self._skip = max(size - needed, 0)
        self._header = b""
        return max(needed - before, 0)

    def movie(self) -> Movie:
        movie = Movie()
        try:
            _read_boxes(bytes(self.moov), movie)
        except struct.error:
            return movie
        return movie


def _read_boxes(data: bytes, movie: Movie) -> None:
    position = 0
    while position + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[position : position + 8])
        if size < 8:
            return
        body = data[position + 8 : position + size]
        if kind in CONTAINERS:
            _read_boxes(body, movie)
        elif kind == b"mvhd":
            movie.duration_ms = _duration_ms(body)
        elif kind == b"tkhd":
            width, height = (value >> 16 for value in struct.unpack(">II", body[-8:]))
            movie.width, movie.height = max(movie.width, width), max(movie.height, height)
        elif kind == b"stsd":
            movie.vcodec = VIDEO_CODECS.get(body[12:16], movie.vcodec)
            movie.acodec = AUDIO_CODECS.get(body[12:16], movie.acodec)
        position += size


def _duration_ms(mvhd: bytes) -> int:
    scale, duration = (
        struct.unpack(">IQ", mvhd[20:32]) if mvhd[:1] == b"\1" else struct.unpack(">II", mvhd[12:20])
    )
    return round(duration * 1000 / scale) if scale else 0
