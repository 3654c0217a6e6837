"""What admin pages of tracked things share: read-only lists, the history below, dialogs, pieces of HTML."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from unfold.admin import ModelAdmin

from jobs.history import history_html


class StaffAdmin(ModelAdmin):
    """An admin page that stays quick with a hundred thousand rows and shows the row's history below it."""

    list_per_page = 50
    show_full_result_count = False
    list_filter_submit = True
    change_form_outer_after_template: str | None = "jobs/_history_card.html"

    def has_act_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """May this person decide something about the rows? Whoever may only view them gets no button."""
        opts = self.opts
        return bool(request.user.has_perm(f"{opts.app_label}.change_{opts.model_name}"))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj = kwargs.get("obj")
        if obj is not None and self.change_form_outer_after_template:
            context["history"] = history_html(obj)
        return super().render_change_form(request, context, *args, **kwargs)

    def found(self, request: HttpRequest, object_id: str) -> Any:
        """The row of an address. Raises Http404."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        return row

    def offered(self, request: HttpRequest, object_id: str | int, hidden: set[str]) -> list[Any]:
        """The buttons of a row's page without those that would be refused."""
        names = {f"{self.opts.app_label}_{self.opts.model_name}_{name}" for name in hidden}
        actions = super().get_actions_detail(request, object_id)
        return [action for action in actions if action.action_name not in names]

    def decision(self, request: HttpRequest, **context: Any) -> TemplateResponse:
        """A page that asks before something is done: heading, sentences, form, button."""
        back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        page = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": context["heading"],
            "back": back,
            **context,
        }
        return TemplateResponse(request, "jobs/decision.html", page)


class ReadOnlyAdmin(StaffAdmin):
    """Rows that the product writes and people only read."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def in_cascade(admin_page: admin.ModelAdmin[Any], request: HttpRequest) -> bool:
    """Is another model's page asking, because deleting its row would take this one along?"""
    match = request.resolver_match
    own = f"{admin_page.opts.app_label}_{admin_page.opts.model_name}_"
    return match is not None and not (match.url_name or "").startswith(own)


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    """Leave a dialog: htmx follows a header, a plain form a redirect."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def page_of(row: models.Model) -> str:
    """The address of the row's admin page."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=(row.pk,))


def link_to(row: models.Model | None, text: str = "") -> str:
    """A link to the row's admin page; a dash when there is no row."""
    if row is None:
        return "–"
    return format_html(
        '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', page_of(row), text or row
    )


def link_outside(url: str) -> str:
    """A link to a page elsewhere; what no browser opens stays text, a dash when there is none."""
    if not url.startswith(("https://", "http://")):
        return url or "–"
    return format_html(
        '<a class="text-primary-600 dark:text-primary-500" rel="noopener noreferrer" href="{}">{}</a>',
        url,
        url,
    )


def progress_bar(percent: float, label: str = "", *, wide: bool = False) -> str:
    """A bar filled to `percent`, and what it means; red when nothing is left."""
    shown = max(0, min(100, round(percent)))
    classes = f"sc-progress{' sc-full' if wide and shown >= 100 else ''}{' sc-wide' if wide else ''}"
    return format_html(
        '<span class="{}"><progress max="100" value="{}"></progress><small>{}</small></span>',
        classes,
        shown,
        label or f"{shown} %",
    )


def moment(at: datetime | None) -> str:
    """A time as people read it here, with its zone; a dash for none."""
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M %Z}" if at else "–"


def short_moment(at: datetime | None) -> str:
    """A time for a column: on one line, the year and the zone in its tooltip."""
    if at is None:
        return "–"
    local = timezone.localtime(at)
    return format_html(
        '<time class="sc-moment" datetime="{}" title="{}">{}</time>',
        local.isoformat(timespec="seconds"),
        f"{local:%Y-%m-%d %H:%M:%S %Z}",
        f"{local:%d %b %H:%M}",
    )


def badge(text: str, colours: Mapping[str, str | None]) -> str:
    """A word in its colour, in lists and on pages alike."""
    page = {"text": text, "type": colours.get(text)}
    return mark_safe(render_to_string("unfold/helpers/label.html", page))  # noqa: S308 - the template escapes


def spoken_length(seconds: float) -> str:
    """A length of time: “8 s”, “30 min”, “1 h 30 min”."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", f"{rest} s" if rest else ""]
    return " ".join(part for part in parts if part) or "0 s"


def spoken_age(then: datetime, now: datetime) -> str:
    """How long ago, roughly: “12 s ago”, “3 h ago”."""
    age = max(now - then, timedelta(0))
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if age.total_seconds() >= length:
            return f"{int(age.total_seconds() // length)} {unit} ago"
    return f"{int(age.total_seconds())} s ago"
