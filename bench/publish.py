"""From the planned moment of a post to the arrival of its “publish” at a platform that answers in 100 ms.

Once 1,000 posts spread over a minute, once 1,000 of the same second, the latter with both ways to mark posts
as sent. `manage.py worker` with its publishers does the work.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from bench.ground import DATABASES, Figure, main, percentile, running, spread, wait_for, worker

POSTS = int(os.environ.get("BENCH_POSTS", "1000"))
# Time to make the rows and for the publishers to find them.
FIRST_AFTER_SECONDS = 20
WORKERS = 4


def measure(kind: str) -> list[Figure]:
    figures = []
    with platform() as api:
        minute = [random.random() * 60 for _ in range(POSTS)]
        figures.append(figure(kind, "1,000 spread over a minute", run(api, minute), 0.150, p50=0.030))
        figures.append(figure(kind, "1,000 in one second, all marked at once", run(api, [0.0] * POSTS), 0.6))
        os.environ["PUBLISH_MARK_AT_ONCE"] = "64"
        figures.append(
            figure(kind, "1,000 in one second, 64 marked at a time", run(api, [0.0] * POSTS), None)
        )
        del os.environ["PUBLISH_MARK_AT_ONCE"]
    return figures


@contextmanager
def platform() -> Iterator[str]:
    with running("-m", "bench.social_sink") as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["api"]


def run(api: str, offsets: list[float]) -> list[float]:
    """Seconds from each post's moment to the arrival of its call; raises SystemExit for one lost or doubled."""
    from django.utils import timezone

    name = f"run-{random.random():.9f}"
    with worker("publish", WORKERS):
        first = timezone.now() + timedelta(seconds=FIRST_AFTER_SECONDS)
        due = make_posts(api, name, first, offsets)
        last = max(due.values()) - timezone.now()
        time.sleep(max(last.total_seconds(), 0) + 2)
        wait_for(lambda: all_published(name), "the posts", seconds=90)
        arrived = received(api)
    found = {caption: arrived.get(caption, []) for caption in due}
    if wrong := {caption: times for caption, times in found.items() if len(times) != 1}:
        raise SystemExit(f"{len(wrong)} posts arrived not once: {list(wrong.items())[:3]}")
    return [found[caption][0] - at.timestamp() for caption, at in due.items()]


def make_posts(api: str, name: str, first: datetime, offsets: list[float]) -> dict[str, datetime]:
    """Posts whose media are on the platform, by their captions."""
    from django.utils import timezone

    from schedules.posts.models import PostStatus, ScheduledPost
    from schedules.posts.videos import PostVideo
    from uploader.destinations import Destination
    from uploader.social_accounts import SocialAccount

    destination = Destination.objects.create(
        name=name.replace(".", "-"),
        platform="onlysocial",
        api_key="bench",
        workspace="w",
        api_url=api,
        accounts_asked_at=timezone.now(),
    )
    account = SocialAccount.objects.create(
        destination=destination,
        remote_id=1,
        uuid=name,
        name="Bench",
        provider="instagram",
        is_authorized=True,
        seen_at=timezone.now(),
    )
    now = timezone.now()
    posts = ScheduledPost.objects.bulk_create(
        ScheduledPost(
            account=account, caption=f"{name} {number}", scheduled_for=first + timedelta(seconds=offset),
            status=PostStatus.MEDIA_UPLOADED, pre_uploaded=True, pre_upload_at=now,
            take_at=ScheduledPost.first_take(first + timedelta(seconds=offset)),
        )
        for number, offset in enumerate(offsets)
    )  # fmt: skip
    PostVideo.objects.bulk_create(
        PostVideo(post=post, position=1, url="https://x.example/v.mp4", media_id=post.pk) for post in posts
    )
    return {post.caption: post.scheduled_for for post in posts if post.scheduled_for}


def all_published(name: str) -> bool:
    from schedules.posts.models import PostStatus, ScheduledPost

    rows = ScheduledPost.objects.filter(caption__startswith=name)
    return not rows.exclude(status=PostStatus.PUBLISHED).exists()


def received(api: str) -> dict[str, list[float]]:
    with urllib.request.urlopen(f"{api}/_received", timeout=10) as answer:
        found: dict[str, list[float]] = json.load(answer)
        return found


def figure(
    kind: str, name: str, late: list[float], most: float | None, *, p50: float | None = None
) -> Figure:
    if min(late) < 0:
        raise SystemExit(f"A post was published {-min(late) * 1000:.1f} ms early.")
    reached = None
    goal = ""
    if most is not None:
        reached = percentile(late, 99) <= most and (p50 is None or percentile(late, 50) <= p50)
        half = "" if p50 is None else f"p50 <= {p50 * 1000:.0f}, "
        goal = f"{half}p99 <= {most * 1000:.0f} ms"
    return Figure(
        f"publish: {name}, {DATABASES[kind]}", spread(late),
        "cron, every 5 minutes: up to 300 s early or late", None, goal, reached,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(measure, ["sqlite", "postgresql"]))
