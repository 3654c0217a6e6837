"""What the queue adds to the admin page of a destination."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from schedules import replanning
from schedules.models import HourlyQueue
from uploader.admin.destinations import DestinationAdmin
from uploader.models import Destination

admin.site.unregister(Destination)


@admin.register(Destination)
class PacedDestinationAdmin(DestinationAdmin):
    """The destination's page; here, because a new interval gives everything in its line another hour."""

    def save_model(self, request: HttpRequest, obj: Destination, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "interval_seconds" in form.changed_data:
            plan_again(obj, now=timezone.now())


def plan_again(destination: Destination, *, now: datetime) -> None:
    with transaction.atomic():
        queue = HourlyQueue.locked(destination)
        replanning.plan(queue, now=now)
        replanning.changed(destination, now=now)
