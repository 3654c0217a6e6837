"""What people do to a post from its page; each answers with the page as it is then, and a sentence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import Resolver404, resolve
from django.utils import timezone

from jobs.errors import JobError, LostRace
from schedules.boards import LARGEST_ID
from schedules.pages import Page, answer
from schedules.posts import board as post_board
from schedules.posts import deciding
from schedules.posts.models import ScheduledPost
from schedules.posts.page import zones
from schedules.posts.page.board import PostBoard
from schedules.posts.page.cards import title_of
from schedules.posts.page.choices import Choice
from schedules.posts.page.details import Details

MAY_POST = "schedules.change_scheduledpost"
MAY_ADD = "schedules.add_scheduledpost"

# The partials the page and the detail page are made of.
PARTS = {
    "posts-alert": "schedules/posts/_alert.html",
    "attention": "schedules/posts/_attention.html",
    "calendar": "schedules/posts/_calendar.html",
    "tray": "schedules/posts/_tray.html",
    "post": "schedules/posts/_detail.html",
}


class NotDone(Exception):
    """A decision was refused; the message names the post, the cause, and what to do."""


def board_of(request: HttpRequest, query: QueryDict) -> PostBoard:
    zone, now = zones.of_viewer(request), timezone.now()
    if name := query.get("zone"):
        with contextlib.suppress(zones.BadTime):
            zone = zones.named(name)
    return PostBoard(Choice.of(query, today=now.astimezone(zone).date()), zone=zone, now=now)


def partials(request: HttpRequest, status: int = 200) -> HttpResponse:
    """What the open page shows now: the calendar, or one post."""
    url = urlsplit(request.headers.get("HX-Current-URL", ""))
    board = board_of(request, QueryDict(url.query))
    context: dict[str, Any] = {"board": board}
    with contextlib.suppress(Resolver404):
        match = resolve(url.path)
        if match.url_name == "post":
            context["details"] = details_of(match.kwargs["post_id"], board)
    return answer(request, context, parts=PARTS, status=status)


POSTS = Page(partials, "posts", (NotDone, LostRace, JobError))


def found(post_id: int) -> ScheduledPost:
    return get_object_or_404(post_board.posts(), pk=min(post_id, LARGEST_ID))


def details_of(post_id: int, board: PostBoard) -> Details:
    return Details(found(post_id), zone=board.zone, now=board.now)


@contextlib.contextmanager
def refused_as(post: ScheduledPost, what: str) -> Iterator[None]:
    """A refusal becomes a sentence that names the post: “Post 7 was not moved: it is …”."""
    try:
        yield
    except deciding.Refused as error:
        raise NotDone(f"{name_of(post)} was not {what}: {error}") from error


def name_of(post: ScheduledPost) -> str:
    return f"“{title_of(post)[:60]}” on {post.account}"
