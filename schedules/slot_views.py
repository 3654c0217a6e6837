"""The page of the weekly windows: the week, its windows and its blackouts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
from schedules.pages import Page, answer, framed, hand, is_partial, page_query, partial, staff, who
from schedules.refusals import Refused
from schedules.slot_forms import MORNING, BlackoutForm, Preview, WindowForm, filled
from schedules.slot_plans import DryRun
from schedules.upload_slots import UploadSlot
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


# -------------------------------------------------------------------- windows and blackouts


@dataclass(frozen=True, kw_only=True)
class Editor:
    """What the page of the week has people make, change and delete, each time after seeing what it would do."""

    name: str
    rows: type[UploadSlot] | type[Blackout]
    form: type[Preview]
    permission: str
    # What a new one begins with.
    defaults: Callable[[HttpRequest], dict[str, Any]]
    plan: Callable[..., DryRun]
    save: Callable[..., None]
    delete: Callable[..., None]

    def view(self) -> Callable[..., HttpResponse]:
        """GET: the form, with what saving it would do. POST: save it. Without a key it is a new one."""
        saving = hand(self.permission, WEEK)(self.saved)

        @staff
        def view(request: HttpRequest, key: UUID | int | None = None) -> HttpResponse:
            if request.method == "POST":
                return saving(request, key)
            return self.page(request, self.rows() if key is None else self.found(key))

        return view

    def deletion(self) -> Callable[..., HttpResponse]:
        return hand(self.permission, WEEK)(self.deleted)

    def found(self, key: UUID | int) -> Any:
        key = min(key, LARGEST_ID) if isinstance(key, int) else key
        return get_object_or_404(self.rows._default_manager.select_related("destination"), pk=key)

    def page(self, request: HttpRequest, row: Any) -> HttpResponse:
        """The form with its dry run; alone for the dialog, else as a page."""
        form = filled(request, self.form, row, self.defaults(request))
        is_new = row._state.adding
        # An empty name is not a mistake before somebody has had the chance to type one.
        is_fresh = is_new and "previewing" not in request.GET
        address = f"slots-{self.name}"
        context: dict[str, Any] = {
            "form": form,
            "run": form.dry_run(),
            "wrong": [] if is_fresh else form.sentences,
            # Validating wrote the form's values into the row: what its deletion would do is asked of the saved one.
            "deletion": None if is_new else self.without(self.found(row.pk)),
            "title": f"New {self.name}" if is_new else f"Change {self.name}",
            "action": reverse(f"{address}-new") if is_new else reverse(address, args=[row.pk]),
            "delete_action": "" if is_new else reverse(f"{address}-delete", args=[row.pk]),
            "zones": pytz.common_timezones,
        }
        part = f"schedules/slots/_{self.name}.html"
        if is_partial(request):
            return partial(request, part, context)
        return framed(request, "schedules/slots/form.html", context["title"], {**context, "part": part})

    def without(self, row: Any) -> DryRun:
        """What deleting it would do."""
        return self.plan(row, now=timezone.now(), is_deleted=True)

    def saved(self, request: HttpRequest, key: UUID | int | None) -> str:
        row = self.rows() if key is None else self.found(key)
        form = self.form(request.POST, instance=row)
        if not form.is_valid():
            raise Refused(" ".join(form.sentences))
        run = form.run()
        self.save(form.instance, who=who(request), now=timezone.now())
        return f"{form.instance} is saved. {run.sentence}"

    def deleted(self, request: HttpRequest, key: UUID | int) -> str:
        row = self.found(key)
        run, name = self.without(row), str(row)
        self.delete(row, who=who(request), now=timezone.now())
        return f"{name} is deleted. {run.sentence}"


def new_window(request: HttpRequest) -> dict[str, Any]:
    first = Destination.objects.for_videos().filter(is_active=True).order_by("name").first()
    return {
        **MORNING,
        "user": request.user.pk,
        "destination": first.pk if first else None,
        "time_zone": settings.SLOT_TIME_ZONE,
    }


def new_blackout(request: HttpRequest) -> dict[str, Any]:
    today = timezone.localdate()
    return {"first_on": today, "last_on": today}


windows = Editor(
    name="window",
    rows=UploadSlot,
    form=WindowForm,
    permission=MAY_WINDOWS,
    defaults=new_window,
    plan=slot_plans.of_slot,
    save=slot_decisions.save_window,
    delete=slot_decisions.delete_window,
)
blackouts = Editor(
    name="blackout",
    rows=Blackout,
    form=BlackoutForm,
    permission=MAY_BLACKOUTS,
    defaults=new_blackout,
    plan=slot_plans.of_blackout,
    save=slot_decisions.save_blackout,
    delete=slot_decisions.delete_blackout,
)
window, delete_window = windows.view(), windows.deletion()
blackout, delete_blackout = blackouts.view(), blackouts.deletion()
