"""Titles and descriptions of uploaded videos, from templates an operator can change."""

from __future__ import annotations

from string import Formatter
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError

if TYPE_CHECKING:
    from uploader.catalog import Episode, Film

TITLE = "{series} - Episode {number}"
DESCRIPTION = "{intro}"
HELP = "Placeholders: {series} {season} {number} {episode_title} {intro}. Write {{ for a brace."
FIELDS = ("series", "season", "number", "episode_title", "intro")
# What only an episode has; a film goes by a template of its own where one of these is asked for.
OF_EPISODES = {"season", "number"}
FILM_TITLE = "{series}"
TITLE_LIMIT = 255
DESCRIPTION_LIMIT = 3000


def validate_template(template: str) -> None:
    """Raises ValidationError for an unknown placeholder or broken braces."""
    try:
        fields = [part[1:] for part in Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        raise ValidationError(f"The braces do not match: {error}. Write {{{{ for a brace.") from error
    for name, format_spec, conversion in fields:
        if format_spec or conversion:
            raise ValidationError(f"Write {{{name}}} without a format.")
        if name not in FIELDS:
            raise ValidationError(f"Unknown placeholder {{{name}}}. Known: {', '.join(FIELDS)}.")


def render(template: str, video: Episode | Film, *, limit: int, of_film: str = FILM_TITLE) -> str:
    """The template filled in for `video`, cut at `limit` characters; `of_film` for a film that it does not suit."""
    if getattr(video, "series", None) is None and OF_EPISODES & {
        part[1] for part in Formatter().parse(template)
    }:
        template = of_film
    return shorten(template.format(**values(video)).strip(), limit)


def values(video: Episode | Film) -> dict[str, str]:
    series = getattr(video, "series", None)
    if series is None:
        return {
            "series": video.title,
            "season": "",
            "number": "",
            "episode_title": video.title,
            "intro": getattr(video, "intro", ""),
        }
    season = getattr(video, "season", None)
    return {
        "series": series.title,
        "season": str(season.number) if season else "",
        "number": str(getattr(video, "index_sequence", "")),
        "episode_title": video.title,
        "intro": series.intro,
    }


def shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
