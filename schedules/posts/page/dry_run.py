"""What giving a post another moment would do, said before it is done."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from schedules.posts import deciding, explaining
from schedules.posts.media import Speed
from schedules.posts.models import PREPARE, PostStatus, ScheduledPost
from schedules.posts.page import zones
from schedules.posts.page.cards import state_of, title_of
from schedules.posts.page.choices import STATES
from uploader.social_accounts import SocialAccount

# Two posts of one account so close together take the viewers from each other.
NEAR = timedelta(minutes=15)
MOST_NEIGHBOURS = 4
STANDING = (PostStatus.PENDING, PostStatus.MEDIA_UPLOADED, PostStatus.PUBLISHED)


@dataclass(frozen=True)
class Finding:
    """One consequence. `tone`: plain | good | warn | bad; a bad one forbids it."""

    tone: str
    sentence: str


@dataclass
class DryRun:
    """What would happen at `at`; nothing is written."""

    at: datetime | None
    findings: list[Finding] = field(default_factory=list)
    # It is so already.
    is_idle: bool = False

    @property
    def is_refused(self) -> bool:
        return any(found.tone == "bad" for found in self.findings)

    def say(self, tone: str, sentence: str) -> None:
        self.findings.append(Finding(tone, sentence))


def of_move(post: ScheduledPost, wall: zones.Wall | None, *, viewer: ZoneInfo, now: datetime) -> DryRun:
    """Moving `post` to `wall`, or into the tray. Reads only."""
    found = DryRun(wall.at if wall else None)
    try:
        deciding.refuse_move(post, found.at, now=now)
    except deciding.Refused as error:
        found.say("bad", capital(str(error)))
        return found
    if wall is None:
        of_tray(found, post)
        return found
    if wall.note:
        found.say("warn", wall.note)
    # A field holds no parts of a second.
    if post.is_open and post.scheduled_for and post.scheduled_for.replace(microsecond=0) == wall.at:
        found.say("plain", "That is its moment already; nothing changes.")
        found.is_idle = True
        return found
    found.say("plain", what_moves(post, wall.at, viewer))
    if not post.is_open:
        found.say("plain", f"It is {STATES[state_of(post)].lower()} now and is scheduled again.")
    of_time(found, post, wall.at, now=now)
    of_neighbours(found, post.account, wall.at, viewer, but=[post.pk])
    of_account(found, post.account, now=now)
    return found


def of_copy(post: ScheduledPost, wall: zones.Wall, *, viewer: ZoneInfo, now: datetime) -> DryRun:
    """Making a copy of `post` at `wall`. Reads only."""
    found = DryRun(wall.at)
    if wall.at < now - timedelta(seconds=30):
        found.say("bad", f"{zones.spoken(wall.at, viewer)} is in the past.")
        return found
    if wall.note:
        found.say("warn", wall.note)
    found.say("plain", f"A new post goes out {both(wall.at, viewer)}; this one stays as it is.")
    speed = Speed.of(post.account.destination_id)
    of_upload(found, speed, post.total_bytes, wall.at, now=now)
    of_neighbours(found, post.account, wall.at, viewer)
    of_account(found, post.account, now=now)
    return found


def of_tray(found: DryRun, post: ScheduledPost) -> None:
    if post.scheduled_for is None and post.is_open:
        found.say("plain", "It has no time already; nothing changes.")
        found.is_idle = True
        return
    found.say(
        "plain", "It loses its time and waits in the tray; nothing of it is published until it gets one."
    )
    if post.pre_uploaded:
        found.say("plain", "Its media stay on OnlySocial.")


def what_moves(post: ScheduledPost, at: datetime, viewer: ZoneInfo) -> str:
    """From where to where, and by how much."""
    if post.scheduled_for is None:
        return f"It gets its time: {both(at, viewer)}."
    seconds = (at - post.scheduled_for).total_seconds()
    by = f"{zones.length(seconds)} {'later' if seconds > 0 else 'earlier'}" if seconds else "unchanged"
    return f"From {zones.spoken(post.scheduled_for, viewer)} to {both(at, viewer)}: {by}."


def of_time(found: DryRun, post: ScheduledPost, at: datetime, *, now: datetime) -> None:
    """Past, at once, and whether its media get there in time."""
    if post.pre_uploaded:
        if at <= now + PREPARE:
            found.say("warn", "That is now: it is published as soon as it is saved.")
        else:
            found.say("good", "Its media are on OnlySocial already; nothing is uploaded again.")
        return
    left_bytes = sum(explaining.bytes_left(video) for video in post.videos.all() if video.media_id is None)
    of_upload(found, Speed.of(post.account.destination_id), left_bytes, at, now=now)


def of_upload(found: DryRun, speed: Speed, left_bytes: int, at: datetime, *, now: datetime) -> None:
    begins, left = at - speed.lead(left_bytes), at - now
    if left <= timedelta():
        found.say("warn", "That is past: its media go up now, and it is published as soon as they are there.")
    elif left_bytes and speed.needs(left_bytes) > left:
        found.say(
            "warn", f"Too close for its upload: {left_bytes / 1e6:,.0f} MB take about "
            f"{zones.length(speed.needs(left_bytes).total_seconds())} at the measured speed, and "
            f"{zones.length(left.total_seconds())} are left. It would be late or missed.",
        )  # fmt: skip
    elif begins <= now and left < explaining.LITTLE_TIME:
        found.say(
            "warn",
            f"Only {zones.length(left.total_seconds())} are left for its upload, which begins at once.",
        )
    elif begins <= now:
        found.say("plain", "Its media begin to go up at once.")
    else:
        found.say("good", f"Its media go up from {begins.astimezone(UTC):%Y-%m-%d %H:%M} UTC on.")


def of_neighbours(
    found: DryRun, account: SocialAccount, at: datetime, viewer: ZoneInfo, *, but: Collection[int] = ()
) -> None:
    """Other posts of the account around that moment."""
    near = neighbours(account, at, but=but)
    if not near:
        return
    names = [
        f"{zones.spoken(other.scheduled_for, viewer)} “{title_of(other)[:40]}”"
        for other in near[:MOST_NEIGHBOURS]
        if other.scheduled_for
    ]
    more = f" and {len(near) - len(names)} more" if len(near) > len(names) else ""
    minutes = round(NEAR.total_seconds() / 60)
    found.say("warn", f"Collides with what {account} has within {minutes} minutes: {'; '.join(names)}{more}.")


def neighbours(account: SocialAccount, at: datetime, *, but: Collection[int] = ()) -> list[ScheduledPost]:
    rows = ScheduledPost.objects.filter(
        account=account, status__in=STANDING, scheduled_for__gt=at - NEAR, scheduled_for__lt=at + NEAR
    )
    return list(rows.exclude(pk__in=list(but)).prefetch_related("videos").order_by("scheduled_for"))


def of_account(found: DryRun, account: SocialAccount, *, now: datetime) -> None:
    if account.why_not:
        found.say("warn", account.why_not)
    elif why := account.destination.why_not_now(now):
        found.say("warn", why)


def both(at: datetime, viewer: ZoneInfo) -> str:
    """A moment on the viewer's clock and in UTC."""
    local = zones.spoken(at, viewer)
    return local if viewer.key == "UTC" else f"{local} ({at.astimezone(UTC):%H:%M} UTC)"


def capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
