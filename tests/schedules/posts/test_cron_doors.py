"""`/api/cron/pre-upload` and `/api/cron/publish` (seed 003): for an outside cron, harmless beside the worker."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from jobs.errors import ErrorKind
from sandbox.server import Sandbox
from schedules.posts.models import PostStatus, ScheduledPost
from schedules.posts.publisher import Publisher
from tests.schedules.conftest import MakePost, fresh
from tests.schedules.test_races import at_once
from uploader.social_accounts import SocialAccount
from uploader.upload_jobs import UploadJob

pytestmark = pytest.mark.django_db(transaction=True)

PRE_UPLOAD, PUBLISH = "/api/cron/pre-upload", "/api/cron/publish"
SECRET = "a-secret-of-the-cron"


@pytest.fixture(autouse=True)
def _secret(settings: Any) -> None:
    settings.CRON_SECRET = SECRET


def call(url: str, *, method: str = "get", secret: str = SECRET) -> Any:
    return getattr(Client(), method)(url, headers={"Authorization": f"Bearer {secret}"})


def rows(answer: Any) -> dict[int, dict[str, Any]]:
    assert answer.status_code == 200, answer.content
    assert answer.json()["success"] is True
    return {row["id"]: row for row in answer.json()["posts"]}


# -------------------------------------------------------------------- the key


@pytest.mark.parametrize("url", [PRE_UPLOAD, PUBLISH])
@pytest.mark.parametrize("secret", ["", "wrong", "a-secret-of-the-cron-", "a-secret-of-the-cro", "é"])
def test_a_wrong_secret_is_refused(url: str, secret: str) -> None:
    answer = call(url, secret=secret)
    assert (answer.status_code, answer.json()["code"]) == (401, "cron_secret_wrong")


def test_no_secret_at_all_is_refused() -> None:
    assert Client().get(PRE_UPLOAD).status_code == 401


def test_without_a_configured_secret_the_doors_are_shut_and_say_so(settings: Any) -> None:
    settings.CRON_SECRET = ""
    answer = call(PUBLISH, secret="")
    assert (answer.status_code, answer.json()["code"]) == (503, "cron_secret_unset")


def test_a_login_does_not_open_the_doors(operator_client: Client) -> None:
    assert operator_client.get(PUBLISH).status_code == 401


# -------------------------------------------------------------------- what they do


@pytest.mark.parametrize("method", ["get", "post"])
def test_pre_upload_uploads_the_media_and_makes_no_post(
    make_post: MakePost, social: Sandbox, method: str
) -> None:
    post = make_post(at=timezone.now() + timedelta(minutes=50))
    row = rows(call(PRE_UPLOAD, method=method))[post.pk]
    done = fresh(post)
    assert (row["did"], row["status"]) == ("uploaded", "MEDIA_UPLOADED")
    assert row["mediaIds"] == [str(social.media()[0]["id"])] == [str(done.videos.get().media_id)]
    assert (done.status, done.pre_uploaded, done.pre_upload_at is not None) == ("MEDIA_UPLOADED", True, True)
    assert social.posts() == []


def test_pre_upload_leaves_what_is_due_later(make_post: MakePost, social: Sandbox) -> None:
    make_post(at=timezone.now() + timedelta(hours=2))
    assert rows(call(PRE_UPLOAD)) == {}
    assert social.media() == []


def test_pre_upload_tells_of_a_video_that_cannot_be_read(make_post: MakePost) -> None:
    post = make_post()
    post.videos.update(library_path="gone.mp4")
    row = rows(call(PRE_UPLOAD))[post.pk]
    assert (row["did"], row["status"]) == ("failed", "FAILED")
    assert "File missing at gone.mp4" in row["error"]


@pytest.mark.parametrize("method", ["get", "post"])
def test_publish_creates_and_publishes_what_is_due(
    uploaded_post: MakePost, social: Sandbox, method: str
) -> None:
    post = uploaded_post(at=timezone.now() - timedelta(seconds=30))
    row = rows(call(PUBLISH, method=method))[post.pk]
    assert (row["did"], row["status"]) == ("published", "PUBLISHED")
    assert row["publishedAt"]
    assert [remote["status"] for remote in social.posts()] == ["published"]


def test_publish_leaves_what_is_due_later(uploaded_post: MakePost, social: Sandbox) -> None:
    uploaded_post(at=timezone.now() + timedelta(minutes=4))
    assert rows(call(PUBLISH)) == {}
    assert social.posts() == []


def test_publish_tells_what_was_missed(uploaded_post: MakePost) -> None:
    post = uploaded_post(at=timezone.now() - timedelta(minutes=6))
    row = rows(call(PUBLISH))[post.pk]
    assert (row["did"], fresh(post).error_kind) == ("missed", ErrorKind.MISSED)


def test_the_manual_test_of_the_requirement(make_post: MakePost, social: Sandbox) -> None:
    """Schedule, pre-upload, look, publish, look."""
    post = make_post(at=timezone.now() + timedelta(hours=2))
    assert fresh(post).status == PostStatus.PENDING
    ScheduledPost.objects.filter(pk=post.pk).update(scheduled_for=timezone.now() + timedelta(minutes=1))
    call(PRE_UPLOAD)
    assert fresh(post).status == PostStatus.MEDIA_UPLOADED
    at = timezone.now()
    ScheduledPost.objects.filter(pk=post.pk).update(scheduled_for=at, take_at=at)
    call(PUBLISH)
    assert fresh(post).status == PostStatus.PUBLISHED
    assert len(social.posts()) == 1


def test_the_log_tells_each_phase(
    operator_client: Client, account: SocialAccount, library: Path, one_video: Path, social: Sandbox,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """What the requirement lists under “Log da controllare”, in its order."""
    caplog.set_level("INFO", logger="schedules")
    shutil.copy(one_video, library / "video1.mp4")
    at = timezone.now() + timedelta(seconds=2)
    body = {"accountUuid": account.uuid, "videoPaths": ["video1.mp4"], "scheduledFor": at.isoformat()}
    answer = operator_client.post("/api/schedule/smart-schedule", body, content_type="application/json")
    number = answer.json()["posts"][0]["id"]
    call(PRE_UPLOAD)
    call(PUBLISH)
    (media,), uuid = social.media(), ScheduledPost.objects.get().remote_uuid
    said = iter(caplog.messages)
    for line in (
        "Saving 1 videos to database for user olga",
        f"Post {number}: saved to database with video1.mp4. Scheduled for (UTC): {at:%Y-%m-%dT%H:%M}",
        f"Post {number}: uploading video 1 of 1: video1.mp4",
        "Starting pre-upload",
        f"Post {number}: video 1 uploaded. Media ID: {media['id']}",
        f"Post {number}: database updated, status: MEDIA_UPLOADED. It will be published at (UTC): ",
        "Starting publish",
        "Found 1 posts to publish",
        f"Post {number}: creating post on OnlySocial. Media IDs: [{media['id']}]",
        f"Post {number}: post created on OnlySocial with UUID: {uuid}",
        f"Asked OnlySocial to publish now: {number}",
        f"Post {number}: published successfully",
    ):
        assert any(line in message for message in said), f"{line}; {caplog.messages}"


def test_the_log_tells_what_failed_and_why(make_post: MakePost, caplog: pytest.LogCaptureFixture) -> None:
    post = make_post()
    post.videos.update(library_path="gone.mp4")
    call(PRE_UPLOAD)
    assert any(
        f"Post {post.pk}: status: FAILED" in message and "gone.mp4" in message for message in caplog.messages
    )


def test_pre_upload_says_how_many_it_found(make_post: MakePost, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="schedules")
    make_post(), make_post()
    call(PRE_UPLOAD)
    assert "Found 2 posts to pre-upload" in caplog.messages


def test_the_table_has_the_name_the_requirement_asks(make_post: MakePost) -> None:
    make_post()
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM scheduled_posts WHERE status = 'PENDING'")
        assert cursor.fetchone() == (1,)


# -------------------------------------------------------------------- several at once


def test_both_doors_twice_at_once_beside_a_publisher_do_no_harm(
    make_post: MakePost, uploaded_post: MakePost, social: Sandbox
) -> None:
    to_upload = [make_post() for _ in range(3)]
    to_publish = [uploaded_post(at=timezone.now() + timedelta(seconds=1)) for _ in range(3)]
    before = len(social.media())
    work = [
        lambda: call(PRE_UPLOAD), lambda: call(PRE_UPLOAD), lambda: call(PUBLISH), lambda: call(PUBLISH),
        lambda: Publisher().run(),
    ]  # fmt: skip
    at_once(5, lambda: work.pop()())
    call(PUBLISH)
    assert {fresh(post).status for post in to_upload} == {PostStatus.MEDIA_UPLOADED}
    assert {fresh(post).status for post in to_publish} == {PostStatus.PUBLISHED}
    assert len(social.media()) - before == UploadJob.objects.count() == 3
    assert len(social.posts()) == len(social.requests("create_post")) == 3
