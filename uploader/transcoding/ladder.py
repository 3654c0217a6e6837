"""Which sizes a film is encoded to. Never larger than it is; its shape stays."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, NamedTuple, Self

from django.conf import settings

# A film between two labels keeps its own size as the larger one, if that is so much more than the smaller.
WORTH_ITS_OWN = 1.2
MOST_FRAMES_AT_FULL_RATE = 31


class Box(NamedTuple):
    """What a label promises at most: a picture that fits, lying or upright; quality and rate of x264."""

    label: str
    long: int
    short: int
    crf: int
    kilobits: int


BOXES = (
    Box("UHD", 3840, 2160, 22, 14_000),
    Box("FHD", 1920, 1080, 22, 5_000),
    Box("HD", 1280, 720, 22, 2_800),
    Box("SD", 854, 480, 23, 1_400),
)


@dataclass(frozen=True, kw_only=True)
class Rung:
    label: str
    width: int
    height: int
    crf: int
    kilobits: int  # at most, a second
    distance: int  # of key frames, in frames: the length of a segment

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, described: dict[str, Any]) -> Self:
        return cls(**described)


def ladder_for(width: int, height: int, rate: Fraction) -> list[Rung]:
    """The rungs of a film shown at `width` by `height`, the largest first. At least one."""
    rungs: list[Rung] = []
    for box in BOXES:
        scale = fit(width, height, box)
        if scale <= 1:
            rungs.append(rung(box, width, height, scale, rate))
    native = next((box for box in reversed(BOXES) if fit(width, height, box) >= 1), BOXES[0])
    if not rungs:
        return [rung(native, width, height, 1.0, rate)]
    if native.label != rungs[0].label and max(width, height) >= WORTH_ITS_OWN * max(
        rungs[0].width, rungs[0].height
    ):
        rungs.insert(0, rung(native, width, height, 1.0, rate))
    return rungs


def fit(width: int, height: int, box: Box) -> float:
    """By how much the picture is scaled to just fit the box."""
    return min(box.long / max(width, height), box.short / min(width, height))


def rung(box: Box, width: int, height: int, scale: float, rate: Fraction) -> Rung:
    # Half as much again for twice as many frames: they differ less.
    kilobits = box.kilobits * 3 // 2 if rate > MOST_FRAMES_AT_FULL_RATE else box.kilobits
    return Rung(
        label=box.label, width=even(width * scale, width), height=even(height * scale, height), crf=box.crf,
        kilobits=kilobits, distance=frames_per_segment(rate),
    )  # fmt: skip


def even(length: float, most: int) -> int:
    """The nearest even length that is not above `most`, as 4:2:0 needs."""
    return max(2, min(round(length / 2) * 2, most // 2 * 2))


def frames_per_segment(rate: Fraction) -> int:
    """The distance of key frames, the same on every rung."""
    return max(1, round(float(rate) * settings.TRANSCODE_SEGMENT_SECONDS))
