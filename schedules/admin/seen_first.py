"""Forms of windows and blackouts that tell what a change moves before it is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.http import QueryDict
from django.utils import timezone

from schedules import slot_plans
from schedules.models import Blackout, UploadSlot
from schedules.slot_plans import DryRun
from schedules.upload_slots import EDITED

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Any]
else:
    ModelForm = forms.ModelForm


class SeenFirst(ModelForm):
    """A change that moves videos is saved at the second press, after its dry run was shown at the first."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput, label="")

    def full_clean(self) -> None:
        super().full_clean()
        if not self.is_bound or self.errors or not self.has_changed():
            return
        run = self.run()
        told = " ".join([run.sentence, *run.details])
        if run.is_quiet or self.cleaned_data.get("seen") == told:
            return
        self.data = shown(self.data, self.add_prefix("seen"), told)
        self.add_error(None, f"{told} Nothing is saved yet: press Save once more to do it.")

    def run(self) -> DryRun:
        raise NotImplementedError


def shown(data: Any, name: str, told: str) -> QueryDict:
    """What was sent, with what the person now has been told."""
    copied = data.copy()
    copied[name] = told
    return copied


class WindowForm(SeenFirst):
    class Meta:
        model = UploadSlot
        fields = EDITED

    def run(self) -> DryRun:
        return slot_plans.of_slot(self.instance, now=timezone.now())


class BlackoutForm(SeenFirst):
    class Meta:
        model = Blackout
        fields = ("name", "first_on", "last_on", "is_yearly", "destination")

    def run(self) -> DryRun:
        return slot_plans.of_blackout(self.instance, now=timezone.now())
