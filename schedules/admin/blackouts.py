"""The admin page of blackouts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import RelatedDropdownFilter

from jobs.staff_pages import StaffAdmin
from schedules import slot_decisions
from schedules.admin.seen_first import BlackoutForm
from schedules.models import Blackout


@admin.register(Blackout)
class BlackoutAdmin(StaffAdmin):
    form = BlackoutForm
    list_display = ("name", "dates", "destination", "is_yearly")
    list_filter = (("destination", RelatedDropdownFilter), "is_yearly")
    search_fields = ("name",)
    date_hierarchy = "first_on"

    def save_model(self, request: HttpRequest, obj: Blackout, form: Any, change: bool) -> None:
        slot_decisions.save_blackout(obj, who=request.user.get_username(), now=timezone.now())

    def delete_model(self, request: HttpRequest, obj: Blackout) -> None:
        slot_decisions.delete_blackout(obj, who=request.user.get_username(), now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Blackout]) -> None:
        for row in queryset:
            self.delete_model(request, row)
