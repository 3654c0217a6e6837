from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.utils import timezone

from schedules import refusals, scheduling
from schedules.demo_windows import open_demo_windows
from schedules.posts.demo import schedule_demo_posts
from uploader.catalog import Film
from uploader.default_destinations import ensure_default, ensure_onlysocial
from uploader.demo_library import import_demo_library, make_demo_library
from uploader.pipeline.demo import seed_pipeline
from uploader.transcoding import deciding


class Command(BaseCommand):
    help = (
        "Make a small library of real videos, put it on the hourly queue, in weekly windows and on the calendar "
        "of posts, transcode its film, and start chains of pipeline jobs. Repeatable."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        settings.LIBRARY_ROOT.mkdir(parents=True, exist_ok=True)
        self.stdout.write("Making the demo library …")
        make_demo_library(settings.LIBRARY_ROOT)
        (*series, flags), film = import_demo_library(settings.LIBRARY_ROOT, now=timezone.now())
        if film:
            self.transcode(film)
        destination = ensure_default(timezone.now())
        if destination is None:
            self.stdout.write("No destination: the demo series are not scheduled.")
            return
        for one in series:
            try:
                rows = scheduling.schedule_series(one, destination, who="demo", now=timezone.now())
            except refusals.AlreadyScheduled:
                continue
            self.stdout.write(f"{one.title}: {len(rows)} episodes on the queue of {destination}.")
        person = User.objects.filter(is_staff=True, is_active=True).order_by("pk").first()
        if person:
            videos = [*flags.episodes.order_by("index_sequence"), *([film] if film else [])]
            line = open_demo_windows(destination, videos, person=person, now=timezone.now())
            self.stdout.write(f"{len(line)} videos in the line for weekly windows of {person}.")
        if workspace := ensure_onlysocial(timezone.now()):
            posts = schedule_demo_posts(workspace, now=timezone.now())
            self.stdout.write(f"{len(posts)} posts on the calendar of {workspace}.")
        if jobs := seed_pipeline(now=timezone.now()):
            self.stdout.write(f"{len(jobs)} pipeline jobs on the line.")

    def transcode(self, film: Film) -> None:
        """Have the demo's film made into a package, once."""
        if film.transcode_jobs.exists():
            return
        job = deciding.start(film, now=timezone.now())
        self.stdout.write(f"{film} is made into an HLS package by job {job.pk}.")
