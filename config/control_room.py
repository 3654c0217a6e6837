"""The control room: is everything running, what happens now, what comes next, what needs a hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from django.db import connection
from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from django.views.decorators.http import require_safe

from jobs import health, runner, ticker
from jobs.errors import ErrorKind
from jobs.workers import Worker, alive
from schedules import chronicle
from schedules.boards import Board, Choice
from schedules.pages import PARTS, answer, framed, is_partial, staff
from schedules.posts.models import PostStatus, ScheduledPost
from schedules.posts.page import hands as posts_hands
from schedules.posts.page.board import PostBoard
from schedules.windows_now import WindowsNow

EVENTS = 20
ROOM = {
    **PARTS,
    "health": "config/room/_health.html",
    "figures": "config/room/_figures.html",
    "hand": "config/room/_hand.html",
    "events": "config/room/_events.html",
    "windows-card": "config/room/_windows.html",
    "posts-card": "config/room/_posts.html",
}
# Missed posts of so many days are counted: those that still wait for a decision.
MISSED_DAYS = 7


@dataclass(frozen=True)
class Part:
    """One piece of the machinery: what it is, whether it works, and what to do if not."""

    name: str
    is_ok: bool
    state: str
    advice: str = ""


class Room(Board):
    """The board of the uploads page, and the machinery under it."""

    @cached_property
    def machinery(self) -> list[Part]:
        living = alive(self.now).order_by().values_list("lane")
        serving = dict(living.annotate(Count("id")))
        return [
            Part(
                "Database", True, {"sqlite": "SQLite", "postgresql": "PostgreSQL"}.get(connection.vendor, "")
            ),
            self.scheduler(),
            *[workers_of(lane, serving.get(lane, 0)) for lane in runner.running_lanes()],
        ]

    def scheduler(self) -> Part:
        seen = Worker.objects.filter(lane=ticker.LANE).aggregate(at=Max("seen_at"))["at"]
        if seen and self.now - seen < health.SILENT_AFTER:
            return Part("Scheduler", True, "ticking")
        return Part("Scheduler", False, "not running", "Start it: python manage.py worker")

    @property
    def broken(self) -> list[Part]:
        return [part for part in self.machinery if not part.is_ok]

    @cached_property
    def events(self) -> list[chronicle.Told]:
        return chronicle.recent(EVENTS)


@dataclass(frozen=True)
class PostsToday:
    """Posts at a glance: still to go out today by the viewer's clock, at risk, and missed in the last week."""

    due: int
    at_risk: int
    missed: int

    @classmethod
    def of(cls, board: PostBoard) -> PostsToday:
        start, end = board.midnight(board.today), board.midnight(board.today + timedelta(days=1))
        missed = ScheduledPost.objects.filter(
            status=PostStatus.FAILED,
            error_kind=ErrorKind.MISSED,
            updated_at__gte=board.now - timedelta(days=MISSED_DAYS),
        )
        due = ScheduledPost.objects.open().filter(scheduled_for__gte=start, scheduled_for__lt=end)
        return cls(due.count(), len(board.endangered), missed.count())


def workers_of(lane: str, count: int) -> Part:
    if count:
        return Part(f"{lane.capitalize()} lane", True, f"{count} worker{'s' if count != 1 else ''}")
    return Part(f"{lane.capitalize()} lane", False, "no worker", "Start it: python manage.py worker")


@require_safe
@staff
def control_room(request: HttpRequest) -> HttpResponse:
    """The page, or the partials of it that `?parts=` names."""
    now = timezone.now()
    posts = posts_hands.board_of(request, QueryDict())
    context = {
        "board": Room(Choice(), now=now),
        "windows": WindowsNow(now),
        "posts": posts,
        "posts_today": PostsToday.of(posts),
    }
    if is_partial(request):
        return answer(request, context, parts=ROOM)
    return framed(request, "config/control_room.html", "Control room", context)
