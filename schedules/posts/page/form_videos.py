"""The videos of the form that makes posts: chosen, added, taken away, and carried along by signed tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from django.core import signing

from schedules.posts import sources
from schedules.posts.page.form_typed import Typed
from schedules.posts.sources import BadSource, Source
from schedules.posts.uploads import KeptFile
from uploader import kept_files, library

SALT = "slotcast.posts.sources"
LONGEST_LIST = 100


@dataclass(frozen=True)
class VideoRow:
    """One chosen video: what it is, and the time it has of its own."""

    number: int
    token: str
    name: str
    kind: str
    source: Source
    at: str = ""

    @property
    def place(self) -> str:
        return {"library": "Library", "file": "Uploaded", "url": "Address"}[self.kind]


@dataclass
class Videos(Typed):
    """The videos among what was typed."""

    videos: list[VideoRow] = field(default_factory=list)
    is_url_taken: bool = False

    @property
    def url(self) -> str:
        """The address that was typed; empty once it is among the videos."""
        return "" if self.is_url_taken else self.text("url")

    @property
    def has_several(self) -> bool:
        return len(self.videos) > 1

    @property
    def has_own_times(self) -> bool:
        return self.has_several and not self.is_together and self.mode == "keep"

    @property
    def video_rows(self) -> list[tuple[VideoRow, list[str]]]:
        """(video, what is wrong with its time)"""
        return [(video, self.errors.get(f"at-{video.number}", [])) for video in self.videos]

    def take_videos(self, files: Iterable[KeptFile] = (), *, also: Sequence[str] = ()) -> None:
        """The videos of the form, those that are added now, and files that came with it."""
        times = self.data.getlist("at_video")
        removed = self.text("remove")
        for number, token in enumerate(self.data.getlist("video")[:LONGEST_LIST]):
            if token != removed:
                self.add_token(token, times[number] if number < len(times) else "")
        for path in also:
            self.add(lambda path=path: token_of(sources.from_library(path)))
        if self.text("do") in ("add-url", "save") and self.url.strip():
            self.add(lambda: token_of(sources.from_url(self.url.strip())), name="url")
            self.is_url_taken = "url" not in self.errors
        for file in files:
            self.add(lambda file=file: of_file(file))

    def add(self, made: Any, *, name: str = "videos") -> None:
        try:
            self.add_token(made())
        except BadSource as error:
            self.wrong(name, str(error))

    def add_token(self, token: str, at: str = "") -> None:
        try:
            given = signing.loads(token, salt=SALT)
            source = Source(
                library_path=given.get("library", ""), media_path=given.get("file", ""), url=given.get("url", ""),
                size_bytes=given["size"],
            )  # fmt: skip
        except (signing.BadSignature, KeyError, AttributeError):
            self.wrong("videos", "One video could not be read back and was left out. Add it again.")
            return
        kind = "library" if source.library_path else "file" if source.media_path else "url"
        self.videos.append(VideoRow(len(self.videos) + 1, token, given["name"], kind, source, at))

    def look_at_files(self) -> None:
        """The library's files as they are now: what was chosen an hour ago may be gone."""
        for video in self.videos:
            try:
                if video.source.library_path:
                    sources.from_library(video.source.library_path)
                elif video.source.media_path and not kept_files.is_there(video.source.media_path):
                    raise BadSource(f"{video.name} is no longer here. Remove it and upload it again.")
            except BadSource as error:
                self.wrong("videos", str(error))


def token_of(source: Source, name: str = "") -> str:
    """A chosen video as the form carries it: nobody can make it name another file."""
    kind = "library" if source.library_path else "file" if source.media_path else "url"
    where = source.library_path or source.media_path or source.url
    shown = name or PurePosixPath(where).name
    return signing.dumps(
        {kind: where, "name": library.shown(shown)[:200], "size": source.size_bytes}, salt=SALT
    )


def of_file(file: KeptFile) -> str:
    """Raises BadSource."""
    name = file.name or "video"
    return token_of(sources.from_upload(name, file.path, file.size or 0), name)
