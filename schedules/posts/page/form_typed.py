"""What was typed into the form that makes posts, and what is wrong with it, field by field."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from django.http import QueryDict

from schedules.posts.models import PostType
from schedules.posts.page import dry_run
from schedules.posts.requests import LONGEST_KEY
from uploader.platforms.onlysocial.records import CAPTION_CHARACTERS

MODES = {
    "keep": "At these times",
    "every": "Every so many hours",
    "windows": "In free windows",
    "tray": "Without a time yet",
}


@dataclass
class Typed:
    """The form's fields at `now`. `is_strict`: what is missing counts as wrong."""

    data: QueryDict
    viewer: ZoneInfo
    now: datetime
    is_strict: bool = False
    errors: dict[str, list[str]] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        """A field's text; NUL, which PostgreSQL refuses, is no text."""
        value = self.data.get(name, default) or default
        # A browser sends the ends of lines as CR LF; a caption has them as LF.
        return value.replace("\0", "").replace("\r\n", "\n")

    @cached_property
    def key(self) -> str:
        """By which the same form sent twice is carried out once."""
        given = self.text("key")
        return given if 0 < len(given) <= LONGEST_KEY and given.isascii() else uuid.uuid4().hex

    @property
    def caption(self) -> str:
        return self.text("caption")

    @property
    def post_type(self) -> str:
        value = self.text("post_type", PostType.REEL)
        return value if value in PostType.values else PostType.REEL

    @property
    def is_together(self) -> bool:
        """All videos in one post, rather than a post for each."""
        return self.text("together") == "one"

    @property
    def mode(self) -> str:
        value = self.text("mode", "keep")
        return value if value in MODES else "keep"

    @property
    def at(self) -> str:
        return self.text("at")

    @property
    def zone_name(self) -> str:
        return self.text("in") or self.viewer.key

    @property
    def is_second(self) -> bool:
        return self.text("second") == "1"

    @property
    def hours(self) -> str:
        return self.text("hours", "24")

    @property
    def windows(self) -> str:
        return self.text("windows", "09:00-12:00, 18:00-21:00")

    @property
    def gap(self) -> str:
        return self.text("gap", "60")

    @property
    def query(self) -> str:
        """What is looked for in the library."""
        return self.text("q").strip()[:100]

    @property
    def types(self) -> list[tuple[str, str]]:
        return [(value, str(label)) for value, label in PostType.choices]

    @property
    def modes(self) -> list[tuple[str, str]]:
        return list(MODES.items())

    @property
    def caption_limit(self) -> int:
        return CAPTION_CHARACTERS

    def wrong(self, name: str, sentence: str, *, is_missing: bool = False) -> None:
        said = dry_run.capital(sentence)
        if (not is_missing or self.is_strict) and said not in self.errors.get(name, []):
            self.errors.setdefault(name, []).append(said)

    def number(self, name: str, value: str, *, least: float, most: float) -> float | None:
        try:
            found = float(value.replace(",", "."))
        except ValueError:
            found = float("nan")
        if least <= found <= most:
            return found
        self.wrong(name, f"Give a number from {least:g} to {most:g}.")
        return None
