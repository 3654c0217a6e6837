"""The pipeline page in a real browser: runs appear, move and end by themselves; hands act; nothing is missed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from jobs.errors import JobError
from jobs.pipeline import live
from jobs.pipeline.announcing import create_job
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.starting import start
from jobs.pipeline.subjects import Edition, Segment, Work
from jobs.pipeline.timetable import PipelineSchedule

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WAIT = 30_000
SignIn = Callable[..., BrowserContext]


@pytest.fixture(autouse=True)
def _every_message_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "limiter", live.Limiter())


def open_live(page: Page, path: str = "/pipeline/") -> None:
    page.goto(path)
    expect(page.locator("#sc-live")).to_have_attribute("data-state", "live", timeout=WAIT)


def begun(script: str = "scrape-novel", **more: Any) -> PipelineJob:
    """A run that a worker holds."""
    job = start(
        "scrape",
        {"scriptType": script, "url": "https://example.com/"},
        who="test",
        now=timezone.now(),
        **more,
    )
    (held,) = PipelineJob.objects.filter(pk=job.pk).claim("worker", now=timezone.now())
    return held


def failed(script: str = "scrape-novel") -> PipelineJob:
    job = begun(script, max_attempts=1)
    job.fail(JobError("The site said no."), now=timezone.now())
    return job


def move(job: PipelineJob, percent: int, stage: str) -> None:
    """What the thread that looks after a run writes."""
    columns = {"progress": percent, "stage": stage}
    job.save_progress(now=timezone.now(), **columns)
    live.tell(job, **columns)


def tile(page: Page, status: str) -> Any:
    return page.locator(f"#tile-{status} .sc-tile-count")


def fresh(job: PipelineJob) -> PipelineJob:
    return PipelineJob.objects.get(pk=job.pk)


def test_a_run_appears_moves_and_ends_without_a_reload(page: Page, server: str) -> None:
    open_live(page)
    expect(page.locator("h2", has_text="No script has run yet")).to_be_visible()
    page.evaluate("window.wasHere = true")
    job = begun()
    row = page.locator(f"#now-{job.pk}")
    expect(row).to_contain_text("scrape-novel", timeout=WAIT)
    expect(tile(page, "running")).to_have_text("1", timeout=WAIT)
    move(job, 47, "chapters")
    expect(row.locator("[data-live-percent]")).to_have_text("47%", timeout=WAIT)
    expect(row.locator("progress")).to_have_js_property("value", 47)
    expect(row.locator("[data-live-stage]")).to_have_text("chapters")
    job.output = {"total": 5}
    job.complete(now=timezone.now())
    expect(row).to_have_count(0, timeout=WAIT)
    expect(page.locator(f"#run-{job.pk} .sc-badge")).to_have_text("success", timeout=WAIT)
    expect(tile(page, "success")).to_have_text("1", timeout=WAIT)
    expect(page.locator("#part-pipe-stats")).to_contain_text("scrape-novel", timeout=WAIT)
    assert page.evaluate("window.wasHere"), "the page was loaded anew"


def test_the_page_of_a_run_moves_and_shows_its_output(page: Page, server: str) -> None:
    job = begun()
    open_live(page, f"/pipeline/runs/{job.pk}/")
    move(job, 30, "chapters")
    expect(page.locator("[data-live-percent]")).to_have_text("30%", timeout=WAIT)
    job.output = {"total": 4711}
    job.complete(now=timezone.now())
    expect(page.locator("[data-run-state]").first).to_have_text("success", timeout=WAIT)
    expect(page.locator(".sc-json").last).to_contain_text("4711")


def test_a_failure_asks_for_a_hand_until_it_is_marked(page: Page, server: str) -> None:
    open_live(page)
    job = failed()
    row = page.locator(f"#trouble-{job.pk}")
    expect(row).to_contain_text("The site said no.", timeout=WAIT)
    page.locator(f"#mark-{job.pk}").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".sc-toast")).to_contain_text("is marked as handled", timeout=WAIT)
    expect(row).to_have_count(0, timeout=WAIT)
    assert fresh(job).handled_by == "olga"
    expect(page.locator(f"#run-{job.pk}")).to_contain_text("handled")


def test_several_failures_are_marked_after_a_question(page: Page, server: str) -> None:
    jobs = [failed(f"script-{number}") for number in range(2)]
    open_live(page)
    page.locator("#mark-all").click()
    dialog = page.locator("#marking-all")
    expect(dialog).to_contain_text("Mark 2 as handled?")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert not fresh(jobs[0]).handled_at
    page.locator("#mark-all").click()
    dialog.get_by_role("button", name="Mark all").click()
    expect(page.locator("#part-pipe-trouble li")).to_have_count(0, timeout=WAIT)
    assert all(fresh(job).handled_at for job in jobs)


def test_a_run_is_run_again_with_the_same_input(page: Page, server: str) -> None:
    job = failed()
    open_live(page, f"/pipeline/runs/{job.pk}/")
    page.locator("#rerun").click()
    expect(page.locator(".sc-toast")).to_contain_text("is queued again with the same input", timeout=WAIT)
    again = PipelineJob.objects.get(rerun_of=job)
    assert again.input == job.input == {"scriptType": "scrape-novel", "url": "https://example.com/"}
    page.locator(f"a.sc-step[href='/pipeline/runs/{again.pk}/']").click()
    expect(page.locator("[data-run-state]").first).to_have_text("queued")


def test_stopping_is_asked_for_and_told_to_the_script(page: Page, server: str) -> None:
    running, waiting = begun(), start("clean", {}, who="test", now=timezone.now())
    open_live(page)
    page.locator(f"#stop-{running.pk}").click()
    dialog = page.locator(f"#stopping-{running.pk}")
    expect(dialog).to_be_visible()
    page.keyboard.press("Enter")  # what leaves it alone has the focus
    expect(dialog).to_be_hidden()
    assert not fresh(running).cancel_requested_at
    page.locator(f"#stop-{running.pk}").click()
    dialog.locator("[form=sc-do]").click()
    expect(page.locator(f"#now-{running.pk}")).to_contain_text("asked to stop", timeout=WAIT)
    fresh(running).acknowledge_cancel(now=timezone.now())
    expect(page.locator(f"#now-{running.pk}")).to_have_count(0, timeout=WAIT)
    page.locator(f"#stop-{waiting.pk}").click()
    page.locator(f"#stopping-{waiting.pk} [form=sc-do]").click()
    expect(page.locator(f"#line-{waiting.pk}")).to_have_count(0, timeout=WAIT)
    assert fresh(waiting).status == "cancelled"


def ended(script: str, status: str, *, days_ago: int) -> None:
    """A run that ended so long ago, in the sums."""
    at = timezone.now() - timedelta(days=days_ago)
    job_id = create_job("scrape", {"scriptType": script})
    PipelineJob.objects.filter(pk=job_id).update(
        status=status, attempt=1, created_at=at, started_at=at, finished_at=at + timedelta(seconds=3)
    )


def test_scripts_by_day_and_a_script_that_stopped_are_shown(page: Page, server: str) -> None:
    for ago in (2, 3, 4):
        ended("nightly", "success", days_ago=ago)
    ended("nightly", "failed", days_ago=2)
    open_live(page)
    grid = page.locator(".sc-days")
    row = grid.locator("tbody tr").filter(has_text="nightly").locator("td")
    expect(row).to_have_count(14)
    assert row.evaluate_all("cells => cells.map(cell => cell.dataset.cell)")[-5:] == [
        "success", "success", "mixed", "none", "none",
    ]  # fmt: skip
    late = page.locator(".sc-late")
    expect(late).to_contain_text("One script has not succeeded in time.")
    expect(late).to_contain_text("nightly: no success for 48 h")
    job = begun("nightly")
    job.complete(now=timezone.now())
    expect(late).to_have_count(0, timeout=WAIT)
    expect(row.last).to_have_attribute("data-cell", "success", timeout=WAIT)


def test_a_schedule_without_a_success_for_26_hours_is_told(page: Page, server: str) -> None:
    plan = PipelineSchedule.objects.create(name="Night", job_type="scrape", cron="15 3 * * *")
    PipelineSchedule.objects.update(switched_on_at=timezone.now() - timedelta(hours=26, minutes=1))
    open_live(page)
    expect(page.locator(".sc-late")).to_contain_text(
        "Night: no success for 26 h, never since it was switched on"
    )
    job = begun(schedule=plan)
    job.complete(now=timezone.now())
    expect(page.locator(".sc-late")).to_have_count(0, timeout=WAIT)


def test_what_happened_while_the_line_was_cut_is_shown_after_it(page: Page, server: str) -> None:
    job, other = begun(), failed("other")
    open_live(page)
    page.context.set_offline(True)
    expect(page.locator("#sc-live")).not_to_have_attribute("data-state", "live", timeout=WAIT)
    job.complete(now=timezone.now())
    new = begun("appeared-meanwhile")
    page.context.set_offline(False)
    expect(page.locator("#sc-live")).to_have_attribute("data-state", "live", timeout=WAIT)
    expect(page.locator(f"#now-{new.pk}")).to_be_visible(timeout=WAIT)
    expect(page.locator(f"#now-{job.pk}")).to_have_count(0, timeout=WAIT)
    move(new, 12, "on")
    expect(page.locator(f"#now-{new.pk} [data-live-percent]")).to_have_text("12%", timeout=WAIT)
    expect(page.locator(f"#trouble-{other.pk}")).to_be_visible()


def test_a_job_is_started_from_the_page_by_keyboard(page: Page, server: str) -> None:
    open_live(page)
    page.get_by_role("link", name="Start a job").first.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog[open], .sc-dialog:popover-open").first
    expect(dialog.locator("#start-type")).to_be_visible(timeout=WAIT)
    dialog.locator("[name=script]").fill("scrape-mine")
    dialog.locator("[name=input]").fill("{broken")
    dialog.get_by_role("button", name="Start").click()
    expect(page.locator(".sc-toast")).to_contain_text("The input must be a JSON object", timeout=WAIT)
    expect(dialog.locator("[name=script]")).to_have_value("scrape-mine")
    dialog.locator("[name=input]").fill('{"url": "https://example.com/"}')
    for follower in ("Clean", "Embed"):
        dialog.get_by_role("checkbox", name=follower).check()
    dialog.get_by_role("button", name="Start").press("Enter")
    expect(page.locator(".sc-toast").last).to_contain_text("3 jobs are queued.", timeout=WAIT)
    expect(dialog).to_be_hidden()
    job, *after = PipelineJob.objects.order_by("pk")
    assert [each.job_type for each in after] == ["clean", "embed"]
    assert job.input == {"url": "https://example.com/", "scriptType": "scrape-mine"}
    expect(page.locator(f"#line-{job.pk}")).to_contain_text("scrape-mine", timeout=WAIT)


def test_runs_are_chosen_by_state_and_script_and_the_choice_is_kept(page: Page, server: str) -> None:
    broken, other = failed(), begun("other")
    open_live(page)
    page.evaluate("window.wasHere = true")
    page.locator("#tile-failed").click()
    expect(page.locator(f"#run-{other.pk}")).to_have_count(0, timeout=WAIT)
    expect(page.locator(f"#run-{broken.pk}")).to_be_in_viewport()
    expect(page).to_have_url(re.compile("status=failed"))
    page.go_back()
    expect(page.locator(f"#run-{other.pk}")).to_be_visible(timeout=WAIT)
    page.locator("#run-search").fill("other")
    page.locator("#run-search").press("Enter")
    expect(page.locator(f"#run-{broken.pk}")).to_have_count(0, timeout=WAIT)
    expect(page).to_have_url(re.compile("script=other"))
    assert page.evaluate("window.wasHere"), "the page was loaded anew"
    page.reload()
    expect(page.locator("#run-search")).to_have_value("other")
    expect(page.locator(f"#run-{other.pk}")).to_be_visible()


def test_the_form_has_a_page_of_its_own(page: Page, server: str) -> None:
    failed("with-a-name")
    page.goto("/pipeline/start/")
    expect(page.locator("#start-scripts option[value='with-a-name']")).to_have_count(1)
    expect(page.get_by_role("button", name="Start")).to_be_visible()


def test_on_a_phone_nothing_is_wider_than_the_screen(signed_in: SignIn, operator: User, server: str) -> None:
    work = Work.objects.create(title="Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverordnung")
    segment = Segment.objects.create(
        edition=Edition.objects.create(work=work), number=1, title="A chapter " * 20
    )
    job = begun("a-script-with-a-name-that-is-rather-long-and-goes-on-and-on", work=work, segment=segment)
    long = failed("another-script-with-a-name-that-is-rather-long")
    PipelineJob.objects.filter(pk=long.pk).update(error_message="https://example.com/" + "a-long-path/" * 40)
    PipelineSchedule.objects.create(
        name="A schedule with a long name " * 3, job_type="scrape", cron="15 3 * * *"
    )
    page = signed_in(operator, width=390, height=844).new_page()
    for path in ("/pipeline/", f"/pipeline/runs/{job.pk}/", f"/pipeline/runs/{long.pk}/", "/pipeline/start/"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
