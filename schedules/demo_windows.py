"""Weekly windows of the demo: one is open now and takes videos at once, others open within minutes and in the week."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta

from django.conf import settings
from django.contrib.auth.models import User

from schedules import slot_decisions, slot_line
from schedules.blackouts import Blackout
from schedules.slot_line import Video
from schedules.slot_videos import SlotVideo
from schedules.upload_slots import UploadSlot
from schedules.windows import DAYS, zone_of
from uploader.destinations import Destination

# Days, start, end, limit, name.
WEEK = [
    (DAYS, time(9), time(11, 59, 59), 1, "morning"),
    (DAYS[:5], time(18), time(20, 59, 59), 1, "evening"),
    (DAYS[4:6], time(22), time(1, 59, 59), 2, "late show"),
]
# Minutes from now to the start, and from there to the end; limit, name.
SOON = [(-10, 130, 2, "now"), (3, 60, 2, "next")]


def open_demo_windows(
    destination: Destination, videos: Sequence[Video], *, person: User, now: datetime
) -> list[SlotVideo]:
    """Put videos in a person's line and make windows for it and a day off, unless there are windows already."""
    if UploadSlot.objects.exists():
        return []
    zone = settings.SLOT_TIME_ZONE
    added = slot_line.add_videos(videos, user=person, destination=destination, who="demo", now=now)
    wall = now.astimezone(zone_of(zone)).replace(second=0, microsecond=0, tzinfo=None)
    near = [
        (DAYS[start.weekday()], start.time(), (start + timedelta(minutes=length)).time(), limit, name)
        for minutes, length, limit, name in SOON
        for start in [wall + timedelta(minutes=minutes)]
    ]
    weekly = [(day, start, end, limit, name) for days, start, end, limit, name in WEEK for day in days]
    for day, start, end, limit, name in [*near, *weekly]:
        slot = UploadSlot(
            user=person, destination=destination, day=day, start_time=start, end_time=end, max_uploads=limit,
            slot_name=name, time_zone=zone,
        )  # fmt: skip
        slot_decisions.save_window(slot, who="demo", now=now)
    # Not tomorrow: shortly before midnight the windows that open soon are tomorrow's.
    day_off = (wall + timedelta(days=2)).date()
    holiday = Blackout(name="Harbour Day", first_on=day_off, last_on=day_off, is_yearly=True)
    slot_decisions.save_blackout(holiday, who="demo", now=now)
    return added.rows
