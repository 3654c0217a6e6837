"""Weekly windows of some size and passes of the clock over them: a hand of the benchmark `windows`.

python -m bench.weekly DATABASE USERS    20 windows and 2,000 videos for each; one round for each line it reads
"""

from __future__ import annotations

import json
import random
import sys
from datetime import datetime, timedelta
from typing import Any

from bench.ground import ground
from bench.line import seconds_of

WINDOWS = 20
VIDEOS = 2_000
# Of a hundred videos so many are delivered; of ten people so many have nothing left in their lines.
DELIVERED = 90
DONE = 2
HOURS = 3


def prepare(users: int, now: datetime) -> None:
    """Windows spread over the week, those that are open all full but one; lines with most videos delivered."""
    from django.contrib.auth.models import User
    from django.db import connection

    from schedules import slot_clock
    from schedules.upload_slots import Day, UploadSlot
    from uploader.catalog import Film
    from uploader.destinations import Destination

    people = User.objects.bulk_create(User(username=f"bench-{n}") for n in range(users))
    places = Destination.objects.bulk_create(
        Destination(
            name=person.username, credentials_from_environment=True, max_videos_per_day=None,
            max_seconds_per_day=None,
        )
        for person in people
    )  # fmt: skip
    Film.objects.bulk_create(
        Film(title=f"Film {n}", path=f"{n}.mp4", duration_seconds=60, size_bytes=1000, fingerprint=f"{n}")
        for n in range(VIDEOS)
    )
    shuffled = random.Random(users)
    UploadSlot.objects.bulk_create(
        UploadSlot(
            user=person, destination=place, day=shuffled.choice(Day.values),
            start_time=f"{(start := shuffled.randrange(24)):02}:{minute:02}:00",
            end_time=f"{(start + HOURS) % 24:02}:{minute:02}:59", max_uploads=1 + minute % 5,
        )
        for person, place in zip(people, places, strict=True)
        for minute in shuffled.sample(range(60), WINDOWS)
    )  # fmt: skip
    make_lines(now)
    while slot_clock.roll_on(now):
        pass
    UploadSlot.objects.open(now).filter(user__in=busy(people)).update(taken=10)
    # At least one, in a small world too.
    one = UploadSlot.objects.filter(user__in=busy(people)).order_by("pk")[0]
    UploadSlot.objects.filter(pk=one.pk).update(
        taken=10, occurs_on=now.date(), look_at=now, opens_at=now - timedelta(hours=1),
        closes_at=now + timedelta(hours=1),
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
    slot_clock.tick(now)


def busy(people: list[Any]) -> list[Any]:
    """Those who have something left to upload."""
    return [person for person in people if person.pk % 10 >= DONE]


def make_lines(now: datetime) -> None:
    """Every film in every person's line, by the database itself: a million rows are soon there."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO schedules_slotvideo (user_id, destination_id, film_id, status, priority, position,
                holds_place, error_kind, error_message, added_by, created_at, updated_at)
            SELECT u.id, d.id, f.id,
                CASE WHEN f.id %% 100 < {DELIVERED} OR u.id %% 10 < {DONE} THEN 'success' ELSE 'initiate' END,
                0, f.id, false, '', '', '', %s, %s
            FROM uploader_destination d JOIN auth_user u ON u.username = d.name CROSS JOIN uploader_film f
            """,
            [now, now],
        )


def one_round(now: datetime) -> dict[str, float]:
    """Seconds of a pass in which nothing starts, of one in which a window takes a video, of one that rolls on.

    Once in a minute a pass looks at every open window that has nothing to begin: the mean of a minute's passes.
    """
    from django.db.models import F

    from schedules import slot_clock
    from schedules.slot_videos import SlotVideo
    from schedules.upload_slots import LONG_AGO, UploadSlot

    found = {"nothing to start": seconds_of(lambda: slot_clock.tick(now))}
    resting = UploadSlot.objects.filter(look_at__gt=now, opens_at__lte=now)
    minute = 0.0
    for _ in range(60):
        # A second passes for them, and for nothing else: no other window opens or closes meanwhile.
        resting.update(look_at=F("look_at") - timedelta(seconds=1))
        minute += seconds_of(lambda: slot_clock.tick(now))
    found["mean of a minute"] = minute / 60
    full = UploadSlot.objects.filter(taken=10).order_by("pk").first()
    UploadSlot.objects.filter(pk=full.pk).update(taken=full.max_uploads - 1)
    begun: list[SlotVideo] = []
    found["one starts"] = seconds_of(lambda: begun.extend(slot_clock.tick(now)))
    [video] = begun
    video.job.cancel(who="bench", now=now)
    UploadSlot.objects.filter(pk=full.pk).update(taken=10)
    slot_clock.tick(now)
    closed = UploadSlot.objects.filter(opens_at__gt=now).order_by("pk")[:5]
    UploadSlot.objects.filter(pk__in=[slot.pk for slot in closed]).update(closes_at=LONG_AGO)
    found["five windows roll on"] = seconds_of(lambda: slot_clock.tick(now))
    return found


def plans(now: datetime) -> dict[str, bool]:
    """Whether the queries of the pass go through the partial indexes made for them."""
    from schedules.slot_videos import SlotVideo
    from schedules.upload_slots import UploadSlot

    slot = UploadSlot.objects.order_by("pk")[0]
    asked = {
        "upload_slot_due": UploadSlot.objects.due(now)[:500],
        "upload_slot_ended": UploadSlot.objects.ended(now)[:200],
        "slot_video_head": SlotVideo.objects.line(slot.user_id, slot.destination_id)[:5],
        "slot_video_in_flight": SlotVideo.objects.stale(now)[:5],
    }
    return {index: index in query.explain() for index, query in asked.items()}


def main(kind: str, users: int) -> None:
    with ground(kind):
        from django.utils import timezone

        now = timezone.now()
        prepare(users, now)
        print(json.dumps(plans(now)), flush=True)
        for _ in sys.stdin:
            print(json.dumps(one_round(now)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
