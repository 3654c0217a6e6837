"""What the stand-in for Dailymotion knows: accounts, upload sessions, uploaded files, videos."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from sandbox.clock import Clock, iso
from sandbox.dailymotion.settings import Account, Settings

ALPHABET = string.ascii_lowercase + string.digits
WAITING_SHARE = 0.1  # of the encode time


@dataclass
class Session:
    """One upload_url."""

    uuid: str
    seal: str
    profile_id: str
    opened_at: float
    last_byte_at: float | None = None
    state: str = "starting"  # starting, uploading, done, error
    received: int = 0
    size: int = 0
    filename: str = ""
    expired: bool = False

    def is_dead(self, now: float, idle_seconds: float) -> bool:
        """An upload_url waits forever for its first byte, then `idle_seconds` for each next one."""
        return self.expired or (self.last_byte_at is not None and now - self.last_byte_at >= idle_seconds)

    def took(self, count: int, now: float) -> None:
        self.received += count
        self.last_byte_at = now

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "opened_at": iso(self.opened_at), "platform": "dailymotion"}


@dataclass(frozen=True)
class StoredFile:
    """What is kept of uploaded bytes; `url` is the whole value given to the client, fragment included."""

    url: str
    profile_id: str
    name: str
    size: int
    sha1: str
    duration_ms: int = 0
    width: int = 0
    height: int = 0
    acodec: str = ""
    vcodec: str = ""


@dataclass(frozen=True)
class Stage:
    status: str  # waiting, processing, ready, published, rejected, encoding_error
    encoding_progress: int
    publishing_progress: int


@dataclass
class Video:
    id: str
    private_id: str
    profile_id: str
    dialect: str
    source_url: str
    size: int
    sha1: str
    duration_ms: int
    width: int
    height: int
    created_at: float
    encode_seconds: float
    outcome: str
    updated_at: float = 0.0
    title: str = ""
    description: str = ""
    tags: list[str] = field(default_factory=list)
    category: str = ""
    visibility: str = "public"
    password: str | None = None
    is_for_kids: bool = False
    is_explicit: bool = False
    is_released: bool = False  # asked to be published: always in v2, by published=true in the older dialects
    published_at: float | None = None  # not before
    language: str | None = None
    country: str | None = None
    extras: dict[str, Any] = field(default_factory=dict)  # accepted, without an effect here

    def stage(self, now: float) -> Stage:
        elapsed = now - self.created_at
        if elapsed >= self.encode_seconds or self.encode_seconds <= 0:
            return Stage(self._final_status(now), 100, 100)
        share = max(elapsed / self.encode_seconds, 0.0)
        publishing = min(int(share * 100), 99)
        if share < WAITING_SHARE:
            return Stage("waiting", 0, publishing)
        encoding = int((share - WAITING_SHARE) / (1 - WAITING_SHARE) * 100)
        return Stage("processing", min(encoding, 99), publishing)

    def _final_status(self, now: float) -> str:
        if self.outcome != "published":
            return self.outcome
        is_due = self.published_at is None or self.published_at <= now
        return "published" if self.is_released and is_due else "ready"

    def apply(self, changes: Mapping[str, Any], now: float) -> None:
        for name, value in changes.items():
            setattr(self, name, value)
        self.updated_at = now

    def as_json(self, now: float) -> dict[str, Any]:
        stage = self.stage(now)
        return {
            "id": self.id,
            "platform": "dailymotion",
            "account": self.profile_id,
            "dialect": self.dialect,
            "title": self.title,
            "description": self.description,
            "tags": list(self.tags),
            "category": self.category,
            "visibility": self.visibility,
            "is_for_kids": self.is_for_kids,
            "state": stage.status,
            "progress": stage.publishing_progress,
            "sha1": self.sha1,
            "size": self.size,
            "duration_seconds": self.duration_ms / 1000,
            "created_at": iso(self.created_at),
            "source_url": self.source_url,
        }


class State:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.settings = Settings()
        self.sessions: dict[str, Session] = {}
        self.files: dict[str, StoredFile] = {}
        self.videos: dict[str, Video] = {}
        self.ledger: list[tuple[str, float, float]] = []  # profile id, created at, seconds of footage

    def account(self, *, key: str) -> Account | None:
        return next((a for a in self.settings.accounts if a.key == key), None)

    def profile(self, profile_id: str) -> Account | None:
        return next((a for a in self.settings.accounts if a.profile_id == profile_id), None)

    def open_session(self, profile_id: str) -> Session:
        session = Session(secrets.token_hex(16), secrets.token_hex(16), profile_id, self.clock())
        self.sessions[session.uuid] = session
        return session

    def add_video(self, *, dialect: str, file: StoredFile, values: Mapping[str, Any]) -> Video:
        """Store a new video and enter it in the ledger of the last 24 hours."""
        now = self.clock()
        video = Video(
            id="x" + _random_id(),
            private_id="k" + _random_id(16),
            profile_id=file.profile_id,
            dialect=dialect,
            source_url=file.url,
            size=file.size,
            sha1=file.sha1,
            duration_ms=file.duration_ms,
            width=file.width,
            height=file.height,
            created_at=now,
            encode_seconds=self.settings.encode_seconds,
            outcome=self.settings.outcome_of(str(values.get("title", ""))),
        )
        video.apply(values, now)
        self.videos[video.id] = video
        self.ledger.append((file.profile_id, now, file.duration_ms / 1000))
        return video

    def owned(self, profile_id: str) -> list[Video]:
        """Newest first, without those younger than the lag of the lists."""
        until = self.clock() - self.settings.list_lag_seconds
        owned = [v for v in self.videos.values() if v.profile_id == profile_id and v.created_at <= until]
        return sorted(owned, key=lambda video: video.created_at)[::-1]

    def reset(self) -> None:
        self.settings = Settings()
        for store in (self.sessions, self.files, self.videos):
            store.clear()
        self.ledger.clear()

    def dump(self) -> dict[str, Any]:
        return {
            "settings": self.settings.as_json(),
            "files": [asdict(file) for file in self.files.values()],
            "videos": [asdict(video) for video in self.videos.values()],
            "ledger": self.ledger,
        }

    def load(self, saved: Mapping[str, Any]) -> None:
        self.settings.change(saved.get("settings", {}))
        self.files = {row["url"]: StoredFile(**row) for row in saved.get("files", [])}
        known = {f.name for f in fields(Video)}
        for row in saved.get("videos", []):
            video = Video(**{name: value for name, value in row.items() if name in known})
            self.videos[video.id] = video
        self.ledger = [(str(who), float(at), float(seconds)) for who, at, seconds in saved.get("ledger", [])]


def _random_id(length: int = 6) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
