"""What a robots.txt (RFC 9309) says to us; however large or broken it is, reading it costs little."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from protego import Protego

# What a robots.txt knows us by.
ROBOT = "Slotcast"
# RFC 9309, 2.4 and 2.5: kept for a day, read up to 500 KiB.
FRESH = timedelta(hours=24)
MOST_BYTES = 512_000
# Parsed rules that are kept; a fetcher asks for the same ones before every page.
PARSED = 16

_AGENT = re.compile(r"\s*(?:user-agent|useragent|user agent)\s*(?::|\s)\s*([^#]*)", re.IGNORECASE)
_PRODUCT = re.compile(r"[a-z_-]+", re.IGNORECASE)
_SOMEBODY_ELSE = "User-agent: -"


@dataclass(frozen=True)
class Rules:
    """The rules for us: those under our name, else those for all."""

    _read: Protego

    def allows(self, url: str) -> bool:
        return self._read.can_fetch(url, ROBOT)

    @property
    def delay_seconds(self) -> float:
        """The least time it asks for between two requests."""
        rate = self._read.request_rate(ROBOT)
        return max(self._read.crawl_delay(ROBOT) or 0.0, rate.seconds / rate.requests if rate else 0.0)


@lru_cache(maxsize=PARSED)
def rules_of(text: str) -> Rules:
    """The rules in the text of a robots.txt; what is no rule is passed over."""
    return Rules(Protego.parse("\n".join(_for_us(text))))


def _for_us(text: str) -> Iterator[str]:
    """The lines, with all the others who are named become one: the parser gives every rule to each name before it."""
    for line in text.splitlines():
        found = _AGENT.match(line)
        if found is None:
            yield line
            continue
        product = _PRODUCT.match(found[1])
        if found[1].strip() == "*":
            yield "User-agent: *"
        elif product and product[0].lower() == ROBOT.lower():
            yield f"User-agent: {ROBOT}"
        else:
            yield _SOMEBODY_ELSE
