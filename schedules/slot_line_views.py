"""The line beside the week: adding videos, moving them, and the buttons of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_safe

from schedules import chronicle, slot_line
from schedules.boards import LARGEST_ID, whole
from schedules.pages import decision_about, framed, hand, is_partial, partial, staff, who
from schedules.previews import search
from schedules.refusals import Refused
from schedules.slot_forecast import Forecast, Place
from schedules.slot_goals import Goal
from schedules.slot_plans import Standing
from schedules.slot_videos import SlotVideo
from schedules.slot_views import WEEK
from uploader import ledger
from uploader.catalog import Episode, Film, Series
from uploader.destinations import Destination

MAY_LINE = "schedules.change_slotvideo"
FOUND = 8
REASONS = 8
PRIORITIES = (-2, -1, 0, 1, 2)
PRIORITY_WORDS = {-2: "First of all", -1: "Sooner", 0: "Normal", 1: "Later", 2: "Last of all"}
# Coming occurrences a video can be put into by name.
OCCURRENCES = 12


# -------------------------------------------------------------------- adding


@dataclass
class Addition:
    """Videos somebody may put in a line: which may go there, when they would, and why others may not."""

    label: str
    user: User
    destination: Destination
    videos: Sequence[Episode | Film]
    refused: dict[Episode | Film, str] = field(default_factory=dict)
    first: Place | None = None
    last: Place | None = None
    moves: str = ""
    homeless: str = ""
    # For a free place that was pressed: where the first of them really goes.
    told: str = ""

    @property
    def wanted(self) -> list[Episode | Film]:
        return [video for video in self.videos if video not in self.refused]

    @property
    def reasons(self) -> list[str]:
        return [f"{video}: {why}" for video, why in list(self.refused.items())[:REASONS]]

    @property
    def more_reasons(self) -> int:
        return max(0, len(self.refused) - REASONS)


@staff
def add(request: HttpRequest) -> HttpResponse:
    """GET: search for a film or a series, then what adding it would do. POST: add it."""
    if request.method == "POST":
        return put_in_line(request)
    text = request.GET.get("q", "").replace("\0", "").strip()[:100]
    user, destination = line_of(request, request.GET)
    videos, label = chosen(request.GET)
    now = timezone.now()
    goal = goal_of(request.GET, user, destination, now)
    before = waiting_row(request.GET.get("before", ""))
    addition = None
    if videos and user and destination:
        addition = preview(videos, label, user, destination, before, goal=goal, now=now)
    context = {
        "query": text,
        "destinations": Destination.objects.for_videos().filter(is_active=True).order_by("name"),
        "people": User.objects.filter(is_active=True).order_by("username"),
        "destination": destination,
        "person": user,
        "before": before,
        "goal": goal,
        "series": [] if videos else search(text),
        "films": [] if videos or not text else films(text),
        "addition": addition,
        "chosen": {
            name: request.GET[name] for name in ("series", "film", "episodes") if request.GET.get(name)
        },
        "episodes": request.GET.get("episodes", ""),
        "has_catalog": Series.objects.exists() or Film.objects.exists(),
    }
    if is_partial(request):
        return partial(request, "schedules/slots/_add.html", context)
    return framed(
        request, "schedules/slots/form.html", "Add videos", {**context, "part": "schedules/slots/_add.html"}
    )


@hand(MAY_LINE, WEEK)
def put_in_line(request: HttpRequest) -> str:
    user, destination = line_of(request, request.POST)
    videos, _ = chosen(request.POST)
    if user is None or destination is None:
        raise Refused("Choose whose line it is and the destination first.")
    if not videos:
        raise Refused("Choose a film or a series first: search by its title or ID.")
    now = timezone.now()
    before = waiting_row(request.POST.get("before", ""))
    goal = goal_of(request.POST, user, destination, now)
    if goal:
        before = place_for(goal, Standing.of(destination, now=now))
    added = slot_line.add_videos(
        videos, user=user, destination=destination, who=who(request), now=now, before=before
    )
    if not added.rows:
        raise Refused(" ".join(f"{video}: {why}" for video, why in added.refused[:3]))
    count = f"{len(added.rows)} video{'s' if len(added.rows) != 1 else ''}"
    refusals = f" {len(added.refused)} refused: {added.refused[0][1]}" if added.refused else ""
    told = ""
    if goal:
        found = Standing.of(destination, now=now).forecast
        first = added.rows[0].pk
        told = f" {goal.told(found.placed.get(first), found.unplaced.get(first, ''))}"
    return f"{count} added to the line of {user.get_username()} for {destination}.{told}{refusals}"


def goal_of(
    asked: QueryDict, user: User | None, destination: Destination | None, now: datetime
) -> Goal | None:
    """The free place that was pressed, as long as it is one of this line and not over."""
    onto = asked.get("onto", "")
    if not user or not destination or not onto:
        return None
    try:
        return Goal.of(onto, user=user.pk, destination=destination.pk, now=now)
    except Refused:
        # Another person or destination was chosen in the dialog: it is an addition like any other.
        return None


def place_for(goal: Goal, standing: Standing) -> SlotVideo | None:
    """What a video that is meant for the goal stands before."""
    line = SlotVideo.objects.line(goal.slot.user_id, goal.slot.destination_id).with_videos()
    return goal.behind(line, standing.forecast.placed)


def preview(
    videos: Sequence[Episode | Film],
    label: str,
    user: User,
    destination: Destination,
    before: SlotVideo | None,
    *,
    goal: Goal | None = None,
    now: datetime,
) -> Addition:
    refused = slot_line.why_not(videos, destination)
    for video in videos:
        if video not in refused and (why := video.readiness(now)):
            refused[video] = why
    found = Addition(label, user, destination, videos, refused)
    if not found.wanted:
        return found
    standing = Standing.of(destination, now=now)
    before = place_for(goal, standing) if goal else before
    sizes = [ledger.size_of(video) for video in found.wanted]
    after = standing.with_more(user.pk, sizes, before=before.pk if before else None)
    placed = [place for row, place in after.forecast.placed.items() if row < 0]
    if placed:
        found.first, found.last = placed[0], placed[-1]
    homeless = [why for row, why in after.forecast.unplaced.items() if row < 0]
    if homeless:
        count = "One video has" if len(homeless) == 1 else f"{len(homeless)} videos have"
        found.homeless = f"{count} no window: {homeless[0]}"
    if goal:
        found.told = goal.told(after.forecast.placed.get(-1), after.forecast.unplaced.get(-1, ""))
    found.moves = str(standing.difference(after))
    return found


def line_of(request: HttpRequest, asked: QueryDict) -> tuple[User | None, Destination | None]:
    """Whose line it is, and for which destination; the asking person's and the first one unless told."""
    user = User.objects.filter(
        is_active=True, pk=whole(asked.get("user", "")) or request.user.pk or 0
    ).first()
    places = Destination.objects.for_videos().filter(is_active=True).order_by("name")
    named = asked.get("destination", "").replace("\0", "")
    return user, places.filter(name=named).first() if named else places.first()


def chosen(asked: QueryDict) -> tuple[list[Episode | Film], str]:
    """The videos a request names, and what they are called: a film, a series, or some of its episodes (“3-7”)."""
    if film := Film.objects.filter(pk=whole(asked.get("film", ""))).first():
        return [film], film.title
    series = Series.objects.filter(pk=whole(asked.get("series", ""))).first()
    if series is None:
        return [], ""
    episodes = series.episodes.select_related("series", "season").order_by("season__number", "index_sequence")
    wanted = numbers(asked.get("episodes", ""))
    return [one for one in episodes if not wanted or one.index_sequence in wanted], series.title


def numbers(text: str) -> set[int]:
    """“1-3, 7” → {1, 2, 3, 7}; what is not understood is left out."""
    found: set[int] = set()
    for part in text.split(",")[:50]:
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        low = whole(first)
        high = whole(last) if dash else low
        if low and low <= high <= low + 5000:
            found.update(range(low, high + 1))
    return found


def films(text: str) -> list[Film]:
    rows = Film.objects.all()
    exact = list(rows.filter(pk=whole(text))) if whole(text) else []
    return exact or list(rows.filter(title__icontains=text).order_by("title")[:FOUND])


# -------------------------------------------------------------------- one video


@require_safe
@staff
def video(request: HttpRequest, row_id: int) -> HttpResponse:
    """One video of a line with its history; alone for the popover, else as a page."""
    row = found_row(row_id)
    now = timezone.now()
    found = Standing.of(row.destination, now=now).forecast if row.is_waiting else Forecast()
    context = {
        "row": row,
        "history": chronicle.of_upload(row),
        "place": found.placed.get(row.pk),
        "why": found.unplaced.get(row.pk, ""),
        "occurrences": coming(row, found, now=now) if row.is_waiting else [],
        "priorities": [(value, PRIORITY_WORDS[value]) for value in PRIORITIES],
        "now": now,
    }
    if is_partial(request):
        return partial(request, "schedules/slots/_video.html", context)
    return framed(
        request,
        "schedules/slots/form.html",
        str(row.video),
        {**context, "part": "schedules/slots/_video.html"},
    )


def coming(row: SlotVideo, found: Forecast, *, now: datetime) -> list[tuple[str, Place]]:
    """The occurrences in which something of its line is going to be, with their names in addresses."""
    mine = set(SlotVideo.objects.line(row.user_id, row.destination_id).values_list("pk", flat=True))
    seen: dict[str, Place] = {}
    for pk, place in found.placed.items():
        if pk in mine:
            key = f"{UUID(int=place.occurrence.window.key)}:{place.occurrence.date.isoformat()}"
            seen.setdefault(key, place)
        if len(seen) == OCCURRENCES:
            break
    return list(seen.items())


@hand(MAY_LINE, WEEK)
def move(request: HttpRequest, row_id: int) -> str:
    """One place `up` or `down`, before the row `before` ("" = to the end), or into the occurrence `onto`."""
    row = found_row(row_id)
    if not row.is_waiting:
        raise Refused(f"{row.video} no longer waits: it has no place in the line.")
    now = timezone.now()
    if onto := request.POST.get("onto", ""):
        return move_into(row, onto, by=who(request), now=now)
    line = list(SlotVideo.objects.line(row.user_id, row.destination_id).with_videos())
    order = [one.pk for one in line]
    place = order.index(row.pk) if row.pk in order else 0
    others = [one for one in line if one.pk != row.pk]
    match request.POST.get("direction", ""):
        case "up":
            at = max(place - 1, 0)
        case "down":
            at = place + 1
        case "first":
            at = 0
        case _:
            before = whole(request.POST.get("before", ""))
            at = next((number for number, one in enumerate(others) if one.pk == before), len(others))
    slot_line.move([row], before=others[at] if at < len(others) else None, who=who(request), now=now)
    return f"{row.video} is number {min(at, len(others)) + 1} in the line."


def move_into(row: SlotVideo, onto: str, *, by: str, now: datetime) -> str:
    """Before the first video that is to go in this occurrence or later. Raises Refused when it cannot go there."""
    goal = Goal.of(onto, user=row.user_id, destination=row.destination_id, now=now)
    standing = Standing.of(row.destination, now=now)
    # Where the others go without it: taken out of its place, those behind it come forward.
    placed = standing.without_row(row.pk).forecast.placed
    line = SlotVideo.objects.line(row.user_id, row.destination_id).with_videos().exclude(pk=row.pk)
    slot_line.move([row], before=goal.behind(line, placed), who=by, now=now)
    after = Standing.of(row.destination, now=now)
    place = after.forecast.placed.get(row.pk)
    said = standing.difference(after)
    if place is None:
        return f"{row.video} has moved, but has no window: {after.forecast.unplaced.get(row.pk, '')}"
    if goal.is_reached_by(place):
        return f"{row.video} goes in {goal.slot} on {goal.occurrence.date.isoformat()}. {said}"
    goes_on = place.occurrence.date.isoformat()
    return f"{row.video} is as near to it as the line allows: it goes on {goes_on}. {said}"


@hand(MAY_LINE, WEEK)
def set_priority(request: HttpRequest, row_id: int) -> str:
    row = found_row(row_id)
    text = request.POST.get("priority", "")
    if text not in map(str, PRIORITIES):
        raise Refused("Choose one of the priorities that are offered.")
    if not slot_line.set_priority([row], int(text), who=who(request), now=timezone.now()):
        raise Refused(f"{row.video} has that priority already, or no longer waits.")
    return f"{row.video}: {PRIORITY_WORDS[int(text)].lower()}."


def found_row(row_id: int) -> SlotVideo:
    rows = SlotVideo.objects.with_videos().select_related("destination", "user", "job", "slot")
    return get_object_or_404(rows, pk=min(row_id, LARGEST_ID))


retry = decision_about(
    found_row, slot_line.retry, "{0.video} is tried again.", permission=MAY_LINE, page=WEEK
)
cancel = decision_about(
    found_row, slot_line.cancel, "{0.video} is being stopped.", permission=MAY_LINE, page=WEEK
)
upload_now = decision_about(
    found_row,
    slot_line.upload_now,
    "{0.video} is uploaded now; no window counts it.",
    permission=MAY_LINE,
    page=WEEK,
)


@hand(MAY_LINE, WEEK)
def remove(request: HttpRequest, row_id: int) -> str:
    row = found_row(row_id)
    name = str(row.video)
    if not slot_line.remove_videos([row], who=who(request), now=timezone.now()):
        raise Refused(f"{name} is under way or delivered: it stays. Cancel it instead.")
    return f"{name} is out of the line."


def waiting_row(text: str) -> SlotVideo | None:
    return SlotVideo.objects.with_videos().filter(pk=whole(text), status="initiate").first()
