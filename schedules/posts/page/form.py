"""The form that makes posts: what was typed is kept, each refusal stands beside its field, a plan is shown first."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

from django.core import signing
from django.http import QueryDict

from schedules.boards import whole
from schedules.posts import deciding, scheduling, sources, spreading
from schedules.posts.media import Speed
from schedules.posts.models import PostType, ScheduledPost
from schedules.posts.page import dry_run, zones
from schedules.posts.page.cards import AccountCard
from schedules.posts.requests import LONGEST_KEY
from schedules.posts.scheduling import MOST_VIDEOS, NoRoom, Refused, Spread, Wish
from schedules.posts.sources import BadSource, Source
from schedules.posts.spreading import BadWindow, Window
from schedules.posts.uploads import KeptFile
from uploader import kept_files, library
from uploader.platforms.onlysocial.records import CAPTION_CHARACTERS
from uploader.social_accounts import SocialAccount

SALT = "slotcast.posts.sources"
MODES = {
    "keep": "At these times",
    "every": "Every so many hours",
    "windows": "In free windows",
    "tray": "Without a time yet",
}
MOST_HOURS = 24 * 31
MOST_POSTS = 200
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


@dataclass(frozen=True)
class AccountRow:
    card: AccountCard
    is_chosen: bool
    caption: str
    why_not: str
    # What its destination says against any post now, which may be over by the post's moment.
    held: str = ""


@dataclass(frozen=True)
class Planned:
    """One post as it would be saved."""

    account: AccountCard
    videos: list[VideoRow]
    caption: str
    wall: zones.Wall | None
    zone: ZoneInfo
    notes: list[tuple[str, str]]

    @property
    def local(self) -> str:
        return zones.spoken(self.wall.at, self.zone) if self.wall else "in the tray"

    @property
    def utc(self) -> str:
        return zones.spoken(self.wall.at, zones.named("UTC")) if self.wall else ""


@dataclass
class PostForm:
    """What was typed, and what it comes to at `now`. `is_strict`: what is missing counts as wrong."""

    data: QueryDict
    viewer: ZoneInfo
    now: datetime
    is_strict: bool = False
    errors: dict[str, list[str]] = field(default_factory=dict)
    videos: list[VideoRow] = field(default_factory=list)
    is_url_taken: bool = False

    # ---------------------------------------------------------------- what was typed

    def text(self, name: str, default: str = "") -> str:
        """A field's text; NUL, which PostgreSQL refuses, is no text."""
        value = self.data.get(name, default) or default
        # A browser sends the ends of lines as CR LF; a caption has them as LF.
        return value.replace("\0", "").replace("\r\n", "\n")

    @cached_property
    def key(self) -> str:
        """By which the same form sent twice is carried out once."""
        given = self.text("key")
        return given if 0 < len(given) <= LONGEST_KEY and given.isascii() else uuid.uuid4().hex

    @property
    def caption(self) -> str:
        return self.text("caption")

    @property
    def post_type(self) -> str:
        value = self.text("post_type", PostType.REEL)
        return value if value in PostType.values else PostType.REEL

    @property
    def is_together(self) -> bool:
        """All videos in one post, rather than a post for each."""
        return self.text("together") == "one"

    @property
    def mode(self) -> str:
        value = self.text("mode", "keep")
        return value if value in MODES else "keep"

    @property
    def at(self) -> str:
        return self.text("at")

    @property
    def zone_name(self) -> str:
        return self.text("in") or self.viewer.key

    @property
    def is_second(self) -> bool:
        return self.text("second") == "1"

    @property
    def hours(self) -> str:
        return self.text("hours", "24")

    @property
    def windows(self) -> str:
        return self.text("windows", "09:00-12:00, 18:00-21:00")

    @property
    def gap(self) -> str:
        return self.text("gap", "60")

    @property
    def query(self) -> str:
        """What is looked for in the library."""
        return self.text("q").strip()[:100]

    @property
    def url(self) -> str:
        """The address that was typed; empty once it is among the videos."""
        return "" if self.is_url_taken else self.text("url")

    @property
    def types(self) -> list[tuple[str, str]]:
        return [(value, str(label)) for value, label in PostType.choices]

    @property
    def modes(self) -> list[tuple[str, str]]:
        return list(MODES.items())

    @property
    def caption_limit(self) -> int:
        return CAPTION_CHARACTERS

    @property
    def has_several(self) -> bool:
        return len(self.videos) > 1

    @property
    def has_own_times(self) -> bool:
        return self.has_several and not self.is_together and self.mode == "keep"

    def wrong(self, name: str, sentence: str, *, is_missing: bool = False) -> None:
        said = dry_run.capital(sentence)
        if (not is_missing or self.is_strict) and said not in self.errors.get(name, []):
            self.errors.setdefault(name, []).append(said)

    # ---------------------------------------------------------------- videos

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

    # ---------------------------------------------------------------- accounts

    @cached_property
    def accounts(self) -> list[AccountRow]:
        chosen = {whole(value) for value in self.data.getlist("account")}
        rows = SocialAccount.objects.filter(gone_at=None).select_related("destination")
        return [
            AccountRow(
                AccountCard(each), each.pk in chosen, self.text(f"caption-{each.pk}"), each.why_not,
                each.destination.why_not_now(self.now),
            )
            for each in rows.order_by("name", "provider", "pk")
        ]  # fmt: skip

    @property
    def account_rows(self) -> list[tuple[AccountRow, list[str], list[str]]]:
        """(account, what is wrong with it, what is wrong with its caption)"""
        wrong = self.errors
        return [
            (
                row,
                wrong.get(f"account-{row.card.account.pk}", []),
                wrong.get(f"caption-{row.card.account.pk}", []),
            )
            for row in self.accounts
        ]

    @property
    def video_rows(self) -> list[tuple[VideoRow, list[str]]]:
        """(video, what is wrong with its time)"""
        return [(video, self.errors.get(f"at-{video.number}", [])) for video in self.videos]

    @property
    def chosen(self) -> list[AccountRow]:
        return [row for row in self.accounts if row.is_chosen]

    def caption_of(self, row: AccountRow) -> str:
        return row.caption if row.caption.strip() else self.caption

    # ---------------------------------------------------------------- times

    @cached_property
    def zone(self) -> ZoneInfo:
        try:
            return zones.named(self.zone_name)
        except zones.BadTime as error:
            self.wrong("in", str(error))
            return self.viewer

    @cached_property
    def wall(self) -> zones.Wall | None:
        """The moment of the form; None: there is none, or none that can be read."""
        return self.wall_of(self.at, "at")

    def wall_of(self, text: str, name: str) -> zones.Wall | None:
        if not text.strip():
            return None
        try:
            return zones.resolve(text, self.zone, is_second=self.is_second)
        except zones.BadTime as error:
            self.wrong(name, str(error))
            return None

    @property
    def moment_shown(self) -> list[tuple[str, str]]:
        """The moment in UTC and on the viewer's clock."""
        if self.wall is None:
            return []
        found = {"UTC": zones.spoken(self.wall.at, zones.named("UTC"))}
        if self.viewer.key not in ("UTC", self.zone.key):
            found[zones.shown(self.viewer)] = zones.spoken(self.wall.at, self.viewer)
        return list(found.items())

    def number(self, name: str, value: str, *, least: float, most: float) -> float | None:
        try:
            found = float(value.replace(",", "."))
        except ValueError:
            found = float("nan")
        if least <= found <= most:
            return found
        self.wrong(name, f"Give a number from {least:g} to {most:g}.")
        return None

    def parsed_windows(self) -> tuple[Window, ...]:
        try:
            found = tuple(
                Window.parse(each) for each in self.windows.replace(";", ",").split(",") if each.strip()
            )
        except BadWindow as error:
            self.wrong("windows", str(error))
            return ()
        if not found:
            self.wrong("windows", "Give at least one window of the day, such as 09:00-12:00.")
        return found

    # ---------------------------------------------------------------- what it comes to

    @cached_property
    def groups(self) -> list[list[VideoRow]]:
        """The videos of each post on one account."""
        if not self.videos:
            return []
        return [self.videos] if self.is_together else [[video] for video in self.videos]

    def check(self) -> None:
        """Fill `errors`; the plan is made of what is right."""
        if not self.videos:
            self.wrong("videos", "Choose at least one video.", is_missing=True)
        if self.is_together and len(self.videos) > MOST_VIDEOS:
            self.wrong(
                "videos", f"{len(self.videos)} videos are too many for one post; at most {MOST_VIDEOS}."
            )
        if not self.chosen:
            self.wrong("account", "Choose at least one account.", is_missing=True)
        for row in self.chosen:
            if row.why_not:
                self.wrong(f"account-{row.card.account.pk}", row.why_not)
            if len(row.caption) > CAPTION_CHARACTERS:
                self.wrong(f"caption-{row.card.account.pk}", too_long(row.caption))
            try:
                deciding.refuse_combination(row.card.account, self.post_type)
            except deciding.Refused as error:
                self.wrong("post_type", str(error))
        if len(self.caption) > CAPTION_CHARACTERS:
            self.wrong("caption", too_long(self.caption))
        if len(self.groups) * len(self.chosen) > MOST_POSTS:
            self.wrong("videos", f"That makes more than {MOST_POSTS} posts. Save them in several steps.")
        if not self.at.strip() and self.mode in ("keep", "every") and not self.has_all_times:
            self.wrong("at", "Give the day and time of the first post.", is_missing=True)
        if self.wall and self.mode in ("keep", "every"):
            self.check_moment(self.wall, "at")

    def check_moment(self, wall: zones.Wall, name: str) -> None:
        if wall.at < self.now - scheduling.JUST_NOW:
            self.wrong(name, f"{zones.spoken(wall.at, self.viewer)} is in the past. Choose a later time.")
        elif wall.at > self.now + scheduling.FARTHEST:
            self.wrong(name, f"{zones.spoken(wall.at, self.viewer)} is more than two years ahead.")

    @property
    def has_all_times(self) -> bool:
        return self.has_own_times and all(video.at.strip() for video in self.videos)

    @cached_property
    def plan(self) -> list[Planned]:
        """Every post that would be saved, in the order of its moment."""
        if not self.groups or not self.chosen or len(self.groups) * len(self.chosen) > MOST_POSTS:
            return []
        found = []
        for row, group, wall in self.with_moments():
            found.append(
                Planned(
                    row.card, group, self.caption_of(row), wall, self.viewer, self.notes(row, group, wall)
                )
            )
        found.sort(key=lambda planned: planned.wall.at if planned.wall else self.now)
        return found

    def with_moments(self) -> list[tuple[AccountRow, list[VideoRow], zones.Wall | None]]:
        """Every post with its moment; nothing where the moments cannot be told. All accounts get the same ones,
        but in windows, which each account has its own room in."""
        pairs = [(row, number, group) for row in self.chosen for number, group in enumerate(self.groups)]
        match self.mode:
            case "tray":
                return [(row, group, None) for row, _, group in pairs]
            case "windows":
                moments = self.in_windows([row for row, _, _ in pairs])
                return [
                    (row, group, zones.Wall(at, self.zone))
                    for (row, _, group), at in zip(pairs, moments, strict=False)
                ]
            case "every":
                hours = self.number("hours", self.hours, least=1 / 60, most=MOST_HOURS)
                if self.wall is None or hours is None:
                    return []
                walls: list[zones.Wall | None] = [
                    zones.Wall(at, self.zone, self.wall.note if number == 0 else "")
                    for number, at in enumerate(spreading.every(self.wall.at, hours, len(self.groups)))
                ]
            case _:
                walls = [self.own_wall(group) for group in self.groups]
        return [(row, group, walls[number]) for row, number, group in pairs if walls[number] is not None]

    def own_wall(self, group: Sequence[VideoRow]) -> zones.Wall | None:
        """The time of its own that the video has, else that of the form."""
        video = group[0]
        if not (self.has_own_times and video.at.strip()):
            return self.wall
        name = f"at-{video.number}"
        if wall := self.wall_of(video.at, name):
            self.check_moment(wall, name)
        return wall

    def in_windows(self, rows: Sequence[AccountRow]) -> list[datetime]:
        spread = self.window_spread()
        if spread is None:
            return []
        try:
            return scheduling.in_windows([row.card.account for row in rows], spread, now=self.now)
        except NoRoom as error:
            self.wrong("windows", str(error))
            return []

    def window_spread(self) -> Spread | None:
        windows, gap = self.parsed_windows(), self.number("gap", self.gap, least=1, most=24 * 60)
        if not windows or gap is None:
            return None
        return Spread(
            mode="windows", windows=windows, gap=timedelta(minutes=gap), zone=self.zone,
            start=self.wall.at if self.wall else None,
        )  # fmt: skip

    def notes(
        self, row: AccountRow, group: Sequence[VideoRow], wall: zones.Wall | None
    ) -> list[tuple[str, str]]:
        """(tone, sentence) of what to know about one post."""
        if wall is None:
            return []
        run = dry_run.DryRun(wall.at)
        if wall.at < self.now - scheduling.JUST_NOW:
            run.say("bad", f"{zones.spoken(wall.at, self.viewer)} is in the past.")
        else:
            if wall.note:
                run.say("warn", wall.note)
            account = row.card.account
            size = sum(video.source.size_bytes or 0 for video in group)
            dry_run.of_upload(run, self.speed(account.destination_id), size, wall.at, now=self.now)
            dry_run.of_neighbours(run, account, wall.at, self.viewer)
        return [(each.tone, each.sentence) for each in run.findings if each.tone in ("warn", "bad")]

    def speed(self, destination_id: int) -> Speed:
        if destination_id not in self._speeds:
            self._speeds[destination_id] = Speed.of(destination_id)
        return self._speeds[destination_id]

    @cached_property
    def _speeds(self) -> dict[int, Speed]:
        return {}

    @property
    def warnings(self) -> int:
        return sum(bool(planned.notes) for planned in self.plan)

    # ---------------------------------------------------------------- saving

    def save(self, *, who: str) -> list[ScheduledPost]:
        """Save every post of the plan, or none. Raises Refused with what the form could not foresee."""
        wishes = [
            Wish(
                account_uuid=planned.account.account.uuid, caption=planned.caption, post_type=self.post_type,
                scheduled_for=planned.wall.at if planned.wall else None, time_zone=self.zone.key,
                sources=tuple(video.source for video in planned.videos),
            )
            for planned in self.plan
        ]  # fmt: skip
        spread = Spread(mode="tray" if self.mode == "tray" else "keep")
        return scheduling.schedule(wishes, spread=spread, key=self.key, who=who, now=self.now)

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

    def refuse(self, error: Refused) -> None:
        """Put a refusal beside the field it is about."""
        fields: dict[type[Refused], str] = {
            scheduling.InThePast: "at",
            scheduling.NoRoom: "windows",
            scheduling.UnauthorizedAccount: "account",
            scheduling.UnknownAccount: "account",
        }
        self.wrong(fields.get(type(error), "form"), str(error))


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


def too_long(caption: str) -> str:
    return f"The caption has {len(caption):,} characters; at most {CAPTION_CHARACTERS:,}."
