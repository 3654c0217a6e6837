"""The page of the weekly windows: the week, its windows and its blackouts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytz
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from jobs.errors import JobError, LostRace
from schedules import slot_decisions, slot_plans
from schedules.blackouts import Blackout
from schedules.boards import LARGEST_ID
from schedules.pages import Page, answer, framed, hand, is_partial, page_query, partial, staff
from schedules.refusals import Refused
from schedules.slot_forms import MORNING, BlackoutForm, Preview, WindowForm, filled
from schedules.upload_slots import UploadSlot
from schedules.views import who
from schedules.weeks import Asked, WeekBoard
from uploader.destinations import Destination

MAY_WINDOWS = "schedules.change_uploadslot"
MAY_BLACKOUTS = "schedules.change_blackout"

PARTS = {
    "alert": "schedules/slots/_alert.html",
    "bar": "schedules/slots/_bar.html",
    "week": "schedules/slots/_week.html",
    "line": "schedules/slots/_line.html",
    "blackouts": "schedules/slots/_blackouts.html",
}


@require_safe
@staff
def slots(request: HttpRequest) -> HttpResponse:
    """The page, or the partials of it that `?parts=` names."""
    board = WeekBoard(Asked.of(request.GET), viewer=request.user, now=timezone.now())  # type: ignore[arg-type]
    if is_partial(request):
        return answer(request, {"board": board}, parts=PARTS)
    return framed(request, "schedules/slots.html", "Weekly windows", {"board": board})


def week_page(request: HttpRequest, status: int) -> HttpResponse:
    """The partials of an open page, as its own address asks for them."""
    board = WeekBoard(Asked.of(page_query(request)), viewer=request.user, now=timezone.now())  # type: ignore[arg-type]
    return answer(request, {"board": board}, parts=PARTS, status=status)


WEEK = Page(week_page, "slots", (Refused, LostRace, JobError))


# -------------------------------------------------------------------- windows


@staff
def new_window(request: HttpRequest) -> HttpResponse:
    """GET: the form, with what saving it would do. POST: save it."""
    return save_window(request, None) if request.method == "POST" else window_form(request, UploadSlot())


@staff
def window(request: HttpRequest, slot_id: UUID) -> HttpResponse:
    """GET: the form of one window, with what saving it would do. POST: save it."""
    if request.method == "POST":
        return save_window(request, slot_id)
    return window_form(request, get_object_or_404(UploadSlot, pk=slot_id))


def window_form(request: HttpRequest, slot: UploadSlot) -> HttpResponse:
    first = Destination.objects.for_videos().filter(is_active=True).order_by("name").first()
    defaults = {
        **MORNING,
        "user": request.user.pk,
        "destination": first.pk if first else None,
        "time_zone": settings.SLOT_TIME_ZONE,
    }
    form = filled(request, WindowForm, slot, defaults)
    # Validating writes the form's values into the row: what the deletion would do is asked of the saved one.
    deletion = None
    if not slot._state.adding:
        saved = UploadSlot.objects.get(pk=slot.pk)
        deletion = slot_plans.of_slot(saved, now=timezone.now(), is_deleted=True)
    return form_page(request, "window", form, deletion)


@hand(MAY_WINDOWS, WEEK)
def save_window(request: HttpRequest, slot_id: UUID | None) -> str:
    slot = UploadSlot() if slot_id is None else get_object_or_404(UploadSlot, pk=slot_id)
    form = WindowForm(request.POST, instance=slot)
    if not form.is_valid():
        raise Refused(" ".join(form.sentences))
    run = form.run()
    slot_decisions.save_window(form.instance, who=who(request), now=timezone.now())
    return f"{form.instance} is saved. {run.sentence}"


@hand(MAY_WINDOWS, WEEK)
def delete_window(request: HttpRequest, slot_id: UUID) -> str:
    slot = get_object_or_404(UploadSlot.objects.select_related("destination"), pk=slot_id)
    run = slot_plans.of_slot(slot, now=timezone.now(), is_deleted=True)
    name = str(slot)
    slot_decisions.delete_window(slot, who=who(request), now=timezone.now())
    return f"{name} is deleted. {run.sentence}"


# -------------------------------------------------------------------- blackouts


@staff
def new_blackout(request: HttpRequest) -> HttpResponse:
    """GET: the form, with what saving it would do. POST: save it."""
    return save_blackout(request, None) if request.method == "POST" else blackout_form(request, Blackout())


@staff
def blackout(request: HttpRequest, blackout_id: int) -> HttpResponse:
    if request.method == "POST":
        return save_blackout(request, blackout_id)
    return blackout_form(request, found_blackout(blackout_id))


def blackout_form(request: HttpRequest, row: Blackout) -> HttpResponse:
    today = timezone.localdate()
    form = filled(request, BlackoutForm, row, {"first_on": today, "last_on": today})
    deletion = None
    if not row._state.adding:
        saved = Blackout.objects.get(pk=row.pk)
        deletion = slot_plans.of_blackout(saved, now=timezone.now(), is_deleted=True)
    return form_page(request, "blackout", form, deletion)


@hand(MAY_BLACKOUTS, WEEK)
def save_blackout(request: HttpRequest, blackout_id: int | None) -> str:
    row = Blackout() if blackout_id is None else found_blackout(blackout_id)
    form = BlackoutForm(request.POST, instance=row)
    if not form.is_valid():
        raise Refused(" ".join(form.sentences))
    run = form.run()
    slot_decisions.save_blackout(form.instance, who=who(request), now=timezone.now())
    return f"{form.instance} is saved. {run.sentence}"


@hand(MAY_BLACKOUTS, WEEK)
def delete_blackout(request: HttpRequest, blackout_id: int) -> str:
    row = found_blackout(blackout_id)
    run = slot_plans.of_blackout(row, now=timezone.now(), is_deleted=True)
    name = str(row)
    slot_decisions.delete_blackout(row, who=who(request), now=timezone.now())
    return f"{name} is deleted. {run.sentence}"


def found_blackout(blackout_id: int) -> Blackout:
    return get_object_or_404(Blackout, pk=min(blackout_id, LARGEST_ID))


# -------------------------------------------------------------------- both


def form_page(
    request: HttpRequest, name: str, form: Preview, deletion: slot_plans.DryRun | None
) -> HttpResponse:
    """A form with its dry run; alone for the dialog, else as a page."""
    row = form.instance
    is_new = row._state.adding
    # An empty name is not a mistake before somebody has had the chance to type one.
    is_fresh = is_new and "previewing" not in request.GET
    address = f"slots-{name}"
    context: dict[str, Any] = {
        "form": form,
        "run": form.dry_run(),
        "wrong": [] if is_fresh else form.sentences,
        "deletion": deletion,
        "title": f"New {name}" if is_new else f"Change {name}",
        "action": reverse(f"{address}-new") if is_new else reverse(address, args=[row.pk]),
        "delete_action": "" if is_new else reverse(f"{address}-delete", args=[row.pk]),
        "zones": pytz.common_timezones,
    }
    part = f"schedules/slots/_{name}.html"
    if is_partial(request):
        return partial(request, part, context)
    return framed(request, "schedules/slots/form.html", context["title"], {**context, "part": part})
