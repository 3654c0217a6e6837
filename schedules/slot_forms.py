"""The forms of windows and blackouts, and the check that what they would do was seen before it is done."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from schedules import slot_plans
from schedules.blackouts import Blackout
from schedules.slot_plans import DryRun
from schedules.upload_slots import EDITED, UploadSlot
from uploader.destinations import Destination

MORNING = {
    "day": "monday",
    "start_time": "09:00:00",
    "end_time": "11:59:59",
    "max_uploads": 1,
    "is_active": "on",
}


class Preview(forms.ModelForm):  # type: ignore[type-arg]
    """A form that tells what saving it would do."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name, field in self.fields.items():
            if not isinstance(field, forms.BooleanField):
                field.widget.attrs["class"] = "sc-input"
            field.widget.attrs["id"] = f"sl-{name}"

    @property
    def sentences(self) -> list[str]:
        """Everything that is wrong with it, for a reader."""
        return [
            str(error) if name == "__all__" else f"{self.fields[name].label}: {error}"
            for name, errors in self.errors.items()
            for error in errors
        ]

    def dry_run(self) -> DryRun | None:
        """None: it cannot be saved as it is."""
        return self.run() if self.is_valid() else None

    def run(self) -> DryRun:
        raise NotImplementedError


class WindowForm(Preview):
    class Meta:
        model = UploadSlot
        fields = EDITED
        widgets = {
            "start_time": forms.TimeInput(format="%H:%M:%S", attrs={"type": "time", "step": 1}),
            "end_time": forms.TimeInput(format="%H:%M:%S", attrs={"type": "time", "step": 1}),
            "slot_name": forms.TextInput(attrs={"placeholder": "morning", "autocomplete": "off"}),
            "time_zone": forms.TextInput(attrs={"list": "sl-zones", "autocomplete": "off"}),
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["user"].queryset = User.objects.filter(is_active=True).order_by("username")  # type: ignore[attr-defined]
        self.fields["destination"].queryset = Destination.objects.for_videos().order_by("name")  # type: ignore[attr-defined]

    def run(self) -> DryRun:
        return slot_plans.of_slot(self.instance, now=timezone.now())


class BlackoutForm(Preview):
    class Meta:
        model = Blackout
        fields = ("name", "first_on", "last_on", "is_yearly", "destination")
        widgets = {
            "name": forms.TextInput(attrs={"placeholder": "Diwali", "autocomplete": "off"}),
            "first_on": forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
            "last_on": forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["destination"].empty_label = "Every destination"  # type: ignore[attr-defined]

    def run(self) -> DryRun:
        return slot_plans.of_blackout(self.instance, now=timezone.now())


def filled(request: HttpRequest, form: type[Preview], instance: Any, defaults: dict[str, Any]) -> Preview:
    """The form with what the request says, beside it what is saved, beside it the defaults.

    A form that asks what it would do sends all its fields and `previewing`; a link only what it wants different.
    """
    asked = request.POST if request.method == "POST" else request.GET
    if request.method == "POST" or "previewing" in asked:
        return form(asked, instance=instance)
    names = form.base_fields
    saved = {}
    if not instance._state.adding:
        saved = {name: form(instance=instance).initial[name] for name in names}
        saved = {name: value for name, value in saved.items() if value is not False}
        defaults = {}
    data = QueryDict(mutable=True)
    for name, value in {**defaults, **saved, **asked.dict()}.items():
        if name in names and value is not None:
            data[name] = str(value)
    return form(data, instance=instance)
