"""What an account may publish. Checked when a video is created: after its bytes were sent."""

from __future__ import annotations

from sandbox.dailymotion.errors import Invalid, NotFound, QuotaReached
from sandbox.dailymotion.state import State, StoredFile

DAY = 86_400
CATEGORIES = frozenset({
    "animals", "auto", "creation", "fun", "kids", "lifestyle", "music", "news", "people", "school",
    "sport", "tech", "travel", "tv", "videogames", "webcam",
})  # fmt: skip
LEGACY_CATEGORIES = CATEGORIES | {"shortfilms"}
TITLE_CHARS = 255
DESCRIPTION_CHARS = 3000
ENGAGEMENT_CHARS = 500
PASSWORD_CHARS = 32
TAGS = 150
TAG_CHARS = 150


def uploaded_file(state: State, *, url: str, profile_id: str, param: str) -> StoredFile:
    """The file of this account with exactly this url, fragment included; raises NotFound."""
    file = state.files.get(url)
    if file is None or file.profile_id != profile_id:
        raise NotFound("File", url.partition("#")[0], param)
    return file


def check_limits(state: State, file: StoredFile, *, param: str) -> None:
    """Raises Invalid for a file no account of this kind may publish, QuotaReached when the day is full."""
    settings = state.settings
    seconds = file.duration_ms / 1000
    if settings.file_bytes is not None and file.size > settings.file_bytes:
        raise Invalid(param, f"The file is too large: {file.size} bytes, at most {settings.file_bytes}.")
    if settings.video_seconds is not None and seconds > settings.video_seconds:
        raise Invalid(param, f"The video is too long: {seconds:.0f} s.")
    since = state.clock() - DAY
    today = [row for row in state.ledger if row[0] == file.profile_id and row[1] > since]
    if settings.videos_per_day is not None and len(today) >= settings.videos_per_day:
        raise QuotaReached
    footage = sum(row[2] for row in today)
    if settings.seconds_per_day is not None and footage + seconds > settings.seconds_per_day:
        raise QuotaReached


def used_today(state: State, profile_id: str) -> dict[str, float]:
    since = state.clock() - DAY
    today = [row for row in state.ledger if row[0] == profile_id and row[1] > since]
    return {"videos": len(today), "seconds": sum(row[2] for row in today)}
