"""The admin of scheduled posts: what they are, why they are not published, and the decisions about them."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from jobs.staff_decisions import DecidingAdmin, Offer, cancelling, retrying
from jobs.staff_pages import badge, link_outside, link_to, short_moment
from schedules.posts import board, deciding, explaining
from schedules.posts.models import PostStatus, ScheduledPost

STATUS_COLOURS = {
    "Pending": "info",
    "Media uploaded": "primary",
    "Published": "success",
    "Failed": "danger",
    "Cancelled": "warning",
}


def publishing(post: ScheduledPost, who: str, now: datetime) -> str:
    deciding.publish_now(post, who=who, now=now)
    return "published now"


def retried(post: ScheduledPost, who: str, now: datetime) -> str:
    deciding.retry(post, who=who, now=now)
    return "retried"


def cancelled(post: ScheduledPost, who: str, now: datetime) -> str:
    deciding.cancel(post, who=who, now=now)
    return "cancelled"


def may_be_cancelled(post: ScheduledPost) -> bool:
    return post.is_open or post.status == PostStatus.FAILED


OFFERS = (
    Offer(
        name="publish_this",
        chosen="publish_chosen",
        label="Publish now",
        icon="send",
        variant=ActionVariant.PRIMARY,
        question="Publish this post now?",
        meaning="Its moment becomes now. Media that are not on OnlySocial yet go there first.",
        answer="Publish now",
        decision=publishing,
        fits=lambda post: post.status != PostStatus.PUBLISHED,
    ),
    retrying(
        name="retry_this",
        question="Retry this post?",
        meaning="It keeps its moment. What OnlySocial already has is kept; nothing is sent twice.",
        decision=retried,
        fits=lambda post: post.status in (PostStatus.FAILED, PostStatus.CANCELLED),
    ),
    cancelling(
        name="cancel_this",
        question="Cancel this post?",
        meaning="It is not published; its upload stops. It can be scheduled again later.",
        answer="Cancel the post",
        decision=cancelled,
        fits=may_be_cancelled,
    ),
)


@admin.register(ScheduledPost)
class ScheduledPostAdmin(DecidingAdmin):
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
    offers = OFFERS
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

    def in_order(self, queryset: QuerySet[ScheduledPost]) -> QuerySet[ScheduledPost]:
        return board.posts().filter(pk__in=queryset.order_by().values("pk")).order_by("pk")

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
        return link_outside(post.remote_url)

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
