from __future__ import annotations

import struct

import pytest

from sandbox.mp4 import BoxWalker, Movie
from tests.sandbox.client import box, movie, real_video


def walk(data: bytes, step: int) -> Movie:
    boxes = BoxWalker()
    for start in range(0, len(data), step):
        boxes.feed(data[start : start + step])
    return boxes.movie()


@pytest.mark.parametrize("step", [1, 3, 8, 13, 1 << 20])
def test_a_real_video_is_read_however_it_is_cut(step: int) -> None:
    found = walk(real_video(), step)
    assert (found.width, found.height, found.vcodec, found.acodec) == (128, 72, "AVC", "AAC")
    assert found.duration_ms == pytest.approx(2000, abs=100)


@pytest.mark.parametrize("step", [1, 5, 1000])
def test_a_box_over_four_gigabytes_has_a_long_size(step: int) -> None:
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 5) + b"large"
    assert walk(large + movie(12.5), step).duration_ms == 12_500


def test_a_long_duration_has_a_long_field() -> None:
    mvhd = box(b"mvhd", struct.pack(">IQQIQ", 1 << 24, 0, 0, 600, 600 * 7200), bytes(80))
    assert walk(box(b"moov", mvhd), 64).duration_ms == 7_200_000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a video at all",
        bytes(100),
        movie(5)[:-60],
        box(b"moov"),
        box(b"moov", box(b"mvhd")),
        box(b"moov", bytes(20)),
    ],
)
@pytest.mark.parametrize("step", [1, 1000])
def test_what_is_no_video_has_no_duration(data: bytes, step: int) -> None:
    found = walk(data, step)
    assert (found.width, found.vcodec) == (0, "")
