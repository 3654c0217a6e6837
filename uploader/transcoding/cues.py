"""Reading SubRip and WebVTT strictly: whatever is not understood is refused with its line and cause.

The libraries for this skip what they do not understand, and a subtitle that is missing is noticed by nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from charset_normalizer import from_bytes

# More than this is no subtitle of any film.
MOST_BYTES = 20_000_000
LONGEST_QUOTE = 60

SRT_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})"
VTT_TIME = r"(?:(\d{2,}):)?(\d{2}):(\d{2})\.(\d{3})"
ARROW = r"\s*-->\s*"
# W3C WebVTT, 3.4: cue settings.
SETTING = re.compile(r"(vertical|line|position|size|align|region):\S+")
KEPT_TAG = re.compile(r"</?[biu]>")
OTHER_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|\{\\[^{}]*\}")
SKIPPED_BLOCKS = ("NOTE", "STYLE", "REGION")


class BadSubtitle(Exception):
    """The text is no whole subtitle file; the message names line and cause."""


@dataclass(frozen=True)
class Cue:
    start: int  # milliseconds
    end: int
    text: str  # as WebVTT writes it: escaped, with <b>, <i>, <u>
    settings: str = ""


class Line(NamedTuple):
    number: int  # from 1
    text: str


def read(data: bytes) -> list[Cue]:
    """The cues of a SubRip or WebVTT file, in the order of their times. Raises BadSubtitle."""
    text = decoded(data)
    lines = [Line(number, line.rstrip()) for number, line in enumerate(text.splitlines(), start=1)]
    is_vtt = text.lstrip().startswith("WEBVTT")
    cues = list(vtt_cues(lines) if is_vtt else srt_cues(lines))
    if not cues:
        raise BadSubtitle("It holds no subtitle.")
    return sorted(cues, key=lambda cue: (cue.start, cue.end))


def decoded(data: bytes) -> str:
    """The text of a file in whatever encoding it is. Raises BadSubtitle."""
    if not data.strip():
        raise BadSubtitle("It is empty.")
    if len(data) > MOST_BYTES:
        raise BadSubtitle(f"It has {len(data):,} bytes; no subtitle is so large.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        best = from_bytes(data).best()
        if best is None:
            raise BadSubtitle("It is no text in any known encoding.") from None
        text = str(best).removeprefix("\ufeff")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise BadSubtitle(f"Line {line}: a byte of zero, so it is no text.")
    return text


def blocks(lines: list[Line]) -> Iterator[list[Line]]:
    """Lines between empty ones."""
    block: list[Line] = []
    for line in lines:
        if line.text.strip():
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def srt_cues(lines: list[Line]) -> Iterator[Cue]:
    """A number, a line with times, the text; then an empty line."""
    for block in blocks(lines):
        first = block[0]
        body = block
        if "-->" not in first.text:
            if not first.text.strip().isdigit():
                refuse(first, "expected the number of a subtitle", first.text)
            if len(block) == 1:
                refuse(first, "its time and text are missing behind the number", first.text)
            body = block[1:]
        start, end, _ = times(body[0], SRT_TIME, "00:01:02,345 --> 00:01:04,000")
        yield from cue(body, start, end, escaped("\n".join(line.text for line in body[1:])))


def vtt_cues(lines: list[Line]) -> Iterator[Cue]:
    """Blocks behind the header; notes and styles are not for those who watch."""
    found = blocks(lines)
    header = next(found)
    if not re.fullmatch(r"WEBVTT([ \t].*)?", header[0].text):
        refuse(header[0], "expected “WEBVTT” alone", header[0].text)
    if stray := next((line for line in header[1:] if "-->" in line.text), None):
        refuse(stray, "an empty line is missing behind the header", stray.text)
    for block in found:
        first = block[0]
        if first.text.split(None, 1)[0] in SKIPPED_BLOCKS and "-->" not in first.text:
            continue
        body = block if "-->" in first.text else block[1:]
        if not body:
            refuse(first, "expected a time such as 00:01:02.345 --> 00:01:04.000", first.text)
        start, end, rest = times(body[0], VTT_TIME, "00:01:02.345 --> 00:01:04.000")
        if wrong := next((word for word in rest.split() if not SETTING.fullmatch(word)), None):
            refuse(body[0], "unknown setting", wrong)
        if stray := next((line for line in body[1:] if "-->" in line.text), None):
            refuse(stray, "an empty line is missing before this subtitle", stray.text)
        yield from cue(body, start, end, "\n".join(line.text for line in body[1:]), rest)


def cue(body: list[Line], start: int, end: int, text: str, settings: str = "") -> Iterator[Cue]:
    """The cue, unless it says nothing or lasts no time."""
    if end < start:
        refuse(body[0], "it ends before it begins", body[0].text)
    if stray := next((line for line in body[1:] if "-->" in line.text), None):
        refuse(stray, "an empty line is missing before this subtitle", stray.text)
    if text.strip() and end > start:
        yield Cue(start, end, text, " ".join(settings.split()))


def times(line: Line, pattern: str, example: str) -> tuple[int, int, str]:
    """Start and end in milliseconds, and what stands behind them."""
    found = re.fullmatch(rf"\s*{pattern}{ARROW}{pattern}(?:\s+(.*))?", line.text)
    if found is None:
        refuse(line, f"expected a time such as {example}", line.text)
    parts = found.groups()
    return milliseconds(line, parts[:4]), milliseconds(line, parts[4:8]), parts[8] or ""


def milliseconds(line: Line, parts: tuple[str | None, ...]) -> int:
    hours, minutes, seconds = (int(part or 0) for part in parts[:3])
    if minutes > 59 or seconds > 59:
        refuse(line, "no minute or second is above 59", line.text)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + int((parts[3] or "").ljust(3, "0"))


def escaped(text: str) -> str:
    """SubRip's text as WebVTT writes it: <b>, <i>, <u> stay, other tags go, the rest is escaped."""
    text = OTHER_TAG.sub(lambda tag: tag[0].lower() if KEPT_TAG.fullmatch(tag[0].lower()) else "", text)
    parts = re.split(r"(</?[biu]>)", text)
    return "".join(
        part if place % 2 else part.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        for place, part in enumerate(parts)
    )


def refuse(line: Line, cause: str, found: str) -> NoReturn:
    quote = found.strip()
    quote = quote if len(quote) <= LONGEST_QUOTE else f"{quote[:LONGEST_QUOTE]}…"
    raise BadSubtitle(f"Line {line.number}: {cause}, found “{quote}”.")


def webvtt(cues: list[Cue]) -> str:
    """The cues as a WebVTT file for HLS: its clock is that of the segments (RFC 8216, 3.5)."""
    parts = ["WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000"]
    for each in cues:
        settings = f" {each.settings}" if each.settings else ""
        parts.append(f"{stamp(each.start)} --> {stamp(each.end)}{settings}\n{each.text}")
    return "\n\n".join(parts) + "\n"


def stamp(at: int) -> str:
    return f"{at // 3_600_000:02}:{at // 60_000 % 60:02}:{at // 1000 % 60:02}.{at % 1000:03}"


def spoken(cues: list[Cue]) -> str:
    """What is said, without tags: to tell the language by."""
    return " ".join(re.sub(r"<[^<>]*>", " ", each.text).replace("\n", " ") for each in cues)
