"""Languages as files name them, as BCP 47 tags and as viewers read them."""

from __future__ import annotations

import langcodes
from langcodes.tag_parser import LanguageTagError

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
    """What speakers of the language call it: "Deutsch", "português (Brasil)"; "" without a tag."""
    return langcodes.Language.get(tag).autonym().capitalize() if tag else ""
