"""Addresses read in the one way every parser agrees on."""

import re
from urllib.parse import SplitResult, urlsplit

_STRANGE = re.compile(r"[\s\\\x00-\x1f\x7f]")  # characters on which URL parsers disagree


def split(url: str) -> SplitResult | None:
    """The parts of an address; None for one that parsers may read in two ways."""
    if _STRANGE.search(url):
        return None
    try:
        parts = urlsplit(url)
        is_usable = bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return None
    return parts if is_usable else None


def host_of(parts: SplitResult | None) -> str:
    return f"{parts.scheme}://{parts.netloc}" if parts else "unreadable"
