"""Admin pages of what libraries bring along: people, API tokens; and what must not be shown at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from django_q.models import Failure, OrmQ, Schedule, Success
from knox.models import AuthToken
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from jobs.reports import Report

if TYPE_CHECKING:
    PeopleAdmin = DjangoUserAdmin[User]
else:
    PeopleAdmin = DjangoUserAdmin

# Rows of the queue hold unsigned pickles: to look at one is to run what somebody wrote into the database.
# Attempts to sign in are kept by axes for its own decisions; `manage.py axes_reset` lifts a lock.
for model in (
    Failure,
    OrmQ,
    Schedule,
    Success,
    AccessAttempt,
    AccessFailureLog,
    AccessLog,
    User,
    Group,
    AuthToken,
):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


@admin.register(User)
class UserAdmin(PeopleAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")
    show_full_result_count = False
    compressed_fields = True


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    show_full_result_count = False


@admin.register(AuthToken)
class AuthTokenAdmin(ModelAdmin):
    """Who holds a token, and a way to take it away. `manage.py api_token` makes them and shows each once."""

    list_display = ("user", "begins_with", "created", "expiry")
    list_display_links = None
    list_select_related = ("user",)
    search_fields = ("user__username", "token_key")
    ordering = ("-created",)
    actions = ("revoke",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> Any:
        # A token's row has no page: its key is the digest, which stays out of addresses.
        return [url for url in super().get_urls() if url.name == "knox_authtoken_changelist"]

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    @display(description="Begins with")
    def begins_with(self, token: AuthToken) -> str:
        return f"{token.token_key[:8]}…"

    @admin.action(description="Revoke", permissions=["delete"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[AuthToken]) -> None:
        report = Report()
        for token in queryset:
            token.delete()
            report.count("revoked: whoever uses it is signed out now")
        report.tell(request)
