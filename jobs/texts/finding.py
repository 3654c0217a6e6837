"""Names and other things of interest in a text, by how they are written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TypedDict

from jobs.texts.words import sentences

MOST_ENTITIES = 100
_KINDS = [
    ("url", re.compile(r"https?://[^\s<>\"')\]]+")),
    ("email", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    ("date", re.compile(r"\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}[./]\d{1,2}[./]\d{4}\b|\b(?:1[5-9]|20)\d\d\b")),
    (
        "money",
        re.compile(r"(?:[$€£¥]|\bRp\.?|\bUSD|\bEUR)\s?\d[\d.,]*\d|\b\d[\d.,]*\d?\s?(?:USD|EUR|€|dollars?)"),
    ),
]
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_OPENING = " \"'“‘«(—–-"
# Small words that join the parts of a name: "Ludwig van Beethoven", "Bay of Fundy".
_JOINTS = {"of", "de", "la", "van", "von", "der", "den", "bin", "al"}


class Entity(TypedDict):
    text: str
    type: str  # name, url, email, date, money
    count: int


def find_entities(text: str) -> list[Entity]:
    """The most frequent first, at most a hundred.

    A name is what is written with a capital letter where nothing asks for one.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for kind, pattern in _KINDS:
        counts.update((found.rstrip(".,;:"), kind) for found in pattern.findall(text))
        text = pattern.sub(" ", text)
    counts.update((name, "name") for name in _names(text))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_ENTITIES]
    return [{"text": name[:200], "type": kind, "count": count} for (name, kind), count in ordered]


def _names(text: str) -> list[str]:
    small = {word for word in _WORD.findall(text) if word[0].islower()}
    inside: list[str] = []
    first: list[str] = []
    for sentence in sentences(text):
        for name, opens in _runs(sentence):
            head, *rest = name
            if opens and (head.casefold() in small or len(head) < 2):
                # The first word of a sentence is written large whatever it is.
                while rest and not rest[0][0].isupper():
                    rest = rest[1:]
                name, opens = rest, False
            said = " ".join(name)
            if len(said) > 1:
                (first if opens else inside).append(said)
    known, often = set(inside), Counter(first)
    # Alone at the beginning of sentences only: a name if it comes back, or has several words.
    return inside + [name for name in first if name in known or " " in name or often[name] > 1]


def _runs(sentence: str) -> Iterator[tuple[list[str], bool]]:
    """Capitalised words that stand together, and whether they open the sentence."""
    run: list[str] = []
    joints: list[str] = []
    opens, end = False, 0
    for found in _WORD.finditer(sentence):
        word, between = found[0], sentence[end : found.start()]
        if run and between != " ":
            yield run, opens
            run, joints = [], []
        if word[0].isupper():
            if not run:
                opens = not sentence[: found.start()].strip(_OPENING)
            run, joints = [*run, *joints, word], []
        elif run and word in _JOINTS and len(joints) < 2:
            joints.append(word)
        elif run:
            yield run, opens
            run, joints = [], []
        end = found.end()
    if run:
        yield run, opens
