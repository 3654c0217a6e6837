"""A small library to try the product with: three series and a film, real videos made on the spot."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from uploader.catalog import Film, Series
from uploader.importing import import_film, import_series
from uploader.transcoding.ffmpeg import program as ffmpeg

HARBOUR = ("Fog", "The Pilot", "Low Water", "Cargo", "The Lantern", "Slack Tide")
NIGHT_TRAIN = ("Departure", "Coach Nine", "The Border", "A Stop in the Snow", "Arrival")
# Short ones, for the weekly windows.
FLAGS = "signal-flags"
SIGNAL_FLAGS = ("Alpha", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot")
INTROS = {
    "harbour": "A pilot, a customs officer and a ship that nobody expected. Six nights in a northern port.",
    "night-train": "Eleven passengers, one compartment too many. Five stations on the way to the sea.",
    FLAGS: "One flag, one meaning, a few seconds. What ships say to each other.",
}
FILM = "The Lighthouse Keeper"
FILM_INTRO = "Thirty years alone with a lamp, and one evening that is different."
FILM_SUBTITLES = {
    "en.default": ("Nothing moves out there.", "Then what was that light?"),
    "de": ("Da draußen bewegt sich nichts.", "Und was war dann dieses Licht?"),
    "it": ("Là fuori non si muove nulla.", "E allora che cos'era quella luce?"),
}
SUBTITLES = """1
00:00:00,500 --> 00:00:02,500
Nothing moves out there.

2
00:00:03,000 --> 00:00:05,500
Then what was that light?
"""
MAKING_SECONDS = 120


class Recipe(NamedTuple):
    """What makes one demo video different from the others."""

    path: Path
    seconds: int
    colours: tuple[str, str]
    squares: int
    tone_hertz: int
    size: str = "640:360"


def make_demo_library(root: Path) -> list[Path]:
    """Make the demo's videos, texts and subtitles below `root`, those that are not there yet.

    Returns the videos. Each appears whole or not at all. Raises `subprocess.CalledProcessError`.
    """
    recipes = _recipes(root)
    for folder in {recipe.path.parent for recipe in recipes}:
        folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(make_video, [recipe for recipe in recipes if not recipe.path.exists()]))
    for name, intro in INTROS.items():
        _write(root / name / "intro.txt", intro)
    _write(root / f"{FILM}.txt", FILM_INTRO)
    first = recipes[0].path
    _write(first.with_suffix(".en.srt"), SUBTITLES)
    for language, (before, after) in FILM_SUBTITLES.items():
        said = f"1\n00:00:01,000 --> 00:00:04,000\n{before}\n\n2\n00:00:05,000 --> 00:00:08,000\n{after}\n"
        _write(root / f"{FILM}.{language}.srt", said)
    return [recipe.path for recipe in recipes]


def import_demo_library(root: Path, *, now: datetime) -> tuple[list[Series], Film | None]:
    """Bring the demo library at `root`, inside LIBRARY_ROOT, into the catalog; again: nothing changes."""
    reports = [import_series(root / name, now=now) for name in INTROS]
    film = import_film(root / f"{FILM}.mp4", title=FILM, now=now).subject
    series = [report.subject for report in reports if isinstance(report.subject, Series)]
    return series, film if isinstance(film, Film) else None


def make_video(recipe: Recipe) -> None:
    """A moving gradient with a tone, as many squares as the episode's number, H.264 and AAC in MP4."""
    squares = [
        f"drawbox=x={24 + 40 * place}:y=312:w=28:h=28:color=white@0.9:t=fill"
        for place in range(recipe.squares)
    ]
    first, second = recipe.colours
    picture = (
        f"gradients=size=160x90:rate=25:duration={recipe.seconds}:c0={first}:c1={second}:"
        f"x0=0:y0=0:x1=159:y1=89:speed=0.03:seed={recipe.tone_hertz}"
    )
    with _appearing(recipe.path) as making:
        subprocess.run(  # noqa: S603 - no part of it comes from outside
            [
                ffmpeg(), "-nostdin", "-hide_banner", "-loglevel", "error", "-y",
                "-f", "lavfi", "-i", picture,
                "-f", "lavfi", "-i", f"sine=frequency={recipe.tone_hertz}:duration={recipe.seconds}",
                "-vf", ",".join([f"scale={recipe.size}", *squares, "format=yuv420p"]),
                "-c:v", "libx264", "-preset", "ultrafast", "-threads", "1", "-g", "50",
                # A constant rate: a calm picture would make a file too small to see a transfer move.
                "-b:v", "4M", "-minrate", "4M", "-maxrate", "4M", "-bufsize", "4M",
                "-x264-params", "nal-hrd=cbr",
                "-c:a", "aac", "-b:a", "96k", "-af", "volume=0.2",
                "-movflags", "+faststart", "-f", "mp4", str(making),
            ],
            check=True, capture_output=True, timeout=MAKING_SECONDS,
        )  # fmt: skip


def _recipes(root: Path) -> list[Recipe]:
    harbour = [
        Recipe(
            root / "harbour" / f"{number:02} - {title}.mp4",
            6 + number % 3,
            ("0x0b3d5c", f"0x{40 + 30 * number:02x}c8d8"),
            number,
            220 + 40 * number,
        )
        for number, title in enumerate(HARBOUR, start=1)
    ]
    night_train = [
        Recipe(
            root / "night-train" / f"{number:02} - {title}.mp4",
            6 + number % 4,
            ("0x2a0f3d", f"0xf0{30 + 40 * number:02x}40"),
            number,
            330 + 50 * number,
        )
        for number, title in enumerate(NIGHT_TRAIN, start=1)
    ]
    flags = [
        Recipe(
            root / FLAGS / f"{number:02} - {title}.mp4",
            5,
            (f"0x{30 * number:02x}2030", f"0x20{255 - 30 * number:02x}e0"),
            number,
            260 + 35 * number,
        )
        for number, title in enumerate(SIGNAL_FLAGS, start=1)
    ]
    return [
        *harbour,
        *night_train,
        *flags,
        Recipe(root / f"{FILM}.mp4", 10, ("0x101820", "0xffe08a"), 0, 180, "1280:720"),
    ]


@contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """A hidden file to write, which becomes `target` when the block ends well."""
    making = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        yield making
        making.replace(target)
    finally:
        making.unlink(missing_ok=True)


def _write(target: Path, text: str) -> None:
    if not target.exists():
        with _appearing(target) as making:
            making.write_text(text, encoding="utf-8")
