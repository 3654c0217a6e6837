"""The admin page of weekly windows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from import_export.admin import ImportExportModelAdmin
from import_export.formats.base_formats import CSV, XLSX
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    RelatedDropdownFilter,
)
from unfold.contrib.import_export.forms import ExportForm, ImportForm
from unfold.decorators import display

from jobs.staff_decisions import Decision, decide
from jobs.staff_pages import StaffAdmin, badge, progress_bar
from schedules import slot_decisions
from schedules.admin.seen_first import WindowForm
from schedules.refusals import Refused
from schedules.slot_exchange import BadSlots, SlotJSON, SlotResource
from schedules.slot_line import changed
from schedules.upload_slots import EDITED, UploadSlot
from schedules.windows import in_words, zone_of

STATE_COLOURS = {"Open": "success", "Full": "primary", "Closed": "info", "Switched off": "warning"}


@admin.register(UploadSlot)
class UploadSlotAdmin(StaffAdmin, ImportExportModelAdmin):
    """Windows are saved through the process that the page of the week uses, so both tell the same history."""

    form = WindowForm
    resource_classes = (SlotResource,)
    import_form_class = ImportForm
    export_form_class = ExportForm
    formats = (SlotJSON, CSV, XLSX)
    list_display = ("times", "user", "destination", "state", "bar", "when", "time_zone")
    list_filter = (
        ("day", ChoicesDropdownFilter),
        "is_active",
        ("destination", RelatedDropdownFilter),
        ("user", RelatedDropdownFilter),
    )
    list_select_related = ("user", "destination")
    search_fields = ("slot_name", "user__username", "destination__name", "destination__title", "time_zone")
    search_help_text = "Name, person, destination or time zone"
    autocomplete_fields = ("user", "destination")
    ordering = ("user__username", "destination__name", "start_time", "id")
    sortable_by = ("user", "destination", "time_zone")
    actions = ("switch_on", "switch_off")
    readonly_fields = ("state", "bar", "when", "id")
    fieldsets = (
        (None, {"fields": ("user", "destination", "slot_name", "is_active")}),
        (
            "When, and how many",
            {"fields": ("day", "start_time", "end_time", "time_zone", "max_uploads", "seen")},
        ),
        ("Present or next occurrence", {"fields": ("state", "bar", "when", "id")}),
    )

    def get_import_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        return {"who": request.user.get_username()}

    def add_data_read_fail_error_to_form(self, form: Any, error: Exception) -> None:
        if isinstance(error, BadSlots):
            form.add_error("import_file", str(error))
        else:
            super().add_data_read_fail_error_to_form(form, error)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        for name in ("start_time", "end_time"):
            # The seconds count: a window that ends at 11:59:59 is open until noon.
            if name in form.base_fields:
                form.base_fields[name].widget.attrs["step"] = 1
        return form

    # ---------------------------------------------------------------- saving

    def save_model(
        self, request: HttpRequest, obj: UploadSlot, form: forms.ModelForm[Any], change: bool
    ) -> None:
        if not change or set(form.changed_data) & set(EDITED):
            slot_decisions.save_window(obj, who=request.user.get_username(), now=timezone.now())

    def delete_model(self, request: HttpRequest, obj: UploadSlot) -> None:
        slot_decisions.delete_window(obj, who=request.user.get_username(), now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[UploadSlot]) -> None:
        for slot in queryset.select_related("destination"):
            self.delete_model(request, slot)

    # ---------------------------------------------------------------- actions

    @admin.action(description="Switch on", permissions=["act"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[UploadSlot]) -> None:
        decide(request, queryset.select_related("destination"), switched(on=True))

    @admin.action(description="Switch off", permissions=["act"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[UploadSlot]) -> None:
        decide(request, queryset.select_related("destination"), switched(on=False))

    # ---------------------------------------------------------------- columns

    @display(description="Window", ordering="day")
    def times(self, slot: UploadSlot) -> str:
        return slot.times

    @display(description="State")
    def state(self, slot: UploadSlot) -> str:
        return badge(state_of(slot, timezone.now()), STATE_COLOURS)

    @display(description="Uploads")
    def bar(self, slot: UploadSlot) -> str:
        # A form that is shown again has the limit that was typed.
        return progress_bar(
            100 * slot.taken / max(slot.max_uploads or 1, 1), f"{slot.taken} of {slot.max_uploads}"
        )

    @display(description="Open")
    def when(self, slot: UploadSlot) -> str:
        """On the clock of the window's own zone."""
        found = slot.occurrence
        if found is None:
            return "–"
        zone = zone_of(slot.time_zone)
        first, last = found.starts_at.astimezone(zone), found.ends_at.astimezone(zone)
        return f"{in_words(found.date)}, {first:%H:%M} until {last:%H:%M %Z}"


def state_of(slot: UploadSlot, now: datetime) -> str:
    if not slot.is_active:
        return "Switched off"
    if not slot.opens_at <= now < slot.closes_at:
        return "Closed"
    return "Open" if slot.room else "Full"


def switched(*, on: bool) -> Decision:
    word = "on" if on else "off"

    def decision(slot: UploadSlot, who: str, now: datetime) -> str:
        if not slot.switch(on=on, who=who, now=now):
            raise Refused(f"already switched {word}")
        changed(slot.destination, now=now)
        return f"switched {word}"

    return decision
