"""A file of a post on its way to OnlySocial over real HTTP: what each trouble does to its job. It arrives once."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from jobs.errors import Cancelled
from jobs.events import Event, history_of
from jobs.running import Run, new_token, supervision
from sandbox.server import Sandbox
from tests.conftest import make_destination, make_social
from tests.jobs.worker_process import until
from tests.uploader.test_delivering import assert_failed, assert_waits, attempt, go_on
from uploader import delivering_media
from uploader.destinations import Destination
from uploader.ledger import LedgerEntry
from uploader.media_uploads import create_media_upload
from uploader.platforms.errors import Rejected
from uploader.upload_jobs import UploadJob, create_upload


@pytest.fixture
def clip(library: Path, one_video: Path) -> Path:
    path = library / "clips" / "sea.mp4"
    path.parent.mkdir()
    shutil.copy(one_video, path)
    return path


@pytest.fixture
def job(social: Destination, clip: Path) -> UploadJob:
    return create_media_upload(social, library_path="clips/sea.mp4", now=timezone.now())


def assert_there(job: UploadJob, platform: Sandbox, *, attempts: int = 1) -> None:
    assert (job.status, job.error_kind, job.error_message) == ("completed", "", "")
    (media,) = platform.media()
    assert (str(media["id"]), media["name"]) == (job.remote_id, job.media_name)
    assert job.attempt == attempts


def uploads(platform: Sandbox) -> int:
    return len(platform.requests("upload_media"))


# -------------------------------------------------------------------- the happy path


def test_a_file_of_the_library_becomes_media_of_the_platform(
    job: UploadJob, platform: Sandbox, clip: Path
) -> None:
    job = attempt(job)
    assert_there(job, platform)
    (media,) = platform.media()
    assert media["sha1"] == hashlib.sha1(clip.read_bytes(), usedforsecurity=False).hexdigest()
    assert (job.progress, job.bytes_sent, job.bytes_total) == (100, media["size"], media["size"])
    assert job.media_name.startswith("job-") and job.media_name.endswith(".mp4")
    assert job.remote_url == media["url"]
    assert job.title == "sea.mp4"
    job.destination.refresh_from_db()
    assert job.destination.health == "ok"
    assert not LedgerEntry.objects.exists(), "OnlySocial counts no videos a day"
    assert platform.videos() == [] and platform.posts() == []


def test_an_uploaded_file_is_read_below_media_root(
    social: Destination, platform: Sandbox, settings: Any, library: Path, one_video: Path
) -> None:
    kept = Path(settings.MEDIA_ROOT) / "posts" / "a.mp4"
    kept.parent.mkdir(parents=True)
    shutil.copy(one_video, kept)
    job = attempt(create_media_upload(social, media_path="posts/a.mp4", now=timezone.now()))
    assert_there(job, platform)


def test_three_files_of_a_post_are_three_jobs(social: Destination, platform: Sandbox, clip: Path) -> None:
    jobs = [
        create_media_upload(social, library_path="clips/sea.mp4", title=f"{n}", now=timezone.now())
        for n in range(3)
    ]
    done = [attempt(job) for job in jobs]
    assert [job.remote_id for job in done] == [str(media["id"]) for media in platform.media()]
    assert len({job.media_name for job in done}) == 3


@pytest.mark.django_db(transaction=True)
def test_progress_is_written_and_told_while_bytes_move(job: UploadJob, platform: Sandbox, clip: Path) -> None:
    with clip.open("ab") as file:
        file.write(bytes(1_000_000))
    platform.settings(byte_rate=400_000)
    (held,) = UploadJob.objects.claim(new_token("test"), now=timezone.now())
    run = Run(held)
    with supervision.over(run):
        held.perform(run)
    told = [event.data for event in Event.objects.filter(topic="jobs", type="uploadProgress")]
    assert told and all(0 <= each["progress"] < 100 for each in told)
    assert [each["bytesSent"] for each in told] == sorted(each["bytesSent"] for each in told)
    assert {each["uploadType"] for each in told} == {"media"}
    assert told[-1]["bytesPerSecond"] > 0 or len(told) == 1


@pytest.mark.django_db(transaction=True)
def test_a_cancelled_upload_stops_in_the_middle_of_the_bytes(
    job: UploadJob, platform: Sandbox, clip: Path
) -> None:
    with clip.open("ab") as file:
        file.write(bytes(20_000_000))
    platform.settings(byte_rate=400_000)
    (held,) = UploadJob.objects.claim(new_token("test"), now=timezone.now())
    run = Run(held)
    asking = threading.Thread(target=cancel_once_it_moves, args=(job, platform))
    asking.start()
    with supervision.over(run), pytest.raises(Cancelled):
        held.perform(run)
    asking.join()
    assert UploadJob.objects.get().create_intended_at is None
    assert platform.media() == []


def cancel_once_it_moves(job: UploadJob, platform: Sandbox) -> None:
    until(lambda: platform.requests("upload_media"))
    UploadJob.objects.get(pk=job.pk).cancel(who="olga", now=timezone.now())
    connection.close()


# -------------------------------------------------------------------- trouble


@pytest.mark.parametrize(
    "trouble", [{"drop_before": True}, {"status": 503}, {"status": 504, "body": "<html>"}, {"truncate_reply": 5}],
    ids=str,
)  # fmt: skip
def test_a_broken_call_costs_one_attempt_and_the_file_arrives_once(
    trouble: dict[str, Any], job: UploadJob, platform: Sandbox
) -> None:
    platform.add_fault("upload_media", **trouble)
    job = attempt(job)
    assert (job.status, job.attempt) == ("waiting", 1)
    assert_there(go_on(job), platform, attempts=2)


def test_a_connection_cut_within_the_body_is_begun_anew_without_a_look(
    job: UploadJob, platform: Sandbox, clip: Path
) -> None:
    with clip.open("ab") as file:
        file.write(bytes(30_000_000))
    platform.add_fault("upload_media", drop_after_bytes=1000)
    job = attempt(job)
    assert (job.status, job.error_kind, job.create_intended_at) == ("waiting", "transient", None)
    assert_there(go_on(job), platform, attempts=2)
    assert platform.requests("list_media") == []


def test_an_upload_whose_answer_was_lost_is_found(job: UploadJob, platform: Sandbox) -> None:
    platform.add_fault("upload_media", apply_then_drop=True)
    job = attempt(job)
    assert_waits(job, "outcome_unknown", attempts=1, seconds=60)
    assert job.create_intended_at is not None
    assert_there(go_on(job), platform, attempts=2)
    assert uploads(platform) == 1


def test_an_upload_that_shows_late_in_the_list_is_found_at_the_second_look(
    job: UploadJob, platform: Sandbox
) -> None:
    platform.add_fault("upload_media", apply_then_drop=True)
    platform.settings(onlysocial_list_lag_seconds=3600)
    job = attempt(attempt(job) and due(job))
    assert (job.status, job.reconcile_misses) == ("waiting", 1)
    platform.settings(onlysocial_list_lag_seconds=0)
    assert_there(go_on(job), platform, attempts=2)
    assert uploads(platform) == 1


def test_an_upload_not_found_twice_is_sent_again(job: UploadJob, platform: Sandbox) -> None:
    platform.add_fault("upload_media", status=502)
    assert_there(go_on(job), platform, attempts=2)
    assert (uploads(platform), len(platform.requests("list_media"))) == (2, 2)


def due(job: UploadJob) -> UploadJob:
    UploadJob.objects.filter(pk=job.pk).update(not_before_at=timezone.now())
    return UploadJob.objects.get(pk=job.pk)


def test_refused_credentials_hold_the_destination_and_cost_no_attempt(
    job: UploadJob, platform: Sandbox
) -> None:
    platform.settings(onlysocial_token_revoked=True)
    job = attempt(job)
    assert_waits(job, "credentials", attempts=0, seconds=900)
    job.destination.refresh_from_db()
    assert (job.destination.health, job.destination.held_kind) == ("failing", "credentials")
    platform.settings(onlysocial_token_revoked=False)
    job.destination.test_connection(who="olga", now=timezone.now())
    assert_there(attempt(job), platform)


def test_a_rate_limit_is_waited_out_and_costs_no_attempt(job: UploadJob, platform: Sandbox) -> None:
    platform.add_fault("upload_media", status=429, headers={"Retry-After": "40"})
    job = attempt(job)
    assert_waits(job, "rate_limited", attempts=0, seconds=40)
    assert job.create_intended_at is None
    assert_there(go_on(job), platform)


@pytest.mark.parametrize("status", [413, 422])
def test_what_the_platform_refuses_fails_at_once(status: int, job: UploadJob, platform: Sandbox) -> None:
    platform.add_fault("upload_media", status=status)
    job = attempt(job)
    assert_failed(job, f"HTTP {status}")
    assert job.create_intended_at is None


def test_a_file_over_the_limit_fails_and_nothing_is_sent(
    db: None, platform: Sandbox, library: Path, clip: Path
) -> None:
    small = make_social(platform, max_video_bytes=1000)
    job = attempt(create_media_upload(small, library_path="clips/sea.mp4", now=timezone.now()))
    assert_failed(job, "takes at most 1,000")
    assert uploads(platform) == 0


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("clips/none.mp4", "File missing"), ("clips/link.mp4", "leads outside"), ("clips/part.mp4", "being downloaded")],
)  # fmt: skip
def test_a_file_that_is_not_right_fails_before_anything_is_sent(
    path: str, sentence: str, social: Destination, platform: Sandbox, clip: Path, tmp_path: Path
) -> None:
    (clip.parent / "link.mp4").symlink_to(tmp_path / "secret.mp4")
    (tmp_path / "secret.mp4").write_bytes(b"x")
    shutil.copy(clip, clip.parent / "part.mp4")
    (clip.parent / "part.mp4.part").touch()
    job = attempt(create_media_upload(social, library_path=path, now=timezone.now()))
    assert_failed(job, sentence)
    assert uploads(platform) == 0


@pytest.mark.parametrize("path", ["../secret.mp4", "/etc/passwd.mp4", "posts/../../secret.mp4", "link.mp4"])
def test_nothing_outside_media_root_is_read(
    path: str, social: Destination, platform: Sandbox, settings: Any, library: Path
) -> None:
    root = Path(settings.MEDIA_ROOT)
    root.mkdir()
    (root.parent / "secret.mp4").write_bytes(b"x")
    (root / "link.mp4").symlink_to(root.parent / "secret.mp4")
    job = attempt(create_media_upload(social, media_path=path, now=timezone.now()))
    assert_failed(job, "not among the uploaded files")
    assert uploads(platform) == 0


def test_an_uploaded_file_that_is_gone_fails(social: Destination, platform: Sandbox, library: Path) -> None:
    job = attempt(create_media_upload(social, media_path="posts/none.mp4", now=timezone.now()))
    assert_failed(job, "Upload it again")


def test_a_file_written_to_during_the_upload_is_sent_again(
    job: UploadJob, platform: Sandbox, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as before, and another: only its time tells."""
    content_type_of = delivering_media.content_type_of

    def touch(job: UploadJob) -> str:
        os.utime(clip, ns=(1, 1))
        return content_type_of(job)

    monkeypatch.setattr(delivering_media, "content_type_of", touch)
    job = attempt(job)
    assert (job.status, job.remote_id, job.create_intended_at) == ("waiting", "", None)
    assert "changed during the upload" in job.error_message
    assert platform.media() == [], "what arrived of the former file was taken away again"
    monkeypatch.undo()
    assert_there(go_on(job), platform, attempts=2)


def test_a_library_that_cannot_be_reached_is_waited_for(
    job: UploadJob, platform: Sandbox, library: Path
) -> None:
    away = library.rename(library.with_name("away"))
    job = attempt(job)
    assert_waits(job, "transient", attempts=0, seconds=60)
    job.destination.refresh_from_db()
    assert not job.destination.is_held(timezone.now())
    away.rename(library)
    assert_there(go_on(job), platform)


@pytest.mark.parametrize("how", ["paused", "switched off"])
def test_a_destination_that_may_not_be_used_is_waited_for(
    how: str, job: UploadJob, platform: Sandbox
) -> None:
    if how == "paused":
        job.destination.pause(who="olga", now=timezone.now())
    else:
        Destination.objects.update(is_active=False)
    job = attempt(job)
    assert (job.status, job.attempt) == ("waiting", 0)
    assert uploads(platform) == 0


def test_who_comes_second_takes_its_own_file_away(job: UploadJob, platform: Sandbox, clip: Path) -> None:
    (frozen,) = UploadJob.objects.claim(new_token("frozen"), now=timezone.now())
    other = UploadJob.objects.filter(pk=job.pk)
    with job.destination.open_onlysocial() as client:
        size = clip.stat().st_size
        first = client.upload_media("clips/sea.mp4", name="first.mp4", size=size)
        second = client.upload_media("clips/sea.mp4", name="second.mp4", size=size)
        other.update(remote_id=str(first.id))
        delivering_media.keep(frozen, Run(frozen), second, client)
    assert [media["id"] for media in platform.media()] == [first.id]
    assert UploadJob.objects.get().remote_id == str(first.id)
    assert f"{second.id} was taken away" in history_of(job).get(type="duplicate").why


def test_a_workspace_gets_two_files_at_once_and_others_go_on(
    platform: Sandbox, social: Destination, clip: Path, make_series: Any
) -> None:
    for _ in range(3):
        create_media_upload(social, library_path="clips/sea.mp4", now=timezone.now())
    elsewhere = create_media_upload(
        make_social(platform, "other"), library_path="clips/sea.mp4", now=timezone.now()
    )
    video = create_upload(
        make_series("Harbour", 1).episodes.get(), make_destination(platform), now=timezone.now()
    )
    taken = [job for _ in range(5) for job in UploadJob.objects.claim(new_token("test"), now=timezone.now())]
    assert [job.pk for job in taken[2:]] == [elsewhere.pk, video.pk]
    assert not UploadJob.objects.claimable(timezone.now()).exists()
    taken[0].complete(now=timezone.now())
    assert UploadJob.objects.claimable(timezone.now()).count() == 1


# -------------------------------------------------------------------- what makes no job


def test_a_file_of_another_type_makes_no_job(social: Destination) -> None:
    with pytest.raises(Rejected, match="of no type OnlySocial takes"):
        create_media_upload(social, library_path="clips/sea.mov", now=timezone.now())
    assert not UploadJob.objects.exists()


def test_a_destination_for_videos_takes_no_media(destination: Destination) -> None:
    with pytest.raises(Rejected, match="takes whole videos"):
        create_media_upload(destination, library_path="clips/sea.mp4", now=timezone.now())


@pytest.mark.parametrize("given", [{}, {"library_path": "a.mp4", "url": "https://a/b.mp4"}], ids=str)
def test_a_media_job_has_exactly_one_source(given: dict[str, str], social: Destination) -> None:
    with pytest.raises(ValueError, match="Give one"):
        create_media_upload(social, now=timezone.now(), **given)
    columns = {"library_path": given.get("library_path", ""), "media_url": given.get("url", "")}
    with pytest.raises(IntegrityError), transaction.atomic():
        UploadJob.objects.create(
            destination=social, upload_type="media", media_name="job-1.mp4", title="x", **columns
        )


def test_no_signed_address_is_told(
    social: Destination, platform: Sandbox, settings: Any, client: Any
) -> None:
    url = "https://bucket.fra1.digitaloceanspaces.com/sea.mp4?X-Amz-Signature=canary-77"
    settings.MEDIA_HOSTS = []
    job = create_media_upload(social, url=url, now=timezone.now())
    assert job.title == "sea.mp4"
    told = [f"{event.why} {event.data}" for event in Event.objects.all()]
    assert "canary-77" not in f"{job} {told}"
