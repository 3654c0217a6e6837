"""Text as a person would have typed it: mojibake mended, invisible signs out, white space in order."""

from __future__ import annotations

import re
import unicodedata

import ftfy

# Soft hyphen, zero-width space and the like, marks of direction without partner, BOM. The joiners that Persian
# and Indic scripts and emoji need (U+200C, U+200D) stay.
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\u200e\u200f\u202a-\u202e\ufeff]")
_SPACES = re.compile(r"[^\S\n]+")
_RULE = re.compile(r"^[\W_]{4,}$", re.MULTILINE)


def clean(text: str) -> str:
    """NFC, one kind of line end, no two empty lines; lines of mere decoration become a break."""
    for _ in range(3):
        before, text = text, _once(text)
        if text == before:
            break
    return text


def _once(text: str) -> str:
    text = ftfy.fix_text(text.replace("\0", ""), uncurl_quotes=False, normalization="NFC")
    text = _INVISIBLE.sub("", text)
    text = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
    text = "\n".join(line.strip() for line in _SPACES.sub(" ", text).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", _RULE.sub("", text)).strip()
