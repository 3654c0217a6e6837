"""The manager of video jobs in a real browser: it moves by itself, filters stand in the address, nothing is destroyed
without a question."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from jobs.errors import JobError
from tests.uploader.manager.rows import episode, failed, film, held, transcoding, upload
from uploader import live
from uploader.upload_jobs import UploadJob

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WAIT = 30_000


def open_live(page: Page, path: str = "/jobs/") -> None:
    page.goto(path)
    expect(page.locator("#sc-live")).to_have_text("Live", timeout=WAIT)


def count(page: Page, status: str) -> str:
    return page.locator(f"#tile-{status} .sc-tile-count").inner_text()


def test_a_job_moves_and_ends_by_itself(page: Page, server: str) -> None:
    job = held(upload(film("Tide"), bytes_total=100_000_000), now=timezone.now())
    open_live(page)
    card = page.locator(f"#upload-{job.pk}")
    expect(card.locator(".sc-badge")).to_have_text("Active")
    job.stage = "uploading"
    live.upload_progress(job, done=47_000_000, total=100_000_000, bytes_per_second=5_300_000)
    expect(card.locator("[data-live-percent]")).to_have_text("47%", timeout=WAIT)
    expect(card.locator(".sc-facts")).to_contain_text("44.8 MB of 95.4 MB")
    job.fail(JobError("The platform said no."), now=timezone.now())
    expect(card.locator(".sc-badge")).to_have_text("Failed", timeout=WAIT)
    expect(card).to_contain_text("The platform said no.")
    expect(page.locator("#tile-failed .sc-tile-count")).to_have_text("1", timeout=WAIT)
    expect(page.locator(".sc-part-jobs-causes")).to_contain_text("1 × Temporary fault", timeout=WAIT)


def test_filters_are_kept_in_the_address_and_come_back_with_it(page: Page, server: str) -> None:
    broken, other = failed(episode(1)), upload(film("Tide"))
    open_live(page)
    page.locator("#filter-status").select_option("failed")
    expect(page.locator(f"#upload-{other.pk}")).to_have_count(0, timeout=WAIT)
    expect(page.locator(f"#upload-{broken.pk}")).to_be_visible()
    expect(page).to_have_url(re.compile("status=failed"))
    page.reload()
    expect(page.locator("#filter-status")).to_have_value("failed")
    page.locator("#filters-off").click()
    expect(page.locator(f"#upload-{other.pk}")).to_be_visible(timeout=WAIT)
    page.locator("#kind-transcoding").click()
    expect(page.locator("h2", has_text="No transcodings yet")).to_be_visible(timeout=WAIT)


def test_all_that_match_are_retried_after_a_question_and_reasons_are_told(page: Page, server: str) -> None:
    first, second = failed(episode(1)), failed(episode(2))
    upload(episode(2), "completed")
    open_live(page)
    page.locator("#all-retry").click()
    dialog = page.locator("#asking-retry")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Retry 2").click()
    toast = page.locator(".sc-toast")
    expect(toast).to_contain_text(
        "1 queued again, 1 refused: its video was delivered by upload", timeout=WAIT
    )
    expect(page.locator(f"#upload-{first.pk} .sc-badge")).to_have_text("Waiting", timeout=WAIT)
    assert UploadJob.objects.get(pk=second.pk).status == "failed"


def test_what_destroys_is_asked_for_and_can_be_left(page: Page, server: str) -> None:
    job = upload(film("Tide"), "completed")
    open_live(page, f"/jobs/upload/{job.pk}/")
    page.locator(f"#delete-upload-{job.pk}").click()
    dialog = page.locator(f"#deleting-upload-{job.pk}")
    expect(dialog).to_be_visible()
    page.keyboard.press("Enter")  # what keeps it has the focus
    expect(dialog).to_be_hidden()
    assert UploadJob.objects.get().cleared_at is None
    page.locator(f"#delete-upload-{job.pk}").click()
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(page).to_have_url(re.compile(r"/jobs/\?kind=upload"), timeout=WAIT)
    assert UploadJob.objects.get().cleared_at


def test_a_dialog_keeps_the_keyboard_until_escape_closes_it(page: Page, server: str) -> None:
    failed(episode(1))
    open_live(page)
    page.locator("#all-retry").focus()
    page.keyboard.press("Enter")
    dialog = page.locator("#asking-retry")
    expect(dialog.get_by_role("button", name="Leave them")).to_be_focused()
    seen = set()
    for key in ["Tab"] * 5 + ["Shift+Tab"] * 5:
        page.keyboard.press(key)
        assert page.evaluate("() => document.activeElement.closest('#asking-retry') !== null")
        seen.add(page.evaluate("() => document.activeElement.textContent || document.activeElement.name"))
    assert seen == {"Leave them", "Retry 1", "per_minute"}
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("#all-retry")).to_be_focused()
    assert UploadJob.objects.get().status == "failed"


def test_a_dialog_of_the_admin_takes_the_keyboard_and_gives_it_back(
    signed_in: Callable[..., BrowserContext], server: str
) -> None:
    job = transcoding(film("Tide"), "failed")
    chief = User.objects.create_superuser("rita", password="a-Good-Passphrase-1")
    page = signed_in(chief).new_page()
    page.goto(f"/admin/uploader/transcodejob/{job.pk}/change/")
    button = page.locator('a[href$="/retry_this/"]:visible')
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Retry this transcoding?")
    expect(dialog.get_by_text("Cancel")).to_be_focused(timeout=WAIT)
    for _ in range(3):
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.closest('#dialog') !== null")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    job.refresh_from_db()
    assert job.status == "failed"


def test_every_time_on_a_job_s_page_is_the_reader_s(page: Page, server: str) -> None:
    job = failed(film("Tide"))
    open_live(page, f"/jobs/upload/{job.pk}/")
    times = page.locator(".sc-history time").all_inner_texts()
    # 10:30 UTC, as NOW is, in Berlin.
    assert times and all("11:30:00" in each for each in times)


def test_on_a_phone_filters_wait_to_be_asked_for_unless_some_are_chosen(
    signed_in: Callable[..., BrowserContext], operator: User, server: str
) -> None:
    failed(episode(1))
    page = signed_in(operator, width=390, height=844).new_page()
    open_live(page)
    expect(page.locator("#filter-status")).to_be_hidden()
    page.get_by_text("Search and filters").click()
    page.locator("#filter-status").select_option("failed")
    expect(page).to_have_url(re.compile("status=failed"))
    open_live(page, "/jobs/?status=failed")
    expect(page.locator("#filter-status")).to_be_visible()


def test_on_a_phone_nothing_is_wider_than_the_screen(
    signed_in: Callable[..., BrowserContext], operator: User, server: str
) -> None:
    failed(episode(1), "A reason-that-is-very-long/" * 20)
    transcoding(film("A film with a rather long title that does not fit in one line"))
    job = held(upload(film("Tide")), now=timezone.now())
    page = signed_in(operator, width=390, height=844).new_page()
    for path in ("/jobs/", "/jobs/?kind=transcoding", f"/jobs/upload/{job.pk}/"):
        open_live(page, path)
        page.locator("summary:visible").first.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
