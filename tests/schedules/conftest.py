"""What tests of posts stand on: the stand-in for OnlySocial, an account there, posts in any phase."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from sandbox.server import Sandbox
from schedules.posts import outcomes
from schedules.posts.models import PostStatus, ScheduledPost
from schedules.posts.videos import PostVideo
from uploader.accounts import Platform
from uploader.destinations import Destination
from uploader.social_accounts import SocialAccount

MakePost = Callable[..., ScheduledPost]
# The stand-in's first accounts; the last one is no longer authorized.
INSTAGRAM, FACEBOOK, YOUTUBE, TIKTOK, LOST = range(42174, 42179)


@pytest.fixture
def social(platform: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The stand-in, publishing at once; looks and retries follow one another without long waits."""
    platform.settings(onlysocial_publish_seconds=0)
    monkeypatch.setattr(outcomes, "LOOK_SECONDS", (0.05, 0.1))
    monkeypatch.setattr(outcomes, "RETRY_SECONDS", (0.1,))
    monkeypatch.setattr(outcomes, "BARRED_SECONDS", 1)
    return platform


@pytest.fixture
def workspace(db: None, social: Sandbox) -> Destination:
    return make_workspace(social)


def make_workspace(platform: Sandbox, name: str = "social") -> Destination:
    """A destination at the stand-in with its accounts."""
    settings = platform.settings()
    destination = Destination.objects.create(
        name=name,
        title=name.title(),
        platform=Platform.ONLYSOCIAL,
        api_key=settings["onlysocial_token"],
        workspace=settings["onlysocial_workspace"],
        api_url=platform.onlysocial_url,
    )
    for row in settings["onlysocial_accounts"]:
        SocialAccount.objects.create(
            destination=destination,
            remote_id=row["id"],
            uuid=row["uuid"],
            name=row["name"],
            provider=row["provider"],
            is_authorized=row["authorized"],
            seen_at=timezone.now(),
        )
    return destination


@pytest.fixture
def account(workspace: Destination) -> SocialAccount:
    return workspace.social_accounts.get(remote_id=INSTAGRAM)


@pytest.fixture
def make_post(account: SocialAccount, library: Path, one_video: Path) -> MakePost:
    """`make_post(videos=2, at=…)`: a pending post with real files in the library."""

    def make(*, videos: int = 1, at: datetime | None = None, **fields: Any) -> ScheduledPost:
        number = ScheduledPost.objects.count() + 1
        now = timezone.now()
        at = at or now + timedelta(minutes=10)
        size = one_video.stat().st_size
        post = ScheduledPost.objects.create(
            **{"account": account, "caption": f"Post {number}", "scheduled_for": at} | fields,
            total_bytes=videos * size,
        )
        for position in range(1, videos + 1):
            path = f"post-{number}-{position}.mp4"
            shutil.copy(one_video, library / path)
            PostVideo.objects.create(post=post, position=position, library_path=path, size_bytes=size)
        return post

    return make


@pytest.fixture
def uploaded_post(make_post: MakePost, workspace: Destination, one_video: Path) -> MakePost:
    """`uploaded_post(at=…)`: a post whose media are on the platform."""

    def make(*, at: datetime | None = None, **fields: Any) -> ScheduledPost:
        at = at or timezone.now() + timedelta(seconds=0.5)
        post = make_post(at=at, **fields)
        with workspace.open_onlysocial() as client, one_video.open("rb") as file:
            media = client.upload_media(file, name=f"job-{post.pk}.mp4", size=one_video.stat().st_size)
        post.videos.update(media_id=media.id)
        ScheduledPost.objects.filter(pk=post.pk).update(
            status=PostStatus.MEDIA_UPLOADED, pre_uploaded=True, pre_upload_at=timezone.now(),
            take_at=ScheduledPost.first_take(at),
        )  # fmt: skip
        return fresh(post)

    return make


def fresh(post: ScheduledPost) -> ScheduledPost:
    return ScheduledPost.objects.select_related("account__destination").get(pk=post.pk)
