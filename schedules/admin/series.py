"""The admin page of series on the queue."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from jobs.reports import Report
from jobs.staff_decisions import MOST_AT_ONCE, Decision, decide
from jobs.staff_pages import (
    StaffAdmin,
    badge,
    go_to,
    link_to,
    moment,
    page_of,
    progress_bar,
    short_moment,
)
from schedules import decisions, refusals, scheduling
from schedules.models import ScheduledUpload, UploadSchedule
from schedules.upload_schedules import Status

# So many episodes that are not ready are told one by one.
MOST_REASONS = 20
STATE_COLOURS = {"Paused": "warning", "Held": "danger", "In the line": "success"}
LINK = '<a class="text-primary-600 dark:text-primary-500" href="{}?schedule__id__exact={}">Show them</a>'


class WhyForm(BaseDialogForm):
    reason = forms.CharField(required=False, max_length=200, widget=UnfoldAdminTextInputWidget)


PAUSE = {
    "title": "Pause this series?",
    "description": "None of its waiting episodes starts; the next series takes their hours.",
    "form_class": WhyForm,
    "form_submit_text": "Pause",
}
RESUME = {
    "title": "Resume this series?",
    "description": "It takes its place in the line again; what is behind it moves back.",
    "form_submit_text": "Resume",
}


class PausedFilter(admin.SimpleListFilter):
    title = "paused"
    parameter_name = "paused"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("yes", "Paused"), ("policy", "Held after a failure"), ("no", "Not paused")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "yes":
                return queryset.filter(paused_at__isnull=False)
            case "policy":
                return queryset.filter(paused_at__isnull=False, paused_by="policy")
            case "no":
                return queryset.filter(paused_at=None)
            case _:
                return queryset


@admin.register(UploadSchedule)
class UploadScheduleAdmin(StaffAdmin):
    list_display = (
        "series",
        "destination",
        "position",
        "bar",
        "state",
        "policy",
        "paused_text",
        "created",
    )
    list_filter = (
        ("destination", RelatedDropdownFilter),
        PausedFilter,
        ("on_failure", ChoicesDropdownFilter),
    )
    list_select_related = ("series", "destination")
    search_fields = ("series__title", "destination__name", "destination__title")
    autocomplete_fields = ("series", "destination")
    ordering = ("destination", "position")
    actions = ("pause_chosen", "resume_chosen", "remove_chosen")
    actions_detail = ("pause", "resume")
    fieldsets = (
        (None, {"fields": ("series_link", "destination_link", "position", "on_failure")}),
        ("State", {"fields": ("state", "paused_text", "bar", "counts", "episodes", "created", "created_by")}),
    )
    readonly_fields = (
        "series_link", "destination_link", "position", "state", "paused_text", "bar", "counts", "episodes",
        "created", "created_by",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[UploadSchedule]:
        rows: QuerySet[UploadSchedule] = super().get_queryset(request)
        uploads = ScheduledUpload.objects.filter(schedule=OuterRef("pk")).order_by().values("schedule")
        done = uploads.annotate(n=Count("pk", filter=Q(status=Status.COMPLETED))).values("n")
        total = uploads.annotate(n=Count("pk")).values("n")
        return rows.annotate(done=Coalesce(Subquery(done), 0), total=Coalesce(Subquery(total), 0))

    def get_actions(self, request: HttpRequest) -> Any:
        # Rows leave the line by `hourly`, not by a plain DELETE.
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        row = self.get_object(request, str(object_id))
        return self.offered(request, object_id, {"pause" if row is not None and row.is_paused else "resume"})

    # ---------------------------------------------------------------- adding, changing, removing

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        initial = self.get_changeform_initial_data(request)
        form = self.wish_form(request)(request.POST or None, initial=initial)
        if form.is_valid() and (rows := self.schedule(request, form)):
            start = moment(rows[0].scheduled_at)
            message = f"Scheduled {len(rows)} episodes of {rows[0].series}; the first one at {start}."
            self.message_user(request, message, messages.SUCCESS)
            return HttpResponseRedirect(page_of(rows[0].schedule))
        sentence = "Every episode that is not there yet joins the end of the destination's line."
        return self.decision(
            request, heading="Schedule a series", sentences=[sentence], form=form, button="Schedule"
        )

    def wish_form(self, request: HttpRequest) -> type[forms.Form]:
        """Which series goes where; whether it may, is for `hourly` to say.

        No model form: new episodes of a series that stands in the line join it, whatever a constraint says.
        """
        names = ("series", "destination", "on_failure")
        fields = {name: self.formfield_for_dbfield(self.opts.get_field(name), request) for name in names}
        return type("WishForm", (forms.Form,), fields)

    def schedule(self, request: HttpRequest, form: Any) -> list[ScheduledUpload]:
        """Put the series on the queue; nothing, and the form says why, when it is refused."""
        try:
            return scheduling.schedule_series(
                form.cleaned_data["series"],
                form.cleaned_data["destination"],
                who=request.user.get_username(),
                now=timezone.now(),
                on_failure=form.cleaned_data["on_failure"],
            )
        except refusals.NotAllReady as refusal:
            told, more = refusal.missing[:MOST_REASONS], len(refusal.missing) - MOST_REASONS
            form.add_error(None, f"Nothing was scheduled: {len(refusal.missing)} episodes are not ready.")
            for _, reason in told:
                form.add_error(None, reason)
            if more > 0:
                form.add_error(None, f"And {more} more.")
        except refusals.Refused as refusal:
            form.add_error(None, str(refusal))
        return []

    def save_model(self, request: HttpRequest, obj: UploadSchedule, form: Any, change: bool) -> None:
        if "on_failure" in form.changed_data:
            decisions.set_on_failure(obj, obj.on_failure, who=request.user.get_username(), now=timezone.now())

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        row = self.found(request, object_id)
        if not self.has_delete_permission(request, row):
            raise PermissionDenied
        if request.method == "POST":
            remove_all(request, [row])
            return HttpResponseRedirect(reverse("admin:schedules_uploadschedule_changelist"))
        return self.decision(
            request,
            heading="Take the series out of the line?",
            sentences=[of_removal(row)],
            form=forms.Form(),
            button="Take it out",
            variant="danger",
        )

    @admin.action(description="Take out of the line…", permissions=["delete"])
    def remove_chosen(self, request: HttpRequest, queryset: QuerySet[UploadSchedule]) -> HttpResponse | None:
        rows = list(queryset[:MOST_AT_ONCE])
        if "decided" in request.POST:
            remove_all(request, rows)
            return None
        return self.decision(
            request,
            heading="Take these series out of the line?",
            sentences=[of_removal(row) for row in rows],
            form=forms.Form(),
            action="remove_chosen",
            selected=[row.pk for row in rows],
            button="Take them out",
            variant="danger",
        )

    # ---------------------------------------------------------------- pausing

    @action(
        description="Pause", permissions=["act"], icon="pause", dialog=PAUSE, variant=ActionVariant.WARNING
    )
    def pause(self, request: HttpRequest, form: WhyForm, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        decide(request, [row], paused(form.cleaned_data["reason"]))
        return go_to(request, page_of(row))

    @action(
        description="Resume",
        permissions=["act"],
        icon="play_arrow",
        dialog=RESUME,
        variant=ActionVariant.SUCCESS,
    )
    def resume(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        decide(request, [row], resumed)
        return go_to(request, page_of(row))

    @admin.action(description="Pause", permissions=["act"])
    def pause_chosen(self, request: HttpRequest, queryset: QuerySet[UploadSchedule]) -> None:
        decide(request, queryset, paused(""))

    @admin.action(description="Resume", permissions=["act"])
    def resume_chosen(self, request: HttpRequest, queryset: QuerySet[UploadSchedule]) -> None:
        decide(request, queryset, resumed)

    # ---------------------------------------------------------------- columns

    @display(description="Series")
    def series_link(self, row: UploadSchedule) -> str:
        return link_to(row.series)

    @display(description="Destination")
    def destination_link(self, row: UploadSchedule) -> str:
        return link_to(row.destination)

    @display(description="State")
    def state(self, row: UploadSchedule) -> str:
        if not row.is_paused:
            return badge("In the line", STATE_COLOURS)
        return badge("Held" if row.paused_by == "policy" else "Paused", STATE_COLOURS)

    @display(description="On failure", ordering="on_failure")
    def policy(self, row: UploadSchedule) -> str:
        return row.on_failure.capitalize()

    @display(description="Why paused")
    def paused_text(self, row: UploadSchedule) -> str:
        if not row.is_paused:
            return "–"
        why = f": {row.paused_reason}" if row.paused_reason else ""
        return format_html('<div class="sc-wrap">{} by {}{}</div>', moment(row.paused_at), row.paused_by, why)

    @display(description="Completed")
    def bar(self, row: Any) -> str:
        return progress_bar(100 * row.done / row.total if row.total else 0, f"{row.done} of {row.total}")

    @display(description="Episodes by status")
    def counts(self, row: UploadSchedule) -> str:
        found = row.uploads.all().counts()
        return ", ".join(
            f"{found[status.value]} {status.label.lower()}" for status in Status if found[status.value]
        )

    @display(description="Its episodes")
    def episodes(self, row: UploadSchedule) -> str:
        url = reverse("admin:schedules_scheduledupload_changelist")
        return format_html(LINK, url, row.pk)

    @display(description="Created", ordering="created_at")
    def created(self, row: UploadSchedule) -> str:
        return short_moment(row.created_at)


def paused(why: str) -> Decision:
    def decision(row: UploadSchedule, who: str, now: datetime) -> str:
        decisions.pause_series(row, who=who, now=now, why=why)
        return "paused"

    return decision


def resumed(row: UploadSchedule, who: str, now: datetime) -> str:
    decisions.resume_series(row, who=who, now=now)
    return "resumed"


def remove_all(request: HttpRequest, rows: list[UploadSchedule]) -> None:
    report = Report()
    for row in rows:
        removed = scheduling.unschedule_series(
            row.series, who=request.user.get_username(), now=timezone.now(), destination=row.destination
        )
        report.count("episodes taken out of the line", removed)
    report.tell(request)


def of_removal(row: UploadSchedule) -> str:
    """What taking the series out would do."""
    found = row.uploads.all().counts()
    leaves = found[Status.PENDING] + found[Status.FAILED]
    return (
        f"{row}: {leaves} waiting or failed episodes leave the line. {found[Status.COMPLETED]} completed "
        f"ones stay, and so do {found[Status.SKIPPED]} skipped ones; what is being uploaded is finished."
    )
