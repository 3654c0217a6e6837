from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from schedules import refusals, scheduling
from schedules.posts.demo import schedule_demo_posts
from uploader.catalog import Series
from uploader.demo_library import import_demo_library, make_demo_library
from uploader.destinations import ensure_default, ensure_onlysocial


class Command(BaseCommand):
    help = "Make a small library of real videos, put it on the hourly queue and the calendar of posts. Repeatable."

    def handle(self, *args: Any, **options: Any) -> None:
        settings.LIBRARY_ROOT.mkdir(parents=True, exist_ok=True)
        self.stdout.write("Making the demo library …")
        make_demo_library(settings.LIBRARY_ROOT)
        import_demo_library(settings.LIBRARY_ROOT, now=timezone.now())
        destination = ensure_default(timezone.now())
        if destination is None:
            self.stdout.write("No destination: the demo series are not scheduled.")
            return
        for series in Series.objects.order_by("pk"):
            try:
                rows = scheduling.schedule_series(series, destination, who="demo", now=timezone.now())
            except refusals.AlreadyScheduled:
                continue
            self.stdout.write(f"{series.title}: {len(rows)} episodes on the queue of {destination}.")
        if workspace := ensure_onlysocial(timezone.now()):
            posts = schedule_demo_posts(workspace, now=timezone.now())
            self.stdout.write(f"{len(posts)} posts on the calendar of {workspace}.")
