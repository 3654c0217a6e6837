"""Buttons of a destination: pause, resume, test its connection."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from schedules.pages import hand
from schedules.refusals import Refused
from uploader.destinations import Destination

MAY_CHANGE = "uploader.change_destination"
# What the pause dialog offers beside a time of one's own.
SPANS = {"1h": timedelta(hours=1), "4h": timedelta(hours=4), "24h": timedelta(hours=24)}


@hand(MAY_CHANGE)
def pause(request: HttpRequest, name: str) -> str:
    """Until the end of a span, until a time, or (neither given) until resumed."""
    destination = get_object_or_404(Destination, name=name)
    now = timezone.now()
    until = end_of_pause(request, now)
    why = request.POST.get("reason", "").strip()[:200]
    destination.pause(who=request.user.get_username(), now=now, until=until, why=why)
    return f"{destination} is paused{'' if until else ' until somebody resumes it'}. What runs is finished first."


@hand(MAY_CHANGE)
def resume(request: HttpRequest, name: str) -> str:
    destination = get_object_or_404(Destination, name=name)
    destination.resume(who=request.user.get_username(), now=timezone.now())
    return f"{destination} goes on."


@hand(MAY_CHANGE)
def test(request: HttpRequest, name: str) -> str:
    destination = get_object_or_404(Destination, name=name)
    identity = destination.test_connection(who=request.user.get_username(), now=timezone.now())
    return f"{destination}: signed in as {identity.name or identity.profile_id}."


def end_of_pause(request: HttpRequest, now: datetime) -> datetime | None:
    """The time asked for. Raises Refused when it is no time, or past."""
    span, text = request.POST.get("span", ""), request.POST.get("until", "").strip()
    if span in SPANS:
        return now + SPANS[span]
    if span != "until":
        return None
    try:
        until = parse_datetime(request.POST.get("until_utc", "").strip() or text)
    except ValueError:
        until = None
    if until is None:
        raise Refused("Give the time until which to pause, for example 2026-11-24 14:00.")
    until = until if timezone.is_aware(until) else timezone.make_aware(until)
    if until <= now:
        raise Refused("That time is past. Give a later one, or pause without an end.")
    return until
