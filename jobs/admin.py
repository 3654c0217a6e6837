"""Admin pages of what is tracked: the events of everything, and the processes that do the work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.core.cache import cache
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import DropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from jobs import notification_admin  # noqa: F401 - its page registers itself
from jobs.events import Event
from jobs.history import spoken_type, spoken_who
from jobs.pipeline import admin as pipeline_admin  # noqa: F401 - its pages register themselves
from jobs.staff_pages import ReadOnlyAdmin, badge, moment, short_moment, spoken_age
from jobs.workers import ALIVE_SECONDS, Worker

# Types are looked for among so many events, so that the filter stays cheap in a long history.
RECENT_EVENTS = 20_000


class KindFilter(admin.SimpleListFilter):
    """History unless live messages are asked for: those come by the second."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("live", "Live messages"), ("all", "Everything")]

    def choices(self, changelist: Any) -> Iterator[Any]:
        first, *others = super().choices(changelist)
        yield {**first, "display": "History"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "live":
                return queryset.exclude(topic="")
            case "all":
                return queryset
            case _:
                return queryset.filter(topic="")


class DayFilter(DropdownFilter):
    """The last days. A date hierarchy would read the whole history to draw itself."""

    title = "when"
    parameter_name = "days"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("1", "Last 24 hours"), ("7", "Last 7 days"), ("30", "Last 30 days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("1", "7", "30"):
            return queryset
        return queryset.filter(at__gte=timezone.now() - timedelta(days=int(self.value())))


class SubjectFilter(DropdownFilter):
    """What the event is about."""

    title = "subject"
    parameter_name = "subject"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [
            (model._meta.label_lower, str(model._meta.verbose_name).capitalize())
            for name in ("uploader", "schedules", "jobs")
            for model in apps.get_app_config(name).get_models()
            if model not in (Event, Worker)
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(subject_type=self.value()) if self.value() else queryset


class TypeFilter(DropdownFilter):
    """What happened."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        recent = Event.objects.order_by("-id").values("type")[:RECENT_EVENTS]
        types = cache.get_or_set(
            "admin.event_types", lambda: sorted({row["type"] for row in recent}), timeout=300
        )
        return [(name, name.replace("_", " ").capitalize()) for name in types or []]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(type=self.value()) if self.value() else queryset


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    change_form_outer_after_template = None
    list_display = ("when", "type_text", "subject", "state", "attempt", "who_text", "why_text")
    list_display_links = ("when",)
    list_filter = (KindFilter, DayFilter, TypeFilter, SubjectFilter, ("at", RangeDateTimeFilter))
    ordering = ("-id",)
    sortable_by = ()
    # An id or a person: both are answered without reading every reason ever given.
    search_fields = ("=subject_id", "=who")
    search_help_text = "Id of the subject, or who did it"
    fields = ("at", "type", "topic", "subject", "attempt", "state", "who_text", "why", "data")

    @display(description="When")
    def when(self, event: Event) -> str:
        return short_moment(event.at)

    @display(description="Type")
    def type_text(self, event: Event) -> str:
        return spoken_type(event)

    @display(description="Subject")
    def subject(self, event: Event) -> str:
        return subject_link(event)

    @display(description="State")
    def state(self, event: Event) -> str:
        return f"{event.old} → {event.new}" if event.old and event.old != event.new else event.new

    @display(description="Who")
    def who_text(self, event: Event) -> str:
        return spoken_who(event.who)

    @display(description="Why")
    def why_text(self, event: Event) -> str:
        return format_html('<div class="sc-wrap">{}</div>', event.why)


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    change_form_outer_after_template = None
    list_display = ("lane", "host", "pid", "is_alive", "seen", "since")
    list_filter = ("lane",)
    ordering = ("lane", "started_at")
    search_fields = ("host", "=pid", "=lane")
    fields = ("lane", "host", "pid", "is_alive", "seen", "since")

    @display(description="Alive")
    def is_alive(self, worker: Worker) -> str:
        is_alive = timezone.now() - worker.seen_at < timedelta(seconds=ALIVE_SECONDS)
        return badge("Alive" if is_alive else "Gone", {"Alive": "success", "Gone": "danger"})

    @display(description="Last seen", ordering="seen_at")
    def seen(self, worker: Worker) -> str:
        return spoken_age(worker.seen_at, timezone.now())

    @display(description="Started", ordering="started_at")
    def since(self, worker: Worker) -> str:
        return moment(worker.started_at)


def subject_link(event: Event) -> str:
    """The row an event is about, as a link where it has a page."""
    if not event.subject_type:
        return ""
    app, _, name = event.subject_type.partition(".")
    try:
        text = f"{apps.get_model(app, name)._meta.verbose_name} {event.subject_id}".capitalize()
        url = reverse(f"admin:{app}_{name}_change", args=(event.subject_id,))
    except (LookupError, NoReverseMatch):
        return f"{name} {event.subject_id}"
    return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', url, text)
