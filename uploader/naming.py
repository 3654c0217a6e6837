"""What file and folder names say: season, episode number, titles, the language of a subtitle.

An episode's number is looked for in this order; the first that is found counts:

1. season and episode: `S01E02`, `s1.e2`, `1x02`, `Season 1 Episode 2`, `Staffel 1 Folge 2`
2. a word: `Episode 3`, `Ep.3`, `E03`, `Folge 3`, `Part 3`, `Teil 3`, `#3`, `第3集`
3. between dashes: `Harbour - 03 - The Storm`
4. in front: `03 - The Storm`, `[03] The Storm`, `03`
5. at the end: `Harbour 3`, `Harbour_03`

Years, dates, resolutions (1080p, 1920x1080), codecs (x264), channels (5.1), checksums and the series' own
title are taken out before, so that a "1923" or "24" in the title is no number.
"""

import re
import unicodedata
from typing import NamedTuple

_SEASON_WORDS = "season|series|staffel|saison|stagione|temporada|musim|seizoen"
_EPISODE_WORDS = (
    "episodes?|episodios?|episódio|épisode|episode|folge|eps?|chapter|kapitel|capitolo|"
    "parts?|teil|parte|partie|bagian|bab|puntata|e"
)
_DIGITS = r"(\d{1,4})(?:v\d)?(?!\w)"

_NOISE = re.compile(
    r"""
      (?<!\w)\d{3,4}\s?[x×]\s?\d{3,4}(?!\w)               # 1920x1080
    | (?<!\w)\d{3,4}[pi](?:\d\d)?(?!\w)                   # 1080p, 720p60
    | (?<!\w)(?:4k|8k|uhd|hdr10?\+?)(?!\w)
    | (?<!\w)[xh][. ]?26[456](?!\w)                       # x264, H.265
    | (?<!\w)(?:mp[34]|av1|vp9|mpeg-?[24]|hi10p?)(?!\w)
    | (?<!\w)(?:aac|ac-?3|e-?ac-?3|dts|ddp?)?[257]\.[01](?!\d)   # 5.1, AAC2.0
    | (?<!\w)(?:aac|ac3|flac|opus|dts|hevc|avc|web-?dl|web-?rip|hdtv|dvd-?rip|blu-?ray)(?!\w)
    | (?<!\w)\d+(?:\.\d+)?\s?(?:fps|kbps|mbps|bit|kb|mb|gb|hz|khz)(?!\w)
    | [\[(][^\])]*[^\W\d_][^\])]*[\])]                    # brackets with a word in them
    """,
    re.VERBOSE | re.IGNORECASE,
)
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?:[-. _]\d\d[-. _]\d\d)?(?!\d)")

_PAIRS = [
    re.compile(r"(?<![^\W_])s(\d{1,4})[\s._-]*e[\s._-]*(\d{1,4})(?!\d)(?:[\s._-]*e\d{1,4}(?!\d))*", re.I),
    re.compile(r"(?<![^\W_])(\d{1,2})x(\d{2,3})(?![^\W_])", re.I),
    re.compile(
        rf"(?<![^\W_])(?:{_SEASON_WORDS})[\s._-]*(\d{{1,4}})[\s._,-]+(?:{_EPISODE_WORDS})[\s._#-]*(\d{{1,4}})(?!\d)",
        re.I,
    ),
]
_SINGLES = [
    re.compile(rf"(?<!\w)(?:{_EPISODE_WORDS})[\s.#-]*{_DIGITS}", re.I),
    re.compile(rf"#\s*{_DIGITS}"),
    re.compile(r"第?\s*(\d{1,4})\s*[集话話화회]"),
    re.compile(rf"\s[-–—]\s*{_DIGITS}(?=\s*(?:[-–—]|$))"),
    re.compile(rf"^\W*{_DIGITS}"),
    re.compile(rf"(?<!\w){_DIGITS}\W*$"),
    re.compile(r"(?<=[^\W\d_])(\d{2,4})(?:v\d)?\W*$"),
]
_SEASON_FOLDER = re.compile(rf"^(?:.*\W)?(?:{_SEASON_WORDS}|s)[\s._-]*(\d{{1,4}})$", re.I)
_SPECIALS = {"special", "specials"}

_SUBTITLE_TAG = re.compile(r"^[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?$")


class Numbered(NamedTuple):
    season: int | None = None
    episode: int | None = None


class SubtitleName(NamedTuple):
    language: str
    is_forced: bool
    is_default: bool
    label: str


def numbered(stem: str, *, series: str = "") -> Numbered:
    """Season and episode that the file name `stem`, without its suffix, of `series` tells."""
    name = unicodedata.normalize("NFC", stem)
    for pattern in _PAIRS:
        if found := pattern.search(name):
            return Numbered(int(found[1]), int(found[2]))
    name = _plain(name, series)
    for pattern in _SINGLES:
        if found := pattern.search(name):
            return Numbered(None, int(found[1]))
    return Numbered()


def season_of_folder(name: str) -> int | None:
    """1 of "Season 1", "Staffel 01", "S1", "Harbour Season 1"; 0 of "Specials"; else None."""
    plain = name.strip().casefold()
    if plain in _SPECIALS:
        return 0
    found = _SEASON_FOLDER.match(plain)
    return int(found[1]) if found else None


def title_of(name: str) -> str:
    """A title for people from a folder's or film's name: "night-train" → "Night Train"."""
    if re.fullmatch(r"[a-z]+([-_.][a-z0-9]+)*", name):
        name = re.sub(r"[-_.]", " ", name).title()
    spaced = _spaced(_NOISE.sub(" ", unicodedata.normalize("NFC", name)))
    return re.sub(r"\s+", " ", spaced).strip(" -–—.,")[:200].strip() or name.strip()[:200]


def episode_title(stem: str, *, series: str = "") -> str:
    """What follows the number in the file name `stem`: "S01E02 - The Storm 1080p" → "The Storm"."""
    name = unicodedata.normalize("NFC", stem)
    for pattern in _PAIRS:
        if found := pattern.search(name):
            return _rest(name[found.end() :])
    name = _plain(name, series)
    for pattern in _SINGLES:
        if found := pattern.search(name):
            return _rest(name[found.end() :])
    return ""


def subtitle_of(name: str, stems: list[str]) -> tuple[str, SubtitleName] | None:
    """The video stem among `stems` that the subtitle file `name` stands beside, and what its name says.

    `07.en.srt`, `07.pt-BR.forced.vtt`; without a language it is "und", undetermined.
    """
    inner = name.rpartition(".")[0]
    beside = [stem for stem in stems if inner == stem or inner.startswith(f"{stem}.")]
    if not beside:
        return None
    stem = max(beside, key=len)
    marks = [mark for mark in inner[len(stem) :].split(".") if mark]
    words = {mark.casefold() for mark in marks}
    special = {"forced", "default", "sdh", "cc", "hi"}
    language = next((m for m in marks if m.casefold() not in special and _SUBTITLE_TAG.match(m)), "und")
    return stem, SubtitleName(
        language, "forced" in words, "default" in words, "SDH" if words & {"sdh", "cc"} else ""
    )


def _plain(name: str, series: str) -> str:
    """`name` without the series' title and what is known to be no episode number, words parted by spaces."""
    spaced = _spaced(name)
    title = _spaced(series)
    if (
        title
        and spaced.casefold().startswith(title.casefold())
        and spaced[len(title) :][:1] in ("", " ", "-")
    ):
        # Two spaces: a "-" behind it still counts as being between words.
        name = "  " + spaced[len(title) :]
    return _spaced(_YEAR.sub(" ", _NOISE.sub(" ", name)), keep_edges=True)


def _spaced(name: str, *, keep_edges: bool = False) -> str:
    spaced = re.sub(r"[_\s]|\.(?=\S)", " ", name)
    return spaced if keep_edges else spaced.strip()


def _rest(tail: str) -> str:
    # What stands behind the first mark of a release is its maker's name, not the episode's.
    noise = _NOISE.search(tail)
    plain = _spaced(tail[: noise.start()] if noise else tail)
    return re.sub(r"\s+", " ", plain).strip(" -–—.,:[]()#")[:200].strip()
