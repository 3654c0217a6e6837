"""What the stand-in for OnlySocial knows: media, posts, and what was asked of each and when."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from sandbox.clock import Clock
from sandbox.onlysocial.settings import Account, Settings

FIRST_MEDIA_ID = 785_001
QUEUED_SHARE = 0.3  # of the time from accepted to the end
IN_HISTORY = ("published", "failed")


@dataclass
class Media:
    id: int
    uuid: str
    name: str
    mime_type: str
    size: int
    sha1: str
    created_at: float

    def as_answer(self, settings: Settings, base: str) -> dict[str, Any]:
        kind = self.mime_type.partition("/")[0]
        stored = f"{base}/storage/{settings.workspace}/{self.uuid}"
        return {
            "id": str(self.id) if settings.media_ids == "string" else self.id,
            "uuid": self.uuid,
            "name": self.name,
            "mime_type": self.mime_type,
            "type": kind,
            "url": f"{stored}.mp4",
            "thumb_url": f"{stored}-thumb.jpg",
            "is_video": kind == "video",
            "created_at": iso_ms(self.created_at),
        }


@dataclass
class Post:
    id: int
    uuid: str
    accounts: list[int]
    versions: list[dict[str, Any]]
    created_at: float
    tags: list[int] = field(default_factory=list)
    scheduled_at: float | None = None  # when it is to be published
    accepted_at: float | None = None  # when a request to publish was accepted
    publish_seconds: float = 0.0
    outcome: str = "published"
    awaits_approval: bool = False
    trashed: bool = False
    # For whoever measures: unix seconds at which each request arrived, to the microsecond.
    create_received_at: float = 0.0
    publish_received_at: list[float] = field(default_factory=list)

    def status(self, now: float) -> str:
        if self.accepted_at is None or self.scheduled_at is None:
            return "draft"
        if self.awaits_approval:
            return "needs_approval"
        elapsed = now - max(self.scheduled_at, self.accepted_at)
        if elapsed >= self.publish_seconds:
            return "published" if self.outcome == "published" else "failed"
        return "publishing" if elapsed >= self.publish_seconds * QUEUED_SHARE else "scheduled"

    def ended_at(self) -> float | None:
        if self.scheduled_at is None or self.accepted_at is None:
            return None
        return max(self.scheduled_at, self.accepted_at) + self.publish_seconds

    @property
    def caption(self) -> str:
        for version in self.versions:
            for content in version.get("content", []):
                return str(content.get("body", "")) if isinstance(content, dict) else str(content)
        return ""

    @property
    def media_ids(self) -> list[int]:
        found: list[int] = []
        for version in self.versions:
            for content in version.get("content", []):
                found += content.get("media", []) if isinstance(content, dict) else []
            found += [int(each) for each in version.get("media_ids", [])]
        return list(dict.fromkeys(found))


class State:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.settings = Settings()
        self.media: dict[int, Media] = {}
        self.posts: dict[str, Post] = {}
        self.receiving: dict[int, dict[str, Any]] = {}  # uploads in flight
        self.asked_at: list[float] = []  # the requests of the last minute
        self._ids = itertools.count(1)
        self._media_ids = itertools.count(FIRST_MEDIA_ID)

    def account(self, account_id: object) -> Account | None:
        return next((a for a in self.settings.accounts if a.id == account_id), None)

    def add_media(self, *, name: str, mime_type: str, size: int, sha1: str) -> Media:
        media = Media(next(self._media_ids), str(uuid.uuid4()), name, mime_type, size, sha1, self.clock())
        self.media[media.id] = media
        return media

    def add_post(self, *, received_at: float, **values: Any) -> Post:
        post = Post(
            id=next(self._ids),
            uuid=str(uuid.uuid4()),
            created_at=self.clock(),
            create_received_at=received_at,
            **values,
        )
        self.posts[post.uuid] = post
        return post

    def accept(self, post: Post, *, at: float) -> None:
        """A request to publish at `at` was accepted."""
        settings = self.settings
        post.scheduled_at, post.accepted_at = at, self.clock()
        post.publish_seconds = settings.publish_seconds
        post.awaits_approval = settings.needs_approval
        is_lost = any(not (a := self.account(each)) or not a.authorized for each in post.accounts)
        post.outcome = "failed" if is_lost else settings.outcome_of(post.caption)

    def approve(self, post: Post) -> None:
        post.awaits_approval, post.accepted_at = False, self.clock()

    def listed(self, rows: Mapping[Any, Any]) -> list[Any]:
        """Newest first, without those younger than the lag of the lists."""
        until = self.clock() - self.settings.list_lag_seconds
        return [row for row in reversed(rows.values()) if row.created_at <= until]  # type: ignore[call-overload]

    def reset(self) -> None:
        self.settings = Settings()
        self.media.clear()
        self.posts.clear()
        self.receiving.clear()
        self.asked_at.clear()

    def dump(self) -> dict[str, Any]:
        return {
            "settings": self.settings.as_json(),
            "media": [asdict(media) for media in self.media.values()],
            "posts": [asdict(post) for post in self.posts.values()],
        }

    def load(self, saved: Mapping[str, Any]) -> None:
        self.settings.change(saved.get("settings", {}))
        self.media = {row["id"]: Media(**_known(Media, row)) for row in saved.get("media", [])}
        self.posts = {row["uuid"]: Post(**_known(Post, row)) for row in saved.get("posts", [])}
        self._media_ids = itertools.count(max([*self.media, FIRST_MEDIA_ID - 1]) + 1)
        self._ids = itertools.count(max([post.id for post in self.posts.values()], default=0) + 1)


def _known(kind: type[Any], row: Mapping[str, Any]) -> dict[str, Any]:
    names = {f.name for f in fields(kind)}
    return {name: value for name, value in row.items() if name in names}


def iso_ms(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain_time(moment: float | None) -> str | None:
    """A time as the platform writes it: in UTC, without saying so."""
    return None if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")
