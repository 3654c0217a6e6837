"""One post with all that is known about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from schedules.posts import explaining
from schedules.posts.explaining import Risk
from schedules.posts.media import Speed
from schedules.posts.models import ScheduledPost, grace
from schedules.posts.page import zones
from schedules.posts.page.cards import PostCard
from schedules.posts.page.history import Story
from schedules.posts.videos import PostVideo
from uploader.platforms.onlysocial.records import CAPTION_CHARACTERS


class Details:
    def __init__(self, post: ScheduledPost, *, zone: ZoneInfo, now: datetime) -> None:
        self.post = post
        self.zone = zone
        self.now = now

    @cached_property
    def card(self) -> PostCard:
        return PostCard(self.post, self.zone, self.now, self.risks)

    @cached_property
    def story(self) -> Story:
        return Story(self.post)

    @cached_property
    def videos(self) -> list[PostVideo]:
        return list(self.post.videos.all())

    @property
    def video_rows(self) -> list[tuple[PostVideo, str]]:
        """(video, why it cannot be played)"""
        return [(video, self.unplayable(video)) for video in self.videos]

    @staticmethod
    def unplayable(video: PostVideo) -> str:
        why = explaining.missing_file(video)
        return "The file is no longer here; OnlySocial has it." if why and video.media_id else why

    @cached_property
    def why(self) -> str:
        """Why it is not published; empty: it is, or what puts it at risk says the same."""
        why = explaining.why_not_published(self.post, self.now)
        return "" if why in {risk.sentence for risk in self.risks} else why

    @cached_property
    def risks(self) -> list[Risk]:
        return list(explaining.risks(self.post, self.now))

    # ---------------------------------------------------------------- its moments, on several clocks

    @property
    def planned(self) -> list[tuple[str, str]]:
        """Its moment: (time, zone) where it was entered, on the viewer's clock, and in UTC; each time once."""
        at = self.post.scheduled_for
        if at is None:
            return []
        found: dict[str, str] = {}
        for zone in (self.entered_zone, self.zone, zones.named("UTC")):
            found.setdefault(
                zones.spoken(at, zone, with_seconds=True), "" if zone.key == "UTC" else zones.shown(zone)
            )
        return list(found.items())

    @property
    def entered_zone(self) -> ZoneInfo:
        """The zone its time was entered in; an offset stands for none."""
        try:
            return zones.named(self.post.time_zone)
        except zones.BadTime:
            return zones.named("UTC")

    @property
    def published(self) -> str:
        at = self.post.published_at
        return zones.spoken(at, self.zone, with_seconds=True) if at else ""

    @property
    def published_utc(self) -> str:
        at = self.post.published_at
        return f"{at.astimezone(UTC):%H:%M:%S.%f}"[:-3] + " UTC" if at else ""

    @property
    def uploads_from(self) -> datetime | None:
        """When its media begin to go up; None: they are there, or nobody knows."""
        post = self.post
        if post.scheduled_for is None or post.pre_uploaded or not post.is_open:
            return None
        return post.scheduled_for - Speed.of(post.account.destination_id).lead(post.total_bytes)

    @property
    def is_uploading_soon(self) -> bool:
        begins = self.uploads_from
        return begins is not None and begins > self.now

    @property
    def missed_after(self) -> datetime | None:
        post = self.post
        is_due = post.is_open and post.publish_intended_at is None
        return post.scheduled_for + grace() if post.scheduled_for and is_due else None

    @property
    def remote_word(self) -> str:
        """What OnlySocial says it is."""
        return self.post.remote_status.replace("_", " ")

    @property
    def is_overdue(self) -> bool:
        at = self.post.scheduled_for
        return bool(at and self.post.is_open and self.now - at > timedelta(seconds=2))

    @property
    def caption_limit(self) -> int:
        return CAPTION_CHARACTERS
