"""What is handed to Dailymotion and what comes back, free of any dialect's field names."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from uploader.platforms.errors import Rejected

TITLE_CHARACTERS = 255
DESCRIPTION_CHARACTERS = 3000
TAGS = 150
TAG_CHARACTERS = 150
PASSWORD_CHARACTERS = 32

CATEGORIES = (
    "animals", "auto", "creation", "fun", "kids", "lifestyle", "music", "news", "people", "school",
    "shortfilms", "sport", "tech", "travel", "tv", "videogames", "webcam",
)  # fmt: skip
VISIBILITIES = ("public", "private", "password")


class VideoState(StrEnum):
    """How far the platform is with a video."""

    PENDING = "pending"  # received, waiting or encoding; ask again later
    PUBLISHED = "published"  # can be watched
    FAILED = "failed"  # the platform gave up on it or took it down


@dataclass(frozen=True)
class Credentials:
    """An account and the API dialect its key belongs to; empty addresses mean the vendor's own."""

    dialect: str
    key: str = field(repr=False)
    secret: str = field(repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    profile_id: str = ""
    api_url: str = ""
    token_url: str = ""
    upload_hosts: tuple[str, ...] = ()


class Profile(NamedTuple):
    profile_id: str
    name: str


@dataclass(frozen=True)
class Identity:
    """Who the credentials speak for; `profile_id` is empty while a choice between profiles is open."""

    profile_id: str
    name: str
    profiles: tuple[Profile, ...] = ()


@dataclass(frozen=True)
class AccountLimits:
    """What the account may upload per video; None is unknown."""

    max_video_seconds: int | None = None
    max_video_bytes: int | None = None


@dataclass(frozen=True)
class UploadSession:
    """Two signed addresses, good for one file; their queries are secrets."""

    upload_url: str = field(repr=False)
    progress_url: str = field(default="", repr=False)


@dataclass(frozen=True)
class UploadedFile:
    """A file the platform holds; `url` goes into `create_video` verbatim, #fragment included."""

    url: str = field(repr=False)
    hash: str = ""
    size_bytes: int = 0
    duration_seconds: float | None = None


@dataclass(frozen=True)
class RemoteVideo:
    """A video as the platform describes it; `status` is its own word, `state` ours."""

    video_id: str
    title: str = ""
    state: VideoState = VideoState.PENDING
    status: str = ""
    progress: int | None = None
    url: str = ""
    tags: tuple[str, ...] = ()
    checksum: str = ""
    created_at: datetime | None = None
    failure: str = ""


@dataclass(frozen=True)
class NewVideo:
    """A video to create. Raises Rejected when the platform is known to refuse it."""

    title: str
    description: str
    tags: tuple[str, ...]
    category: str
    language: str = ""
    is_for_kids: bool = False
    visibility: str = "public"
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        require_title(self.title)
        require_description(self.description)
        require_tags(self.tags)
        if self.category not in CATEGORIES:
            raise Rejected(
                f"“{self.category}” is no Dailymotion category. Choose one of {', '.join(CATEGORIES)}."
            )
        if not isinstance(self.is_for_kids, bool):
            raise Rejected("Say whether the video is made for kids: yes or no.")
        if self.visibility not in VISIBILITIES:
            raise Rejected(f"“{self.visibility}” is no visibility. Choose public, private or password.")
        _require_password(self.visibility, self.password)


def require_title(title: str) -> None:
    if not title.strip():
        raise Rejected("The title is empty. Dailymotion needs one.")
    if len(title) > TITLE_CHARACTERS:
        raise Rejected(f"The title has {len(title)} characters. Dailymotion takes {TITLE_CHARACTERS}.")
    _require_text("title", title)


def require_description(description: str) -> None:
    if len(description) > DESCRIPTION_CHARACTERS:
        raise Rejected(
            f"The description has {len(description)} characters. Dailymotion takes {DESCRIPTION_CHARACTERS}."
        )
    _require_text("description", description)


def require_tags(tags: tuple[str, ...]) -> None:
    if len(tags) > TAGS:
        raise Rejected(f"There are {len(tags)} tags. Dailymotion takes {TAGS}.")
    for tag in tags:
        if not tag.strip():
            raise Rejected("A tag is empty. Remove it.")
        if len(tag) > TAG_CHARACTERS:
            raise Rejected(
                f"The tag “{tag[:30]}…” has {len(tag)} characters. Dailymotion takes {TAG_CHARACTERS}."
            )
        if "," in tag:  # the legacy dialects send tags as one comma-separated value
            raise Rejected(f"The tag “{tag}” contains a comma. Make it two tags.")
        _require_text("tag", tag)


def _require_password(visibility: str, password: str) -> None:
    if visibility != "password":
        return
    if not 1 <= len(password) <= PASSWORD_CHARACTERS:
        raise Rejected(
            f"A video with a password needs one of 1 to {PASSWORD_CHARACTERS} characters; "
            f"this one has {len(password)}."
        )
    _require_text("password", password)


def _require_text(what: str, text: str) -> None:
    """Names decoded from broken file names carry lone surrogates that no request can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise Rejected(f"The {what} contains characters that are not valid text. Type it anew.") from exc
