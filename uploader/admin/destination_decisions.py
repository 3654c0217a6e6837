"""What a person decides about destinations: test, pause, resume; each with a report."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest
from django.utils import timezone
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from jobs.errors import JobError
from jobs.reports import Report
from uploader.models import Destination
from uploader.social_accounts import sync


class PauseForm(BaseDialogForm):
    until = forms.DateTimeField(
        required=False,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"],
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
        help_text="Empty: until somebody resumes it",
    )
    reason = forms.CharField(required=False, max_length=200, widget=UnfoldAdminTextInputWidget)

    def clean_until(self) -> Any:
        until = self.cleaned_data["until"]
        if until is not None and until <= timezone.now():
            raise forms.ValidationError("This moment has passed; give a later one or leave it empty.")
        return until


PAUSE = {
    "title": "Pause this destination?",
    "description": "Nothing new starts; what runs goes on to its end.",
    "form_class": PauseForm,
    "form_submit_text": "Pause",
}
RESUME = {
    "title": "Resume this destination?",
    "description": "Uploads start again; what waits follows at its interval.",
    "form_submit_text": "Resume",
}
TEST = {
    "title": "Test the connection?",
    "description": "Slotcast signs in and asks the platform whose account this is. Nothing is uploaded. "
    "In a storage it writes, reads and deletes a small object.",
    "form_submit_text": "Test connection",
}

UPDATE = {
    "title": "Update the social accounts?",
    "description": "Slotcast asks OnlySocial for the accounts of the workspace, and which of them are connected.",
    "form_submit_text": "Update accounts",
}


def test_all(request: HttpRequest, rows: list[Destination]) -> None:
    """Sign in to each and say who it is or what went wrong. Calls out: never inside a transaction."""
    for row in rows:
        try:
            row.test_connection(who=request.user.get_username(), now=timezone.now())
        except JobError as error:
            messages.error(request, f"{row}: {error}")
        else:
            messages.success(request, f"{row}: {row.health_message}.")


def pause_all(request: HttpRequest, rows: list[Destination], form: PauseForm) -> None:
    report = Report()
    until, why = form.cleaned_data["until"], form.cleaned_data["reason"]
    for row in rows:
        row.pause(who=request.user.get_username(), now=timezone.now(), until=until, why=why)
        report.count("paused")
    report.tell(request)


def resume_all(request: HttpRequest, rows: list[Destination]) -> None:
    report = Report()
    for row in rows:
        now = timezone.now()
        if not (row.is_paused(now) or row.is_held(now)):
            report.refuse(f"{row} is not paused")
            continue
        row.resume(who=request.user.get_username(), now=now)
        report.count("resumed")
    report.tell(request)


def update_all(request: HttpRequest, rows: list[Destination]) -> None:
    """Ask each for its social accounts and say what changed. Calls out: never inside a transaction."""
    for row in rows:
        try:
            synced = sync(row, who=request.user.get_username(), now=timezone.now())
        except JobError as error:
            messages.error(request, f"{row}: {error}")
        else:
            messages.success(request, f"{row}: {synced}.")
