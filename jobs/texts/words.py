"""Sentences and words of a text in any script, without a dictionary."""

from __future__ import annotations

import re
from collections.abc import Iterator

# A sentence ends behind . ! ? … or their like in other scripts, before white space; those of CJK need none.
_END = re.compile(r"(?<=[.!?…؟।])[\"'”’»)\]]*\s+|(?<=[。！？])[」』”]*|\n{2,}")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_CJK = re.compile(r"[぀-ヿ㐀-鿿]")
# Behind these a dot ends no sentence.
_SHORT = re.compile(r"(?:\b(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|No|vs|etc|e\.g|i\.e|Sdr|Yth))\.$")


def sentences(text: str) -> list[str]:
    found: list[str] = []
    for piece in _END.split(text):
        said = " ".join(piece.split())
        if not said:
            continue
        if found and _SHORT.search(found[-1]):
            found[-1] = f"{found[-1]} {said}"
        else:
            found.append(said)
    return found


def words(text: str) -> Iterator[str]:
    """In small letters; what has no spaces between words comes as pairs of its signs."""
    for found in _WORD.finditer(text.casefold()):
        word = found[0]
        if _CJK.search(word):
            yield from (word[at : at + 2] for at in range(max(len(word) - 1, 1)))
        else:
            yield word
