"""What one post on the page shows, written out: hundreds of them stand in a month."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from jobs.errors import ErrorKind
from schedules.posts import board, deciding
from schedules.posts.explaining import Risk
from schedules.posts.models import PostStatus, ScheduledPost
from schedules.posts.page import zones
from schedules.posts.page.choices import STATES
from uploader.social_accounts import SocialAccount
from uploader.upload_jobs import UploadJob

# A difference below this is none that a person would call late.
ON_TIME_SECONDS = 1.0
HUES = 8
LONGEST_TITLE = 120
PROVIDERS = {
    "facebook_page": "Facebook", "facebook_group": "Facebook group", "instagram_direct": "Instagram",
    "tiktok": "TikTok", "youtube": "YouTube", "linkedin": "LinkedIn", "linkedin_page": "LinkedIn page",
    "twitter": "X",
}  # fmt: skip
# The phases as people call them.
PHASES = {"saved": "Saved", "media": "Media up", "published": "Published"}


@dataclass(frozen=True)
class AccountCard:
    """A social account as a lane, a filter, a mark on a post."""

    account: SocialAccount

    @property
    def initials(self) -> str:
        words = re.findall(r"[^\W_]+", self.account.name)
        return ("".join(word[0] for word in words[:2]) or "?").upper()

    @property
    def hue(self) -> int:
        """Which of the lanes' colours."""
        return self.account.pk % HUES

    @property
    def provider(self) -> str:
        return provider_name(self.account.provider)


@dataclass(frozen=True)
class PhaseMark:
    """One of the three phases: its name, how far it is, when."""

    name: str
    label: str
    # done | active | waiting | failed
    state: str
    at: datetime | None


@dataclass(frozen=True)
class PostCard:
    post: ScheduledPost
    zone: ZoneInfo
    now: datetime
    risks: list[Risk] = field(default_factory=list)

    @cached_property
    def state(self) -> str:
        return state_of(self.post)

    @property
    def word(self) -> str:
        return STATES[self.state]

    @property
    def account(self) -> AccountCard:
        return AccountCard(self.post.account)

    @cached_property
    def local(self) -> datetime | None:
        """Its moment on the clock of the page."""
        at = self.post.scheduled_for
        return at.astimezone(self.zone) if at else None

    @property
    def clock(self) -> str:
        if self.local is None:
            return "no time"
        return f"{self.local:%H:%M:%S}" if self.local.second else f"{self.local:%H:%M}"

    @property
    def short_clock(self) -> str:
        return f"{self.local:%H:%M}" if self.local else "no time"

    @property
    def wall(self) -> str:
        """Its moment as a field holds it, in the zone of the page."""
        return zones.field(self.post.scheduled_for, self.zone) if self.post.scheduled_for else ""

    @property
    def spoken(self) -> str:
        return zones.spoken(self.post.scheduled_for, self.zone) if self.post.scheduled_for else "no time yet"

    @property
    def utc(self) -> str:
        at = self.post.scheduled_for
        return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else ""

    @cached_property
    def title(self) -> str:
        return title_of(self.post)

    @property
    def type(self) -> str:
        return str(self.post.get_post_type_display())

    @cached_property
    def phases(self) -> list[PhaseMark]:
        return [
            PhaseMark(phase.name, PHASES[phase.name], phase.state, phase.at)
            for phase in board.phases(self.post)
        ]

    @cached_property
    def job(self) -> UploadJob | None:
        """The media upload that is under way or waits."""
        jobs = (video.job for video in self.post.videos.all())
        return next((job for job in jobs if job is not None and not job.is_finished), None)

    @property
    def percent(self) -> int:
        """How far the upload under way is."""
        return self.job.progress if self.job is not None else 0

    @property
    def is_open(self) -> bool:
        return self.post.is_open

    # ---------------------------------------------------------------- what is offered: nothing that is refused

    @cached_property
    def is_movable(self) -> bool:
        return self._may(lambda: deciding.refuse_move(self.post, self.now, now=self.now))

    @property
    def can_publish_now(self) -> bool:
        return self.is_movable

    @property
    def is_editable(self) -> bool:
        return self._may(lambda: deciding.refuse_edit(self.post, now=self.now))

    @cached_property
    def can_retry(self) -> bool:
        return self._may(lambda: deciding.refuse_retry(self.post, now=self.now))

    @property
    def can_cancel(self) -> bool:
        return self._may(lambda: deciding.refuse_cancel(self.post, now=self.now))

    @staticmethod
    def _may(refuse: Callable[[], None]) -> bool:
        try:
            refuse()
        except deciding.Refused:
            return False
        return True

    # ---------------------------------------------------------------- in words

    @property
    def late(self) -> str:
        """The difference between plan and publication."""
        return spoken_difference(self.post.late_seconds)

    @property
    def is_late(self) -> bool:
        return self.post.late_seconds is not None and self.post.late_seconds >= ON_TIME_SECONDS

    @property
    def label(self) -> str:
        """All of it in a sentence, for those who hear the page."""
        at_risk = f", at risk: {self.risks[0].sentence}" if self.risks else ""
        return f"{self.clock}, {self.title}, {self.post.account}, {self.word.lower()}{at_risk}"


def title_of(post: ScheduledPost) -> str:
    """The first line of its caption, else the name of its first video."""
    first = next((line.strip() for line in post.caption.splitlines() if line.strip()), "")
    if first:
        return first if len(first) <= LONGEST_TITLE else f"{first[: LONGEST_TITLE - 1].rstrip()}…"
    videos = list(post.videos.all())
    return videos[0].filename if videos else f"Post {post.pk}"


def state_of(post: ScheduledPost) -> str:
    """One of the words the page knows a post by; prefetch `videos__job`."""
    match post.status:
        case PostStatus.PUBLISHED:
            return "published"
        case PostStatus.CANCELLED:
            return "cancelled"
        case PostStatus.FAILED:
            return "missed" if post.error_kind == ErrorKind.MISSED else "failed"
        case PostStatus.MEDIA_UPLOADED:
            return "publishing" if post.publish_intended_at is not None else "ready"
        case _:
            under_way = any(video.job and not video.job.is_finished for video in post.videos.all())
            return "uploading" if under_way else "saved"


def provider_name(provider: str) -> str:
    return PROVIDERS.get(provider) or provider.replace("_", " ").capitalize()


def spoken_difference(seconds: float | None) -> str:
    """`on time, 12 ms after its moment`, `2 min 3 s late`."""
    if seconds is None:
        return ""
    if abs(seconds) < ON_TIME_SECONDS:
        return f"on time ({seconds * 1000:+.0f} ms)"
    return f"{zones.length(seconds)} {'late' if seconds > 0 else 'early'}"
