"""The tools that work on texts: a built-in one each, or one's own, a dotted path in PIPELINE_TOOLS.

    clean       (text: str) -> str
    summarize   (text: str) -> str
    entities    (text: str) -> list of {"text": …, "type": …, "count": …}
    embed       (texts: Sequence[str]) -> one list of floats for each, all of one length

A tool may raise a `JobError` of its own about one text; it is counted and the run goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from jobs.errors import ErrorKind, JobError
from jobs.pipeline.plain import plain


class BadTool(JobError):
    """The tool cannot be used. Correct PIPELINE_TOOLS, then retry."""

    kind = ErrorKind.REJECTED
    permanent = True


def tool(name: str) -> Callable[[Any], Any]:
    """The callable for `clean`, `summarize`, `entities` or `embed`. Raises BadTool."""
    path = settings.PIPELINE_TOOLS[name]
    try:
        found: Callable[[Any], Any] = import_string(path)
    except ImportError as error:
        raise BadTool(f"The tool {path} for “{name}” cannot be loaded: {error}") from error
    if not callable(found):
        raise BadTool(f"The tool {path} for “{name}” cannot be called.")
    return found


def cleaned(text: str) -> str:
    return _text("clean", text)


def summarized(text: str) -> str:
    return _text("summarize", text)


def entities_in(text: str) -> list[dict[str, Any]]:
    found = plain(tool("entities")(text))
    if not isinstance(found, list) or not all(isinstance(each, dict) and each.get("text") for each in found):
        raise _wrong("entities", "a list of objects with “text”")
    return found


def embedded(texts: Sequence[str]) -> list[list[float]]:
    found = plain(tool("embed")(texts)) if texts else []
    if not isinstance(found, list) or len(found) != len(texts):
        raise _wrong("embed", "one vector for each text")
    vectors = [[float(each) for each in vector] for vector in found if _is_vector(vector)]
    if len(vectors) != len(texts) or len({len(vector) for vector in vectors}) > 1:
        raise _wrong("embed", "vectors of numbers, all of one length")
    return vectors


def _is_vector(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(x, int | float) and math.isfinite(x) for x in value)


def _text(name: str, text: str) -> str:
    made = tool(name)(text)
    if not isinstance(made, str):
        raise _wrong(name, "a text")
    return str(plain(made))


def _wrong(name: str, wanted: str) -> BadTool:
    return BadTool(f"The tool {settings.PIPELINE_TOOLS[name]} for “{name}” did not give {wanted}.")
