"""The admin pages of upload jobs and of the ledger: read-only, with reasons, decisions and reports."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs.errors import ErrorKind, JobError
from jobs.workers import Worker
from tests.admin_pages import act, address, press, root, staff_with
from uploader.catalog import Episode, Series
from uploader.destinations import Destination
from uploader.explaining import why_not_running
from uploader.ledger import LedgerEntry
from uploader.upload_jobs import UploadJob

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def client() -> Client:
    return root()


@pytest.fixture
def account() -> Destination:
    return Destination.objects.create(name="main", title="Main", credentials_from_environment=True)


@pytest.fixture
def episodes() -> list[Episode]:
    series = Series.objects.create(title="Harbour")
    return [
        Episode.objects.create(series=series, index_sequence=n, path=f"harbour/{n}.mp4") for n in range(1, 6)
    ]


def job(
    account: Destination, episode: Episode | None = None, status: str = "waiting", **more: Any
) -> UploadJob:
    fields = {"title": f"Harbour {episode.index_sequence if episode else ''}", "not_before_at": NOW, **more}
    return UploadJob.objects.create(destination=account, episode=episode, status=status, **fields)


def worker(lane: str = "upload", seen_at: datetime | None = None) -> Worker:
    at = seen_at or timezone.now()
    return Worker.objects.create(id=f"w:{lane}", lane=lane, host="w", pid=7, started_at=at, seen_at=at)


# -------------------------------------------------------------------- actions


def test_retry_reports_counts_and_reasons(
    client: Client, account: Destination, episodes: list[Episode]
) -> None:
    failed, cancelled = job(account, episodes[0], "failed"), job(account, episodes[1], "cancelled")
    done, running = job(account, episodes[2], "completed"), job(account, episodes[3], "active")
    report = act(client, UploadJob, "retry_chosen", [failed, cancelled, done, running])
    assert report == "2 queued, 2 refused: already completed; already active."
    failed.refresh_from_db()
    assert (failed.status, failed.attempt) == ("waiting", 0)


def test_retry_refuses_a_second_upload_of_the_same_video(
    client: Client, account: Destination, episodes: list[Episode]
) -> None:
    first, second = job(account, episodes[0], "failed"), job(account, episodes[0], "failed")
    assert act(client, UploadJob, "retry_chosen", [first, second]) == (
        "1 queued, 1 refused: changed meanwhile, or another upload of the same video is under way."
    )


def test_retry_refuses_what_another_job_delivered(
    client: Client, account: Destination, episodes: list[Episode]
) -> None:
    failed, done = job(account, episodes[0], "failed"), job(account, episodes[0], "completed")
    assert press(client, failed, "retry_this") == f"1 refused: its video was delivered by upload {done.pk}."


def test_retry_refuses_a_video_that_left_the_catalog(client: Client, account: Destination) -> None:
    assert press(client, job(account, None, "failed"), "retry_this") == (
        "1 refused: its video is no longer in the catalog."
    )


def test_cancel_ends_waiting_jobs_and_asks_active_ones(
    client: Client, account: Destination, episodes: list[Episode]
) -> None:
    waiting, running = job(account, episodes[0]), job(account, episodes[1], "active")
    done = job(account, episodes[2], "completed")
    report = act(client, UploadJob, "cancel_chosen", [waiting, running, done])
    assert report == "1 cancelled, 1 asked to stop, 1 refused: already completed."
    running.refresh_from_db()
    assert running.status == "active"
    assert running.cancel_requested_at
    assert press(client, running, "cancel_this") == "1 refused: was asked to stop already."


def test_opening_a_button_changes_nothing(
    client: Client, account: Destination, episodes: list[Episode]
) -> None:
    waiting = job(account, episodes[0])
    assert b"Cancel this upload?" in client.get(address(waiting, "cancel_this", waiting.pk)).content
    waiting.refresh_from_db()
    assert waiting.status == "waiting"


def test_buttons_fit_the_state(client: Client, account: Destination, episodes: list[Episode]) -> None:
    waiting, failed, done = (
        job(account, episodes[n], s) for n, s in enumerate(("waiting", "failed", "completed"))
    )
    offered = {
        row.status: [
            name
            for name in ("retry_this", "cancel_this")
            if address(row, name, row.pk) in client.get(address(row, "change", row.pk)).content.decode()
        ]
        for row in (waiting, failed, done)
    }
    assert offered == {"waiting": ["cancel_this"], "failed": ["retry_this"], "completed": []}


# -------------------------------------------------------------------- what may not be done


def test_jobs_are_not_added_and_never_edited(
    client: Client, account: Destination, episodes: list[Episode]
) -> None:
    row = job(account, episodes[0])
    assert client.get(address(UploadJob, "add")).status_code == 403
    assert (
        client.post(address(row, "change", row.pk), {"status": "completed", "title": "x"}).status_code == 403
    )
    row.refresh_from_db()
    assert row.status == "waiting"


def test_only_what_never_reached_the_platform_is_deleted(
    client: Client, account: Destination, episodes: list[Episode]
) -> None:
    active, done = job(account, episodes[0], "active"), job(account, episodes[1], "completed", remote_id="x8")
    unknown = job(account, episodes[2], "failed", create_intended_at=NOW)
    nothing = job(account, episodes[3], "failed")
    for row in (active, done, unknown):
        assert client.post(address(row, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert client.post(address(nothing, "delete", nothing.pk), {"post": "yes"}).status_code == 302
    assert "delete_selected" not in client.get(address(UploadJob, "changelist")).content.decode()
    assert UploadJob.objects.count() == 3


def test_a_viewer_reads_everything_and_decides_nothing(account: Destination, episodes: list[Episode]) -> None:
    viewer = staff_with("vera", apps=["uploader"], verbs=["view"])
    row = job(account, episodes[0], "failed")
    LedgerEntry.objects.create(destination=account, at=NOW, job=row)
    for page in (
        address(UploadJob, "changelist"), address(row, "change", row.pk),
        address(LedgerEntry, "changelist"), address(row.ledger_entry, "change", row.ledger_entry.pk),
    ):  # fmt: skip
        body = viewer.get(page).content.decode()
        assert "Harbour" in body
        assert "Retry" not in body
        assert 'name="action"' not in body
    assert viewer.post(address(row, "retry_this", row.pk), {"_form_submitted": "True"}).status_code == 403
    act(viewer, UploadJob, "retry_chosen", [row])
    row.refresh_from_db()
    assert row.status == "failed"


# -------------------------------------------------------------------- what is shown


def test_the_page_tells_the_history_attempts_newest_first(
    client: Client, account: Destination, episodes: list[Episode]
) -> None:
    job(account, episodes[0])
    for attempt in (1, 2):
        [row] = UploadJob.objects.claim(f"host:{attempt}:x:y#1", now=NOW + timedelta(hours=attempt))
        row.try_again(JobError(f"<b>fault {attempt}</b>"), now=NOW + timedelta(hours=attempt, minutes=1))
    body = client.get(address(row, "change", row.pk)).content.decode().split("What happened")[1]
    assert body.index("Attempt 2") < body.index("fault 2") < body.index("Attempt 1") < body.index("fault 1")
    assert "&lt;b&gt;fault 2" in body
    assert "worker host 2" in body
    assert "host:2:x:y#1" not in body


def test_signed_upload_addresses_are_not_shown(
    client: Client, account: Destination, episodes: list[Episode]
) -> None:
    row = job(
        account, episodes[0], source_url="https://up.example/?sig=canary-1", leased_by="h:1:2:canary-2#3"
    )
    for page in (address(UploadJob, "changelist"), address(row, "change", row.pk)):
        assert "canary" not in client.get(page).content.decode()


def test_a_strange_remote_address_is_no_link(client: Client, account: Destination) -> None:
    row = job(account, remote_url="javascript:alert(1)")
    assert 'href="javascript' not in client.get(address(row, "change", row.pk)).content.decode()


def test_jobs_are_found_by_title_and_by_the_platforms_id(
    client: Client, account: Destination, episodes: list[Episode]
) -> None:
    job(account, episodes[0], title="Lighthouse")
    job(account, episodes[1], title="Ferry", remote_id="x8abc")
    found = client.get(address(UploadJob, "changelist") + "?q=x8abc").content.decode()
    assert "Ferry" in found
    assert "Lighthouse" not in found


def test_lists_ask_few_questions_however_many_rows(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    series = Series.objects.create(title="Long")
    for number in range(60):
        account = Destination.objects.create(name=f"d{number}", credentials_from_environment=True)
        episode = Episode.objects.create(series=series, index_sequence=number, path=f"{number}.mp4")
        LedgerEntry.objects.create(destination=account, at=NOW, job=job(account, episode))
    for model in (UploadJob, LedgerEntry):
        with django_assert_max_num_queries(12):
            client.get(address(model, "changelist"))


# -------------------------------------------------------------------- why has it not run?


def test_a_due_job_waits_for_a_worker_when_none_is_alive(
    account: Destination, episodes: list[Episode]
) -> None:
    worker(seen_at=NOW - timedelta(hours=1))
    worker("short")
    assert "No worker of the lane “upload” is alive." in why_not_running(job(account, episodes[0]), NOW)


def test_a_due_job_tells_how_many_are_ahead(account: Destination, episodes: list[Episode]) -> None:
    worker()
    first, second = job(account, episodes[0]), job(account, episodes[1])
    assert why_not_running(first, NOW) == "It is due; the next free worker takes it."
    assert why_not_running(second, NOW) == "It is due; 1 upload is ahead of it."


def test_a_job_between_attempts_tells_until_when_and_why(
    account: Destination, episodes: list[Episode]
) -> None:
    worker()
    row = job(account, episodes[0], not_before_at=NOW + timedelta(minutes=5), error_message="Timed out")
    until = f"{timezone.localtime(row.not_before_at):%Y-%m-%d %H:%M %Z}"
    assert why_not_running(row, NOW) == f"It waits until {until}. Timed out."


def test_a_job_of_a_paused_or_held_destination_says_so(account: Destination, episodes: list[Episode]) -> None:
    worker()
    row = job(account, episodes[0])
    account.pause(who="olga", now=NOW, why="Holidays")
    assert why_not_running(row, NOW).startswith("Main is paused: Holidays.")
    account.resume(who="olga", now=NOW)
    account.held_until, account.held_reason = NOW + timedelta(hours=2), "15 videos were uploaded."
    account.save()
    row.refresh_from_db()
    assert "15 videos were uploaded. Next look at" in why_not_running(row, NOW)


def test_an_active_job_that_was_asked_to_stop_says_so(account: Destination, episodes: list[Episode]) -> None:
    row = job(
        account, episodes[0], "active", cancel_requested_at=NOW, leased_until=NOW + timedelta(minutes=1)
    )
    assert "asked to stop" in why_not_running(row, NOW)
    row.leased_until = NOW - timedelta(minutes=1)
    assert "stopped answering" in why_not_running(row, NOW)
    row.cancel_requested_at, row.leased_until = None, NOW + timedelta(minutes=1)
    assert why_not_running(row, NOW) == ""


def test_a_failed_job_tells_that_it_needs_somebody(account: Destination, episodes: list[Episode]) -> None:
    row = job(
        account, episodes[0], "failed",
        finished_at=NOW, error_kind=ErrorKind.REJECTED, error_message="Too long",
    )  # fmt: skip
    assert "Too long. It runs again when somebody retries it." in why_not_running(row, NOW)
