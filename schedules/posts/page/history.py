"""The story of one post in words, and the calls that were made for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from jobs.events import Event
from schedules.chronicle import WORDS, Told, person
from schedules.posts import board
from schedules.posts.models import ScheduledPost
from uploader.upload_jobs import UploadJob

POST = ScheduledPost._meta.label_lower
MEDIA = UploadJob._meta.label_lower

# (tone, words) of a post's own events; {why} follows behind a colon.
OF_POST: dict[str, tuple[str, str]] = {
    "scheduled": ("plain", "saved"),
    "uploading": ("busy", "its media go up"),
    "media_uploaded": ("good", "media uploaded"),
    "draft_created": ("busy", "made at OnlySocial, not public yet"),
    "draft_found": ("plain", "found at OnlySocial after an answer was lost"),
    "draft_not_found": ("plain", "not at OnlySocial; it is made again"),
    "draft_discarded": ("plain", "its draft was taken off OnlySocial"),
    "publish_accepted": ("busy", "OnlySocial accepted it"),
    "published": ("good", "published"),
    "outcome_unknown": ("warn", "the answer was lost; OnlySocial is asked"),
    "not_applied": ("warn", "the lost request had not arrived"),
    "put_off": ("warn", "put off"),
    "looked": ("plain", "looked at"),
    "failed": ("bad", "failed"),
    "missed": ("bad", "missed"),
    "rescued": ("warn", "taken over from a publisher that stopped answering"),
    "moved": ("plain", "moved"),
    "edited": ("plain", "edited"),
    "cancelled": ("plain", "cancelled"),
    "reopened": ("plain", "scheduled again"),
}
OF_MEDIA: dict[str, tuple[str, str]] = {
    "claimed": ("busy", "upload taken by a worker"),
    "completed": ("good", "video is on OnlySocial"),
    "failed": ("bad", "upload failed"),
    "retried": ("plain", "upload retried"),
    "cancelled": ("plain", "upload stopped"),
}

# What an event tells about a call: its name, and the outcome's tone and word.
CALLS: dict[tuple[str, str], tuple[str, str, str]] = {
    (MEDIA, "completed"): ("Upload media", "good", "done"),
    (MEDIA, "attempt_failed"): ("Upload media", "warn", "failed, is tried again"),
    (MEDIA, "failed"): ("Upload media", "bad", "failed"),
    (MEDIA, "held"): ("Upload media", "warn", "held"),
    (MEDIA, "parked"): ("Look for the file", "plain", "not found yet"),
    (POST, "draft_created"): ("Create the post", "good", "created"),
    (POST, "draft_found"): ("Look for the post", "good", "found"),
    (POST, "draft_not_found"): ("Look for the post", "plain", "not there"),
    (POST, "draft_discarded"): ("Delete the draft", "good", "deleted"),
    (POST, "publish_accepted"): ("Publish now", "good", "accepted"),
    (POST, "outcome_unknown"): ("Publish now", "warn", "no answer"),
    (POST, "not_applied"): ("Read back", "warn", "had not arrived"),
    (POST, "looked"): ("Read back", "plain", "not final yet"),
    (POST, "published"): ("Read back", "good", "published"),
    (POST, "put_off"): ("Create or publish", "warn", "put off"),
}


@dataclass(frozen=True)
class Call:
    """One call to OnlySocial and what came of it."""

    at: datetime
    what: str
    # plain | good | warn | bad
    tone: str
    outcome: str
    detail: str
    # The process that made it.
    by: str


class Story:
    """A post's events, read once."""

    def __init__(self, post: ScheduledPost) -> None:
        self.post = post
        self.events: Sequence[Event] = board.timeline(post)
        self.videos = {str(video.job_id): video for video in post.videos.all() if video.job_id}

    @property
    def lines(self) -> list[Told]:
        """What happened, newest first."""
        return [self.told(event) for event in reversed(self.events) if not self.is_twice(event)]

    def is_twice(self, event: Event) -> bool:
        """The job's own bookkeeping, which the post's history tells already."""
        return event.subject_type == MEDIA and event.type in ("created", "scheduled", "woken", "went_on")

    def told(self, event: Event) -> Told:
        words = OF_POST if event.subject_type == POST else OF_MEDIA
        tone, what = words.get(event.type) or WORDS.get(event.type, ("plain", event.type.replace("_", " ")))
        return Told(event.at, tone, self.subject(event), what, event.why, self.who(event))

    def subject(self, event: Event) -> str:
        video = self.videos.get(event.subject_id) if event.subject_type == MEDIA else None
        return str(video) if video is not None else ""

    @staticmethod
    def who(event: Event) -> str:
        """The person behind it; workers and publishers carry a “#” or “:” in their names."""
        return "" if "#" in event.who or event.who in ("pre-upload", "ticker") else person(event.who)

    @property
    def calls(self) -> list[Call]:
        """Every call of which an outcome was written, in their order."""
        found = []
        for event in self.events:
            known = CALLS.get((event.subject_type, event.type))
            if known is None:
                continue
            what, tone, outcome = known
            detail = " · ".join(part for part in (self.subject(event), self.detail(event)) if part)
            found.append(Call(event.at, what, tone, outcome, detail, event.who.partition("#")[0]))
        return found

    def detail(self, event: Event) -> str:
        post = self.post
        if event.type == "completed" and (video := self.videos.get(event.subject_id)):
            return f"media id {video.media_id}" if video.media_id else event.why
        if event.type == "publish_accepted" and post.publish_accepted_at:
            answered = post.publish_accepted_at.astimezone(UTC)
            return f"{event.why}, answered at {answered:%H:%M:%S.%f}"[:-3] + " UTC"
        if event.type == "published":
            return post.remote_url
        return event.why
