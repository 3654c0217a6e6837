"""What the outer structure of a video file says about its own completeness, without a decoder."""

import struct
from typing import BinaryIO, NamedTuple

# ISO/IEC 14496-12: the boxes a file may begin with; older QuickTime files do so without any ftyp.
MP4_FIRST = {
    b"ftyp",
    b"moov",
    b"mdat",
    b"free",
    b"skip",
    b"wide",
    b"pnot",
    b"styp",
    b"moof",
    b"sidx",
    b"uuid",
}
# A file of that many boxes at its top is no video any more but an attempt to keep us busy.
MOST_BOXES = 200_000

EBML = b"\x1a\x45\xdf\xa3"
SEGMENT = b"\x18\x53\x80\x67"
TS_SYNC = b"\x47"


class Box(NamedTuple):
    kind: bytes
    start: int
    size: int


def missing_part(file: BinaryIO, size_bytes: int) -> str:
    """What the MP4, Matroska, AVI or MPEG-TS `file` lacks by its own structure.

    "" when that is nothing, and for other kinds of files.
    """
    file.seek(0)
    head = file.read(16)
    if head[4:8] in MP4_FIRST:
        return _missing_of_mp4(file, size_bytes)
    if head.startswith(EBML):
        return _missing_of_matroska(file, size_bytes)
    if head.startswith(b"RIFF"):
        (stated,) = struct.unpack("<I", head[4:8])
        return _short_of(stated + 8, size_bytes) if stated not in (0, 0xFFFFFFFF) else ""
    if head.startswith(TS_SYNC):
        file.seek(max(size_bytes - 64 * 188, 0))
        # Downloaders reserve the whole file and fill it as pieces arrive.
        return "" if any(file.read(64 * 188)) else "its end holds only zeros"
    return ""


def _missing_of_mp4(file: BinaryIO, size_bytes: int) -> str:
    seen: set[bytes] = set()
    place = 0
    for _ in range(MOST_BOXES):
        if size_bytes - place < 8:
            break
        box = _box_at(file, place, size_bytes)
        if box is None:
            if {b"moov", b"mdat"} <= seen:
                return ""  # padding or a tag behind the last box: players ignore it, so do we
            return f"it is damaged after {place:,} bytes"
        if box.start + box.size > size_bytes:
            return _short_of(box.start + box.size, size_bytes)
        seen.add(box.kind)
        place += box.size
    absent = [
        (b"moov", "its index (moov) is missing"),
        (b"mdat", "its pictures and sound (mdat) are missing"),
    ]
    return next((words for kind, words in absent if kind not in seen), "")


def _box_at(file: BinaryIO, place: int, size_bytes: int) -> Box | None:
    """The box that begins at `place`, or None when what is there is none."""
    file.seek(place)
    head = file.read(16)
    size, kind = struct.unpack(">I4s", head[:8])
    smallest = 8
    if size == 1 and len(head) == 16:
        (size,) = struct.unpack(">Q", head[8:])
        smallest = 16
    elif size == 0:
        size = size_bytes - place  # to the end of the file
    # 0xA9 begins the names Apple's tools write.
    printable = all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in kind)
    return Box(kind, place, size) if printable and size >= smallest else None


def _missing_of_matroska(file: BinaryIO, size_bytes: int) -> str:
    """RFC 8794: an EBML header, then a segment that states its length unless it was written live."""
    file.seek(4)
    header = _ebml_length(file)
    if header is None:
        return ""
    file.seek(file.tell() + header)
    if file.read(4) != SEGMENT:
        return ""
    length = _ebml_length(file)
    return _short_of(file.tell() + length, size_bytes) if length is not None else ""


def _ebml_length(file: BinaryIO) -> int | None:
    """The length at the file's position; None when it is stated as unknown or makes no sense."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    width = 9 - first[0].bit_length()
    mask = (1 << (8 - width)) - 1
    rest = file.read(width - 1)
    length = int.from_bytes(bytes([first[0] & mask]) + rest, "big")
    return None if length == (1 << (7 * width)) - 1 or len(rest) < width - 1 else length


def _short_of(stated: int, size_bytes: int) -> str:
    if stated <= size_bytes:
        return ""
    return f"{stated - size_bytes:,} of its {stated:,} bytes are missing"
