"""Words and numbers of the jobs page."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

VERBS = {
    "retry": ("Retry", "They keep their metadata and paths, and get fresh attempts."),
    "cancel": ("Cancel", "What waits ends at once; what runs is asked to stop. They can be retried later."),
    "cleanup": ("Clean up", "Their temporary files are removed, and how far they were is reset."),
    "sync": ("Sync", "Each is put right with the queue: whose worker is gone waits for another one."),
    "delete": ("Delete", "They leave every list and every number. What was uploaded stays where it is."),
    "handle": ("Mark handled", "They stay failed, and need nobody any more."),
}


@register.filter
def spoken_verb(verb: str) -> str:
    return VERBS[verb][0]


@register.filter
def what_it_does(verb: str) -> str:
    return VERBS[verb][1]


@register.filter
def thousands(number: int) -> str:
    return f"{number:,}"


@register.filter
def minus(number: float, other: float) -> str:
    return f"{number - other:.1f}"


@register.filter
def span_name(span: str) -> str:
    # Tag libraries are read while the admin is still being loaded.
    from uploader.manager.charts import SPAN_NAMES

    return SPAN_NAMES[span]


@register.filter
def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


@register.filter
def is_address(value: Any) -> bool:
    return str(value).startswith(("https://", "http://"))


@register.simple_tag
def icon(name: str) -> SafeString:
    """An icon; a page has hundreds, for which an included template takes too long."""
    return format_html('<span class="material-symbols-outlined sc-icon" aria-hidden="true">{}</span>', name)


@register.simple_tag
def at(when: datetime | None, kind: str = "at") -> str:
    """A time that the page tells in the reader's zone; as `jobs/_time.html`."""
    if when is None:
        return format_html('<span class="sc-faint">{}</span>', "no time yet")
    local = timezone.localtime(when)
    return format_html(
        '<time datetime="{}" data-time="{}">{}</time>', local.isoformat(), kind, f"{local:%a %-d %b %H:%M %Z}"
    )
