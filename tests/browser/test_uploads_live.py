"""The uploads page in a real browser: it moves by itself, by mouse, by finger, by keyboard, and without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from jobs import events
from sandbox.server import Sandbox
from schedules import decisions, hourly, replanning, scheduling
from schedules.upload_schedules import ScheduledUpload, UploadSchedule
from tests.conftest import make_destination
from uploader import live
from uploader.catalog import Series
from uploader.destinations import Destination
from uploader.upload_jobs import UploadJob

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MakeSeries = Callable[..., Series]
SignIn = Callable[..., BrowserContext]


@pytest.fixture
def place(server: str, platform: Sandbox) -> Destination:
    return make_destination(platform)


def put(series: Series, place: Destination) -> UploadSchedule:
    scheduling.schedule_series(series, place, who="olga", now=timezone.now())
    return UploadSchedule.objects.get(series=series)


def start(schedule: UploadSchedule) -> UploadJob:
    """The first episode being uploaded by a worker."""
    row = schedule.uploads.order_by("position").first()
    assert row
    decisions.upload_now(row, who="olga", now=timezone.now())
    hourly.tick(timezone.now())
    row.refresh_from_db()
    [job] = UploadJob.objects.filter(pk=row.job_id).claim("worker#1", now=timezone.now())
    return job


def open_live(page: Page, path: str = "/uploads/") -> None:
    page.goto(path)
    expect(page.locator("#sc-live")).to_have_text("Live")


def order(page: Page) -> list[str]:
    return page.locator("[data-line] h3.sc-name").all_inner_texts()


# -------------------------------------------------------------------- by itself


def test_the_bar_moves_with_each_event_and_without_a_request(
    page: Page, place: Destination, make_series: MakeSeries
) -> None:
    job = start(put(make_series("Harbour", 2), place))
    open_live(page)
    expect(page.locator("[data-live-percent]")).to_have_text("0%")
    page.wait_for_timeout(800)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    job.stage = "uploading"
    live.upload_progress(job, done=47_000_000, total=100_000_000, bytes_per_second=5_300_000)
    expect(page.locator("[data-live-percent]")).to_have_text("47%")
    expect(page.locator("[data-live-bar]")).to_have_js_property("value", 47)
    facts = page.locator(".sc-running .sc-facts")
    expect(facts).to_contain_text("44.8 MB of 95.4 MB")
    expect(facts).to_contain_text("5.1 MB/s")
    expect(facts).to_contain_text("10 s left")
    assert not asked


def test_an_episode_that_ends_moves_through_the_page(
    page: Page, place: Destination, make_series: MakeSeries
) -> None:
    job = start(put(make_series("Harbour", 2), place))
    open_live(page)
    expect(page.locator("#tile-uploading .sc-tile-count")).to_have_text("1")
    job.complete(now=timezone.now())
    expect(page.locator("#tile-completed .sc-tile-count")).to_have_text("1")
    expect(page.locator("#tile-uploading .sc-tile-count")).to_have_text("0")
    expect(page.locator(".sc-series .sc-sub")).to_contain_text("1 of 2 published")
    expect(page.locator("#part-now")).to_contain_text("Nothing is being uploaded")


def test_many_events_at_once_cost_few_requests(
    page: Page, place: Destination, make_series: MakeSeries
) -> None:
    put(make_series("Harbour", 2), place)
    open_live(page)
    page.wait_for_timeout(800)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for _ in range(40):
        replanning.changed(place, now=timezone.now())
    page.wait_for_timeout(1500)
    assert 1 <= len(asked) <= 4
    assert all("parts=" in url for url in asked)


def test_a_refresh_leaves_focus_scroll_and_what_is_open_alone(
    page: Page, place: Destination, make_series: MakeSeries
) -> None:
    schedule = put(make_series("Harbour", 3), place)
    open_live(page)
    page.locator(f"#remove-{schedule.pk}").click()
    dialog = page.locator(f"#removing-{schedule.pk}")
    expect(dialog).to_be_visible()
    focused = page.evaluate("document.activeElement.textContent")
    put(make_series("Wells", 4), place)
    expect(page.locator("#tile-total .sc-tile-count")).to_have_text("7")
    expect(dialog).to_be_visible()
    assert page.evaluate("document.activeElement.textContent") == focused == "Keep it"


def test_the_pill_tells_when_the_line_is_cut(signed_in: SignIn, operator: User, place: Destination) -> None:
    context = signed_in(operator)
    page = context.new_page()
    open_live(page)
    context.set_offline(True)
    expect(page.locator("#sc-live")).to_have_text("Offline")
    context.set_offline(False)
    expect(page.locator("#sc-live")).to_have_text("Live")


def test_times_are_the_viewers_and_name_their_zone(
    page: Page, place: Destination, make_series: MakeSeries
) -> None:
    schedule = put(make_series("Harbour", 1), place)
    row = schedule.uploads.get()
    at = row.scheduled_at
    assert at
    open_live(page)
    expect(page.locator("#sc-zone")).to_have_text(re.compile(r"Europe/Berlin \((CET|CEST|GMT\+[12])\)"))
    shown = page.locator(".sc-planned time")
    expected = page.evaluate(
        "at => new Intl.DateTimeFormat('en-GB', {hour: '2-digit', minute: '2-digit'}).format(new Date(at))",
        at.isoformat(),
    )
    expect(shown).to_have_text(re.compile(f"{expected}$"))
    expect(page.locator(".sc-countdown")).to_have_text(re.compile(r"in \d+ (min|s)"))


# -------------------------------------------------------------------- by hand


def test_adding_a_series_from_search_to_line(page: Page, place: Destination, make_series: MakeSeries) -> None:
    make_series("Harbour", 2, intro="A letter is found.")
    make_series("Wells", 2)
    open_live(page)
    page.get_by_role("link", name="Add to upload schedule").click()
    expect(page.locator("#add-search")).to_be_focused()
    dialog = page.locator("#sc-add")
    page.keyboard.type("harb")
    expect(dialog.locator(".sc-hit")).to_have_count(1)
    dialog.get_by_role("button", name="Harbour").click()
    expect(dialog).to_contain_text("Harbour - Episode 1")
    expect(dialog).to_contain_text("A letter is found.")
    assert not ScheduledUpload.objects.exists()
    dialog.get_by_role("button", name="Add 2 episodes").click()
    expect(page.locator("#sc-toasts")).to_contain_text("Harbour: 2 episodes scheduled to Main.")
    expect(dialog).to_be_hidden()
    expect(page.locator("#part-series h3.sc-name")).to_have_text(["Harbour"])


def test_a_series_that_is_not_ready_is_refused_before_the_button(
    page: Page, place: Destination, make_series: MakeSeries, library: Path
) -> None:
    make_series("Harbour", 2)
    (library / "harbour" / "02.mp4").unlink()
    open_live(page)
    page.get_by_role("link", name="Add to upload schedule").click()
    expect(page.locator("#add-search")).to_be_focused()
    page.keyboard.type("harb")
    page.locator("#sc-add .sc-hit").click()
    expect(page.locator("#sc-add [role=alert]")).to_contain_text("harbour/02.mp4")
    expect(page.locator("#sc-add").get_by_role("button", name=re.compile("^Add"))).to_have_count(0)


def test_removing_asks_first_and_says_what_stays(
    page: Page, place: Destination, make_series: MakeSeries
) -> None:
    schedule = put(make_series("Harbour", 3), place)
    first = schedule.uploads.order_by("position").first()
    assert first
    schedule.uploads.filter(pk=first.pk).update(status="completed", completed_at=timezone.now())
    open_live(page)
    page.get_by_role("button", name="Remove Harbour from the schedule").click()
    dialog = page.locator(f"#removing-{schedule.pk}")
    expect(dialog).to_contain_text("The 1 published one stays")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert schedule.uploads.count() == 3
    page.get_by_role("button", name="Remove Harbour from the schedule").click()
    dialog.get_by_role("button", name="Remove 2 episodes").click()
    expect(page.locator("#sc-toasts")).to_contain_text("2 episodes removed; what was published stays")
    assert schedule.uploads.count() == 1


def test_a_refusal_is_shown_in_its_own_words(page: Page, place: Destination, make_series: MakeSeries) -> None:
    schedule = put(make_series("Harbour", 1), place)
    open_live(page)
    page.evaluate("Slotcast.holdRefresh(true)")
    decisions.pause_series(schedule, who="nina", now=timezone.now())
    page.get_by_role("button", name="Pause Harbour").click()
    expect(page.locator("#sc-toasts .sc-error")).to_contain_text("Harbour is paused already.")
    expect(page.get_by_role("button", name="Resume Harbour")).to_be_visible()


def three_in_line(place: Destination, make_series: MakeSeries) -> None:
    for title in ("Ash", "Birch", "Cedar"):
        put(make_series(title, 1), place)


def test_dragging_a_series_with_the_mouse(page: Page, place: Destination, make_series: MakeSeries) -> None:
    three_in_line(place, make_series)
    open_live(page)
    handle = page.locator(".sc-series").nth(2).locator("[data-handle]")
    handle.hover()
    target = page.locator(".sc-series").nth(0).bounding_box()
    assert target
    page.mouse.down()
    page.mouse.move(target["x"] + 40, target["y"] + 30, steps=8)
    page.mouse.move(target["x"] + 40, target["y"] + 4, steps=4)
    page.mouse.up()
    expect(page.locator("#sc-toasts")).to_contain_text("Cedar is number 1 in the line of Main.")
    assert order(page) == ["Cedar", "Ash", "Birch"]
    assert [s.series.title for s in UploadSchedule.objects.order_by("position")] == ["Cedar", "Ash", "Birch"]


def test_dragging_a_series_with_a_finger(
    signed_in: SignIn, operator: User, place: Destination, make_series: MakeSeries
) -> None:
    three_in_line(place, make_series)
    context = signed_in(operator, width=390, height=844, has_touch=True)
    page = context.new_page()
    open_live(page)
    handle = page.locator(".sc-series").nth(0).locator("[data-handle]")
    page.locator(".sc-series").nth(1).evaluate("card => card.scrollIntoView({block: 'center'})")
    start, end = handle.bounding_box(), page.locator(".sc-series").nth(2).bounding_box()
    assert start
    assert end
    finger = context.new_cdp_session(page)
    x, y = start["x"] + 8, start["y"] + 12
    steps = [y + (end["y"] + end["height"] - 10 - y) * part / 10 for part in range(1, 11)]
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for at in steps:
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": at}]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page.locator("#sc-toasts")).to_contain_text("Ash is number 3 in the line of Main.")
    assert order(page) == ["Birch", "Cedar", "Ash"]


def test_a_film_on_its_way_does_not_keep_the_page_asking(
    page: Page, place: Destination, make_series: MakeSeries
) -> None:
    film = UploadJob.objects.create(destination=place, title="The Ferry", bytes_total=100, stage="uploading")
    open_live(page)
    page.wait_for_timeout(800)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for done in range(10, 60, 10):
        live.upload_progress(film, done=done, total=100, bytes_per_second=10)
        page.wait_for_timeout(400)
    assert len(asked) <= 1


def test_moving_a_series_by_keyboard_keeps_the_focus(
    page: Page, place: Destination, make_series: MakeSeries
) -> None:
    three_in_line(place, make_series)
    open_live(page)
    up = page.get_by_role("button", name="Move Cedar up")
    up.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-line] h3.sc-name")).to_have_text(["Ash", "Cedar", "Birch"])
    expect(up).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("[data-line] h3.sc-name")).to_have_text(["Cedar", "Ash", "Birch"])


def test_a_square_opens_its_episode_and_gives_the_focus_back(
    page: Page, place: Destination, make_series: MakeSeries
) -> None:
    schedule = put(make_series("Harbour", 2), place)
    row = schedule.uploads.get(position=2)
    open_live(page)
    square = page.locator(f"#sq-{row.pk}")
    expect(square).to_have_attribute("aria-label", re.compile(r"Episode 2, pending, .*\d\d:\d\d"))
    square.focus()
    page.keyboard.press("Enter")
    details = page.locator("#sc-details")
    expect(details).to_contain_text("harbour/02.mp4")
    details.get_by_role("button", name="Upload now").click()
    expect(page.locator("#sc-toasts")).to_contain_text("Harbour – Episode 2 goes next.")
    expect(page.locator(".sc-coming").first).to_contain_text("Episode 2")
    square.focus()
    page.keyboard.press("Enter")
    expect(details).to_be_visible()
    page.keyboard.press("Escape")
    expect(details).to_be_hidden()
    expect(square).to_be_focused()


def test_pausing_a_destination_until_a_time_of_the_viewers_zone(page: Page, place: Destination) -> None:
    open_live(page)
    page.get_by_role("button", name="Pause…").click()
    page.get_by_label("Pause until").fill("2031-07-01T14:00")
    page.get_by_label("Reason").fill("Audit")
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.locator("#destination-main")).to_contain_text("Audit")
    place.refresh_from_db()
    assert place.paused_until
    assert place.paused_until.isoformat() == "2031-07-01T12:00:00+00:00"


def test_a_tile_filters_and_the_way_back_unfilters(
    page: Page, place: Destination, make_series: MakeSeries
) -> None:
    schedule = put(make_series("Harbour", 1), place)
    put(make_series("Wells", 1), place)
    schedule.uploads.update(status="skipped")
    open_live(page)
    page.locator("#tile-skipped").click()
    expect(page.locator("#part-series h3.sc-name")).to_have_text(["Harbour"])
    assert page.url.endswith("?status=skipped")
    page.go_back()
    expect(page.locator("#tile-total")).to_have_attribute("aria-current", "true")


# -------------------------------------------------------------------- any window


@pytest.mark.parametrize("path", ["/", "/uploads/"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_without_scrolling_sideways(
    signed_in: SignIn, operator: User, place: Destination, make_series: MakeSeries, path: str, scheme: Any
) -> None:
    start(put(make_series("A Rather Long Title of a Series That Goes on and on without Pity", 30), place))
    page = signed_in(operator, width=390, height=844, color_scheme=scheme, has_touch=True).new_page()
    open_live(page, path)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_viewer_watches_without_buttons(
    signed_in: SignIn, viewer: User, place: Destination, make_series: MakeSeries
) -> None:
    put(make_series("Harbour", 2), place)
    page = signed_in(viewer).new_page()
    open_live(page)
    assert page.locator("#sc .sc-button").count() == 0
    events.publish("queue", "queue_changed", {"destination": "main"}, now=timezone.now() + timedelta(0))
    put(make_series("Wells", 2), place)
    expect(page.locator("#tile-total .sc-tile-count")).to_have_text("4")


def test_everything_works_without_scripts(
    signed_in: SignIn, operator: User, place: Destination, make_series: MakeSeries
) -> None:
    schedule = put(make_series("Harbour", 2), place)
    make_series("Wells", 1)
    page = signed_in(operator, java_script_enabled=False).new_page()
    page.goto("/uploads/")
    expect(page.locator("#sc-zone")).to_have_text("UTC")
    page.locator(f"#go-{schedule.pk}").click()
    expect(page.get_by_text("Harbour is paused; the next series takes its hours.")).to_be_visible()
    page.locator(f"#remove-{schedule.pk}").click()
    page.get_by_role("button", name="Remove 2 episodes").click()
    expect(page.get_by_text("2 episodes removed")).to_be_visible()
    page.goto("/uploads/add/?q=wells")
    page.locator(".sc-hit").click()
    page.get_by_role("button", name="Add 1 episode").click()
    expect(page.get_by_text("Wells: 1 episode scheduled to Main.")).to_be_visible()
