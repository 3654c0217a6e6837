"""The page of the weekly windows in a real browser: by itself, by mouse, by keyboard, on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import time, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import BrowserContext, Locator, Page, expect

from schedules import slot_clock, slot_line
from schedules.blackouts import Blackout
from schedules.slot_videos import SlotVideo
from schedules.upload_slots import UploadSlot
from schedules.windows import DAYS
from tests.schedules.slot_rows import account, make_films
from uploader.catalog import Film
from uploader.destinations import Destination

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SignIn = Callable[..., BrowserContext]
# A week that is not begun: nothing in it is past, whatever the time of day.
AHEAD = 7


@pytest.fixture
def main(server: str) -> Destination:
    return account()


def a_slot(user: User, main: Destination, day: str, start: int = 9, **columns: object) -> UploadSlot:
    slot = UploadSlot(
        **{
            "user": user, "destination": main, "day": day,
            "start_time": time(start), "end_time": time(start + 2, 59, 59),
            "slot_name": f"{day[:3]} {start}", "time_zone": "Europe/Berlin", **columns,
        }
    )  # fmt: skip
    slot.save()
    return slot


def a_line(user: User, main: Destination, count: int, *, first: int = 1) -> list[SlotVideo]:
    films = make_films(count, first=first)
    return slot_line.append(films, user, main, who="olga", now=timezone.now(), priority=0, before=None)


def next_monday() -> str:
    today = timezone.localdate()
    return (today + timedelta(days=AHEAD - today.weekday())).isoformat()


def open_week(page: Page, **query: str) -> None:
    asked = "&".join(f"{name}={value}" for name, value in {"week": next_monday(), **query}.items())
    page.goto(f"/slots/?{asked}")
    expect(page.locator("#sc-live")).to_have_text("Live")


def block(page: Page, name: str) -> Locator:
    return page.locator(".sl-block", has=page.get_by_role("link", name=name, exact=True))


def drag(page: Page, what: Locator, to: Locator, *, y: float | None = None) -> None:
    what.scroll_into_view_if_needed()
    start = what.bounding_box()
    assert start
    page.mouse.move(start["x"] + 8, start["y"] + min(8, start["height"] / 2))
    page.mouse.down()
    end = to.bounding_box()
    assert end
    at = end["y"] + (end["height"] / 2 if y is None else y)
    page.mouse.move(end["x"] + end["width"] / 2, at - 20, steps=6)
    page.mouse.move(end["x"] + end["width"] / 2, at, steps=3)
    page.mouse.up()


def line(page: Page) -> list[str]:
    return page.locator("[data-line] .sc-name").all_inner_texts()


# -------------------------------------------------------------------- by itself


def test_what_the_clock_takes_moves_through_the_page(page: Page, main: Destination, operator: User) -> None:
    for day in DAYS:
        a_slot(operator, main, day, start_time=time(0), end_time=time(23, 59, 59), max_uploads=1)
    a_line(operator, main, 2)
    page.goto("/slots/")
    expect(page.locator("#sc-live")).to_have_text("Live")
    expect(page.locator("[data-line] .sc-name")).to_have_text(["Film 1", "Film 2"])
    slot_clock.tick(timezone.now())
    expect(page.locator("[data-line] .sc-name")).to_have_text(["Film 2"])
    expect(page.locator('.sl-block[data-state="open"] .sl-count')).to_have_text("1/1")
    expect(page.locator("#part-line")).to_contain_text("Being uploaded")


def test_the_line_of_now_lies_across_this_week_only(page: Page, main: Destination, operator: User) -> None:
    a_slot(operator, main, "monday")
    page.goto("/slots/")
    expect(page.locator(".sl-now")).to_be_visible()
    expect(page.locator("[data-now]")).to_have_text(re.compile(r"\d\d:\d\d"))
    page.get_by_role("link", name="The week after").click()
    expect(page.locator(".sl-now")).to_have_count(0)
    assert f"week={next_monday()}" in page.url
    page.go_back()
    expect(page.locator(".sl-now")).to_be_visible()


def test_both_clocks_are_shown_where_they_differ(page: Page, main: Destination, operator: User) -> None:
    a_slot(operator, main, "monday", time_zone="Asia/Kolkata")
    open_week(page)
    mine = block(page, "mon 9").locator(".sl-mine")
    expect(mine).to_have_text(re.compile(r"^0[45]:30–0[78]:30"))
    page.locator("#choose-zone").select_option("Europe/Berlin")
    expect(block(page, "mon 9").locator(".sl-own")).to_have_text("09:00–12:00 Asia/Kolkata")
    expect(mine).to_be_hidden()
    assert "zone=Europe%2FBerlin" in page.url


# -------------------------------------------------------------------- windows by hand


def test_a_press_on_a_free_place_makes_a_window_there(page: Page, main: Destination, operator: User) -> None:
    a_slot(operator, main, "monday")
    open_week(page)
    column = page.locator('[data-day="wednesday"] .sl-col')
    column.click(position={"x": 40, "y": 44 * 14 + 20})
    dialog = page.locator("#sc-add")
    expect(dialog.locator("#sl-day")).to_have_value("wednesday")
    expect(dialog.locator("#sl-start_time")).to_have_value("14:00:00")
    expect(dialog.locator("#sl-time_zone")).to_have_value("Europe/Berlin")
    dialog.locator("#sl-slot_name").fill("tea")
    expect(dialog.locator("#sl-save")).to_be_enabled()
    dialog.locator("#sl-save").click()
    expect(dialog).to_be_hidden()
    expect(block(page, "tea").locator(".sl-times")).to_contain_text("14:00–15:00")
    assert UploadSlot.objects.get(slot_name="tea").day == "wednesday"


def test_a_change_is_told_before_it_is_saved(page: Page, main: Destination, operator: User) -> None:
    # Three days ahead: not open now, whenever the test runs.
    day = timezone.localdate() + timedelta(days=3)
    slot = a_slot(operator, main, DAYS[day.weekday()], max_uploads=2, slot_name="ahead")
    a_line(operator, main, 2)
    open_week(page, week=day.isoformat())
    page.get_by_role("link", name="ahead", exact=True).click()
    dialog = page.locator("#sc-add")
    expect(dialog).to_contain_text("No video moves.")
    dialog.locator("#sl-max_uploads").fill("1")
    expect(dialog.locator("#sl-run")).to_contain_text("One video moves.")
    dialog.locator("#sl-end_time").fill("09:00:00")
    expect(dialog.locator("#sl-run")).to_contain_text("Start and end are the same time.")
    expect(dialog.locator("#sl-save")).to_be_disabled()
    dialog.locator("#sl-end_time").fill("10:59:59")
    expect(dialog.locator("#sl-run")).to_contain_text("One video moves.")
    assert UploadSlot.objects.get().max_uploads == 2
    dialog.locator("#sl-save").click()
    expect(page.locator("#sc-toasts")).to_contain_text("is saved. One video moves.")
    slot.refresh_from_db()
    assert (slot.max_uploads, slot.end_time) == (1, time(10, 59, 59))


def test_a_window_that_is_dragged_opens_with_its_new_times(
    page: Page, main: Destination, operator: User
) -> None:
    slot = a_slot(operator, main, "monday")
    open_week(page)
    drag(page, block(page, "mon 9"), page.locator('[data-day="tuesday"] .sl-col'), y=44 * 12 + 10)
    dialog = page.locator("#sc-add")
    expect(dialog.locator("#sl-day")).to_have_value("tuesday")
    expect(dialog.locator("#sl-start_time")).to_have_value("12:00:00")
    expect(dialog.locator("#sl-end_time")).to_have_value("14:59:59")
    slot.refresh_from_db()
    assert slot.day == "monday", "nothing is saved before it is confirmed"
    dialog.locator("#sl-save").click()
    expect(page.locator('[data-day="tuesday"] .sl-block')).to_have_count(1)
    slot.refresh_from_db()
    assert (slot.day, slot.start_time) == ("tuesday", time(12))


def test_the_whole_way_by_keyboard(page: Page, main: Destination, operator: User) -> None:
    slot = a_slot(operator, main, "monday")
    open_week(page)
    page.get_by_role("link", name="mon 9", exact=True).focus()
    page.keyboard.press("Enter")
    dialog = page.locator("#sc-add")
    expect(dialog.locator("#sl-day")).to_be_visible()
    dialog.locator("#sl-day").focus()
    page.keyboard.type("Thu")
    expect(dialog.locator("#sl-run")).to_contain_text("No video moves.")
    expect(dialog.locator("#sl-save")).to_be_enabled()
    dialog.locator("#sl-save").focus()
    page.keyboard.press("Enter")
    expect(page.locator('[data-day="thursday"] .sl-block')).to_have_count(1)
    slot.refresh_from_db()
    assert slot.day == "thursday"


def test_a_window_is_deleted_where_its_form_is(page: Page, main: Destination, operator: User) -> None:
    a_slot(operator, main, "monday")
    a_line(operator, main, 1)
    open_week(page)
    page.get_by_role("link", name="mon 9", exact=True).click()
    dialog = page.locator("#sc-add")
    dialog.get_by_text("Delete this window").click()
    expect(dialog.locator("#sl-deletion")).to_contain_text("One video has no window.")
    dialog.get_by_role("button", name="Delete the window").click()
    expect(page.locator("#part-week")).to_contain_text("has no windows at Main")
    assert not UploadSlot.objects.exists()


def test_a_blackout_is_made_and_seen(page: Page, main: Destination, operator: User) -> None:
    a_slot(operator, main, "monday")
    open_week(page)
    page.get_by_role("link", name="Add blackout").click()
    dialog = page.locator("#sc-add")
    dialog.locator("#sl-name").fill("Diwali")
    dialog.locator("#sl-first_on").fill(next_monday())
    dialog.locator("#sl-last_on").fill(next_monday())
    expect(dialog.locator("#sl-save")).to_be_enabled()
    dialog.locator("#sl-save").click()
    expect(block(page, "mon 9")).to_contain_text("Skipped: Diwali")
    expect(page.locator("#part-blackouts")).to_contain_text("Diwali")
    assert Blackout.objects.get().name == "Diwali"


# -------------------------------------------------------------------- the line by hand


def test_a_video_is_dragged_in_the_line_and_onto_a_window(
    page: Page, main: Destination, operator: User
) -> None:
    a_slot(operator, main, "monday")
    a_slot(operator, main, "thursday")
    a_line(operator, main, 3)
    open_week(page)
    week_before = line(page)
    assert week_before == ["Film 1", "Film 2", "Film 3"]
    cards = page.locator("[data-schedule]")
    drag(page, cards.nth(2).locator("[data-handle]"), cards.nth(0), y=2)
    expect(page.locator("[data-line] .sc-name")).to_have_text(["Film 3", "Film 1", "Film 2"])
    target = block(page, "thu 9")
    target.scroll_into_view_if_needed()
    drag(page, cards.nth(0).locator("[data-handle]"), target, y=30)
    expect(page.locator("#sc-toasts")).to_contain_text("Film 3 goes in Thursday 09:00")


def test_a_planned_video_is_dragged_from_window_to_window(
    page: Page, main: Destination, operator: User
) -> None:
    a_slot(operator, main, "monday", start=10)
    a_slot(operator, main, "tuesday", start=10)
    a_line(operator, main, 6)
    open_week(page)
    chips = page.locator("[data-chip]")
    expect(chips).to_have_count(2)
    first, second = chips.nth(0).inner_text(), chips.nth(1).inner_text()
    drag(page, chips.nth(1), block(page, "mon 10"), y=50)
    expect(page.locator("#sc-toasts")).to_contain_text("goes in Monday 10:00")
    expect(chips.nth(0)).to_have_text(second)
    expect(chips.nth(1)).to_have_text(first)


def test_a_video_is_moved_and_put_into_a_window_by_keyboard(
    page: Page, main: Destination, operator: User
) -> None:
    a_slot(operator, main, "monday")
    a_slot(operator, main, "thursday")
    rows = a_line(operator, main, 3)
    open_week(page)
    page.locator(f"#up-{rows[2].pk}").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-line] .sc-name")).to_have_text(["Film 1", "Film 3", "Film 2"])
    page.locator("[data-line]").get_by_role("link", name="Film 2").press("Enter")
    details = page.locator("#sc-details")
    expect(details).to_contain_text("Put in the line by olga")
    options = details.locator("select[name=onto] option")
    details.locator("select[name=onto]").select_option(index=0)
    assert options.count() == 3
    details.get_by_role("button", name="Move", exact=True).press("Enter")
    expect(page.locator("[data-line] .sc-name")).to_have_text(["Film 2", "Film 1", "Film 3"])


def test_a_film_is_found_and_added(
    page: Page, main: Destination, operator: User, one_video: Path, library: Path
) -> None:
    a_slot(operator, main, "monday")
    (library / "harbour.mp4").write_bytes(one_video.read_bytes())
    Film.objects.create(title="Harbour", path="harbour.mp4")
    open_week(page)
    page.get_by_role("link", name="Add videos").click()
    expect(page.locator("#add-search")).to_be_focused()
    page.keyboard.type("harb")
    dialog = page.locator("#sc-add")
    dialog.get_by_role("button", name="Harbour").click()
    expect(dialog).to_contain_text("First goes")
    dialog.get_by_role("button", name="Add 1 video").click()
    expect(page.locator("[data-line] .sc-name")).to_have_text(["Harbour"])
    expect(block(page, "mon 9")).to_contain_text("Harbour")


# -------------------------------------------------------------------- on a phone, and only looking


def test_on_a_phone_days_are_a_list_and_nothing_runs_over(
    signed_in: SignIn, operator: User, main: Destination
) -> None:
    a_slot(operator, main, "monday", slot_name="a name that is as long as names may be, fifty")
    rows = a_line(operator, main, 2)
    Film.objects.filter(pk=rows[0].film_id).update(title="An extraordinarily long title " * 5)
    page = signed_in(operator, width=390, height=844, has_touch=True).new_page()
    open_week(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    first, second = (page.locator(".sl-day").nth(number).bounding_box() for number in (0, 1))
    assert first and second and second["y"] >= first["y"] + first["height"]
    expect(page.locator(".sl-axis")).to_be_hidden()
    page.locator(".sl-plus").nth(2).tap()
    expect(page.locator("#sl-day")).to_have_value("wednesday")


def test_a_viewer_looks_and_does_not_touch(
    signed_in: SignIn, viewer: User, operator: User, main: Destination
) -> None:
    a_slot(operator, main, "monday")
    a_line(operator, main, 1)
    page = signed_in(viewer).new_page()
    open_week(page, user=str(operator.pk))
    expect(block(page, "mon 9")).to_contain_text("Film 1")
    page.locator('[data-day="wednesday"] .sl-col').click(position={"x": 40, "y": 500})
    expect(page.locator("#sc-add")).to_be_hidden()
    expect(page.get_by_role("link", name="Add videos")).to_have_count(0)
    block(page, "mon 9").get_by_role("link", name="mon 9", exact=True).click()
    expect(page.locator("#sl-day")).to_be_disabled()
    expect(page.locator("#sl-save")).to_have_count(0)
