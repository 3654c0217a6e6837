"""Pre-upload (seed 003, phase 2): the media go ahead, one video after the other, their ids one by one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs import runner
from jobs.events import Event, history_of
from sandbox.server import Sandbox
from schedules.posts.media import LONGEST_LEAD, Speed, due, pre_upload
from schedules.posts.models import PREPARE, PostStatus
from tests.schedules.conftest import MakePost, fresh
from uploader.destinations import Destination
from uploader.upload_jobs import UploadJob

pytestmark = pytest.mark.django_db


def drain() -> None:
    while runner.drain("upload"):
        continue


def test_the_video_goes_up_and_no_post_is_made(make_post: MakePost, social: Sandbox) -> None:
    post = make_post()
    assert pre_upload(timezone.now()) == [post]
    drain()
    done = fresh(post)
    assert (done.status, done.pre_uploaded) == (PostStatus.MEDIA_UPLOADED, True)
    assert done.pre_upload_at
    assert done.media_ids == [media["id"] for media in social.media()]
    assert social.posts() == []


def test_it_is_told_to_live_pages(make_post: MakePost) -> None:
    post = make_post()
    pre_upload(timezone.now())
    drain()
    (event,) = Event.objects.filter(topic="posts")
    assert (event.type, event.data["postId"], event.data["status"]) == (
        "post_media_uploaded", post.pk, "MEDIA_UPLOADED",
    )  # fmt: skip


def test_only_what_is_due_within_the_lead_goes_up(make_post: MakePost, settings: Any) -> None:
    settings.PRE_UPLOAD_LEAD_SECONDS = 3600
    now = timezone.now()
    soon = make_post(at=now + timedelta(minutes=59))
    make_post(at=now + timedelta(minutes=61))
    assert due(now) == [soon]


def test_posts_of_several_accounts_are_found_once_each(make_post: MakePost, workspace: Destination) -> None:
    instagram, facebook = workspace.social_accounts.order_by("remote_id")[:2]
    posts = [make_post(account=instagram), make_post(account=facebook)]
    assert due(timezone.now()) == posts


def test_a_post_made_ten_minutes_ahead_is_due_at_once(make_post: MakePost) -> None:
    post = make_post(at=timezone.now() + timedelta(minutes=10))
    assert due(timezone.now()) == [post]


def test_a_post_without_a_moment_is_never_due(make_post: MakePost) -> None:
    post = make_post()
    post.scheduled_for = None
    post.save()
    assert due(timezone.now()) == []


def test_large_files_are_begun_earlier_by_the_measured_speed(
    make_post: MakePost, workspace: Destination, settings: Any
) -> None:
    settings.PRE_UPLOAD_LEAD_SECONDS = 3600
    now = timezone.now()
    UploadJob.objects.create(
        destination=workspace, upload_type="media", media_name="job-1.mp4", library_path="x.mp4", title="x",
        status="completed", bytes_total=10_000_000, started_at=now - timedelta(seconds=1000), finished_at=now,
    )  # fmt: skip
    assert Speed.of(workspace.pk).bytes_per_second == 10_000
    large = make_post(at=now + timedelta(hours=5))
    type(large).objects.filter(pk=large.pk).update(total_bytes=100_000_000)
    small = make_post(at=now + timedelta(hours=5))
    # 100 MB at 10 kB/s take 2 h 47 min; doubled for caution.
    assert due(now) == [large]
    assert small not in due(now)


def test_videos_go_one_after_the_other_and_their_ids_are_saved_one_by_one(
    make_post: MakePost, social: Sandbox
) -> None:
    post = make_post(videos=3)
    pre_upload(timezone.now())
    seen = []
    while UploadJob.objects.filter(status="waiting").count() == 1:
        seen.append([video.media_id is not None for video in post.videos.all()])
        (job,) = UploadJob.objects.claim("worker#1", now=timezone.now())
        runner.execute(job)
    assert seen == [[False] * 3, [True, False, False], [True, True, False]]
    assert fresh(post).status == PostStatus.MEDIA_UPLOADED
    assert fresh(post).media_ids == [media["id"] for media in social.media()]


def test_several_tickers_begin_a_video_once(make_post: MakePost) -> None:
    make_post()
    now = timezone.now()
    pre_upload(now)
    pre_upload(now)
    assert UploadJob.objects.count() == 1


def test_an_upload_that_fails_for_good_fails_its_post_by_name(make_post: MakePost) -> None:
    post = make_post(videos=2)
    post.videos.filter(position=2).update(library_path="gone.mp4")
    pre_upload(timezone.now())
    drain()
    done = fresh(post)
    assert (done.status, done.error_kind) == (PostStatus.FAILED, "rejected")
    assert done.error_message.startswith("Video 2 of 2 (gone.mp4): File missing")
    assert Event.objects.filter(topic="posts", type="post_failed").exists()


def test_the_publisher_takes_it_just_before_its_moment(make_post: MakePost) -> None:
    post = make_post(at=timezone.now() + timedelta(minutes=10))
    pre_upload(timezone.now())
    drain()
    assert fresh(post).take_at == post.scheduled_for - PREPARE


def test_every_step_is_in_the_history(make_post: MakePost) -> None:
    post = make_post(videos=2)
    pre_upload(timezone.now())
    drain()
    assert list(history_of(post).values_list("type", flat=True)) == [
        "uploading",
        "uploading",
        "media_uploaded",
    ]


def test_no_lead_is_longer_than_a_day() -> None:
    assert Speed(1.0).lead(10**9) == LONGEST_LEAD
