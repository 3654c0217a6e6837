"""`POST /api/schedule/smart-schedule` (seed 003, phase 1): saved as PENDING, nothing goes to OnlySocial."""

from __future__ import annotations

import io
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone

from jobs.events import Event
from sandbox.server import Sandbox
from schedules.posts import sources, uploads
from schedules.posts.models import PostStatus, ScheduledPost
from uploader.destinations import Destination
from uploader.social_accounts import SocialAccount
from uploader.upload_jobs import UploadJob

pytestmark = pytest.mark.django_db

URL = "/api/schedule/smart-schedule"


@pytest.fixture
def video(library: Path, one_video: Path) -> str:
    shutil.copy(one_video, library / "video1.mp4")
    return "video1.mp4"


def wish(account: SocialAccount, **changes: Any) -> dict[str, Any]:
    at = timezone.now() + timedelta(hours=5)
    return {
        "accountUuid": account.uuid,
        "caption": "Testo del post",
        "postType": "reel",
        "scheduledFor": at.isoformat(),
        **changes,
    }


def send(client: Client, body: Any, **headers: str) -> Any:
    return client.post(URL, json.dumps(body), content_type="application/json", headers=headers)


def refused(answer: Any, status: int, code: str) -> str:
    found = answer.json()
    assert (answer.status_code, found["success"], found["code"]) == (status, False, code), found
    return found["error"]


def test_every_video_is_saved_as_pending(
    operator_client: Client, account: SocialAccount, video: str, one_video: Path
) -> None:
    at = datetime(2030, 10, 30, 14, 0, tzinfo=UTC).replace(year=timezone.now().year + 1)
    answer = send(operator_client, wish(account, videoPaths=[video], scheduledFor=at.isoformat()))
    assert answer.status_code == 200
    (row,) = answer.json()["posts"]
    assert (row["status"], row["preUploaded"]) == ("PENDING", False)
    assert row["scheduledFor"] == at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert (row["accountUuid"], row["caption"], row["postType"]) == (account.uuid, "Testo del post", "reel")
    assert (row["videoFilenames"], row["videoSizes"]) == (["video1.mp4"], [one_video.stat().st_size])
    post = ScheduledPost.objects.get(pk=row["id"])
    assert (post.status, post.pre_uploaded, post.created_by) == (PostStatus.PENDING, False, "olga")


def test_nothing_goes_to_onlysocial(
    operator_client: Client, account: SocialAccount, video: str, social: Sandbox
) -> None:
    send(operator_client, wish(account, videoPaths=[video]))
    assert social.requests() == []
    assert not UploadJob.objects.exists()


def test_live_pages_hear_of_it(operator_client: Client, account: SocialAccount, video: str) -> None:
    send(operator_client, wish(account, videoPaths=[video]))
    (event,) = Event.objects.filter(topic="posts")
    assert (event.type, event.data["accountUuid"]) == ("post_scheduled", account.uuid)


def test_a_post_due_in_ten_minutes_is_uploaded_at_once(
    operator_client: Client, account: SocialAccount, video: str
) -> None:
    at = timezone.now() + timedelta(minutes=10)
    send(operator_client, wish(account, videoPaths=[video], scheduledFor=at.isoformat()))
    job = UploadJob.objects.get()
    assert (job.upload_type, job.library_path) == ("media", video)


def test_a_time_with_an_offset_is_stored_in_utc(
    operator_client: Client, account: SocialAccount, video: str
) -> None:
    year = timezone.now().year + 1
    send(operator_client, wish(account, videoPaths=[video], scheduledFor=f"{year}-03-02T15:30:00+05:30"))
    post = ScheduledPost.objects.get()
    assert (post.scheduled_for, post.time_zone) == (datetime(year, 3, 2, 10, tzinfo=UTC), "+05:30")


def test_a_wall_time_is_that_of_its_zone(operator_client: Client, account: SocialAccount, video: str) -> None:
    year = timezone.now().year + 1
    body = wish(account, videoPaths=[video], scheduledFor=f"{year}-07-02T15:30:00", timeZone="Europe/Rome")
    send(operator_client, body)
    post = ScheduledPost.objects.get()
    assert (post.scheduled_for, post.time_zone) == (datetime(year, 7, 2, 13, 30, tzinfo=UTC), "Europe/Rome")


def test_a_wall_time_without_a_zone_is_refused(
    operator_client: Client, account: SocialAccount, video: str
) -> None:
    body = wish(account, videoPaths=[video], scheduledFor="2099-07-02T15:30:00")
    assert "names no zone" in refused(send(operator_client, body), 400, "invalid_moment")


# -------------------------------------------------------------------- refusals


@pytest.mark.parametrize("value", ["", "tomorrow", "2025-13-40T00:00:00Z", 17, None])
def test_a_moment_nobody_can_read_is_refused(
    operator_client: Client, account: SocialAccount, video: str, value: Any
) -> None:
    answer = send(operator_client, wish(account, videoPaths=[video], scheduledFor=value))
    assert answer.status_code == 400
    assert "scheduledFor" in answer.json()["error"]


def test_a_moment_in_the_past_is_refused(operator_client: Client, account: SocialAccount, video: str) -> None:
    past = (timezone.now() - timedelta(hours=1)).isoformat()
    answer = send(operator_client, wish(account, videoPaths=[video], scheduledFor=past))
    assert "is in the past" in refused(answer, 400, "in_the_past")
    assert not ScheduledPost.objects.exists()


def test_an_unknown_account_is_refused(operator_client: Client, account: SocialAccount, video: str) -> None:
    answer = send(operator_client, wish(account, videoPaths=[video], accountUuid="nobody"))
    assert "no social account “nobody”" in refused(answer, 404, "unknown_account")


def test_an_account_that_is_no_longer_connected_is_refused(
    operator_client: Client, workspace: Destination, video: str
) -> None:
    lost = workspace.social_accounts.get(is_authorized=False)
    answer = send(operator_client, wish(lost, videoPaths=[video]))
    assert "not connected" in refused(answer, 409, "unauthorized_account")


def test_a_file_over_100_mb_is_refused(
    operator_client: Client, account: SocialAccount, library: Path
) -> None:
    with (library / "large.mp4").open("wb") as file:
        file.write(b"\0\0\0\x18ftypisom")
        file.truncate(100_000_001)
    answer = send(operator_client, wish(account, videoPaths=["large.mp4"]))
    assert "at most 100,000,000 (100 MB)" in refused(answer, 413, "too_large")


@pytest.mark.parametrize("name", ["notes.txt", "film.mkv", "noending"])
def test_a_wrong_type_is_refused(
    operator_client: Client, account: SocialAccount, library: Path, name: str
) -> None:
    (library / name).write_bytes(b"\0\0\0\x18ftypisom")
    answer = send(operator_client, wish(account, videoPaths=[name]))
    assert "no MP4 video" in refused(answer, 415, "wrong_type")


def test_a_file_that_only_calls_itself_a_video_is_refused(
    operator_client: Client, account: SocialAccount, library: Path
) -> None:
    (library / "fake.mp4").write_bytes(b"<html>not at all</html>")
    refused(send(operator_client, wish(account, videoPaths=["fake.mp4"])), 415, "wrong_type")


@pytest.mark.parametrize("path", ["../secret.mp4", "/etc/passwd.mp4", "gone.mp4"])
def test_a_path_that_is_no_file_of_the_library_is_refused(
    operator_client: Client, account: SocialAccount, library: Path, path: str
) -> None:
    assert send(operator_client, wish(account, videoPaths=[path])).status_code in (400, 404)


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/x.mp4", "https://example.com/v.mp4", "file:///v.mp4"]
)
def test_an_address_outside_of_spaces_is_refused(
    operator_client: Client, account: SocialAccount, url: str
) -> None:
    refused(send(operator_client, wish(account, videoUrls=[url])), 400, "invalid_video")


def test_a_story_where_there_are_none_is_refused(
    operator_client: Client, workspace: Destination, video: str
) -> None:
    youtube = workspace.social_accounts.get(provider="youtube")
    answer = send(operator_client, wish(youtube, videoPaths=[video], postType="story"))
    assert "no stories" in refused(answer, 400, "refused")


@pytest.mark.parametrize(
    "body", [[], "post", {}, {"posts": []}, {"posts": [1]}, {"accountUuid": 5}, {"posts": "{"}]
)
def test_a_body_that_makes_no_sense_is_refused(operator_client: Client, body: Any, db: None) -> None:
    answer = send(operator_client, body)
    assert answer.status_code == 400
    assert answer.json()["success"] is False


def test_one_bad_post_of_several_saves_none(
    operator_client: Client, account: SocialAccount, video: str
) -> None:
    good, bad = wish(account, videoPaths=[video]), wish(account, videoPaths=[video], accountUuid="nobody")
    error = refused(send(operator_client, {"posts": [good, bad]}), 404, "unknown_account")
    assert error.startswith("Post 2:")
    assert not ScheduledPost.objects.exists()


def test_the_same_request_twice_is_refused(
    operator_client: Client, account: SocialAccount, video: str
) -> None:
    body = {"posts": [wish(account, videoPaths=[video])] * 2}
    first = send(operator_client, body, **{"Idempotency-Key": "k-1"})
    again = send(operator_client, body, **{"Idempotency-Key": "k-1"})
    assert "carried out already" in refused(again, 409, "duplicate_request")
    assert again.json()["posts"] == [row["id"] for row in first.json()["posts"]]
    assert ScheduledPost.objects.count() == 2


def test_the_same_key_with_another_request_is_refused_as_a_mistake(
    operator_client: Client, account: SocialAccount, video: str
) -> None:
    body = wish(account, videoPaths=[video])
    (row,) = send(operator_client, body, **{"Idempotency-Key": "k-1"}).json()["posts"]
    other = send(operator_client, body | {"caption": "Another"}, **{"Idempotency-Key": "k-1"})
    error = refused(other, 422, "idempotency_key_reused")
    assert f"belongs to another request, which made post {row['id']}. Nothing was scheduled." in error
    assert ScheduledPost.objects.get().caption == "Testo del post"


def test_a_form_with_a_file_sent_twice_is_the_same_request(
    operator_client: Client, account: SocialAccount, library: Path, one_video: Path
) -> None:
    body, header = wish(account), {"Idempotency-Key": "k-1"}
    assert operator_client.post(URL, {**body, "videos": file(one_video)}, headers=header).status_code == 200
    again = operator_client.post(URL, {**body, "videos": file(one_video)}, headers=header)
    refused(again, 409, "duplicate_request")
    other = operator_client.post(URL, {**body, "videos": file(one_video, "other.mp4")}, headers=header)
    refused(other, 422, "idempotency_key_reused")
    assert len(kept()) == 1


def test_a_viewer_may_not_schedule(viewer_client: Client, account: SocialAccount, video: str) -> None:
    assert send(viewer_client, wish(account, videoPaths=[video])).status_code == 403


def test_nobody_unknown_may_schedule(client: Client, account: SocialAccount, video: str) -> None:
    assert send(client, wish(account, videoPaths=[video])).status_code in (401, 403)


# -------------------------------------------------------------------- several at once


def test_several_posts_keep_their_times(operator_client: Client, account: SocialAccount, video: str) -> None:
    at = timezone.now().replace(microsecond=0) + timedelta(hours=3)
    wanted = [at + timedelta(minutes=7), at, at + timedelta(days=1)]
    body = {"posts": [wish(account, videoPaths=[video], scheduledFor=each.isoformat()) for each in wanted]}
    assert send(operator_client, body).status_code == 200
    assert [post.scheduled_for for post in ScheduledPost.objects.order_by("pk")] == wanted


def test_several_posts_every_six_hours(operator_client: Client, account: SocialAccount, video: str) -> None:
    first = timezone.now().replace(microsecond=0) + timedelta(hours=3)
    row = {**wish(account, videoPaths=[video]), "scheduledFor": None}
    body = {"posts": [row] * 3, "spread": {"mode": "every", "hours": 6, "startsAt": first.isoformat()}}
    assert send(operator_client, body).status_code == 200
    wanted = [first + timedelta(hours=6) * number for number in range(3)]
    assert [post.scheduled_for for post in ScheduledPost.objects.order_by("pk")] == wanted


def test_several_posts_fill_the_free_windows(
    operator_client: Client, account: SocialAccount, video: str
) -> None:
    day = (timezone.now() + timedelta(days=2)).replace(hour=0, minute=0, second=0, microsecond=0)
    taken = day + timedelta(hours=9)
    ScheduledPost.objects.create(account=account, scheduled_for=taken)
    spread = {"mode": "windows", "windows": ["09:00-11:00"], "startsAt": day.isoformat(), "gapMinutes": 60}
    row = {**wish(account, videoPaths=[video]), "scheduledFor": None}
    assert send(operator_client, {"posts": [row] * 2, "spread": spread}).status_code == 200
    found = [post.scheduled_for for post in ScheduledPost.objects.order_by("pk")][1:]
    assert found == [day + timedelta(hours=10), day + timedelta(days=1, hours=9)]


# -------------------------------------------------------------------- files that come along


def file(one_video: Path, name: str = "clip.mp4") -> io.BytesIO:
    found = io.BytesIO(one_video.read_bytes())
    found.name = name
    return found


def kept() -> list[Path]:
    folder = Path(django_settings.MEDIA_ROOT) / uploads.FOLDER
    return sorted(folder.iterdir()) if folder.is_dir() else []


def test_uploaded_files_are_kept_below_media_root(
    operator_client: Client, account: SocialAccount, library: Path, one_video: Path
) -> None:
    answer = operator_client.post(URL, {**wish(account), "videos": [file(one_video), file(one_video)]})
    assert answer.status_code == 200, answer.json()
    assert [path.read_bytes() for path in kept()] == [one_video.read_bytes()] * 2
    post = ScheduledPost.objects.get()
    assert sorted(video.media_path for video in post.videos.all()) == [
        f"posts/{path.name}" for path in kept()
    ]


def test_several_posts_in_a_form_name_their_files(
    operator_client: Client, account: SocialAccount, library: Path, one_video: Path
) -> None:
    rows = [wish(account, files=["a"]), wish(account, files=["b"])]
    answer = operator_client.post(
        URL, {"posts": json.dumps(rows), "a": file(one_video), "b": file(one_video)}
    )
    assert answer.status_code == 200, answer.json()
    assert [post.videos.count() for post in ScheduledPost.objects.all()] == [1, 1]


def test_a_refused_upload_leaves_no_file(
    operator_client: Client, account: SocialAccount, library: Path, one_video: Path
) -> None:
    body = {**wish(account, accountUuid="nobody"), "videos": file(one_video)}
    assert operator_client.post(URL, body).status_code == 404
    assert kept() == []


def test_an_uploaded_file_over_the_limit_is_refused_and_not_kept(
    operator_client: Client, account: SocialAccount, library: Path, monkeypatch: pytest.MonkeyPatch,
    one_video: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr(uploads, "MEDIA_BYTES", 100)
    monkeypatch.setattr(sources, "MEDIA_BYTES", 100)
    answer = operator_client.post(URL, {**wish(account), "videos": file(one_video)})
    refused(answer, 413, "too_large")
    assert kept() == []


def test_an_uploaded_file_of_the_wrong_type_is_refused_and_not_kept(
    operator_client: Client, account: SocialAccount, library: Path
) -> None:
    notes = io.BytesIO(b"just words, no video at all")
    notes.name = "../../notes.txt"
    refused(operator_client.post(URL, {**wish(account), "videos": notes}), 415, "wrong_type")
    assert kept() == []


def test_an_uploaded_file_is_never_whole_in_memory(
    operator_client: Client, account: SocialAccount, library: Path, one_video: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    pieces: list[int] = []
    receive = uploads.KeepingHandler.receive_data_chunk
    monkeypatch.setattr(
        uploads.KeepingHandler, "receive_data_chunk",
        lambda self, data, start: (pieces.append(len(data)), receive(self, data, start))[1],
    )  # fmt: skip
    large = io.BytesIO(one_video.read_bytes() + bytes(5_000_000))
    large.name = "large.mp4"
    assert operator_client.post(URL, {**wish(account), "videos": large}).status_code == 200
    assert max(pieces) <= uploads.KeepingHandler.chunk_size
    assert sum(pieces) == large.getbuffer().nbytes


def test_the_document_of_the_api_describes_it(operator_client: Client) -> None:
    found = operator_client.get("/api/openapi.json").json()["paths"]
    assert set(found[URL]["post"]["requestBody"]["content"]) == {"application/json", "multipart/form-data"}
    assert set(found["/api/cron/publish"]) == {"get", "post"}
