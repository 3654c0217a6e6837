"""The admin page of notification channels: an address goes in and never comes out, and a button tries it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget

from jobs.lifecycle import TrackedJob
from jobs.notifying import NotificationChannel
from jobs.sending_notices import NotAnAddress, NotSent, checked, send
from jobs.staff_pages import StaffAdmin, badge, go_to, moment, page_of, spoken_length

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[NotificationChannel]
else:
    ModelForm = forms.ModelForm

TEST = {
    "title": "Send a test message?",
    "description": "It says that it is a test, and goes out at once.",
    "form_submit_text": "Send",
}
COLOURS = {"Working": "success", "Failing": "danger", "Not used yet": "info", "Off": None}


def kinds() -> list[tuple[str, str]]:
    """The kinds of job that can be told about."""
    models = [model for model in apps.get_models() if issubclass(model, TrackedJob) and model.is_tallied]
    named = [(model._meta.label_lower, str(model._meta.verbose_name_plural).capitalize()) for model in models]
    return [("", "Every kind"), *sorted(named)]


class ChannelForm(ModelForm):
    """The address has a field of its own name, so that the stored one never is a form's initial value."""

    new_address = forms.CharField(
        label="Address",
        required=False,
        max_length=1000,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False),
    )
    about = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget)

    class Meta:
        model = NotificationChannel
        exclude: ClassVar[list[str]] = ["address"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "about" in self.fields:
            self.fields["about"].choices = kinds()  # type: ignore[attr-defined]
            self.fields["about"].help_text = "Only jobs of this kind"
        if "new_address" in self.fields:
            kept = "One is stored; leave this empty to keep it. " if self.instance.pk else ""
            self.fields["new_address"].help_text = (
                f"{kept}Never shown. For example mailto://user:password@example.org?to=me@example.org, "
                "slack://TokenA/TokenB/TokenC/#channel, discord://id/token, or any other of apprise's addresses."
            )

    def clean_new_address(self) -> str:
        address = str(self.cleaned_data["new_address"]).strip()
        if not address:
            if self.instance.pk is None:
                raise ValidationError("Give the address that messages go to.")
            return ""
        try:
            checked(address)
        except NotAnAddress as error:
            raise ValidationError(str(error)) from error
        return address

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("new_address"):
            self.instance.address = data["new_address"]
            self.instance.error, self.instance.failures, self.instance.next_at = "", 0, None
        return data


@admin.register(NotificationChannel)
class NotificationChannelAdmin(StaffAdmin):
    form = ChannelForm
    change_form_outer_after_template = None
    list_display = ("name", "service", "state", "told_about", "gathers", "last_sent")
    search_fields = ("name",)
    ordering = ("name",)
    actions_detail = ("send_test",)
    readonly_fields = ("service", "state", "last_sent", "waiting")
    fieldsets = (
        (None, {"fields": ("name", "new_address", "is_active")}),
        (
            "What it tells",
            {
                "fields": (
                    "tells_failures",
                    "tells_completions",
                    "tells_cancellations",
                    "about",
                    "digest_seconds",
                )
            },
        ),
        ("How it is", {"fields": ("service", "state", "last_sent", "waiting")}),
    )

    # An address is where the server connects to: only superusers may say so.

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    @action(
        description="Send a test",
        permissions=["act"],
        icon="send",
        dialog=TEST,
        variant=ActionVariant.PRIMARY,
    )
    def send_test(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        channel = self.found(request, object_id)
        try:
            send(
                channel.address,
                title="Slotcast: a test",
                body=f"{request.user.get_username()} tests the channel “{channel.name}”. Nothing has happened.",
            )
        except NotSent as error:
            self.message_user(request, f"{channel}: {error}", messages.ERROR)
        else:
            self.message_user(request, f"{channel}: the test was sent.", messages.SUCCESS)
        return go_to(request, page_of(channel))

    @display(description="Service")
    def service(self, channel: NotificationChannel) -> str:
        return channel.service if channel.pk else "–"

    @display(description="State")
    def state(self, channel: NotificationChannel) -> str:
        if not channel.is_active:
            return badge("Off", COLOURS)
        if channel.error:
            return format_html("{} {}", badge("Failing", COLOURS), channel.error)
        return badge("Working" if channel.sent_at else "Not used yet", COLOURS)

    @display(description="Tells")
    def told_about(self, channel: NotificationChannel) -> str:
        told = {
            "failures": channel.tells_failures,
            "completions": channel.tells_completions,
            "cancellations": channel.tells_cancellations,
        }
        return ", ".join(name for name, is_told in told.items() if is_told) or "nothing"

    @display(description="Gathers for")
    def gathers(self, channel: NotificationChannel) -> str:
        return spoken_length(channel.digest_seconds)

    @display(description="Last sent")
    def last_sent(self, channel: NotificationChannel) -> str:
        return moment(channel.sent_at)

    @display(description="Waiting to be told")
    def waiting(self, channel: NotificationChannel) -> str:
        return str(channel.notices.count()) if channel.pk else "0"
