"""Languages as files name them, as BCP 47 tags and as viewers read them."""

from __future__ import annotations

import langcodes
from langcodes.tag_parser import LanguageTagError

# A language is told by its letters; natural logarithms of how much likelier it is than the next one.
FEWEST_LETTERS = 20
SURE_ENOUGH = 8
MOST_TEXT = 20_000
UNKNOWN = {"", "und", "mis", "mul", "zxx", "unk"}


def tag_of(language: str) -> str:
    """The shortest BCP 47 tag: "eng" and "en" are "en", "ger" is "de", "pt_BR" is "pt-BR"; "" when unknown."""
    if language.strip().lower() in UNKNOWN:
        return ""
    try:
        tag = langcodes.standardize_tag(language.strip().replace("_", "-"))
        return tag if langcodes.tag_is_valid(tag) else ""
    except LanguageTagError:
        return ""


def name_of(tag: str) -> str:
    """What speakers of the language call it: "Deutsch", "Português (Brasil)"; "" without a tag."""
    name = langcodes.Language.get(tag).autonym() if tag else ""
    return name[:1].upper() + name[1:]


def detected(text: str) -> str:
    """The BCP 47 tag of the language a text is in; "" when it is too short or too odd to tell."""
    import py3langid

    if sum(letter.isalpha() for letter in text) < FEWEST_LETTERS:
        return ""
    (first, likelihood), (_, next_likelihood) = py3langid.rank(text[:MOST_TEXT])[:2]
    return tag_of(first) if likelihood - next_likelihood >= SURE_ENOUGH else ""
