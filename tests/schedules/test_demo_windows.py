"""The windows of the demo: whenever it is started, one is open and another opens soon."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User

from schedules import slot_clock
from schedules.blackouts import Blackout
from schedules.demo_windows import open_demo_windows
from schedules.slot_videos import SlotVideo
from schedules.upload_slots import UploadSlot
from schedules.windows import zone_of
from uploader.catalog import Series
from uploader.destinations import Destination


@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 3, 4, 5, 0, 30, tzinfo=UTC),
        # Minutes before and after midnight, of a week, too, where the windows are.
        datetime(2026, 3, 1, 18, 25, tzinfo=UTC),
        datetime(2026, 3, 1, 18, 31, tzinfo=UTC),
    ],
)
def test_a_window_is_open_at_once_others_soon_and_a_day_is_off(
    now: datetime, make_series: Callable[..., Series], destination: Destination, operator: User
) -> None:
    videos = list(make_series("Signal Flags", 6).episodes.order_by("index_sequence"))
    rows = open_demo_windows(destination, videos, person=operator, now=now)
    assert [row.episode for row in rows] == videos
    begun = [
        video.slot.slot_name
        for minutes in (0, 4)
        for video in slot_clock.tick(now + timedelta(minutes=minutes))
        if video.slot
    ]
    # What else of the week is open at that moment takes videos as well.
    assert [name for name in begun if name in ("now", "next")] == ["now", "now", "next", "next"]
    assert SlotVideo.objects.filter(status="initiate").exists(), "and videos wait"
    [holiday] = Blackout.objects.all()
    assert holiday.first_on == now.astimezone(zone_of("Asia/Kolkata")).date() + timedelta(days=2)


def test_the_demos_windows_are_made_once(
    make_series: Callable[..., Series], destination: Destination, operator: User
) -> None:
    now = datetime(2026, 3, 4, 5, 0, tzinfo=UTC)
    videos = list(make_series("Signal Flags", 2).episodes.all())
    assert len(open_demo_windows(destination, videos, person=operator, now=now)) == 2
    count = UploadSlot.objects.count()
    assert open_demo_windows(destination, videos, person=operator, now=now + timedelta(days=1)) == []
    assert (UploadSlot.objects.count(), SlotVideo.objects.count()) == (count, 2)
