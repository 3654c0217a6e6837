"""Posts of the demo: some go up and out within minutes, so that a visitor sees it happen."""

from __future__ import annotations

from datetime import datetime, timedelta

from schedules.posts import sources
from schedules.posts.models import ScheduledPost
from schedules.posts.scheduling import Refused, Spread, Wish, schedule
from schedules.posts.sources import BadSource
from uploader.catalog import Episode
from uploader.destinations import Destination
from uploader.platforms.onlysocial import Account
from uploader.social_accounts import take

# As the stand-in names its accounts; the ticker asks it again once it runs.
ACCOUNTS = [
    Account(42174, "00000000-0000-4000-8000-000000042174", "Harbour Films", "instagram", True),
    Account(42175, "00000000-0000-4000-8000-000000042175", "Harbour", "facebook_page", True),
    Account(42176, "00000000-0000-4000-8000-000000042176", "Harbour Shorts", "youtube", True),
    Account(42177, "00000000-0000-4000-8000-000000042177", "harbour.films", "tiktok", True),
]
# Moments from now in seconds, accounts by their place, types.
PLAN = [
    (90, 0, "reel"), (120, 1, "post"), (120, 2, "post"), (180, 3, "reel"), (300, 0, "story"),
    (900, 1, "reel"), (3600, 2, "post"), (20_000, 0, "reel"), (90_000, 3, "post"), (180_000, 1, "story"),
]  # fmt: skip


def schedule_demo_posts(destination: Destination, *, now: datetime) -> list[ScheduledPost]:
    """Put posts of the demo library on the calendar, unless there are posts already."""
    if ScheduledPost.objects.exists():
        return []
    take(destination, ACCOUNTS, who="demo", now=now)
    episodes = list(Episode.objects.select_related("series").order_by("pk")[: len(PLAN)])
    wishes = []
    for (seconds, place, post_type), episode in zip(PLAN, episodes, strict=False):
        try:
            source = sources.from_library(episode.path)
        except BadSource:
            continue
        at = (now + timedelta(seconds=seconds)).replace(microsecond=0)
        caption = f"{episode.series.title}: {episode.title or episode.index_sequence}"
        wishes.append(Wish(ACCOUNTS[place].uuid, caption, post_type, at, "UTC", (source,)))
    try:
        return schedule(wishes, spread=Spread(), key="", who="demo", now=now)
    except Refused:
        # An installation whose own accounts differ keeps its calendar empty.
        return []
