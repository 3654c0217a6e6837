"""The page of an episode's whole way."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from jobs.pages import framed, staff
from schedules import whole_way
from uploader.catalog import Episode


@require_safe
@staff
def episode_way(request: HttpRequest, episode_id: int) -> HttpResponse:
    """From the page it was found on to the posts it is in."""
    episode = get_object_or_404(Episode.objects.with_names(), pk=episode_id)
    context = {"episode": episode, "steps": list(whole_way.steps(episode))}
    return framed(request, "schedules/whole_way.html", str(episode), context)
