"""The sidebar of every staff page, and what else of its frame depends on the request."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone

from jobs.pipeline.page.board import runs_unhandled
from schedules.models import ScheduledUpload, UploadSchedule
from schedules.posts import board as posts_board
from schedules.upload_schedules import OPEN, Status
from uploader.manager.kinds import KINDS


class Item(NamedTuple):
    """An admin list in the sidebar."""

    model: str
    title: str
    icon: str


GROUPS: dict[str, list[Item]] = {
    "Catalog": [
        Item("uploader.Series", "Series", "video_library"),
        Item("uploader.Episode", "Episodes", "smart_display"),
        Item("uploader.Film", "Films", "movie"),
        Item("uploader.Subtitle", "Subtitles", "closed_caption"),
    ],
    "Delivery": [
        Item("uploader.Destination", "Destinations", "cloud_upload"),
        Item("uploader.SocialAccount", "Social accounts", "groups"),
        Item("uploader.UploadJob", "Upload jobs", "upload"),
        Item("uploader.TranscodeJob", "Transcode jobs", "movie_filter"),
        Item("uploader.LedgerEntry", "Ledger", "receipt_long"),
        Item("schedules.UploadSchedule", "Upload schedules", "playlist_play"),
        Item("schedules.ScheduledUpload", "Scheduled uploads", "schedule"),
        Item("schedules.UploadSlot", "Windows", "date_range"),
        Item("schedules.SlotVideo", "Videos in line", "queue_play_next"),
        Item("schedules.Blackout", "Blackouts", "event_busy"),
        Item("schedules.ScheduledPost", "Scheduled posts", "campaign"),
    ],
    "Pipeline": [
        Item("jobs.PipelineJob", "Pipeline jobs", "account_tree"),
        Item("jobs.PipelineSchedule", "Pipeline schedules", "event_repeat"),
        Item("jobs.PipelineToken", "Reporting tokens", "vpn_key"),
        Item("jobs.Source", "Sources", "travel_explore"),
        Item("jobs.Work", "Works", "menu_book"),
        Item("jobs.Edition", "Editions", "translate"),
        Item("jobs.Segment", "Segments", "article"),
    ],
    "System": [
        Item("jobs.Worker", "Workers", "memory"),
        Item("jobs.NotificationChannel", "Notifications", "notifications"),
        Item("jobs.Event", "Events", "history"),
        Item("auth.User", "Users", "person"),
        Item("auth.Group", "Groups", "group"),
        Item("knox.AuthToken", "API tokens", "key"),
    ],
}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar of this person on this page."""
    top = [
        page(request, "Control room", "dashboard", "/", is_exact=True),
        page(request, "Uploads", "upload_file", "/uploads/", badge=needing_a_hand(request)),
        page(request, "Video jobs", "movie_edit", "/jobs/", badge=jobs_needing_a_hand(request)),
        page(request, "Weekly windows", "calendar_view_week", "/slots/"),
        page(request, "Posts", "calendar_month", "/posts/", badge=posts_needing_a_hand(request)),
    ]
    if request.user.has_perm("jobs.view_pipelinejob"):
        top.append(
            page(request, "Pipeline", "account_tree", "/pipeline/", badge=runs_needing_a_hand(request))
        )
    groups: list[dict[str, Any]] = [{"title": None, "items": top}]
    for title, items in GROUPS.items():
        shown = [
            page(request, item.title, item.icon, address)
            for item in items
            if (address := address_of(request, item.model))
        ]
        if title == "Pipeline" and request.user.has_perm("uploader.view_match"):
            shown.append(page(request, "Matches", "join_inner", "/pipeline/matches/"))
        if title == "System":
            shown.append(page(request, "API docs", "api", "/api/docs"))
        if shown:
            groups.append({"title": title, "separator": True, "items": shown})
    return groups


def page(
    request: HttpRequest, title: str, icon: str, link: str, *, is_exact: bool = False, badge: int = 0
) -> dict[str, Any]:
    is_here = request.path == link if is_exact else request.path.startswith(link)
    item: dict[str, Any] = {"title": title, "icon": icon, "link": link, "active": is_here}
    # The template draws every badge it is given, a zero too.
    return {**item, "badge": str(badge), "badge_variant": "danger"} if badge else item


def address_of(request: HttpRequest, label: str) -> str:
    """Where the model's list is; empty when this person may not open it."""
    model = apps.get_model(label)
    if not admin.site.is_registered(model):
        return ""
    if not admin.site.get_model_admin(model).has_view_or_change_permission(request):
        return ""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def needing_a_hand(request: HttpRequest) -> int:
    """As many as the uploads page lists: episodes that failed, and series held until somebody decides."""
    if not request.user.has_perm("schedules.view_scheduledupload"):
        return 0
    failed = ScheduledUpload.objects.filter(status__in=(Status.FAILED, Status.SKIPPED))
    held = UploadSchedule.objects.filter(
        paused_by="policy", paused_at__isnull=False, uploads__status__in=OPEN
    ).distinct()
    return failed.count() + held.count()


def jobs_needing_a_hand(request: HttpRequest) -> int:
    """Failures of both kinds that nobody has taken care of; more than a hundred are not counted one by one."""
    if not request.user.has_perm("uploader.view_uploadjob"):
        return 0
    return sum(kind.model._default_manager.untended()[:100].count() for kind in KINDS.values())


def posts_needing_a_hand(request: HttpRequest) -> int:
    """Posts that failed or were missed lately, and wait for somebody's decision."""
    if not request.user.has_perm("schedules.view_scheduledpost"):
        return 0
    return posts_board.needing_a_hand(timezone.now()).count()


def runs_needing_a_hand(request: HttpRequest) -> int:
    """Runs of scripts that failed lately and were not marked as handled."""
    return runs_unhandled(timezone.now()).count()


def environment(request: HttpRequest) -> list[str] | None:
    """The label in the header that says: nothing here reaches a real platform."""
    return ["Sandbox", "warning"] if settings.SANDBOX_URL else None


def favicon(request: HttpRequest) -> str:
    return static("slotcast/favicon.svg")


def stylesheet(request: HttpRequest) -> str:
    return static("slotcast/admin.css")


def dialogs(request: HttpRequest) -> str:
    return static("slotcast/dialogs.js")
