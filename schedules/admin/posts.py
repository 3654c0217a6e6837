"""The admin of scheduled posts: what they are, why they are not published, and the decisions about them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from jobs.reports import Report
from jobs.staff_pages import ReadOnlyAdmin, badge, go_to, link_to, page_of, short_moment
from schedules.posts import board, deciding, explaining
from schedules.posts.models import PostStatus, ScheduledPost

STATUS_COLOURS = {
    "Pending": "info",
    "Media uploaded": "primary",
    "Published": "success",
    "Failed": "danger",
    "Cancelled": "warning",
}
# More rows than this are not decided about in one request.
MOST_AT_ONCE = 500

PUBLISH_NOW = {
    "title": "Publish this post now?",
    "description": "Its moment becomes now. Media that are not on OnlySocial yet go there first.",
    "form_submit_text": "Publish now",
}
RETRY = {
    "title": "Retry this post?",
    "description": "It keeps its moment. What OnlySocial already has is kept; nothing is sent twice.",
    "form_submit_text": "Retry",
}
CANCEL = {
    "title": "Cancel this post?",
    "description": "It is not published; its upload stops. It can be scheduled again later.",
    "form_submit_text": "Cancel the post",
}

Decision = Callable[[ScheduledPost, str, datetime], str]


@admin.register(ScheduledPost)
class ScheduledPostAdmin(ReadOnlyAdmin):
    list_display = ("id", "text", "account", "post_type", "state", "planned", "published", "late", "error")
    list_display_links = ("id", "text")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("account", RelatedDropdownFilter),
        ("error_kind", ChoicesDropdownFilter),
        ("scheduled_for", RangeDateTimeFilter),
    )
    list_select_related = ("account__destination",)
    search_fields = ("caption", "=id", "=remote_uuid", "account__name")
    search_help_text = "Words of the caption, the account, the id, or the uuid at OnlySocial"
    ordering = ("-id",)
    sortable_by = ("id",)
    actions = ("publish_chosen", "retry_chosen", "cancel_chosen")
    actions_detail = ("publish_this", "retry_this", "cancel_this")
    fieldsets = (
        (None, {"fields": ("state", "why_not", "at_risk", "error_message")}),
        ("What and where", {"fields": ("caption", "post_type", "account", "video_list")}),
        (
            "When",
            {"fields": ("scheduled_for", "time_zone", "pre_upload_at", "published_at", "late_seconds")},
        ),
        ("At OnlySocial", {"fields": ("remote_uuid", "remote_status", "remote_link", "publish_accepted_at")}),
        ("How it came here", {"fields": ("created_by", "created_at", "idempotency_key")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScheduledPost]:
        rows: QuerySet[ScheduledPost] = super().get_queryset(request)
        return rows.prefetch_related("videos__job__destination")

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        post = self.get_object(request, str(object_id))
        ended = post is not None and post.status in (PostStatus.FAILED, PostStatus.CANCELLED)
        may_cancel = post is not None and (post.is_open or post.status == PostStatus.FAILED)
        fits = {
            "publish_this": post is not None and post.status != PostStatus.PUBLISHED,
            "retry_this": ended,
            "cancel_this": may_cancel,
        }
        return self.offered(request, object_id, {name for name, does in fits.items() if not does})

    # ---------------------------------------------------------------- actions

    @admin.action(description="Publish now", permissions=["act"])
    def publish_chosen(self, request: HttpRequest, queryset: QuerySet[ScheduledPost]) -> None:
        decide_all(request, queryset, publishing)

    @admin.action(description="Retry", permissions=["act"])
    def retry_chosen(self, request: HttpRequest, queryset: QuerySet[ScheduledPost]) -> None:
        decide_all(request, queryset, retried)

    @admin.action(description="Cancel", permissions=["act"])
    def cancel_chosen(self, request: HttpRequest, queryset: QuerySet[ScheduledPost]) -> None:
        decide_all(request, queryset, cancelled)

    @action(
        description="Publish now", permissions=["act"], icon="send", dialog=PUBLISH_NOW,
        variant=ActionVariant.PRIMARY,
    )  # fmt: skip
    def publish_this(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self.decide_one(request, object_id, publishing)

    @action(description="Retry", permissions=["act"], icon="replay", dialog=RETRY)
    def retry_this(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self.decide_one(request, object_id, retried)

    @action(
        description="Cancel", permissions=["act"], icon="cancel", dialog=CANCEL, variant=ActionVariant.DANGER
    )
    def cancel_this(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self.decide_one(request, object_id, cancelled)

    def decide_one(self, request: HttpRequest, object_id: str, decision: Decision) -> HttpResponse:
        post = self.found(request, object_id)
        decide_all(request, [post], decision)
        return go_to(request, page_of(post))

    # ---------------------------------------------------------------- columns

    @display(description="Status", ordering="status")
    def state(self, post: ScheduledPost) -> str:
        return badge(post.get_status_display(), STATUS_COLOURS)

    @display(description="Caption")
    def text(self, post: ScheduledPost) -> str:
        return format_html('<div class="sc-wrap">{}</div>', post.caption[:80] or "(no caption)")

    @display(description="Why is it not published?")
    def why_not(self, post: ScheduledPost) -> str:
        return explaining.why_not_published(post, timezone.now()) or "It is published."

    @display(description="At risk")
    def at_risk(self, post: ScheduledPost) -> str:
        found = explaining.risks(post, timezone.now())
        return " ".join(risk.sentence for risk in found) or "–"

    @display(description="Videos")
    def video_list(self, post: ScheduledPost) -> str:
        lines = (
            (video, filesizeformat(video.size_bytes or 0), video.media_id or "not there yet",
             link_to(video.job, "upload") if video.job else "–")
            for video in post.videos.all()
        )  # fmt: skip
        return format_html_join("", "<div>{} · {} · media {} · {}</div>", lines)

    @display(description="Address")
    def remote_link(self, post: ScheduledPost) -> str:
        if not post.remote_url.startswith(("https://", "http://")):
            return post.remote_url or "–"
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500" rel="noopener noreferrer" href="{}">{}</a>',
            post.remote_url,
            post.remote_url,
        )

    @display(description="Planned", ordering="scheduled_for")
    def planned(self, post: ScheduledPost) -> str:
        return short_moment(post.scheduled_for)

    @display(description="Published", ordering="published_at")
    def published(self, post: ScheduledPost) -> str:
        return short_moment(post.published_at)

    @display(description="Late")
    def late(self, post: ScheduledPost) -> str:
        return "–" if post.late_seconds is None else f"{post.late_seconds:.2f} s"

    @display(description="Error", ordering="error_kind")
    def error(self, post: ScheduledPost) -> str:
        return post.get_error_kind_display()


def publishing(post: ScheduledPost, who: str, now: datetime) -> str:
    deciding.publish_now(post, who=who, now=now)
    return "published now"


def retried(post: ScheduledPost, who: str, now: datetime) -> str:
    deciding.retry(post, who=who, now=now)
    return "retried"


def cancelled(post: ScheduledPost, who: str, now: datetime) -> str:
    deciding.cancel(post, who=who, now=now)
    return "cancelled"


def decide_all(
    request: HttpRequest, posts: QuerySet[ScheduledPost] | list[ScheduledPost], decision: Decision
) -> None:
    """Decide the same about each post and report how many it was done for, and why not for the others."""
    report = Report()
    if isinstance(posts, QuerySet):
        report.leave(max(posts.count() - MOST_AT_ONCE, 0))
        ids = list(posts.order_by("pk").values_list("pk", flat=True)[:MOST_AT_ONCE])
        posts = list(board.posts().filter(pk__in=ids).order_by("pk"))
    for post in posts:
        try:
            report.count(decision(post, request.user.get_username(), timezone.now()))
        except deciding.Refused as refusal:
            report.refuse(refusal)
    report.tell(request)
