"""The form that makes posts: what was typed is kept, each refusal stands beside its field, a plan is shown first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from schedules.posts import deciding, scheduling, spreading
from schedules.posts.media import Speed
from schedules.posts.models import ScheduledPost
from schedules.posts.page import dry_run, zones
from schedules.posts.page.cards import AccountCard
from schedules.posts.page.form_accounts import AccountRow, Accounts
from schedules.posts.page.form_times import Times
from schedules.posts.page.form_videos import VideoRow, Videos
from schedules.posts.scheduling import MOST_VIDEOS, NoRoom, Refused, Spread, Wish
from uploader.platforms.onlysocial.records import CAPTION_CHARACTERS

MOST_HOURS = 24 * 31
MOST_POSTS = 200


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
class PostForm(Videos, Accounts, Times):
    """What was typed, and what it comes to."""

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
        warn_of_neighbours(found)
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

    def refuse(self, error: Refused) -> None:
        """Put a refusal beside the field it is about."""
        fields: dict[type[Refused], str] = {
            scheduling.InThePast: "at",
            scheduling.NoRoom: "windows",
            scheduling.UnauthorizedAccount: "account",
            scheduling.UnknownAccount: "account",
        }
        self.wrong(fields.get(type(error), "form"), str(error))


def warn_of_neighbours(plan: Sequence[Planned]) -> None:
    """Say which posts of the plan, the earliest first, are close to one another on the same account."""
    last: dict[int, Planned] = {}
    for planned in plan:
        before = last.get(planned.account.account.pk)
        last[planned.account.account.pk] = planned
        if before is None or before.wall is None or planned.wall is None:
            continue
        apart = planned.wall.at - before.wall.at
        if apart < dry_run.NEAR:
            by = f"{zones.length(apart.total_seconds())} after" if apart else "at the same moment as"
            name = ", ".join(video.name for video in before.videos)
            planned.notes.append(("warn", f"Goes out on {planned.account.account} {by} {name}."))


def too_long(caption: str) -> str:
    return f"The caption has {len(caption):,} characters; at most {CAPTION_CHARACTERS:,}."
