"""The posts page in a real browser: by itself, by mouse, by keyboard, on a phone; and its form."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from jobs.errors import ErrorKind
from sandbox.server import Sandbox
from schedules.posts.models import PostStatus, ScheduledPost
from schedules.posts.videos import PostVideo
from tests.browser.conftest import ZONE
from tests.schedules.conftest import INSTAGRAM, YOUTUBE, make_workspace
from uploader import live
from uploader.catalog import Series
from uploader.destinations import Destination
from uploader.social_accounts import SocialAccount
from uploader.upload_jobs import UploadJob

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SignIn = Callable[..., BrowserContext]
MakePost = Callable[..., ScheduledPost]
MakeSeries = Callable[..., Series]
BERLIN = ZoneInfo(ZONE)


@pytest.fixture
def place(server: str, platform: Sandbox) -> Destination:
    return make_workspace(platform)


@pytest.fixture
def account(place: Destination) -> SocialAccount:
    return place.social_accounts.get(remote_id=INSTAGRAM)


@pytest.fixture
def make_post(account: SocialAccount, library: Path, one_video: Path) -> MakePost:
    """`make_post("Fog", at=…)`: a saved post with a real file."""

    def make(caption: str, *, at: datetime | None, **fields: Any) -> ScheduledPost:
        size = one_video.stat().st_size
        columns = {"account": account, "caption": caption, "scheduled_for": at, "total_bytes": size} | fields
        post = ScheduledPost.objects.create(**columns)
        shutil.copy(one_video, library / f"{post.pk}.mp4")
        PostVideo.objects.create(post=post, position=1, library_path=f"{post.pk}.mp4", size_bytes=size)
        return post

    return make


def berlin(days: int = 1, hour: int = 14, minute: int = 0) -> datetime:
    """So many days from today, on the browser's clock."""
    today = timezone.now().astimezone(BERLIN)
    return (today + timedelta(days=days)).replace(hour=hour, minute=minute, second=0, microsecond=0)


def week_of(at: datetime, view: str = "week") -> str:
    return f"/posts/?view={view}&on={at.astimezone(BERLIN).date()}"


def open_live(page: Page, path: str = "/posts/") -> None:
    page.goto(path)
    expect(page.locator("#sc-live")).to_have_text("Live")


def chip(page: Page, post: ScheduledPost, letter: str = "c") -> Any:
    return page.locator(f"#{letter}{post.pk}")


def upload_of(post: ScheduledPost) -> UploadJob:
    video = post.videos.get()
    job = UploadJob.objects.create(
        destination=post.account.destination, upload_type="media", title=video.filename,
        library_path=video.library_path, media_name=f"job-{post.pk}.mp4", status="active", stage="uploading",
        leased_by="worker#1", not_before_at=timezone.now(), leased_until=timezone.now() + timedelta(hours=1),
    )  # fmt: skip
    PostVideo.objects.filter(pk=video.pk).update(job=job)
    return job


# -------------------------------------------------------------------- by itself


def test_a_post_goes_through_its_phases_without_a_reload(page: Page, make_post: MakePost) -> None:
    at = timezone.now() + timedelta(minutes=30)
    post = make_post("Fog", at=at)
    open_live(page, week_of(at))
    expect(chip(page, post)).to_have_attribute("data-state", "saved")
    ScheduledPost.objects.get(pk=post.pk).note_media_uploaded(now=timezone.now())
    expect(chip(page, post)).to_have_attribute("data-state", "ready")
    expect(page.locator("#state-ready .sc-tile-count")).to_have_text("1")
    now = timezone.now()
    ScheduledPost.objects.filter(pk=post.pk).update(leased_by="p#1", publish_accepted_at=now)
    held = ScheduledPost.objects.get(pk=post.pk)
    held.publish(now=now, url="https://social.example/p/1", remote_status="published")
    expect(chip(page, post)).to_have_attribute("data-state", "published")
    expect(page.locator("#state-published .sc-tile-count")).to_have_text("1")


def test_the_bar_of_an_upload_moves_with_each_event(page: Page, make_post: MakePost) -> None:
    at = timezone.now() + timedelta(minutes=30)
    post = make_post("Fog", at=at)
    job = upload_of(post)
    open_live(page, week_of(at))
    bar = chip(page, post).locator("progress")
    expect(bar).to_have_js_property("value", 0)
    page.wait_for_timeout(800)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    live.upload_progress(job, done=47, total=100, bytes_per_second=10)
    expect(bar).to_have_js_property("value", 47)
    assert not asked


def test_a_new_post_appears_and_a_missed_one_asks_for_a_hand(page: Page, make_post: MakePost) -> None:
    at = timezone.now() + timedelta(minutes=30)
    post = make_post("Fog", at=at)
    open_live(page, week_of(at))
    other = make_post("Snow", at=at)
    other.begin(who="olga", now=timezone.now())
    expect(chip(page, other)).to_be_visible()
    post.fail(ErrorKind.MISSED, "Missed: no worker ran.", now=timezone.now(), fenced=False)
    expect(chip(page, post)).to_have_attribute("data-state", "missed")
    expect(page.locator("#part-attention")).to_contain_text("Missed: no worker ran.")


def test_the_detail_page_moves_too(page: Page, make_post: MakePost) -> None:
    post = make_post("Fog", at=berlin())
    open_live(page, f"/posts/{post.pk}/")
    expect(page.locator("#part-post")).to_contain_text("Why is this not published?")
    page.locator("#player-1").evaluate("player => { player.mine = 'kept'; }")
    post.cancel(who="nina", now=timezone.now())
    expect(page.locator("#part-post .sc-badge-large")).to_have_text("Cancelled")
    expect(page.locator("#part-post")).to_contain_text("Cancelled by nina")
    # The player is the same one still: what it plays is not interrupted.
    expect(page.locator("#player-1")).to_have_js_property("mine", "kept")
    expect(page.locator("#player-1")).to_have_js_property("error", None)


def test_days_are_the_viewers_from_the_first_visit_on(page: Page, make_post: MakePost) -> None:
    late = berlin(hour=0, minute=30)
    make_post("Just after midnight", at=late)
    page.goto(week_of(late, "month"))
    expect(page.locator("#sc-clock")).to_contain_text("Europe/Berlin")
    expect(page.locator(f"#day-{late.date()} .sc-post")).to_contain_text("00:30")
    expect(page.locator("#sc-clock")).to_contain_text("UTC")


# -------------------------------------------------------------------- by mouse


def drag(page: Page, source: Any, target: Any) -> None:
    source.scroll_into_view_if_needed()
    start = source.bounding_box()
    page.mouse.move(start["x"] + 12, start["y"] + 8)
    page.mouse.down()
    page.mouse.move(start["x"] + 30, start["y"] + 20, steps=4)
    end = target.bounding_box()
    page.mouse.move(end["x"] + 20, end["y"] + 10, steps=10)
    page.mouse.up()


def test_dragging_to_another_day_shows_a_dry_run_and_saves_only_when_told(
    page: Page, make_post: MakePost
) -> None:
    at = berlin(days=7)
    monday = at - timedelta(days=at.weekday())
    at, there = monday, monday + timedelta(days=2)
    post = make_post("Fog", at=at)
    make_post("Already there", at=there + timedelta(minutes=5))
    open_live(page, week_of(at, "month"))
    target = page.locator(f"#day-{there.date()}")
    drag(page, chip(page, post, "m"), target)
    dialog = page.locator("#sc-move")
    expect(dialog).to_be_visible()
    expect(dialog.locator("#dry-run")).to_contain_text("2 d later")
    expect(dialog.locator("#dry-run")).to_contain_text("Collides")
    expect(dialog.locator("#dry-run")).to_contain_text("Already there")
    expect(dialog.locator("#move-at")).to_have_value(re.compile(rf"{there.date()}T14:00"))
    assert ScheduledPost.objects.get(pk=post.pk).scheduled_for == at
    dialog.get_by_role("button", name="Move", exact=True).click()
    expect(page.locator("#sc-toasts")).to_contain_text("“Fog” on")
    expect(dialog).to_be_hidden()
    expect(target.locator(f"#m{post.pk}")).to_be_visible()
    assert ScheduledPost.objects.get(pk=post.pk).scheduled_for == there


def test_dragging_to_another_hour_keeps_the_minutes(page: Page, make_post: MakePost) -> None:
    at = berlin(days=7, hour=14, minute=25)
    post = make_post("Fog", at=at)
    open_live(page, week_of(at, "day"))
    drag(page, chip(page, post), page.locator(f'td[data-hour="16"][data-account="{post.account_id}"]'))
    expect(page.locator("#move-at")).to_have_value(re.compile(rf"{at.date()}T16:25"))
    page.get_by_role("button", name="Leave it").click()
    expect(page.locator("#sc-move")).to_be_hidden()
    assert ScheduledPost.objects.get(pk=post.pk).scheduled_for == at


def test_a_post_is_not_dragged_into_another_accounts_lane(
    page: Page, make_post: MakePost, place: Destination
) -> None:
    at = berlin(days=7)
    post = make_post("Fog", at=at)
    other = place.social_accounts.get(remote_id=YOUTUBE)
    open_live(page, week_of(at, "day"))
    drag(page, chip(page, post), page.locator(f'td[data-hour="16"][data-account="{other.pk}"]'))
    page.wait_for_timeout(300)
    expect(page.locator("#sc-move")).to_be_hidden()
    expect(page.locator("#sc-details")).to_be_hidden()


def test_dragging_out_of_the_tray_gives_a_time_and_back_takes_it(page: Page, make_post: MakePost) -> None:
    post = make_post("Some day", at=None)
    on = berlin(days=7)
    open_live(page, week_of(on, "month"))
    drag(page, chip(page, post, "t"), page.locator(f"#day-{on.date()}"))
    expect(page.locator("#dry-run")).to_contain_text("It gets its time")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.locator(f"#day-{on.date()} #m{post.pk}")).to_be_visible()
    drag(page, chip(page, post, "m"), page.locator("#tray"))
    expect(page.locator("#dry-run")).to_contain_text("loses its time")
    page.get_by_role("button", name="Take its time away").click()
    expect(page.locator(f"#tray #t{post.pk}")).to_be_visible()


def test_a_published_post_cannot_be_dragged(page: Page, make_post: MakePost) -> None:
    at = berlin(days=7)
    post = make_post("Out", at=at, status=PostStatus.PUBLISHED, published_at=at)
    open_live(page, week_of(at, "month"))
    drag(page, chip(page, post, "m"), page.locator("#tray"))
    page.wait_for_timeout(300)
    expect(page.locator("#sc-move")).to_be_hidden()


def test_cancelling_from_the_popover_asks_first(page: Page, make_post: MakePost) -> None:
    post = make_post("Fog", at=berlin(days=7))
    open_live(page, week_of(berlin(days=7)))
    chip(page, post).click()
    box = page.locator("#sc-details")
    expect(box).to_contain_text("Its media go to OnlySocial from")
    box.get_by_role("button", name="Cancel", exact=True).click()
    dialog = page.locator(f"#pop-cancelling-{post.pk}")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    assert ScheduledPost.objects.get(pk=post.pk).is_open
    if box.is_hidden():
        chip(page, post).click()
    box.get_by_role("button", name="Cancel", exact=True).click()
    dialog.get_by_role("button", name="Cancel the post").click()
    expect(page.locator("#sc-toasts")).to_contain_text("is cancelled")
    expect(chip(page, post)).to_have_attribute("data-state", "cancelled")


# -------------------------------------------------------------------- by keyboard


def test_the_keyboard_goes_from_view_to_view_and_from_post_to_post(page: Page, make_post: MakePost) -> None:
    at = berlin(days=0, hour=12)
    first = make_post("First", at=at)
    second = make_post("Second", at=at + timedelta(minutes=10))
    open_live(page)
    page.keyboard.press("1")
    expect(page.locator("#calendar-month")).to_be_visible()
    assert "view=month" in page.url
    page.keyboard.press("]")
    expect(page.locator("#period")).not_to_have_text(f"{at:%B %Y}")
    page.keyboard.press("0")
    expect(page.locator("#period")).to_have_text(f"{at:%B %Y}")
    page.keyboard.press("2")
    expect(page.locator("#calendar-week")).to_be_visible()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowDown")
    expect(chip(page, first)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(chip(page, second)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#sc-details")).to_contain_text("Second")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("#posts-search")).to_be_focused()


def test_a_post_is_moved_by_keyboard_alone(page: Page, make_post: MakePost) -> None:
    at = berlin(days=7)
    post = make_post("Fog", at=at)
    open_live(page, week_of(at))
    chip(page, post).focus()
    page.keyboard.press("m")
    field = page.locator("#move-at")
    expect(field).to_be_focused()
    expect(page.locator("#move-do")).to_be_disabled()
    field.fill(f"{at.date()}T18:30:00")
    expect(page.locator("#dry-run")).to_contain_text("4 h 30 min later")
    expect(page.locator("#move-do")).to_be_enabled()
    page.keyboard.press("Enter")
    expect(page.locator("#sc-toasts")).to_contain_text("18:30")
    assert ScheduledPost.objects.get(pk=post.pk).scheduled_for == at.replace(hour=18, minute=30)


def tab_to(page: Page, target: str, *, most: int = 60) -> None:
    """As those do who have no mouse."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == target:
            return
    raise AssertionError(f"{target} is not reached by the tab key")


def test_a_post_is_made_and_cancelled_by_keyboard_alone(
    page: Page, make_series: MakeSeries, account: SocialAccount
) -> None:
    make_series("Harbour", 1)
    open_live(page)
    page.keyboard.press("n")
    expect(page.locator("#post-form")).to_be_visible()
    expect(page.locator("#form-zone")).to_contain_text(ZONE)
    tab_to(page, "library-search")
    page.keyboard.type("harb")
    expect(page.locator("#library-hits .sc-hit")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("#chosen-videos li")).to_have_count(1)
    tab_to(page, "caption")
    page.keyboard.type("Fog")
    tab_to(page, f"pick-{account.pk}")
    page.keyboard.press("Space")
    expect(page.locator(f"#caption-{account.pk}")).to_be_visible()
    tab_to(page, "post-at")
    at = berlin(days=7)
    page.keyboard.type(f"{at:%m%d%Y}")
    page.keyboard.press("ArrowRight")
    page.keyboard.type("0200PM")
    expect(page.locator("#post-plan .sc-plan-list li")).to_have_count(1)
    tab_to(page, "save-posts")
    page.keyboard.press("Enter")
    expect(page.locator("body")).to_contain_text("1 post saved.")
    post = ScheduledPost.objects.get()
    assert (post.caption, post.scheduled_for) == ("Fog", at)

    expect(page.locator("#sc-live")).to_have_text("Live")
    page.keyboard.press("ArrowDown")
    expect(chip(page, post)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#sc-details")).to_contain_text("Fog")
    tab_to(page, "pop-cancel")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#sc-toasts")).to_contain_text("cancelled")
    assert ScheduledPost.objects.get().status == PostStatus.CANCELLED


def test_a_dry_run_forbids_the_past_and_says_the_gap(page: Page, make_post: MakePost) -> None:
    post = make_post("Fog", at=berlin(days=7))
    open_live(page, f"/posts/{post.pk}/")
    page.locator("#do-move").click()
    page.locator("#move-at").fill("2020-01-01T12:00:00")
    expect(page.locator("#dry-run")).to_contain_text("is in the past")
    expect(page.locator("#move-do")).to_be_disabled()
    page.locator("#move-at").fill("2028-03-26T02:30:00")
    expect(page.locator("#dry-run")).to_contain_text("The clocks of Europe/Berlin skip 02:30")
    expect(page.locator("#move-do")).to_be_enabled()


# -------------------------------------------------------------------- filters


def test_filters_live_in_the_address_and_in_the_history(page: Page, make_post: MakePost) -> None:
    at = berlin(days=7)
    fog, snow = make_post("Fog", at=at), make_post("Snow", at=at)
    snow.cancel(who="olga", now=timezone.now())
    open_live(page, week_of(at))
    page.locator("#state-cancelled").click()
    expect(chip(page, fog)).to_be_hidden()
    assert "state=cancelled" in page.url
    page.locator("#filter-state").select_option("saved")
    expect(chip(page, snow)).to_be_hidden()
    expect(chip(page, fog)).to_be_visible()
    page.go_back()
    expect(chip(page, snow)).to_be_visible()
    page.reload()
    expect(chip(page, fog)).to_be_hidden()


# -------------------------------------------------------------------- the form


def test_making_posts_with_a_preview_before_saving(
    page: Page, make_series: MakeSeries, account: SocialAccount, one_video: Path
) -> None:
    make_series("Harbour", 2)
    on = berlin(days=7).date()
    page.goto("/posts/new/")
    page.locator("#library-search").fill("harb")
    page.locator("#library-hits .sc-hit").first.click()
    expect(page.locator("#chosen-videos li")).to_have_count(1)
    page.set_input_files("#post-files", one_video)
    expect(page.locator("#chosen-videos li")).to_have_count(2)
    page.locator("#caption").fill("A letter is found 📨")
    expect(page.locator('[data-counter-of="caption"]')).to_have_text("19 of 5,000")
    page.locator(f"#pick-{account.pk}").check()
    page.locator("#mode-every").check()
    page.locator("#post-hours").fill("48")
    page.locator("#post-at").fill(f"{on}T14:00")
    page.locator("#post-zone").fill("Asia/Kolkata")
    plan = page.locator("#post-plan .sc-plan-list li")
    expect(plan).to_have_count(2)
    expect(page.locator("#moment-both")).to_contain_text("08:30 UTC")
    assert not ScheduledPost.objects.exists()
    expect(page.locator("#caption")).to_have_value("A letter is found 📨")
    page.get_by_role("button", name="Save 2 posts").click()
    expect(page.locator("body")).to_contain_text("2 posts saved.")
    first, second = ScheduledPost.objects.order_by("scheduled_for")
    assert second.scheduled_for - first.scheduled_for == timedelta(hours=48)
    assert first.caption == "A letter is found 📨"


def test_the_form_says_what_is_wrong_and_keeps_the_rest(
    page: Page, account: SocialAccount, tmp_path: Path
) -> None:
    page.goto("/posts/new/")
    page.locator("#caption").fill("Kept")
    page.locator(f"#pick-{account.pk}").check()
    notes = tmp_path / "notes.mp4"
    notes.write_text("hello, world, I am no video")
    page.set_input_files("#post-files", notes)
    expect(page.locator("#file-progress")).to_contain_text("is no MP4 video inside")
    page.locator("#save-posts").click()
    expect(page.locator("#group-videos")).to_contain_text("Choose at least one video.")
    expect(page.locator("#group-when")).to_contain_text("Give the day and time")
    expect(page.locator("#caption")).to_have_value("Kept")
    expect(page.locator(f"#pick-{account.pk}")).to_be_checked()


def test_what_was_refused_of_files_stays_while_one_types(
    page: Page, account: SocialAccount, tmp_path: Path
) -> None:
    page.goto("/posts/new/")
    notes = tmp_path / "notes.txt"
    notes.write_text("hello, world, I am no video")
    page.set_input_files("#post-files", notes)
    refused = page.locator("#file-progress")
    expect(refused).to_contain_text("notes.txt is no MP4 video")
    page.locator(f"#pick-{account.pk}").check()
    expect(page.locator(f"#caption-{account.pk}")).to_be_visible()
    expect(refused).to_contain_text("notes.txt is no MP4 video")
    refused.get_by_role("button", name="Dismiss").click()
    expect(refused).to_be_empty()


def test_the_form_opens_on_the_viewers_clock_from_the_first_visit_on(
    page: Page, account: SocialAccount
) -> None:
    page.goto("/posts/new/")
    expect(page.locator("#post-zone")).to_have_value(ZONE)
    expect(page.locator("#form-zone")).to_contain_text(ZONE)


# -------------------------------------------------------------------- people and screens


def test_a_viewer_sees_it_live_and_cannot_touch(signed_in: SignIn, viewer: User, make_post: MakePost) -> None:
    at = berlin(days=7)
    post = make_post("Fog", at=at)
    page = signed_in(viewer).new_page()
    open_live(page, week_of(at, "month"))
    expect(page.get_by_role("link", name="New posts")).to_have_count(0)
    drag(page, chip(page, post, "m"), page.locator("#tray"))
    chip(page, post, "m").focus()
    page.keyboard.press("m")
    page.wait_for_timeout(300)
    expect(page.locator("#sc-move")).to_be_hidden()
    post.cancel(who="olga", now=timezone.now())
    expect(chip(page, post, "m")).to_have_attribute("data-state", "cancelled")


@pytest.mark.parametrize(
    "path", ["", "?view=month", "?view=day", "?view=list", "new/", "{post}/", "{post}/move/"]
)
def test_nothing_is_wider_than_a_phone(
    signed_in: SignIn, operator: User, make_post: MakePost, path: str
) -> None:
    post = make_post(
        "A caption that is longer than a phone is wide, and then some more of it", at=berlin(days=0)
    )
    page = signed_in(operator, width=390, height=844).new_page()
    page.goto(f"/posts/{path.format(post=post.pk)}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_on_a_phone_posts_are_a_list_and_actions_are_at_the_bottom(
    signed_in: SignIn, operator: User, make_post: MakePost
) -> None:
    at = timezone.now() + timedelta(minutes=5)
    post = make_post("Fog", at=at)
    page = signed_in(operator, width=390, height=844).new_page()
    open_live(page, week_of(at))
    expect(page.locator("#calendar-week")).to_be_hidden()
    page.locator(f"#l{post.pk} .sc-name").click()
    expect(page.locator("#sc-details")).to_be_visible()
    page.locator("#sc-details").get_by_role("link", name="Open").click()
    expect(page.locator(".sc-detail-actions")).to_be_in_viewport()
    box = page.locator(".sc-detail-actions").bounding_box()
    assert box
    assert box["y"] + box["height"] == pytest.approx(844, abs=1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_has_no_complaint_in_either_theme(
    signed_in: SignIn, operator: User, make_post: MakePost, scheme: str
) -> None:
    post = make_post("Fog", at=berlin())
    page = signed_in(operator, color_scheme=scheme).new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for path in (
        "",
        "?view=month",
        "?view=day",
        "?view=list",
        "?lanes=1",
        "new/",
        f"{post.pk}/",
        f"{post.pk}/edit/",
    ):
        page.goto(f"/posts/{path}")
        page.wait_for_load_state("networkidle")
    assert not complaints
