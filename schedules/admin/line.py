"""The admin page of the videos that wait for weekly windows."""

from __future__ import annotations

from datetime import datetime
from operator import attrgetter
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from jobs.staff_decisions import DecidingAdmin, Offer, cancelling, retrying
from jobs.staff_pages import badge, in_cascade, link_to, short_moment
from schedules import slot_line
from schedules.admin.offers import uploading_now
from schedules.refusals import Refused
from schedules.slot_videos import OPEN, SlotVideo

STATUS_COLOURS = {
    "Waiting": "info",
    "Taken": "primary",
    "Uploading": "primary",
    "Delivered": "success",
    "Failed": "danger",
}


def retried(row: SlotVideo, who: str, now: datetime) -> str:
    slot_line.retry(row, who=who, now=now)
    return "queued again"


def sent_now(row: SlotVideo, who: str, now: datetime) -> str:
    slot_line.upload_now(row, who=who, now=now)
    return "begun"


def cancelled(row: SlotVideo, who: str, now: datetime) -> str:
    slot_line.cancel(row, who=who, now=now)
    return "cancelled"


def removed(row: SlotVideo, who: str, now: datetime) -> str:
    if not slot_line.remove_videos([row], who=who, now=now):
        raise Refused(
            f"{row.video} is {row.get_status_display().lower()}; what waits or failed can be taken out"
        )
    return "taken out"


OFFERS = (
    retrying(
        name="retry",
        question="Try this video again?",
        meaning="It takes its place in the line again and goes in the next window with room.",
        decision=retried,
    ),
    uploading_now(
        question="Upload this video now?",
        meaning="It needs no window and is counted to none; pauses and limits of the destination hold.",
        decision=sent_now,
    ),
    cancelling(
        name="cancel",
        chosen_label="Cancel the upload",
        question="Cancel this upload?",
        meaning="It ends as failed, its place in the window is free again. It can be retried later.",
        answer="Cancel the upload",
        decision=cancelled,
        fits=attrgetter("is_in_flight"),
    ),
    Offer(
        name="remove",
        chosen="remove_chosen",
        label="Take out of the line",
        permission="remove",
        icon="playlist_remove",
        variant=ActionVariant.DANGER,
        question="Take this video out of the line?",
        meaning="It can be added again later. What was delivered or is under way stays.",
        answer="Take it out",
        decision=removed,
        fits=attrgetter("can_expedite"),
    ),
)


@admin.register(SlotVideo)
class SlotVideoAdmin(DecidingAdmin):
    list_display = ("video", "user", "destination", "state", "place", "window", "error", "added", "finished")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("destination", RelatedDropdownFilter),
        ("user", RelatedDropdownFilter),
        ("error_kind", ChoicesDropdownFilter),
        ("taken_at", RangeDateTimeFilter),
    )
    list_select_related = ("user", "destination", "slot", "film", "episode__series", "episode__season")
    search_fields = ("film__title", "episode__series__title", "episode__title", "user__username", "=id")
    search_help_text = "Title of the film, the series or the episode, or person"
    ordering = ("-id",)
    sortable_by = ()
    offers = OFFERS
    fieldsets = (
        (None, {"fields": ("state", "error", "error_message")}),
        ("What and where to", {"fields": ("video_link", "user", "destination_link", "job_link")}),
        ("In the line", {"fields": ("priority", "position", "added", "added_by")}),
        ("Window", {"fields": ("window_link", "occurrence_on", "holds_place", "taken_at", "finished")}),
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("schedules.add_slotvideo"))

    def has_delete_permission(self, request: HttpRequest, obj: SlotVideo | None = None) -> bool:
        """Never here; with their video, those that are finished may go."""
        return obj is not None and obj.status not in OPEN and in_cascade(self, request)

    def has_remove_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("schedules.delete_slotvideo"))

    def in_order(self, queryset: QuerySet[SlotVideo]) -> QuerySet[SlotVideo]:
        """In the order of the line, with what a decision and its sentence need."""
        rows = queryset.select_related("film", "episode__series", "episode__season", "destination", "job")
        return rows.order_by("priority", "position", "id")

    # ---------------------------------------------------------------- adding

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = self.wish_form(request)(
            request.POST or None, initial=self.get_changeform_initial_data(request)
        )
        if form.is_valid() and self.add(request, form):
            return HttpResponseRedirect(reverse("admin:schedules_slotvideo_changelist"))
        sentence = "It goes to the end of the person's line, before what has a higher number as its priority."
        return self.decision(
            request, heading="Put a video in the line", sentences=[sentence], form=form, button="Put it in"
        )

    def wish_form(self, request: HttpRequest) -> type[forms.Form]:
        """What goes where and for whom; whether it may, is for the line to say."""
        names = ("user", "destination", "film", "episode", "priority")
        fields = {name: self.formfield_for_dbfield(self.opts.get_field(name), request) for name in names}
        return type("WishForm", (forms.Form,), fields)

    autocomplete_fields = ("user", "destination", "film", "episode")

    def add(self, request: HttpRequest, form: Any) -> bool:
        """Put the video in the line; when it is refused, nothing, and the form says why."""
        wish = form.cleaned_data
        videos = [video for video in (wish["film"], wish["episode"]) if video is not None]
        if len(videos) != 1:
            form.add_error(None, "Choose either a film or an episode.")
            return False
        try:
            rows, refused = slot_line.add_videos(
                videos,
                user=wish["user"],
                destination=wish["destination"],
                who=request.user.get_username(),
                now=timezone.now(),
                priority=wish["priority"],
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
            return False
        for video, why in refused:
            form.add_error(None, f"{video}: {why}")
        for row in rows:
            self.message_user(request, f"{row.video} waits in the line.", messages.SUCCESS)
        return not refused

    # ---------------------------------------------------------------- columns

    @display(description="Video")
    def video(self, row: SlotVideo) -> str:
        return str(row.video)

    @display(description="Status")
    def state(self, row: SlotVideo) -> str:
        return badge(row.get_status_display(), STATUS_COLOURS)

    @display(description="Priority")
    def place(self, row: SlotVideo) -> str:
        return str(row.priority) if row.is_waiting else "–"

    @display(description="Window")
    def window(self, row: SlotVideo) -> str:
        return f"{row.slot.times}, {row.occurrence_on}" if row.slot else "–"

    @display(description="Error")
    def error(self, row: SlotVideo) -> str:
        return row.get_error_kind_display()

    @display(description="Added")
    def added(self, row: SlotVideo) -> str:
        return short_moment(row.created_at)

    @display(description="Finished")
    def finished(self, row: SlotVideo) -> str:
        return short_moment(row.finished_at)

    @display(description="Video")
    def video_link(self, row: SlotVideo) -> str:
        return link_to(row.video)

    @display(description="Destination")
    def destination_link(self, row: SlotVideo) -> str:
        return link_to(row.destination)

    @display(description="Window")
    def window_link(self, row: SlotVideo) -> str:
        return link_to(row.slot)

    @display(description="Upload job")
    def job_link(self, row: SlotVideo) -> str:
        return link_to(row.job, f"Upload {row.job_id}")
