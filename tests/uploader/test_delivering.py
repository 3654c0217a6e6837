"""A video on its way to the platform over real HTTP: what each trouble does to its job. It arrives once."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from jobs import runner
from jobs.errors import Hold, JobError, LeaseLost
from jobs.events import history_of
from jobs.lifecycle import Status
from jobs.running import Run, new_token
from sandbox.server import Sandbox
from tests.conftest import make_destination
from tests.jobs.worker_process import until
from uploader import delivering
from uploader.catalog import Episode, Series
from uploader.destinations import Destination
from uploader.ledger import LedgerEntry
from uploader.platforms.dailymotion import NewVideo, RemoteVideo
from uploader.platforms.dailymotion.tokens import CACHE
from uploader.platforms.errors import QuotaReached
from uploader.upload_jobs import UploadJob, create_upload

DIALECTS = ("v2", "partner", "public")
Make = Callable[..., Series]


@pytest.fixture(autouse=True)
def no_token_yet() -> None:
    CACHE.clear()


@pytest.fixture
def job(destination: Destination, make_series: Make) -> UploadJob:
    return upload_of(make_series("Harbour", 1), destination)


def upload_of(series: Series, destination: Destination) -> UploadJob:
    return create_upload(series.episodes.get(), destination, now=timezone.now())


def attempt(job: UploadJob) -> UploadJob:
    """One attempt as the runner makes it, in this thread alone; gives the job as it is then."""
    (held,) = UploadJob.objects.filter(pk=job.pk).claim(new_token("test"), now=timezone.now())
    outcome: JobError | None = None
    try:
        held.perform(Run(held))
    except LeaseLost:
        return UploadJob.objects.get(pk=job.pk)
    except JobError as error:
        outcome = error
    runner.settle(held, outcome, now=timezone.now())
    return UploadJob.objects.get(pk=job.pk)


def go_on(job: UploadJob, *, most: int = 5) -> UploadJob:
    """Attempts without the waits between them, until the job has finished."""
    for _ in range(most):
        job = UploadJob.objects.get(pk=job.pk)
        if job.is_finished:
            break
        job.destination.resume(who="test", now=timezone.now())
        UploadJob.objects.filter(pk=job.pk).update(not_before_at=timezone.now())
        job = attempt(job)
    return job


def assert_delivered(job: UploadJob, platform: Sandbox, *, attempts: int = 1) -> None:
    assert (job.status, job.error_kind, job.error_message) == ("completed", "", "")
    (video,) = platform.videos()
    assert (video["id"], video["title"]) == (job.remote_id, job.title)
    assert job.attempt == attempts
    assert LedgerEntry.objects.filter(job=job).count() == 1


def assert_waits(job: UploadJob, kind: str, *, attempts: int, seconds: float) -> None:
    assert (job.status, job.error_kind, job.attempt) == ("waiting", kind, attempts)
    assert abs((job.not_before_at - timezone.now()).total_seconds() - seconds) < 5


def assert_failed(job: UploadJob, sentence: str, *, kind: str = "rejected", attempts: int = 1) -> None:
    assert (job.status, job.error_kind, job.attempt) == ("failed", kind, attempts)
    assert sentence in job.error_message


def requests(platform: Sandbox, route: str) -> int:
    return len(platform.requests(route))


def count_of(platform: Sandbox) -> int:
    return len(platform.videos())


# -------------------------------------------------------------------- the happy path


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_video_is_sent_created_and_published(dialect: str, platform: Sandbox, make_series: Make) -> None:
    series = make_series("Harbour", 1, intro="By the sea.")
    job = upload_of(series, make_destination(platform, dialect=dialect, tags="sea, harbour"))
    job = attempt(job)
    assert_delivered(job, platform)
    (video,) = platform.videos()
    assert video["state"] == "published"
    assert video["description"] == "By the sea."
    assert video["tags"] == ["sea", "harbour", job.tag]
    assert (video["category"], video["visibility"], video["is_for_kids"]) == ("tv", "public", False)
    assert video["size"] == series.episodes.get().size_bytes
    assert job.source_hash == video["sha1"]
    assert (job.progress, job.bytes_sent, job.stage) == (100, video["size"], "")
    assert requests(platform, "upload") == requests(platform, "create") == requests(platform, "token") == 1
    job.destination.refresh_from_db()
    assert (job.destination.health, job.destination.held_until) == ("ok", None)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_private_video_is_done_when_it_is_encoded(
    dialect: str, platform: Sandbox, make_series: Make
) -> None:
    destination = make_destination(platform, dialect=dialect, visibility="private")
    job = attempt(upload_of(make_series("Harbour", 1), destination))
    assert_delivered(job, platform)
    assert platform.videos()[0]["visibility"] == "private"


def test_the_file_arrives_as_it_is(job: UploadJob, platform: Sandbox, library: Path) -> None:
    attempt(job)
    sha1 = hashlib.sha1((library / "harbour/01.mp4").read_bytes(), usedforsecurity=False).hexdigest()
    assert platform.videos()[0]["sha1"] == sha1


@pytest.mark.parametrize("name", ['He said "no" & left.mp4', "🎬 Übung – épisode 1.mp4", "two\nlines.mp4"])
def test_a_file_of_any_name_arrives(name: str, job: UploadJob, platform: Sandbox, library: Path) -> None:
    (library / "harbour/01.mp4").rename(library / "harbour" / name)
    Episode.objects.update(path=f"harbour/{name}")
    assert_delivered(attempt(job), platform)


# -------------------------------------------------------------------- a broken line, at every step

BREAKS: dict[str, dict[str, Any]] = {
    "reset before it was applied": {"drop_before": True},
    "reset after it was applied": {"apply_then_drop": True},
    "server error": {"status": 500},
    "bad gateway in HTML": {"status": 502, "body": "<html><h1>Bad Gateway</h1></html>"},
    "an answer cut short": {"truncate_reply": 25},
    "a reset within the answer": {"drop_reply_after_bytes": 12},
}
SENTENCES = {
    "token": ("token", "reached"),
    "open_upload": ("open an upload", "reached"),
    "upload": ("take the file", "broke off"),
    "create": ("may have been applied", "create the video"),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("route", ["token", "open_upload", "upload", "create"])
@pytest.mark.parametrize("trouble", BREAKS)
def test_a_broken_call_costs_one_attempt_and_the_video_arrives_once(
    trouble: str, route: str, dialect: str, platform: Sandbox, make_series: Make
) -> None:
    job = upload_of(make_series("Harbour", 1), make_destination(platform, dialect=dialect))
    platform.add_fault(route, **BREAKS[trouble])
    job = attempt(job)
    assert_waits(job, "outcome_unknown" if route == "create" else "transient", attempts=1, seconds=60)
    assert any(part in job.error_message for part in SENTENCES[route]), job.error_message
    assert count_of(platform) <= 1
    assert_delivered(go_on(job), platform, attempts=2)
    if route == "create":
        assert requests(platform, "upload") == 1, "what the platform has is not sent again"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("trouble", BREAKS)
def test_a_broken_look_at_the_encoding_costs_no_attempt(
    trouble: str, dialect: str, platform: Sandbox, make_series: Make
) -> None:
    job = upload_of(make_series("Harbour", 1), make_destination(platform, dialect=dialect))
    platform.add_fault("get", times=2, **BREAKS[trouble])
    assert_delivered(attempt(job), platform)
    assert requests(platform, "get") == 3


def test_a_platform_that_stays_silent_about_the_encoding_is_asked_later(
    job: UploadJob, platform: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "PATIENCE_SECONDS", 0)
    fault = platform.add_fault("get", status=503, times=None)
    job = attempt(job)
    assert (job.status, job.attempt, job.stage) == ("waiting", 0, "encoding")
    platform.clear_faults(fault)
    assert_delivered(go_on(job), platform)


@pytest.mark.parametrize("trouble", BREAKS)
def test_a_broken_look_after_a_lost_answer_is_repeated(
    trouble: str, job: UploadJob, platform: Sandbox
) -> None:
    platform.add_fault("create", apply_then_drop=True)
    platform.add_fault("list", **BREAKS[trouble])
    attempt(job)
    again = go_on(job, most=1)
    assert (again.status, again.error_kind, again.attempt) == ("waiting", "transient", 2)
    assert count_of(platform) == 1
    assert_delivered(go_on(job), platform, attempts=3)


def test_a_connection_cut_within_the_body_is_begun_anew(job: UploadJob, platform: Sandbox) -> None:
    platform.add_fault("upload", drop_after_bytes=2000)
    job = attempt(job)
    assert_waits(job, "transient", attempts=1, seconds=60)
    assert "broke off after" in job.error_message
    assert_delivered(go_on(job), platform, attempts=2)
    assert len(platform.uploads()) == 2, "a new address, as the platform wants it"


def test_three_failed_attempts_end_the_job_and_a_retry_goes_on(job: UploadJob, platform: Sandbox) -> None:
    fault = platform.add_fault("upload", status=500, times=None)
    job = go_on(job)
    assert_failed(job, "could not take the file", kind="transient", attempts=3)
    assert count_of(platform) == 0
    assert not LedgerEntry.objects.exists(), "nothing was created: the place is given back"
    platform.clear_faults(fault)
    job.retry(who="olga", now=timezone.now())
    assert_delivered(attempt(job), platform, attempts=4)


def test_an_attempt_that_ended_unknown_is_looked_into_after_a_retry_too(
    job: UploadJob, platform: Sandbox
) -> None:
    UploadJob.objects.update(max_attempts=1)
    platform.add_fault("create", apply_then_drop=True)
    job = attempt(job)
    assert_failed(job, "may have been applied", kind="outcome_unknown")
    assert LedgerEntry.objects.count() == 1, "it may count: the place is kept"
    job.retry(who="olga", now=timezone.now())
    assert_delivered(attempt(job), platform, attempts=2)


@pytest.mark.django_db(transaction=True)
def test_a_body_that_stands_still_is_given_up(job: UploadJob, platform: Sandbox, settings: Any) -> None:
    settings.STALL_SECONDS = 0.4
    path = Path(settings.LIBRARY_ROOT) / "harbour/01.mp4"
    with path.open("ab") as file:
        # An MP4 may end in a box of padding; larger than the sockets' buffers.
        file.write((40_000_000).to_bytes(4) + b"free" + bytes(40_000_000 - 8))
    platform.add_fault("upload", stall_after_bytes=4096, seconds=20)
    (held,) = UploadJob.objects.claim(new_token("test"), now=timezone.now())
    runner.execute(held)
    job.refresh_from_db()
    assert_waits(job, "transient", attempts=1, seconds=60)
    assert job.error_message == "No byte moved for 0 seconds"
    assert count_of(platform) == 0


# -------------------------------------------------------------------- refusals


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("route", ["open_upload", "create", "get"])
def test_a_refused_token_is_renewed_once(
    route: str, dialect: str, platform: Sandbox, make_series: Make
) -> None:
    job = upload_of(make_series("Harbour", 1), make_destination(platform, dialect=dialect))
    platform.add_fault(route, status=401)
    assert_delivered(attempt(job), platform)
    assert requests(platform, "token") == 2


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("route", ["token", "open_upload", "create", "get"])
def test_refused_credentials_hold_the_destination_and_cost_no_attempt(
    route: str, dialect: str, platform: Sandbox, make_series: Make
) -> None:
    destination = make_destination(platform, dialect=dialect)
    job = upload_of(make_series("Harbour", 1), destination)
    fault = platform.add_fault(route, status=401, times=None)
    job = attempt(job)
    assert_waits(job, "credentials", attempts=0, seconds=runner.HOLD_SECONDS)
    assert "Dailymotion" in job.error_message
    destination.refresh_from_db()
    assert (destination.health, destination.held_kind) == ("failing", "credentials")
    assert destination.held_reason == destination.health_message == job.error_message

    calls = len(platform.requests())
    other = attempt(upload_of(make_series("Lighthouse", 1), destination))
    assert_waits(other, "credentials", attempts=0, seconds=runner.HOLD_SECONDS)
    assert len(platform.requests()) == calls, "the platform is not asked again meanwhile"

    platform.clear_faults(fault)
    destination.test_connection(who="olga", now=timezone.now())
    assert_delivered(attempt(job), platform)


@pytest.mark.parametrize("route", ["open_upload", "create"])
def test_a_missing_permission_holds_the_destination(route: str, job: UploadJob, platform: Sandbox) -> None:
    details = {"missing_permissions": ["video.manage"]}
    error = {"code": "MISSING_PERMISSIONS", "message": "Not allowed.", "details": details}
    platform.add_fault(route, status=403, body={"error": error})
    job = attempt(job)
    assert_waits(job, "credentials", attempts=0, seconds=runner.HOLD_SECONDS)
    assert "The key lacks video.manage." in job.error_message
    assert_delivered(go_on(job), platform)


@pytest.mark.parametrize("route", ["token", "open_upload", "get"])
def test_a_rate_limit_is_waited_out_and_costs_no_attempt(
    route: str, job: UploadJob, platform: Sandbox
) -> None:
    platform.add_fault(route, status=429, headers={"Retry-After": "120"})
    job = attempt(job)
    assert_waits(job, "rate_limited", attempts=0, seconds=120)
    job.destination.refresh_from_db()
    assert job.destination.is_held(timezone.now() + timedelta(seconds=115))
    with time_machine.travel(timezone.now() + timedelta(seconds=121)):
        assert_delivered(attempt(job), platform)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_quota_at_create_keeps_what_was_sent(dialect: str, platform: Sandbox, make_series: Make) -> None:
    job = upload_of(make_series("Harbour", 1), make_destination(platform, dialect=dialect))
    platform.settings(videos_per_day=0)
    job = attempt(job)
    wait = 3600 if dialect == "v2" else 86_400
    assert_waits(job, "quota", attempts=0, seconds=wait)
    assert "Upload allowance used up" in job.error_message
    assert job.source_url
    assert job.create_intended_at is None
    assert count_of(platform) == 0

    platform.settings(videos_per_day=15)
    with time_machine.travel(timezone.now() + timedelta(seconds=wait + 1)):
        assert_delivered(attempt(job), platform)
        assert requests(platform, "upload") == 1, "not a byte is sent again"


def test_a_replaced_file_is_sent_again_after_a_hold(job: UploadJob, platform: Sandbox, library: Path) -> None:
    platform.add_fault("create", status=429)
    attempt(job)
    os.utime(library / "harbour/01.mp4", ns=(1, 1))
    assert_delivered(go_on(job), platform)
    assert requests(platform, "upload") == 2


@pytest.mark.parametrize("status", [400, 422])
def test_what_the_platform_refuses_fails_at_once(status: int, job: UploadJob, platform: Sandbox) -> None:
    platform.add_fault("create", status=status)
    job = attempt(job)
    assert_failed(job, "Dailymotion refused to create the video")
    assert count_of(platform) == 0
    assert not LedgerEntry.objects.exists()


def test_a_video_the_platform_does_not_know_any_more_was_deleted(
    job: UploadJob, platform: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "PATIENCE_SECONDS", 0)
    platform.settings(encode_seconds=1000)
    job = attempt(job)
    assert (job.status, job.stage, job.attempt) == ("waiting", "encoding", 0)
    with job.destination.open_client() as client:
        client.delete_video(job.remote_id)
    job = go_on(job)
    assert_failed(job, "Main no longer has the video: somebody deleted it. Retry uploads it again.")
    assert count_of(platform) == 0
    assert LedgerEntry.objects.count() == 1, "the platform has counted it"

    platform.settings(encode_seconds=0)
    job.retry(who="olga", now=timezone.now())
    assert_delivered(attempt(job), platform, attempts=2)
    assert LedgerEntry.objects.count() == 2


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("outcome", ["encoding_error", "rejected"])
def test_a_video_that_is_not_published_fails_and_counts(
    outcome: str, dialect: str, platform: Sandbox, make_series: Make
) -> None:
    platform.settings(outcome=outcome)
    job = upload_of(make_series("Harbour", 1), make_destination(platform, dialect=dialect))
    job = attempt(job)
    assert_failed(job, "Main could not publish the video: Dailymotion")
    assert "Check the file, then retry." in job.error_message
    assert (job.remote_id, job.source_url) == ("", "")
    assert count_of(platform) == 1
    assert LedgerEntry.objects.count() == 1, "the platform has counted it"
    platform.settings(outcome="published")
    job.retry(who="olga", now=timezone.now())
    job = attempt(job)
    assert job.status == "completed"
    assert [video["id"] for video in platform.videos() if video["state"] == "published"] == [job.remote_id]


def test_an_address_that_expired_is_replaced(job: UploadJob, platform: Sandbox) -> None:
    platform.add_fault("open_upload", expire_session=True)
    job = attempt(job)
    assert_waits(job, "transient", attempts=1, seconds=60)
    assert "The file must be sent again." in job.error_message
    assert_delivered(go_on(job), platform, attempts=2)


def test_an_uploaded_file_that_is_gone_is_sent_again(job: UploadJob, platform: Sandbox) -> None:
    platform.add_fault("create", expire_session=True)
    job = attempt(job)
    assert_waits(job, "transient", attempts=1, seconds=60)
    assert (job.source_url, job.create_intended_at) == ("", None)
    assert_delivered(go_on(job), platform, attempts=2)
    assert requests(platform, "upload") == 2


def test_a_conflict_at_create_is_looked_into(job: UploadJob, platform: Sandbox) -> None:
    platform.add_fault("create", status=409)
    job = attempt(job)
    assert_waits(job, "outcome_unknown", attempts=1, seconds=60)
    assert_delivered(go_on(job), platform, attempts=2)


# -------------------------------------------------------------------- encoding


def test_a_long_encoding_lets_the_worker_go_and_costs_no_attempt(
    job: UploadJob, platform: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "PATIENCE_SECONDS", 0)
    platform.settings(encode_seconds=1000)
    for _ in range(4):
        job = go_on(job, most=1)
        assert (job.status, job.stage, job.progress, job.attempt) == ("waiting", "encoding", 99, 0)
    platform.advance(1000)
    assert_delivered(go_on(job), platform)
    assert requests(platform, "create") == 1


def test_a_person_is_called_when_encoding_takes_a_day(
    job: UploadJob, platform: Sandbox, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "PATIENCE_SECONDS", 0)
    platform.settings(encode_seconds=10**9)
    job = attempt(job)
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        job = attempt(job)
        assert_failed(job, "Main has not published the video after 25 hours. Look at it there")
    platform.settings(clock_offset_seconds=10**9)
    job.retry(who="olga", now=timezone.now())
    assert_delivered(attempt(job), platform, attempts=2)
    assert requests(platform, "create") == 1


def test_a_quota_does_not_keep_an_encoding_video_from_being_looked_at(
    job: UploadJob, platform: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "PATIENCE_SECONDS", 0)
    platform.settings(encode_seconds=1000)
    job = attempt(job)
    tomorrow = timezone.now() + timedelta(days=1)
    job.destination.hold(QuotaReached("Full."), now=timezone.now(), until=tomorrow)
    platform.advance(1000)
    UploadJob.objects.update(not_before_at=timezone.now())
    assert_delivered(attempt(job), platform)
    job.destination.refresh_from_db()
    assert job.destination.held_until == tomorrow, "that one video is published says nothing of the quota"


# -------------------------------------------------------------------- looking before repeating


def test_a_creation_whose_answer_was_lost_is_found(job: UploadJob, platform: Sandbox) -> None:
    platform.add_fault("create", apply_then_drop=True)
    job = attempt(job)
    assert (job.create_intended_at is not None, job.remote_id) == (True, "")
    assert_delivered(go_on(job, most=1), platform, attempts=2)
    assert requests(platform, "create") == 1


def test_a_creation_that_shows_late_in_the_list_is_found_at_the_second_look(
    job: UploadJob, platform: Sandbox, settings: Any
) -> None:
    settings.RECONCILE_WAIT_SECONDS = 60
    platform.settings(list_lag_seconds=30)
    platform.add_fault("create", apply_then_drop=True)
    attempt(job)
    job = go_on(job, most=1)
    assert_waits(job, "outcome_unknown", attempts=1, seconds=60)
    assert job.reconcile_misses == 1
    platform.advance(60)
    assert_delivered(go_on(job, most=1), platform, attempts=2)
    assert requests(platform, "create") == 1


def test_a_creation_not_found_twice_is_repeated_with_what_was_sent(job: UploadJob, platform: Sandbox) -> None:
    platform.add_fault("create", drop_before=True)
    sent = attempt(job).source_url
    once = go_on(job, most=1)
    assert (once.status, once.reconcile_misses, count_of(platform)) == ("waiting", 1, 0)
    assert_delivered(go_on(job, most=1), platform, attempts=2)
    assert requests(platform, "upload") == 1
    assert platform.videos()[0]["source_url"] == sent
    assert requests(platform, "list") == 2


def test_two_videos_for_one_upload_call_a_person(job: UploadJob, platform: Sandbox) -> None:
    platform.add_fault("create", apply_then_drop=True)
    job = attempt(job)
    with job.destination.open_client() as client:
        twin = client.create_video(job.source_url, NewVideo(job.title, "", (job.tag,), "tv"))
    job = go_on(job)
    assert_failed(job, "Main has 2 videos for this upload", attempts=2)
    assert twin.video_id in job.error_message
    assert "Delete all but one there, then retry." in job.error_message
    with job.destination.open_client() as client:
        client.delete_video(twin.video_id)
    job.retry(who="olga", now=timezone.now())
    assert_delivered(attempt(job), platform, attempts=3)


def test_another_video_of_the_same_title_is_not_taken_for_ours(job: UploadJob, platform: Sandbox) -> None:
    platform.add_fault("create", drop_before=True)
    job = attempt(job)
    with job.destination.open_client() as client:
        other = client.create_video(job.source_url, NewVideo(job.title, "", ("vid-other",), "tv"))
    job = go_on(job)
    assert job.status == "completed"
    assert job.remote_id != other.video_id


def test_who_comes_second_deletes_its_own_video(job: UploadJob, platform: Sandbox) -> None:
    """A worker woken from a freeze learns from its own creation that its successor was quicker."""
    (frozen,) = UploadJob.objects.claim(new_token("frozen"), now=timezone.now())
    job = upload_done_by_successor(frozen)
    first = job.remote_id
    with job.destination.open_client() as client:
        own = client.create_video(job.source_url, NewVideo(job.title, "", (job.tag,), "tv"))
        assert not delivering.record(frozen, own.video_id)
        delivering.withdraw(frozen, own, client)
    assert [video["id"] for video in platform.videos()] == [first]
    why = history_of(job).get(type="duplicate").why
    assert why == f"Main got the video twice: {first} and {own.video_id}. {own.video_id} was deleted at once."


def test_a_duplicate_that_cannot_be_deleted_is_told(job: UploadJob, platform: Sandbox) -> None:
    (frozen,) = UploadJob.objects.claim(new_token("frozen"), now=timezone.now())
    job = upload_done_by_successor(frozen)
    platform.add_fault("delete", status=500)
    with job.destination.open_client() as client:
        delivering.withdraw(frozen, RemoteVideo("x2"), client)
    assert "Delete x2 there: Dailymotion could not delete the video" in history_of(job).last().why


def upload_done_by_successor(frozen: UploadJob) -> UploadJob:
    UploadJob.objects.get(pk=frozen.pk).rescue(now=timezone.now())
    return attempt(frozen)


def test_a_video_made_by_a_worker_without_a_lease_is_its_successors(
    job: UploadJob, platform: Sandbox
) -> None:
    (frozen,) = UploadJob.objects.claim(new_token("frozen"), now=timezone.now())
    frozen.rescue(now=timezone.now())
    assert delivering.record(frozen, "x1")
    assert UploadJob.objects.get(pk=job.pk).remote_id == "x1"


# -------------------------------------------------------------------- files and rows that are not right


def remove(path: Path, one_video: Path) -> None:
    path.unlink()


def make_empty(path: Path, one_video: Path) -> None:
    path.write_bytes(b"")


def cut_short(path: Path, one_video: Path) -> None:
    path.write_bytes(one_video.read_bytes()[: one_video.stat().st_size // 2])


def replace_by_folder(path: Path, one_video: Path) -> None:
    path.unlink()
    path.mkdir()


def link_outside(path: Path, one_video: Path) -> None:
    path.unlink()
    path.symlink_to(one_video)


def leave_download(path: Path, one_video: Path) -> None:
    path.with_name(path.name + ".part").touch()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (remove, "file missing at harbour/01.mp4. Restore it, then retry."),
        (make_empty, "empty"),
        (cut_short, "harbour/01.mp4"),
        (replace_by_folder, "is a folder, not a file"),
        (link_outside, "leads outside the library"),
        (leave_download, "is still being downloaded"),
    ],
)
def test_a_file_that_is_not_right_fails_before_anything_is_sent(
    spoil: Callable[[Path, Path], None],
    sentence: str,
    job: UploadJob,
    platform: Sandbox,
    library: Path,
    one_video: Path,
) -> None:
    # Something else stays in the library: it is the file that is wrong, not the disk.
    (library / "other").mkdir()
    spoil(library / "harbour/01.mp4", one_video)
    job = attempt(job)
    assert_failed(job, sentence)
    assert job.error_message.startswith("Episode 1 of Harbour: ")
    assert platform.requests() == []
    assert not LedgerEntry.objects.exists()


def test_a_restored_file_is_delivered_after_a_retry(
    job: UploadJob, platform: Sandbox, library: Path, one_video: Path
) -> None:
    (library / "harbour/01.mp4").unlink()
    attempt(job)
    shutil.copy(one_video, library / "harbour/01.mp4")
    UploadJob.objects.get(pk=job.pk).retry(who="olga", now=timezone.now())
    assert_delivered(attempt(job), platform, attempts=2)


@pytest.mark.parametrize("how", ["gone", "empty"])
def test_a_library_that_cannot_be_reached_is_waited_for(
    how: str, job: UploadJob, platform: Sandbox, library: Path
) -> None:
    away = library.rename(library.with_name("away"))
    if how == "empty":
        library.mkdir()
    job = attempt(job)
    assert_waits(job, "transient", attempts=0, seconds=60)
    assert "cannot be reached" in job.error_message
    assert platform.requests() == []
    job.destination.refresh_from_db()
    assert job.destination.held_until is None, "the destination has nothing to do with it"
    shutil.rmtree(library, ignore_errors=True)
    away.rename(library)
    assert_delivered(go_on(job), platform)


def test_a_deleted_episode_fails_its_job(job: UploadJob, platform: Sandbox) -> None:
    Episode.objects.all().delete()
    job = attempt(job)
    assert_failed(job, "The video was deleted from the catalog.")
    assert platform.requests() == []


def test_an_episode_deleted_after_its_creation_does_not_stop_its_delivery(
    job: UploadJob, platform: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "PATIENCE_SECONDS", 0)
    platform.settings(encode_seconds=100)
    attempt(job)
    Episode.objects.all().delete()
    platform.advance(100)
    assert_delivered(go_on(job), platform)


@pytest.fixture
def during_the_upload(platform: Sandbox) -> Iterator[Callable[[Callable[[], None]], None]]:
    """`during_the_upload(do)`: have `do` done once the platform has the request and has not answered it."""
    threads: list[threading.Thread] = []

    def plan(do: Callable[[], None]) -> None:
        def wait_and_do() -> None:
            until(lambda: platform.requests("upload"), seconds=10)
            do()

        platform.add_fault("upload", delay=0.5)
        threads.append(threading.Thread(target=wait_and_do))
        threads[-1].start()

    yield plan
    for thread in threads:
        thread.join(10)


def test_a_file_written_to_during_the_upload_is_sent_again(
    job: UploadJob, platform: Sandbox, library: Path, during_the_upload: Callable[[Callable[[], None]], None]
) -> None:
    path = library / "harbour/01.mp4"
    content = path.read_bytes()
    during_the_upload(lambda: void(path.write_bytes(content)))
    job = attempt(job)
    assert_waits(job, "transient", attempts=1, seconds=60)
    assert job.error_message == "Episode 1 of Harbour: the file harbour/01.mp4 changed during the upload."
    assert count_of(platform) == 0
    assert_delivered(go_on(job), platform, attempts=2)


def test_a_file_exchanged_during_the_upload_arrives_as_it_was_begun(
    job: UploadJob, platform: Sandbox, library: Path, during_the_upload: Callable[[Callable[[], None]], None]
) -> None:
    path = library / "harbour/01.mp4"
    sha1 = hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()
    (library / "new.mp4").write_bytes(b"something else")
    during_the_upload(lambda: void((library / "new.mp4").replace(path)))
    assert_delivered(attempt(job), platform)
    assert platform.videos()[0]["sha1"] == sha1


def void(_: object) -> None:
    return None


# -------------------------------------------------------------------- limits and pauses


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        ({"max_video_bytes": 1000}, "Main takes at most 1,000."),
        ({"max_video_seconds": 0}, "Main takes at most 0."),
        (
            {"max_seconds_per_day": 0},
            "The video alone is more than Main takes: 0 hours of video in 24 hours.",
        ),
        ({"max_bytes_per_day": 1000}, "The video alone is more than Main takes: 1e-06 GB in 24 hours."),
    ],
)
def test_a_video_over_the_destinations_limits_fails_and_nothing_is_sent(
    limit: dict[str, int], sentence: str, job: UploadJob, platform: Sandbox
) -> None:
    Destination.objects.update(**limit)
    job = attempt(job)
    assert_failed(job, sentence)
    assert platform.requests() == []
    assert not LedgerEntry.objects.exists()


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        ({"file_bytes": 1000}, "The account takes files of at most 1,000 bytes."),
        ({"video_seconds": 60}, "The account takes videos of at most 1 minutes."),
    ],
)
def test_a_video_over_the_accounts_own_limits_is_not_sent(
    limit: dict[str, Any], sentence: str, platform: Sandbox, make_series: Make
) -> None:
    platform.settings(**limit)
    job = upload_of(make_series("Harbour", 1), make_destination(platform, dialect="public"))
    job.episode.probe(timezone.now())
    Episode.objects.update(duration_seconds=61)
    job = attempt(job)
    assert_failed(job, sentence)
    assert requests(platform, "open_upload") == requests(platform, "upload") == 0
    assert count_of(platform) == 0
    assert not LedgerEntry.objects.exists()


def test_a_day_that_is_full_is_waited_out_before_a_byte_moves(
    destination: Destination, make_series: Make, platform: Sandbox
) -> None:
    Destination.objects.update(max_videos_per_day=1)
    assert attempt(upload_of(make_series("Harbour", 1), destination)).status == "completed"
    calls = len(platform.requests())
    second = attempt(upload_of(make_series("Lighthouse", 1), destination))
    assert_waits(second, "quota", attempts=0, seconds=86_400)
    assert second.error_message == "Main has had its 1 video in 24 hours."
    assert len(platform.requests()) == calls
    with time_machine.travel(timezone.now() + timedelta(seconds=86_405)):
        assert attempt(second).status == "completed"
        assert count_of(platform) == 2


def test_a_text_the_platform_never_takes_fails_before_a_byte_moves(job: UploadJob, platform: Sandbox) -> None:
    UploadJob.objects.update(title="  ")
    job = attempt(job)
    assert_failed(job, "The title is empty. Dailymotion needs one.")
    assert platform.requests() == []


@pytest.mark.parametrize("how", ["paused", "switched off", "rate limited"])
def test_a_destination_that_may_not_be_used_is_waited_for(
    how: str, job: UploadJob, platform: Sandbox
) -> None:
    now, destination = timezone.now(), job.destination
    until_ = now + timedelta(seconds=500)
    if how == "paused":
        destination.pause(who="olga", now=now, until=until_, why="Audit")
    elif how == "switched off":
        Destination.objects.update(is_active=False)
    else:
        destination.hold(Hold("Slow down."), now=now, until=until_)
    job = attempt(job)
    assert_waits(job, "transient", attempts=0, seconds=900 if how == "switched off" else 500)
    words = {
        "paused": "Main is paused until",
        "switched off": "Main is switched off.",
        "rate limited": "Slow",
    }
    assert words[how] in job.error_message
    assert platform.requests() == []
    Destination.objects.update(is_active=True)
    destination.refresh_from_db()
    destination.resume(who="olga", now=now)
    job.refresh_from_db()
    assert job.not_before_at == now, "a resumed destination's jobs go on at once"
    assert_delivered(attempt(job), platform)


def test_a_job_whose_video_was_delivered_knows_its_own_history(job: UploadJob, platform: Sandbox) -> None:
    job = attempt(job)
    assert [(event.type, event.new) for event in history_of(job)] == [
        ("claimed", Status.ACTIVE), ("completed", Status.COMPLETED),
    ]  # fmt: skip


@pytest.mark.parametrize("left", ["encoding", "unknown"])
def test_a_cancelled_upload_whose_video_is_there_is_taken_up_again_and_not_repeated(
    left: str, job: UploadJob, platform: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "PATIENCE_SECONDS", 0)
    platform.settings(encode_seconds=100)
    if left == "unknown":
        platform.add_fault("create", apply_then_drop=True)
    job = attempt(job)
    job.cancel(who="olga", now=timezone.now())
    again = create_upload(Episode.objects.get(), job.destination, now=timezone.now())
    assert again.pk == job.pk
    platform.advance(100)
    assert go_on(again).status == "completed"
    assert count_of(platform) == 1
    assert requests(platform, "create") == 1


def test_a_cancelled_upload_that_left_nothing_is_begun_anew(job: UploadJob, platform: Sandbox) -> None:
    job.cancel(who="olga", now=timezone.now())
    again = create_upload(Episode.objects.get(), job.destination, now=timezone.now())
    assert again.pk != job.pk
    assert_delivered(attempt(again), platform)
