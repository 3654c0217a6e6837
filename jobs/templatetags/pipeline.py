"""What the templates of the pipeline page say: lengths, shares, admin pages."""

from __future__ import annotations

from collections.abc import Sequence

from django import template
from django.db import models
from django.urls import reverse

register = template.Library()


@register.filter
def length_of(seconds: float | None) -> str:
    """ "8 s", "240 ms", "1 h 30 min"; a dash for none."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    # The admin, which reads this library while it is loaded, is not there before it.
    from jobs.staff_pages import spoken_length

    return spoken_length(seconds)


@register.filter
def share(seconds: float | None, of: float) -> str:
    """Per cent of `of`, as a number in an SVG."""
    return f"{100 * (seconds or 0) / of:.1f}"


@register.filter
def admin_page(row: models.Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=(row.pk,))


@register.filter
def last_id(rows: Sequence[models.Model]) -> str:
    return str(rows[-1].pk) if rows else ""
