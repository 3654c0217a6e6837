"""Where a long film is cut into pieces: on the grid of key frames, so that the seams are segment borders."""

from __future__ import annotations

from typing import NamedTuple

from uploader.transcoding.ladder import frames_per_segment
from uploader.transcoding.sources import Source

# A shorter film is encoded whole: on one machine pieces are no faster and take twice the memory.
SHORTEST_CUT = 4
# Each piece is a process and a file per rung.
MOST_PIECES = 240


class Cut(NamedTuple):
    """The frames of one piece; no count: to the end."""

    first_frame: int
    frame_count: int | None


def cuts_of(source: Source, piece_seconds: float) -> list[Cut]:
    """The pieces of a film, about `piece_seconds` long and of about one length; one piece: the whole film."""
    if source.frames / source.rate < SHORTEST_CUT * piece_seconds:
        return [Cut(0, None)]
    distance = frames_per_segment(source.rate)
    segments = -(-source.frames // distance)
    pieces = min(MOST_PIECES, max(1, round(source.frames / source.rate / piece_seconds)))
    length = -(-segments // pieces) * distance
    firsts = list(range(0, source.frames, length))
    # What is left over at the end is no piece of its own when it is short, or stated but not there.
    if len(firsts) > 1 and source.frames - firsts[-1] < length / 2:
        firsts.pop()
    return [Cut(first, length) for first in firsts[:-1]] + [Cut(firsts[-1], None)]
