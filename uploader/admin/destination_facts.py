"""What the admin page of a destination tells beside its columns: who refers to it, what its day has left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import PROTECT
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from jobs.staff_pages import link_to, progress_bar
from uploader import ledger
from uploader.models import Destination


def kept_by(row: Destination) -> str:
    """What refers to the destination and must stay, as words; empty: nothing."""
    protecting = [relation for relation in Destination._meta.related_objects if relation.on_delete is PROTECT]
    counts = [
        (
            relation.related_model._base_manager.filter(**{relation.field.name: row}).count(),
            relation.related_model,
        )
        for relation in protecting
    ]
    return " and ".join(
        f"{count} {model._meta.verbose_name if count == 1 else model._meta.verbose_name_plural}"
        for count, model in counts
        if count
    )


def allowance_html(row: Destination) -> str:
    """What the last 24 hours took of each limit."""
    entries = [size for _, size in ledger.entries_of(row, now=timezone.now())]
    bars = (
        used_bar("Videos", len(entries), row.max_videos_per_day, str),
        used_bar("Duration", sum(size.seconds for size in entries), row.max_seconds_per_day, hours),
        used_bar("Bytes", sum(size.bytes for size in entries), row.max_bytes_per_day, filesizeformat),
    )
    rows = format_html_join("", "<div>{}<br>{}</div>", bars)
    return format_html('<div class="flex flex-col gap-2">{}</div>', rows)


def used_bar(name: str, used: float, limit: int | None, spoken: Callable[[Any], str]) -> tuple[str, str]:
    if not limit:
        return name, f"{spoken(used)}, no limit"
    return name, progress_bar(100 * used / limit, f"{spoken(used)} of {spoken(limit)}", wide=True)


def hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h"


def accounts_html(row: Destination) -> str:
    """The accounts posts can be published on, and those that have to be reconnected."""
    accounts = row.social_accounts.listed()
    if not accounts:
        return "None yet. “Update accounts” asks the platform for them."
    return format_html_join(
        "",
        "<div>{} · {} · {}</div>",
        [
            (
                link_to(each, each.name),
                each.provider,
                "connected" if each.is_authorized else "to be reconnected",
            )
            for each in accounts
        ],
    )
