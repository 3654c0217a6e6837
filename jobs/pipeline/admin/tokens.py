"""The admin page of reporting tokens: made here and shown once, revoked, never deleted while jobs name them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import display

from jobs.pipeline.tokens import PipelineToken
from jobs.reports import Report
from jobs.staff_pages import StaffAdmin, badge, short_moment

STATE_COLOURS = {"Valid": "success", "Revoked": "danger", "Expired": "warning"}


@admin.register(PipelineToken)
class PipelineTokenAdmin(StaffAdmin):
    list_display = ("name", "state", "begins_with_text", "created_by", "created", "used", "expires")
    list_select_related = ("created_by",)
    search_fields = ("name", "begins_with")
    fields = ("name", "expires_at", "state", "begins_with_text", "created", "used")
    readonly_fields = ("state", "begins_with_text", "created", "used")
    actions = ("revoke",)

    def get_fields(self, request: HttpRequest, obj: PipelineToken | None = None) -> Any:
        return self.fields if obj else ("name", "expires_at")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: PipelineToken, form: Any, change: bool) -> None:
        secret = ""
        if not change:
            secret = obj.fill()
            obj.created_by = request.user  # type: ignore[assignment]
        super().save_model(request, obj, form, change)
        if secret:
            messages.warning(
                request, format_html("Keep it now, it is not shown again: <code>{}</code>", secret)
            )

    @admin.action(description="Revoke", permissions=["act"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[PipelineToken]) -> None:
        report = Report()
        for token in queryset:
            if token.revoke(now=timezone.now()):
                report.count("revoked")
            else:
                report.refuse("was revoked before")
        report.tell(request)

    @display(description="State")
    def state(self, token: PipelineToken) -> str:
        if token.revoked_at:
            return badge("Revoked", STATE_COLOURS)
        return badge("Valid" if token.is_valid(timezone.now()) else "Expired", STATE_COLOURS)

    @display(description="Begins with")
    def begins_with_text(self, token: PipelineToken) -> str:
        return f"{token.begins_with}…" if token.begins_with else "–"

    @display(description="Made", ordering="created_at")
    def created(self, token: PipelineToken) -> str:
        return short_moment(token.created_at)

    @display(description="Last used", ordering="last_used_at")
    def used(self, token: PipelineToken) -> str:
        return short_moment(token.last_used_at)

    @display(description="Expires", ordering="expires_at")
    def expires(self, token: PipelineToken) -> str:
        return short_moment(token.expires_at)
