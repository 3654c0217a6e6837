"""Where films are cut: on the grid of key frames, into pieces of about one length, never too many."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from uploader.transcoding.cutting import MOST_PIECES, cuts_of
from uploader.transcoding.ladder import frames_per_segment, ladder_for
from uploader.transcoding.sources import Source, grid_rate

RATES = [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(60), Fraction(1, 2)]


def source(frames: int, rate: Fraction) -> Source:
    return Source(
        format="mov,mp4", video_index=0, width=1920, height=1080, rate_numerator=rate.numerator,
        rate_denominator=rate.denominator, frames=frames, duration_seconds=float(frames / rate), codec="h264",
    )  # fmt: skip


@examples(deadline=None)
@given(st.integers(1, 4_000_000), st.sampled_from(RATES), st.floats(1, 600))
def test_the_pieces_cover_every_frame_once_and_end_on_key_frames(
    frames: int, rate: Fraction, piece_seconds: float
) -> None:
    cuts = cuts_of(source(frames, rate), piece_seconds)
    distance = frames_per_segment(rate)
    assert [cut.first_frame % distance for cut in cuts] == [0] * len(cuts)
    ends = [cut.first_frame + (cut.frame_count or 0) for cut in cuts[:-1]]
    assert ends == [cut.first_frame for cut in cuts[1:]]
    assert cuts[-1].frame_count is None
    assert cuts[0].first_frame == 0
    assert cuts[-1].first_frame < frames
    assert len(cuts) <= MOST_PIECES + 1


def test_two_minutes_are_encoded_whole_and_ten_in_ten_pieces(settings: Any) -> None:
    assert len(cuts_of(source(120 * 25, Fraction(25)), 60)) == 1
    assert len(cuts_of(source(600 * 25, Fraction(25)), 60)) == 10


def test_ten_hours_are_cut_into_pieces_of_some_minutes() -> None:
    cuts = cuts_of(source(36_000 * 25, Fraction(25)), 60)
    assert 200 <= len(cuts) <= MOST_PIECES
    assert cuts[0].frame_count and 120 * 25 <= cuts[0].frame_count <= 180 * 25


@examples(deadline=None)
@given(st.integers(2, 8000), st.integers(2, 8000))
def test_no_rung_is_larger_than_the_film_and_all_are_even(width: int, height: int) -> None:
    rungs = ladder_for(width, height, Fraction(25))
    assert rungs
    for rung in rungs:
        assert rung.width <= max(width, 2) and rung.height <= max(height, 2)
        assert rung.width % 2 == rung.height % 2 == 0
    sizes = [rung.width * rung.height for rung in rungs]
    assert sizes == sorted(sizes, reverse=True)
    assert len({rung.label for rung in rungs}) == len(rungs)


@pytest.mark.parametrize(
    ("size", "labels"),
    [
        ((7680, 4320), ["UHD", "FHD", "HD", "SD"]),
        ((3840, 2160), ["UHD", "FHD", "HD", "SD"]),
        ((1920, 800), ["FHD", "HD", "SD"]),
        ((1440, 1080), ["FHD", "HD", "SD"]),
        ((1600, 900), ["FHD", "HD", "SD"]),
        ((1300, 730), ["HD", "SD"]),
        ((960, 540), ["SD"]),
        ((160, 120), ["SD"]),
    ],
)
def test_labels_say_what_fits_into_their_frame(size: tuple[int, int], labels: list[str]) -> None:
    assert [rung.label for rung in ladder_for(*size, Fraction(25))] == labels


@pytest.mark.parametrize(
    ("average", "base", "rate", "varies"),
    [
        (Fraction(25), Fraction(25), Fraction(25), False),
        (Fraction(19001, 634), Fraction(30000, 1001), Fraction(30000, 1001), False),
        (Fraction(120), Fraction(120), Fraction(60), False),
        (Fraction(1000, 37), Fraction(30), Fraction(1000, 37), True),
        (None, None, Fraction(25), False),
    ],
)
def test_the_grid_has_the_source_s_rate(
    average: Fraction | None, base: Fraction | None, rate: Fraction, varies: bool
) -> None:
    assert grid_rate(average, base) == (rate, varies)
