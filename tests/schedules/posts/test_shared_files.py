"""Uploaded videos where a storage is chosen: they go to Spaces, and every machine reads them there."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from jobs import runner
from sandbox.server import Sandbox
from schedules.posts import media
from schedules.posts.models import PostStatus, ScheduledPost
from schedules.posts.page import leftovers
from tests.jobs.worker_process import until
from tests.s3 import S3, Trouble, s3_server
from tests.schedules.conftest import fresh
from uploader import kept_files
from uploader.kept_files import MARK
from uploader.social_accounts import SocialAccount
from uploader.transfer import sending

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/schedule/smart-schedule"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture
def bucket(s3: S3, settings: Any, library: Path) -> str:
    """The bucket that STORAGE_URL names, with a prefix."""
    name = s3.new_bucket()
    settings.STORAGE = {
        **settings.STORAGE, "is_chosen": True, "url": f"s3://{name}/own", "key": s3.key, "secret": s3.secret,
        "endpoint": s3.url, "region": "us-east-1", "ca_file": s3.ca_file,
    }  # fmt: skip
    return name


@pytest.fixture
def clip(one_video: Path) -> SimpleUploadedFile:
    """Larger than one request to the storage brings."""
    return SimpleUploadedFile("clip.mp4", one_video.read_bytes() + os.urandom(6_000_000), "video/mp4")


def send(client: Client, account: SocialAccount, clip: SimpleUploadedFile, **changes: Any) -> Any:
    at = timezone.now() + timedelta(minutes=10)
    body = {"accountUuid": account.uuid, "scheduledFor": at.isoformat(), "videos": clip, **changes}
    return client.post(URL, body)


def on_this_machine(settings: Any) -> list[str]:
    return sorted(path.name for path in (Path(settings.MEDIA_ROOT) / "posts").glob("*"))


def test_an_uploaded_video_goes_to_spaces_and_the_answer_has_its_address(
    operator_client: Client, account: SocialAccount, s3: S3, bucket: str, clip: SimpleUploadedFile,
    settings: Any, one_video: Path,
) -> None:  # fmt: skip
    (row,) = send(operator_client, account, clip).json()["posts"]
    (key,) = s3.keys(bucket)
    assert re.fullmatch(r"own/posts/[0-9a-f]{32}\.mp4", key)
    assert row["videoUrls"] == [f"{s3.url}/{bucket}/{key}"]
    assert row["videoSizes"] == [one_video.stat().st_size + 6_000_000]
    assert on_this_machine(settings) == [Path(key).name + MARK]


def test_a_worker_on_another_machine_uploads_it_from_there(
    operator_client: Client, account: SocialAccount, bucket: str, clip: SimpleUploadedFile, social: Sandbox,
    settings: Any, tmp_path: Path,
) -> None:  # fmt: skip
    send(operator_client, account, clip)
    settings.MEDIA_ROOT = tmp_path / "another machine"
    media.pre_upload(timezone.now())
    runner.drain("upload")
    post = ScheduledPost.objects.get()
    assert post.status == PostStatus.MEDIA_UPLOADED, post.error_message
    (remote,) = social.media()
    assert (remote["id"], remote["size"]) == (post.videos.get().media_id, clip.size)


def test_it_plays_from_there(
    operator_client: Client, account: SocialAccount, bucket: str, clip: SimpleUploadedFile
) -> None:
    send(operator_client, account, clip)
    post = ScheduledPost.objects.get()
    answer = operator_client.get(f"/posts/{post.pk}/videos/1/", headers={"Range": "bytes=5000000-5000099"})
    clip.seek(0)
    assert (answer.status_code, answer.content) == (206, clip.read()[5_000_000:5_000_100])
    assert answer["Content-Range"] == f"bytes 5000000-5000099/{clip.size}"


def test_a_video_the_storage_lost_fails_its_post_by_name(
    operator_client: Client, account: SocialAccount, s3: S3, bucket: str, clip: SimpleUploadedFile
) -> None:
    send(operator_client, account, clip)
    s3.client.delete_object(Bucket=bucket, Key=s3.keys(bucket)[0])
    runner.drain("upload")
    post = ScheduledPost.objects.get()
    assert post.status == PostStatus.FAILED
    assert "is gone. Upload it again." in post.error_message


def test_a_storage_that_does_not_answer_is_no_fault_of_the_platform(
    operator_client: Client, account: SocialAccount, bucket: str, clip: SimpleUploadedFile, settings: Any
) -> None:
    send(operator_client, account, clip)
    settings.STORAGE = {**settings.STORAGE, "endpoint": "http://127.0.0.1:9"}
    runner.drain("upload")
    post = ScheduledPost.objects.get()
    job = post.videos.get().job
    assert job is not None and post.status == PostStatus.PENDING
    assert "cannot be read now" in job.error_message
    account.destination.refresh_from_db()
    assert account.destination.why_not_now(timezone.now()) == ""


def test_a_storage_that_goes_away_in_the_middle_of_a_file_costs_one_more_try(
    operator_client: Client, account: SocialAccount, s3: S3, bucket: str, clip: SimpleUploadedFile,
    social: Sandbox, settings: Any,
) -> None:  # fmt: skip
    settings.UPLOAD_RETRY_DELAYS_SECONDS = [0.1]
    door = Trouble(s3)
    settings.STORAGE = {**settings.STORAGE, "endpoint": door.s3.url}
    send(operator_client, account, clip)
    pieces = iter([None, "reset"])
    door.fault = lambda asked: next(pieces, None) if asked.method == "GET" else None
    try:
        until(lambda: (runner.drain("upload"), fresh(ScheduledPost.objects.get()).pre_uploaded)[1])
    finally:
        door.close()
    job = ScheduledPost.objects.get().videos.get().job
    assert job is not None and job.attempt == 2
    assert [remote["size"] for remote in social.media()] == [clip.size]


def test_while_the_storage_is_away_nothing_is_saved_and_it_is_said(
    operator_client: Client, account: SocialAccount, bucket: str, clip: SimpleUploadedFile, settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(sending, "TRIES", 1)
    settings.STORAGE = {**settings.STORAGE, "endpoint": "http://127.0.0.1:9"}
    answer = send(operator_client, account, clip)
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert "The video clip.mp4 could not be kept" in answer.json()["error"]
    assert not ScheduledPost.objects.exists()


def test_a_refused_request_leaves_nothing_behind(
    operator_client: Client, account: SocialAccount, s3: S3, bucket: str, clip: SimpleUploadedFile,
    settings: Any,
) -> None:  # fmt: skip
    assert send(operator_client, account, clip, accountUuid="nobody").status_code == 404
    assert (s3.keys(bucket), on_this_machine(settings)) == ([], [])


def test_a_file_chosen_in_the_form_is_saved_by_any_machine(
    operator_client: Client, account: SocialAccount, s3: S3, bucket: str, clip: SimpleUploadedFile,
    settings: Any, tmp_path: Path,
) -> None:  # fmt: skip
    (token,) = operator_client.post("/posts/new/files/", {"files": clip}).json()["tokens"]
    settings.MEDIA_ROOT = tmp_path / "another machine"
    form = {"video": token, "account": account.pk, "mode": "tray", "do": "save"}
    assert operator_client.post("/posts/new/", form).status_code == 302
    video = fresh(ScheduledPost.objects.get()).videos.get()
    assert kept_files.is_there(video.media_path)


def test_what_nothing_came_of_is_removed_from_there_after_two_days(
    operator_client: Client, account: SocialAccount, s3: S3, bucket: str, clip: SimpleUploadedFile,
    settings: Any,
) -> None:  # fmt: skip
    send(operator_client, account, clip)
    (used,) = s3.keys(bucket)
    clip.seek(0)
    operator_client.post("/posts/new/files/", {"files": clip})
    s3.client.put_object(Bucket=bucket, Key="own/posts/of-somebody-else.mp4", Body=b"theirs")
    assert len(s3.keys(bucket)) == 3
    long_ago = time.time() - 3 * 86400
    for path in (Path(settings.MEDIA_ROOT) / "posts").iterdir():
        os.utime(path, (long_ago, long_ago))
    assert leftovers.remove(timezone.now()) == 1
    assert s3.keys(bucket) == sorted([used, "own/posts/of-somebody-else.mp4"])
    assert on_this_machine(settings) == [Path(used).name + MARK]
