"""The admin page of destinations: accounts, their secrets, what they are sent, how fast, and how they are."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, ProtectedError, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from jobs.staff_pages import StaffAdmin, badge, go_to, moment, page_of, progress_bar, spoken_length
from uploader import ledger
from uploader.accounts import Platform
from uploader.admin.destination_decisions import (
    PAUSE,
    RESUME,
    TEST,
    UPDATE,
    PauseForm,
    pause_all,
    resume_all,
    test_all,
    update_all,
)
from uploader.admin.destination_facts import accounts_html, allowance_html, kept_by
from uploader.admin.destination_form import (
    SECRETS,
    DestinationForm,
    TemplatesForm,
    environment_html,
    state_of,
    tried,
)
from uploader.models import Destination, LedgerEntry, SocialAccount

HEALTH_COLOURS = {"Not tested yet": "info", "Working": "success", "Failing": "danger"}
# What is only asked for where the credentials are kept here: of any platform, of two, of one of them.
OWN_FIELDS = ("api_url", "new_api_key", "clear_api_key")
OWN_OF_PAIRS = ("new_api_secret", "clear_api_secret")
OWN_OF_VIDEOS = ("dialect", "profile_id", "username", "token_url", "new_password", "clear_password")
OWN_OF_POSTS = ("workspace",)
OWN_OF_STORAGES = (
    "bucket", "prefix", "region", "cdn_endpoint", "new_cdn_token", "clear_cdn_token",
)  # fmt: skip
# The secrets each platform has.
SECRETS_OF = {
    Platform.DAILYMOTION: ("api_key", "api_secret", "password"),
    Platform.ONLYSOCIAL: ("api_key",),
    Platform.SPACES: ("api_key", "api_secret", "cdn_token"),
}
SENT = (
    "category", "language", "is_for_kids", "visibility", "tags", "title_template", "description_template",
    "preview",
)  # fmt: skip
POST_LIMIT = "max_video_bytes"
LIMITS = (
    "max_videos_per_day", "max_seconds_per_day", "max_bytes_per_day", "max_video_bytes", "max_video_seconds",
)  # fmt: skip
PACE = ("interval_seconds", "max_attempts")
# The platform of a destination stays: only the page of a new one has a field for it to look at.
KEPT_HERE = "credentials_from_environment == false"
FOR_VIDEOS = "(typeof platform === 'undefined' || platform == 'dailymotion')"
FOR_POSTS = "(typeof platform === 'undefined' || platform == 'onlysocial')"
FOR_STORAGES = "(typeof platform === 'undefined' || platform == 'spaces')"
FOR_PAIRS = "(typeof platform === 'undefined' || platform != 'onlysocial')"
FOR_SIZED = "(typeof platform === 'undefined' || platform != 'spaces')"
STATE = ("health_badge", "health_message", "checked_at", "paused_text", "held_text")
USE_COLOURS = {"In use": "success", "Off": None, "Paused": "warning", "Held": "danger"}


@admin.register(Destination)
class DestinationAdmin(StaffAdmin):
    form = DestinationForm
    list_display = ("__str__", "name", "platform", "health_badge", "use_badge", "today", "interval_text")
    list_filter = (("platform", ChoicesDropdownFilter), ("health", ChoicesDropdownFilter), "is_active")
    search_fields = ("name", "title")
    ordering = ("name",)
    warn_unsaved_form = True
    actions = ("test_chosen", "pause_chosen", "resume_chosen")
    actions_detail = ("test_connection", "update_accounts", "pause", "resume")
    readonly_fields = (
        "environment", "api_key_state", "api_secret_state", "password_state", "cdn_token_state", "preview",
        "allowance",
        "health_badge", "health_message", "checked_at", "paused_text", "held_text", "social_accounts",
    )  # fmt: skip
    conditional_fields = {
        "environment": "credentials_from_environment == true",
        **dict.fromkeys(OWN_FIELDS, KEPT_HERE),
        **dict.fromkeys(OWN_OF_VIDEOS, f"{KEPT_HERE} && {FOR_VIDEOS}"),
        **dict.fromkeys(OWN_OF_POSTS, f"{KEPT_HERE} && {FOR_POSTS}"),
        **dict.fromkeys(OWN_OF_PAIRS, f"{KEPT_HERE} && {FOR_PAIRS}"),
        **dict.fromkeys(OWN_OF_STORAGES, f"{KEPT_HERE} && {FOR_STORAGES}"),
        **dict.fromkeys((*SENT, *LIMITS, "interval_seconds"), FOR_VIDEOS),
        "post_format": FOR_POSTS,
        POST_LIMIT: FOR_SIZED,
    }

    def get_fieldsets(self, request: HttpRequest, obj: Destination | None = None) -> Any:
        """What the row's platform needs; for a new row all of it, of which the page shows the half chosen."""
        videos = obj is None or obj.is_for_videos
        posts = obj is None or obj.is_for_posts
        storages = obj is None or obj.is_storage
        own = (
            *(("dialect", "profile_id", "username") if videos else ()),
            *(("workspace",) if posts else ()),
            *(("bucket", "prefix", "region") if storages else ()),
            *self.secret_fields(request, obj),
            *(("cdn_endpoint",) if storages else ()),
            "api_url",
            *(("token_url",) if videos else ()),
        )
        sent = (*(SENT if videos else ()), *(("post_format",) if posts else ()))
        limits = LIMITS if videos else (POST_LIMIT,) if posts else ()
        return [
            ("Account", {"fields": ("name", "title", "platform", "is_active")}),
            ("Credentials", {"fields": ("credentials_from_environment", "environment", *own)}),
            *([("Social accounts", {"fields": ("social_accounts",)})] if obj and posts else []),
            *([("What is sent", {"fields": sent})] if sent else []),
            *(
                [("Limits", {"fields": (*limits, "allowance") if obj and videos else limits})]
                if limits
                else []
            ),
            ("Pace", {"fields": PACE if videos else PACE[1:]}),
            *([("State", {"fields": STATE})] if obj else []),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Destination | None = None) -> Any:
        """The platform stays: a key of one is not sent to the other."""
        fixed = super().get_readonly_fields(request, obj)
        return fixed if obj is None else (*fixed, "platform")

    def secret_fields(self, request: HttpRequest, obj: Destination | None) -> list[Any]:
        """Inputs that never show a value; for whoever may only look: whether there is one."""
        names = list(SECRETS) if obj is None else SECRETS_OF[Platform(obj.platform)]
        if not self.has_act_permission(request):
            return [f"{name}_state" for name in names]
        return [
            field
            for name in names
            for field in (f"new_{name}", f"clear_{name}")
            if field.startswith("new_") or (obj is not None and getattr(obj, name))
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Destination]:
        since = timezone.now() - ledger.DAY
        today = LedgerEntry.objects.filter(destination=OuterRef("pk"), at__gt=since).order_by()
        counted = today.values("destination").annotate(videos=Count("pk")).values("videos")
        rows: QuerySet[Destination] = super().get_queryset(request)
        return rows.annotate(videos_today=Coalesce(Subquery(counted), 0))

    def get_actions(self, request: HttpRequest) -> Any:
        # Deleting several at once would say less about why one has to stay.
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        row, now = self.get_object(request, str(object_id)), timezone.now()
        stopped = row is not None and (row.is_paused(now) or row.is_held(now))
        paused = row is not None and row.is_paused(now)
        without_accounts = row is None or not row.is_for_posts
        found = (("pause", paused), ("resume", not stopped), ("update_accounts", without_accounts))
        return self.offered(request, object_id, {name for name, is_hidden in found if is_hidden})

    # ---------------------------------------------------------------- deleting

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        row = self.found(request, object_id)
        if not self.has_delete_permission(request, row):
            raise PermissionDenied
        if kept := kept_by(row):
            return self.refuse_deletion(request, row, kept)
        try:
            return super().delete_view(request, object_id, extra_context)
        except ProtectedError:
            return self.refuse_deletion(request, row, "something that was added just now")

    def refuse_deletion(self, request: HttpRequest, row: Destination, kept: str) -> HttpResponse:
        self.message_user(
            request,
            f"{row} cannot be deleted: it is the destination of {kept}. Make it inactive instead.",
            messages.ERROR,
        )
        return HttpResponseRedirect(page_of(row))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Its ledger and social accounts go with it, though nobody may delete one of them by itself."""
        deleted, counts, lacking, protected = super().get_deleted_objects(objs, request)
        along = {LedgerEntry._meta.verbose_name, SocialAccount._meta.verbose_name}
        return deleted, counts, set(lacking) - along, protected

    # ---------------------------------------------------------------- actions

    @action(
        description="Test connection",
        permissions=["act"],
        icon="network_check",
        dialog=TEST,
    )
    def test_connection(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        test_all(request, [row])
        return go_to(request, page_of(row))

    @action(description="Update accounts", permissions=["act"], icon="sync", dialog=UPDATE)
    def update_accounts(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        update_all(request, [row])
        return go_to(request, page_of(row))

    @action(
        description="Pause", permissions=["act"], icon="pause", dialog=PAUSE, variant=ActionVariant.WARNING
    )
    def pause(self, request: HttpRequest, form: PauseForm, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        pause_all(request, [row], form)
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
        resume_all(request, [row])
        return go_to(request, page_of(row))

    @admin.action(description="Test connection", permissions=["act"])
    def test_chosen(self, request: HttpRequest, queryset: QuerySet[Destination]) -> None:
        test_all(request, list(queryset))

    @admin.action(description="Resume", permissions=["act"])
    def resume_chosen(self, request: HttpRequest, queryset: QuerySet[Destination]) -> None:
        resume_all(request, list(queryset))

    @admin.action(description="Pause…", permissions=["act"])
    def pause_chosen(self, request: HttpRequest, queryset: QuerySet[Destination]) -> HttpResponse | None:
        form = PauseForm(request, None, request.POST if "decided" in request.POST else None)
        if form.is_valid():
            pause_all(request, list(queryset), form)
            return None
        return self.decision(
            request,
            heading="Pause destinations",
            sentences=[f"{', '.join(map(str, queryset))}: {PAUSE['description']}"],
            form=form,
            action="pause_chosen",
            selected=[row.pk for row in queryset],
            button="Pause",
        )

    # ---------------------------------------------------------------- the template preview

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.preview_view))
        return [path("preview/", view, name="uploader_destination_preview"), *super().get_urls()]

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return render(request, "uploader/_template_preview.html", tried(TemplatesForm(request.POST)))

    @display(description="On a real video")
    def preview(self, row: Destination) -> str:
        templates = {name: getattr(row, name) for name in ("title_template", "description_template")}
        page = {**tried(TemplatesForm(templates)), "address": reverse("admin:uploader_destination_preview")}
        return mark_safe(render_to_string("uploader/_template_preview_live.html", page))  # noqa: S308 - escaped

    # ---------------------------------------------------------------- columns

    @display(description="Health", ordering="health")
    def health_badge(self, row: Destination) -> str:
        return badge(row.get_health_display(), HEALTH_COLOURS)

    @display(description="Use")
    def use_badge(self, row: Destination) -> str:
        now = timezone.now()
        if not row.is_active:
            return badge("Off", USE_COLOURS)
        is_held = row.is_held(now)
        return badge("Paused" if row.is_paused(now) else "Held" if is_held else "In use", USE_COLOURS)

    @display(description="Last 24 hours")
    def today(self, row: Any) -> str:
        if not row.is_for_videos:
            return "–"
        limit = row.max_videos_per_day
        label = f"{row.videos_today} of {limit}" if limit else f"{row.videos_today} videos"
        return progress_bar(100 * row.videos_today / limit if limit else 0, label)

    @display(description="Interval", ordering="interval_seconds")
    def interval_text(self, row: Destination) -> str:
        if not row.is_for_videos:
            return "–"
        return spoken_length(row.interval.total_seconds())

    @display(description="From the environment")
    def environment(self, row: Destination) -> str:
        return environment_html(row)

    @display(description="Accounts")
    def social_accounts(self, row: Destination) -> str:
        return accounts_html(row)

    @display(description="API key")
    def api_key_state(self, row: Destination) -> str:
        return state_of(row, "api_key")

    @display(description="API secret")
    def api_secret_state(self, row: Destination) -> str:
        return state_of(row, "api_secret")

    @display(description="Password")
    def password_state(self, row: Destination) -> str:
        return state_of(row, "password")

    @display(description="API token of the CDN")
    def cdn_token_state(self, row: Destination) -> str:
        return state_of(row, "cdn_token")

    @display(description="Used in 24 hours")
    def allowance(self, row: Destination) -> str:
        return allowance_html(row)

    @display(description="Paused")
    def paused_text(self, row: Destination) -> str:
        if not row.is_paused(timezone.now()):
            return "No"
        until = f"until {moment(row.paused_until)}" if row.paused_until else "until somebody resumes it"
        why = f": {row.paused_reason}" if row.paused_reason else ""
        return f"Since {moment(row.paused_at)}, {until}, by {row.paused_by}{why}"

    @display(description="Held by the platform")
    def held_text(self, row: Destination) -> str:
        if not row.is_held(timezone.now()):
            return "No"
        return f"{row.held_reason} Next look at {moment(row.held_until)}."
