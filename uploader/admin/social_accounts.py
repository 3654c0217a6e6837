"""The admin page of social accounts: what the platform said of each, and when."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display

from jobs.staff_pages import ReadOnlyAdmin, badge, go_to, link_to, moment
from uploader.admin.destination_decisions import UPDATE, update_all
from uploader.models import Destination, SocialAccount

COLOURS = {"Connected": "success", "To be reconnected": "danger", "Gone": "warning"}


@admin.register(SocialAccount)
class SocialAccountAdmin(ReadOnlyAdmin):
    list_display = ("name", "provider", "state", "destination", "remote_id", "seen")
    list_display_links = ("name",)
    list_filter = (("destination", RelatedDropdownFilter), "is_authorized", "provider")
    list_select_related = ("destination",)
    search_fields = ("name", "username", "=uuid", "=remote_id")
    search_help_text = "Name, user name, id or uuid"
    ordering = ("destination", "provider", "name")
    actions_list = ("update_every",)
    fields = (
        "state", "why", "name", "username", "provider", "destination_link", "remote_id", "uuid", "seen",
        "gone", "created",
    )  # fmt: skip

    @action(
        description="Update accounts", permissions=["update"], icon="sync", url_path="update", dialog=UPDATE
    )
    def update_every(self, request: HttpRequest, form: Any) -> HttpResponse:
        update_all(request, list(Destination.objects.for_posts().filter(is_active=True)))
        return go_to(request, reverse("admin:uploader_socialaccount_changelist"))

    def has_update_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("uploader.change_socialaccount")

    @display(description="State", ordering="is_authorized")
    def state(self, account: SocialAccount) -> str:
        word = "Gone" if account.gone_at else "Connected" if account.is_authorized else "To be reconnected"
        return badge(word, COLOURS)

    @display(description="What to do")
    def why(self, account: SocialAccount) -> str:
        return account.why_not or "Nothing: posts can be published on it."

    @display(description="Destination")
    def destination_link(self, account: SocialAccount) -> str:
        return link_to(account.destination)

    @display(description="Last seen", ordering="seen_at")
    def seen(self, account: SocialAccount) -> str:
        return moment(account.seen_at)

    @display(description="Gone since")
    def gone(self, account: SocialAccount) -> str:
        return moment(account.gone_at)

    @display(description="First seen")
    def created(self, account: SocialAccount) -> str:
        return moment(account.created_at)
