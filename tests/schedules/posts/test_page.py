"""The posts page as the server gives it: what it shows, what a dry run says, who may touch."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import events
from jobs.errors import ErrorKind
from schedules.posts.models import PostStatus, ScheduledPost
from tests.conftest import NOW
from tests.schedules.conftest import FACEBOOK, LOST, YOUTUBE, MakePost, fresh
from uploader.destinations import Destination
from uploader.social_accounts import SocialAccount
from uploader.upload_jobs import UploadJob

pytestmark = pytest.mark.django_db

ALL = "posts-alert,attention,calendar,tray"
LIVE = {"HX-Request": "true", "HX-Current-URL": "http://testserver/posts/"}
ROME = "Europe/Rome"
# A Wednesday, and nothing special about its clocks.
DAY = datetime(2027, 6, 16, 12, 0, tzinfo=UTC)


def text_of(response: HttpResponse) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode())).replace(" ,", ",")


def in_zone(client: Client, zone: str) -> Client:
    client.cookies["sc_zone"] = zone.replace("/", "%2F")
    return client


def cells(response: HttpResponse) -> dict[str, str]:
    """The days of a month with what stands in them."""
    found = re.findall(r'<td id="day-([\d-]+)".*?</td>', response.content.decode(), re.DOTALL)
    parts = re.split(r'<td id="day-[\d-]+"', response.content.decode())[1:]
    return dict(zip(found, parts, strict=True))


def press(client: Client, path: str, /, **fields: Any) -> HttpResponse:
    return client.post(path, {"parts": ALL, **fields}, headers=LIVE)


def toast_of(response: HttpResponse) -> dict[str, str]:
    return json.loads(response.headers["HX-Trigger"])["toast"]


def has_failed(post: ScheduledPost, kind: str, why: str) -> ScheduledPost:
    post.fail(kind, why, now=timezone.now(), fenced=False)
    return post


# -------------------------------------------------------------------- who may look, who may touch


@pytest.mark.parametrize(
    "path", ["/posts/", "/posts/new/", "/posts/1/", "/posts/1/move/", "/posts/1/videos/1/"]
)
def test_only_the_staff_gets_in(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/?next=")


def test_a_viewer_sees_everything_and_no_button(viewer_client: Client, make_post: MakePost) -> None:
    post = make_post(caption="Fog over the harbour")
    for path in ("/posts/", f"/posts/{post.pk}/"):
        page = viewer_client.get(path).content.decode()
        assert "Fog over the harbour" in page
        for word in ("Move to…", "Publish now", "Duplicate", "data-movable", "New posts", "Cancel the post"):
            assert word not in page


@pytest.mark.parametrize("name", ["move", "duplicate", "now", "retry", "cancel", "edit"])
def test_a_viewer_cannot_touch(viewer_client: Client, make_post: MakePost, name: str) -> None:
    post = make_post()
    before = ScheduledPost.objects.values().get(pk=post.pk)
    answer = viewer_client.post(f"/posts/{post.pk}/{name}/", {"at": "2027-06-16T12:00", "caption": "mine"})
    assert answer.status_code == 403
    assert ScheduledPost.objects.values().get() == before


def test_a_viewer_cannot_make_posts(viewer_client: Client, account: SocialAccount) -> None:
    assert viewer_client.get("/posts/new/").status_code == 403
    assert viewer_client.post("/posts/new/", {"do": "save"}).status_code == 403
    file = SimpleUploadedFile("a.mp4", b"\0\0\0\x18ftypmp42")
    assert viewer_client.post("/posts/new/files/", {"files": file}).status_code == 403


def test_a_page_whose_session_ended_is_sent_to_sign_in(client: Client) -> None:
    answer = client.get("/posts/", {"parts": ALL}, headers=LIVE)
    assert answer.status_code == 401
    assert answer["HX-Redirect"] == "/admin/login/?next=/posts/"


# -------------------------------------------------------------------- month, week, day, list


def test_a_month_shows_each_post_on_its_day_of_the_viewers_clock(
    operator_client: Client, make_post: MakePost
) -> None:
    make_post(at=datetime(2027, 6, 16, 22, 30, tzinfo=UTC), caption="Late light")
    rome = cells(in_zone(operator_client, ROME).get("/posts/?view=month&on=2027-06-16"))
    assert "Late light" in rome["2027-06-17"] and "00:30" in rome["2027-06-17"]
    utc = cells(in_zone(operator_client, "UTC").get("/posts/?view=month&on=2027-06-16"))
    assert "Late light" in utc["2027-06-16"] and "22:30" in utc["2027-06-16"]


def test_the_address_may_name_another_zone(operator_client: Client, make_post: MakePost) -> None:
    make_post(at=DAY, caption="Noon")
    page = in_zone(operator_client, ROME).get("/posts/?view=day&on=2027-06-16&zone=Asia/Kolkata")
    assert "17:30" in text_of(page) and "Asia/Kolkata" in text_of(page)


def test_a_week_has_hours_on_the_viewers_clock_and_in_utc(
    operator_client: Client, make_post: MakePost
) -> None:
    make_post(at=DAY, caption="Noon")
    page = text_of(in_zone(operator_client, ROME).get("/posts/?on=2027-06-16"))
    assert "14 Jun – 20 Jun 2027" in page and "CEST · UTC" in page
    assert "14:00 12:00" in page


def test_a_day_has_a_lane_for_every_account(
    operator_client: Client, make_post: MakePost, workspace: Destination
) -> None:
    make_post(at=DAY)
    make_post(at=DAY, account=workspace.social_accounts.get(remote_id=YOUTUBE))
    page = operator_client.get("/posts/?view=day&on=2027-06-16").content.decode()
    lanes = re.findall(r'<td id="cell-12-(\d)"[^>]*data-account="(\d+)"[^>]*>(.*?)</td>', page, re.DOTALL)
    assert len(lanes) == workspace.social_accounts.count()
    holding = {account for _, account, body in lanes if "data-post=" in body}
    assert holding == {str(post.account_id) for post in ScheduledPost.objects.all()}


def test_a_week_may_have_a_lane_for_every_account(operator_client: Client, make_post: MakePost) -> None:
    post = make_post(at=DAY)
    page = operator_client.get("/posts/?lanes=1&on=2027-06-16").content.decode()
    lane = re.search(
        rf'data-day="2027-06-16" data-account="{post.account_id}"[^>]*>(.*?)</td>', page, re.DOTALL
    )
    assert lane and f'data-post="{post.pk}"' in lane[1]


def test_a_list_is_cut_and_says_how_much_is_left(operator_client: Client, make_post: MakePost) -> None:
    for number in range(103):
        make_post(at=DAY + timedelta(minutes=number), videos=0, caption=f"N{number:03}")
    page = text_of(operator_client.get("/posts/?view=list&on=2027-06-16"))
    assert "N099" in page and "N100" not in page and "Show 3 more" in page
    assert "N102" in text_of(operator_client.get("/posts/?view=list&on=2027-06-16&rows=103"))


def test_now_is_a_line_in_the_calendar(operator_client: Client, make_post: MakePost) -> None:
    make_post()
    assert 'class="sc-now-line" data-step=' in operator_client.get("/posts/").content.decode()
    assert 'id="now-rule"' in operator_client.get("/posts/?view=list").content.decode()
    assert "sc-now-line" not in operator_client.get("/posts/?on=2027-06-16").content.decode()


@pytest.mark.parametrize(
    "query",
    [
        "view=year&on=2027-02-30&account=x&state=odd&risk=2&rows=-1&zone=Mars/Crater&q=%00",
        "on=0001-01-01",
        "on=9999-12-31&view=month",
        "account=99999999999999999999999",
        "view=month&on=2200-12-31",
    ],
)
def test_an_address_that_makes_no_sense_shows_the_page(
    operator_client: Client, make_post: MakePost, query: str
) -> None:
    make_post()
    assert operator_client.get(f"/posts/?{query}").status_code == 200
    assert operator_client.get(f"/posts/?{query}&parts={ALL}", headers=LIVE).status_code == 200


def test_an_empty_page_says_what_to_do_first(operator_client: Client) -> None:
    page = text_of(operator_client.get("/posts/"))
    assert "No posts yet" in page and "set up an OnlySocial destination" in page


def test_an_empty_page_with_accounts_offers_the_form(operator_client: Client, account: SocialAccount) -> None:
    assert "Make the first posts" in text_of(operator_client.get("/posts/"))


# -------------------------------------------------------------------- filters, which live in the address


def test_filters_by_account_state_and_text(
    operator_client: Client, make_post: MakePost, workspace: Destination
) -> None:
    other = workspace.social_accounts.get(remote_id=FACEBOOK)
    ours = make_post(at=DAY, caption="Fog")
    theirs = make_post(at=DAY, caption="Snow", account=other)
    make_post(at=DAY, caption="Rain").cancel(who="olga", now=timezone.now())

    def shown(**query: Any) -> set[str]:
        page = operator_client.get("/posts/", {"on": "2027-06-16", **query}).content.decode()
        return set(re.findall(r'class="sc-post-title">(\w+)<', page))

    assert shown() == {"Fog", "Snow", "Rain"}
    assert shown(account=other.pk) == {"Snow"}
    assert shown(state="saved") == {"Fog", "Snow"}
    assert shown(state="cancelled") == {"Rain"}
    assert shown(q="fOg") == {"Fog"}
    assert shown(q=theirs.videos.get().library_path) == {"Snow"}
    assert shown(account=ours.account_id, state="saved") == {"Fog"}


def test_every_link_keeps_the_filters(
    operator_client: Client, make_post: MakePost, account: SocialAccount
) -> None:
    make_post(at=DAY)
    page = operator_client.get(f"/posts/?on=2027-06-16&account={account.pk}&q=post").content.decode()
    links = re.findall(r'<a [^>]*id="(?:view|period|state)-[^"]*"[^>]*href="([^"]*)"', page)
    assert len(links) >= 12
    assert all(f"account={account.pk}" in link and "q=post" in link for link in links)


def test_the_tiles_count_the_period(operator_client: Client, make_post: MakePost) -> None:
    make_post(at=DAY)
    make_post(at=DAY + timedelta(hours=1)).cancel(who="olga", now=timezone.now())
    make_post(at=DAY + timedelta(days=40))
    page = operator_client.get("/posts/?on=2027-06-16").content.decode()
    counts = dict(re.findall(r'id="state-(\w+)".*?sc-tile-count">(\d+)<', page))
    assert (counts["saved"], counts["cancelled"], counts["published"]) == ("1", "1", "0")


# -------------------------------------------------------------------- one post at a glance


def upload_of(post: ScheduledPost, **fields: Any) -> UploadJob:
    video = post.videos.first()
    assert video
    job = UploadJob.objects.create(
        **{
            "destination": post.account.destination, "upload_type": "media", "title": video.filename,
            "library_path": video.library_path, "media_name": f"job-{post.pk}.mp4", "status": "active",
            "stage": "uploading", "progress": 47, "leased_by": "w#1", "not_before_at": timezone.now(),
        } | fields
    )  # fmt: skip
    post.videos.filter(pk=video.pk).update(job=job)
    return job


def states() -> dict[str, Callable[[ScheduledPost], Any]]:
    now = timezone.now()
    rows = ScheduledPost.objects
    return {
        "Saved": lambda post: None,
        "Uploading": upload_of,
        "Media up": lambda post: rows.filter(pk=post.pk).update(status="MEDIA_UPLOADED", pre_uploaded=True),
        "Publishing": lambda post: rows.filter(pk=post.pk).update(
            status="MEDIA_UPLOADED", pre_uploaded=True, publish_intended_at=now
        ),
        "Published": lambda post: rows.filter(pk=post.pk).update(status="PUBLISHED", published_at=now),
        "Failed": lambda post: has_failed(post, ErrorKind.REJECTED, "The video is too long."),
        "Missed": lambda post: has_failed(post, ErrorKind.MISSED, "Missed: no worker ran."),
        "Cancelled": lambda post: post.cancel(who="olga", now=now),
    }  # fmt: skip


@pytest.mark.parametrize("word", list(states()))
def test_each_phase_has_its_word(operator_client: Client, make_post: MakePost, word: str) -> None:
    post = make_post(at=DAY, caption="Fog")
    states()[word](post)
    page = operator_client.get("/posts/?view=list&on=2027-06-16").content.decode()
    line = re.search(rf'<li class="sc-post-line" id="l{post.pk}".*?</li>', page, re.DOTALL)
    assert line and f'data-post-state="{word.lower()}"'.replace("media up", "ready") in line[0]
    assert f">{word}" in line[0]
    phases = re.findall(r'data-p="(\w+)"', line[0])
    assert phases == {
        "Saved": ["done", "waiting", "waiting"], "Uploading": ["done", "active", "waiting"],
        "Media up": ["done", "done", "waiting"], "Publishing": ["done", "done", "active"],
        "Published": ["done", "waiting", "done"], "Failed": ["done", "failed", "failed"],
        "Missed": ["done", "failed", "failed"], "Cancelled": ["done", "failed", "failed"],
    }[word]  # fmt: skip


def test_an_upload_shows_how_far_it_is(operator_client: Client, make_post: MakePost) -> None:
    job = upload_of(make_post())
    page = operator_client.get("/posts/").content.decode()
    assert re.search(rf'data-job="{job.pk}".*?<progress[^>]*value="47"', page, re.DOTALL)


def test_a_post_is_at_risk_before_its_time_with_the_cause(
    operator_client: Client, make_post: MakePost, workspace: Destination, library: Path
) -> None:
    gone = make_post(at=timezone.now() + timedelta(hours=3), caption="Gone")
    (library / gone.videos.get().library_path).unlink()
    make_post(at=timezone.now() + timedelta(hours=4), caption="Lost", account=lost(workspace))
    make_post(at=timezone.now() + timedelta(hours=5), caption="Fine")
    page = operator_client.get("/posts/")
    attention = page.content.decode().split('id="part-attention"')[1].split('id="part-calendar"')[0]
    assert "Gone" in attention and f"File missing at {gone.videos.get().library_path}" in attention
    assert "Lost" in attention and "is not connected any more" in attention
    assert "Fine" not in attention
    assert "Needs a hand 2" in text_of(page)
    only = operator_client.get("/posts/?view=list&risk=1").content.decode().split('id="part-calendar"')[1]
    assert "Gone" in only and "Lost" in only and "Fine" not in only


def test_a_missing_video_is_told_in_place_of_its_player(
    operator_client: Client, make_post: MakePost, library: Path
) -> None:
    post = make_post(videos=2)
    path = post.videos.get(position=1).library_path
    (library / path).unlink()
    page = operator_client.get(f"/posts/{post.pk}/").content.decode()
    assert 'id="player-1"' not in page and 'id="player-2"' in page
    assert f"File missing at {path}" in page.split('id="video-1"')[1].split("</section>")[0]


def offered(page: HttpResponse, post: ScheduledPost) -> set[str]:
    """What the page and its list of what needs a hand offer to do with a post."""
    verbs = re.findall(rf'"/posts/{post.pk}/(\w+)/"', page.content.decode())
    return {verb for verb in verbs if verb in ("move", "now", "retry", "cancel", "edit")}


@pytest.mark.parametrize(
    ("what", "may"),
    [
        ({}, {"move", "now", "edit", "cancel"}),
        ({"remote_status": "needs_approval", "publish_intended_at": NOW}, set()),
        ({"status": "FAILED", "error_kind": "missed"}, {"move", "now", "cancel"}),
        ({"status": "FAILED", "error_kind": "rejected", "remote_status": "partly_published"}, {"cancel"}),
        ({"status": "FAILED", "error_kind": "outcome_unknown", "publish_intended_at": NOW,
          "publish_accepted_at": NOW}, {"retry", "cancel"}),
        ({"status": "PUBLISHED", "published_at": NOW}, set()),
    ],
    ids=["waits", "needs-approval", "missed", "partly-published", "outcome-unknown", "published"],
)  # fmt: skip
def test_nothing_is_offered_that_would_be_refused(
    operator_client: Client, uploaded_post: MakePost, what: dict[str, Any], may: set[str]
) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(hours=1 if not what else -1))
    ScheduledPost.objects.filter(pk=post.pk).update(**what)
    assert offered(operator_client.get(f"/posts/{post.pk}/"), post) == may
    attention = operator_client.get("/posts/")
    assert offered(attention, post) <= may


def test_a_cause_is_told_once(operator_client: Client, uploaded_post: MakePost) -> None:
    post = uploaded_post(at=timezone.now() - timedelta(minutes=1))
    ScheduledPost.objects.filter(pk=post.pk).update(
        remote_status="needs_approval", publish_intended_at=NOW, publish_accepted_at=NOW
    )
    page = text_of(operator_client.get(f"/posts/{post.pk}/"))
    assert page.count("OnlySocial waits for somebody to approve the post there.") == 1


def test_without_an_account_the_way_to_one_is_shown(operator_client: Client) -> None:
    for path in ("/posts/", "/posts/new/"):
        page = operator_client.get(path)
        assert "There are no social accounts" in text_of(page)
        assert ">Destinations</a>" in page.content.decode().split('id="part-calendar"')[-1]
    assert operator_client.get("/admin/uploader/destination/").status_code == 200


def test_a_title_that_is_cut_says_so(operator_client: Client, make_post: MakePost) -> None:
    make_post(caption="Fog " * 60, at=DAY)
    page = text_of(operator_client.get("/posts/?view=list&on=2027-06-16"))
    assert re.search(r"(Fog ){20,30}Fog…", page)


def lost(workspace: Destination) -> SocialAccount:
    return workspace.social_accounts.get(remote_id=LOST)


def test_what_failed_waits_for_a_hand_with_its_cause(operator_client: Client, make_post: MakePost) -> None:
    has_failed(make_post(caption="Fog"), ErrorKind.MISSED, "Missed: no worker ran from 13:58 to 14:20.")
    page = operator_client.get("/posts/")
    assert "Missed: no worker ran from 13:58 to 14:20." in text_of(page)
    assert re.search(r"Posts\s*<[^>]*>\s*1\s*<", page.content.decode()) or "Posts 1" in text_of(page)
    room = text_of(operator_client.get("/"))
    assert "Fog" in room and "Missed: no worker ran" in room


def test_the_tray_holds_what_has_no_time(operator_client: Client, make_post: MakePost) -> None:
    post = make_post(caption="Some day")
    post.move(None, time_zone="UTC", who="olga", now=timezone.now())
    page = operator_client.get("/posts/").content.decode()
    assert "Some day" in page.split('id="part-tray"')[1]
    assert "Some day" not in page.split('id="part-calendar"')[1].split('id="part-tray"')[0]


def test_nobody_at_work_is_told(operator_client: Client, make_post: MakePost) -> None:
    make_post()
    assert "Nothing is published: no scheduler is running." in text_of(operator_client.get("/posts/"))


def test_a_month_costs_the_same_however_full_it_is(operator_client: Client, make_post: MakePost) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert operator_client.get("/posts/?view=month&on=2027-06-16").status_code == 200
        return len(queries)

    soon = timezone.now() + timedelta(hours=2)
    make_post(at=DAY)
    make_post(at=soon)
    few = cost()
    for number in range(20):
        make_post(at=DAY + timedelta(hours=number))
        make_post(at=soon + timedelta(minutes=number))
    assert cost() == few


# -------------------------------------------------------------------- moving, with a dry run


def dry(client: Client, post: ScheduledPost, at: str, zone: str = "UTC", **query: str) -> str:
    before = ScheduledPost.objects.values().get(pk=post.pk)
    answer = client.get(f"/posts/{post.pk}/move/", {"at": at, "in": zone, **query}, headers=LIVE)
    assert answer.status_code == 200
    assert ScheduledPost.objects.values().get(pk=post.pk) == before, "A dry run writes nothing."
    return text_of(answer)


def is_offered(client: Client, post: ScheduledPost, at: str, **query: str) -> bool:
    answer = client.get(f"/posts/{post.pk}/move/", {"at": at, "in": "UTC", **query}, headers=LIVE)
    return not re.search(r'id="move-do"[^>]* disabled', answer.content.decode())


def test_a_dry_run_says_what_moves_and_when_its_media_go_up(
    operator_client: Client, make_post: MakePost
) -> None:
    post = make_post(at=DAY)
    said = dry(in_zone(operator_client, ROME), post, "2027-06-17T12:30")
    assert (
        "From Wed 16 Jun 2027 14:00 CEST to Thu 17 Jun 2027 14:30 CEST (12:30 UTC): 1 d 30 min later." in said
    )
    assert "Its media go up from 2027-06-17 11:30 UTC on." in said


def test_a_dry_run_shows_collisions_on_the_same_account(
    operator_client: Client, make_post: MakePost, workspace: Destination
) -> None:
    post = make_post(at=DAY)
    make_post(at=DAY + timedelta(days=1, minutes=5), caption="Already there")
    other = workspace.social_accounts.get(remote_id=FACEBOOK)
    make_post(at=DAY + timedelta(days=1), caption="Elsewhere", account=other)
    said = dry(operator_client, post, "2027-06-17T12:00")
    assert "Collides" in said and "Already there" in said and "Elsewhere" not in said
    assert "Collides" not in dry(operator_client, post, "2027-06-17T13:00")


def test_a_dry_run_refuses_the_past(operator_client: Client, make_post: MakePost) -> None:
    post = make_post(at=DAY)
    assert "is in the past" in dry(operator_client, post, "2020-01-01T12:00")
    assert not is_offered(operator_client, post, "2020-01-01T12:00")
    assert is_offered(operator_client, post, "2027-06-18T12:00")


def test_a_dry_run_tells_when_it_is_too_close_for_its_upload(
    operator_client: Client, make_post: MakePost, account: SocialAccount
) -> None:
    now = timezone.now()
    UploadJob.objects.create(
        destination=account.destination, upload_type="media", title="slow", media_name="slow.mp4",
        library_path="slow.mp4", status="completed", bytes_total=1_000_000,
        started_at=now - timedelta(seconds=1000), finished_at=now, not_before_at=now,
    )  # fmt: skip
    post = make_post(at=DAY)
    post.videos.update(size_bytes=3_600_000)
    soon = (now + timedelta(minutes=20)).strftime("%Y-%m-%dT%H:%M")
    said = dry(operator_client, post, soon)
    assert "Too close for its upload: 4 MB take about 1 h at the measured speed" in said
    assert is_offered(operator_client, post, soon)


def test_a_dry_run_says_that_nothing_changes(operator_client: Client, make_post: MakePost) -> None:
    post = make_post(at=DAY)
    assert "nothing changes" in dry(operator_client, post, "2027-06-16T12:00")
    assert not is_offered(operator_client, post, "2027-06-16T12:00")


def test_a_dry_run_knows_a_moment_between_two_seconds(operator_client: Client, make_post: MakePost) -> None:
    post = make_post(at=DAY.replace(microsecond=123_000))
    assert "nothing changes" in dry(operator_client, post, "2027-06-16T12:00:00")


def test_a_dry_run_says_what_the_clocks_do(operator_client: Client, make_post: MakePost) -> None:
    post = make_post(at=DAY)
    gap = dry(operator_client, post, "2027-03-28T02:30", ROME)
    assert "The clocks of Europe/Rome skip 02:30 on Sun 28 Mar: it becomes 03:30 CEST." in gap
    first = dry(operator_client, post, "2027-10-31T02:30", ROME)
    assert "show 02:30 twice on Sun 31 Oct: this is the first, CEST" in first
    assert "Sun 31 Oct 2027 00:30:00 UTC" in first and "The second of the two" in first
    second = dry(operator_client, post, "2027-10-31T02:30", ROME, second="1")
    assert "this is the second, CET" in second and "Sun 31 Oct 2027 01:30:00 UTC" in second


@pytest.mark.parametrize(("at", "zone", "why"), [
    ("", "UTC", "Give a day and a time."),
    ("tomorrow", "UTC", "is no time"),
    ("2027-06-16T12:00", "Mars/Crater", "is no time zone"),
    ("9999-12-31T23:59", "America/New_York", "outside of all calendars"),
])  # fmt: skip
def test_a_time_that_cannot_be_read_is_said(
    operator_client: Client, make_post: MakePost, at: str, zone: str, why: str
) -> None:
    post = make_post(at=DAY)
    assert why in dry(operator_client, post, at, zone)
    answer = press(operator_client, f"/posts/{post.pk}/move/", at=at, **{"in": zone})
    assert answer.status_code == 409 and why in toast_of(answer)["text"]
    assert fresh(post).scheduled_for == DAY


def test_a_post_is_moved(operator_client: Client, make_post: MakePost) -> None:
    post = make_post(at=DAY, caption="Fog")
    answer = press(
        in_zone(operator_client, ROME),
        f"/posts/{post.pk}/move/",
        at="2027-06-17T09:15",
        **{"in": "Asia/Kolkata"},
    )
    assert answer.status_code == 200
    assert "“Fog” on" in toast_of(answer)["text"]
    assert "goes out Thu 17 Jun 2027 05:45 CEST (03:45 UTC)" in toast_of(answer)["text"]
    moved = fresh(post)
    assert (moved.scheduled_for, moved.time_zone) == (
        datetime(2027, 6, 17, 3, 45, tzinfo=UTC),
        "Asia/Kolkata",
    )
    assert 'id="part-calendar"' in answer.content.decode()
    last = events.history_of(post).last()
    assert last and (last.type, last.who) == ("moved", "olga")


def test_a_post_goes_into_the_tray_and_back(operator_client: Client, make_post: MakePost) -> None:
    post = make_post(at=DAY)
    assert "loses its time" in dry(operator_client, post, "", tray="1")
    press(operator_client, f"/posts/{post.pk}/move/", tray="1", **{"in": "UTC"})
    assert fresh(post).scheduled_for is None
    assert "It gets its time" in dry(operator_client, post, "2027-06-17T09:15")
    press(operator_client, f"/posts/{post.pk}/move/", at="2027-06-17T09:15", **{"in": "UTC"})
    assert fresh(post).scheduled_for == datetime(2027, 6, 17, 9, 15, tzinfo=UTC)


def test_what_was_published_does_not_move(operator_client: Client, make_post: MakePost) -> None:
    post = make_post(at=DAY)
    ScheduledPost.objects.filter(pk=post.pk).update(status="PUBLISHED", published_at=DAY)
    assert "published already" in dry(operator_client, post, "2027-06-17T09:15")
    answer = press(operator_client, f"/posts/{post.pk}/move/", at="2027-06-17T09:15", **{"in": "UTC"})
    assert answer.status_code == 409
    assert "was not moved: it is published already" in toast_of(answer)["text"]


def test_without_scripts_a_move_comes_back_with_a_message(
    operator_client: Client, make_post: MakePost
) -> None:
    post = make_post(at=DAY)
    assert operator_client.get(f"/posts/{post.pk}/move/").status_code == 200
    answer = operator_client.post(
        f"/posts/{post.pk}/move/",
        {"at": "2027-06-17T09:15", "in": "UTC", "next": f"/posts/{post.pk}/"},
        follow=True,
    )
    assert answer.redirect_chain == [(f"/posts/{post.pk}/", 302)]
    assert "goes out Thu 17 Jun 2027" in text_of(answer)


# -------------------------------------------------------------------- the other hands


def test_publish_now(operator_client: Client, make_post: MakePost) -> None:
    post = make_post(at=DAY)
    answer = press(operator_client, f"/posts/{post.pk}/now/")
    assert "its media go up now" in toast_of(answer)["text"]
    moved = fresh(post).scheduled_for
    assert moved and moved <= timezone.now()
    assert post.videos.get().job_id


def test_retry_and_its_refusal(operator_client: Client, make_post: MakePost) -> None:
    post = has_failed(make_post(at=DAY), ErrorKind.REJECTED, "The video is too long.")
    assert "tried again" in toast_of(press(operator_client, f"/posts/{post.pk}/retry/"))["text"]
    assert fresh(post).status == PostStatus.PENDING
    answer = press(operator_client, f"/posts/{post.pk}/retry/")
    assert answer.status_code == 409
    assert "was not retried: it is pending" in toast_of(answer)["text"]


def test_cancelling_asks_first_and_then_cancels(operator_client: Client, make_post: MakePost) -> None:
    post = make_post(at=DAY)
    page = operator_client.get(f"/posts/{post.pk}/").content.decode()
    assert "Cancel this post?" in page and "Keep it" in page
    press(operator_client, f"/posts/{post.pk}/cancel/")
    assert fresh(post).status == PostStatus.CANCELLED


def test_a_copy_is_made_at_another_time(operator_client: Client, make_post: MakePost) -> None:
    post = make_post(at=DAY, caption="Fog", videos=2)
    query = {"at": "2027-06-17T09:15", "in": "UTC"}
    said = text_of(operator_client.get(f"/posts/{post.pk}/duplicate/", query, headers=LIVE))
    assert "A new post goes out" in said and "this one stays as it is" in said
    assert ScheduledPost.objects.count() == 1
    press(operator_client, f"/posts/{post.pk}/duplicate/", **query)
    copy = ScheduledPost.objects.exclude(pk=post.pk).get()
    assert (copy.caption, copy.videos.count(), copy.created_by) == ("Fog", 2, "olga")
    assert copy.scheduled_for == datetime(2027, 6, 17, 9, 15, tzinfo=UTC)


def test_editing_keeps_what_was_typed_when_it_is_refused(
    operator_client: Client, make_post: MakePost, workspace: Destination
) -> None:
    post = make_post(at=DAY, caption="Fog")
    youtube = workspace.social_accounts.get(remote_id=YOUTUBE)
    typed = {"caption": "Snow\r\nand ice", "post_type": "story", "account": youtube.pk}
    refused = operator_client.post(f"/posts/{post.pk}/edit/", typed)
    assert refused.status_code == 422
    assert "has no stories" in text_of(refused) and "Snow" in text_of(refused)
    assert fresh(post).caption == "Fog"
    operator_client.post(f"/posts/{post.pk}/edit/", {**typed, "post_type": "reel"})
    edited = fresh(post)
    assert (edited.caption, edited.account_id) == ("Snow\nand ice", youtube.pk)


def test_editing_refuses_an_account_that_is_not_connected(
    operator_client: Client, make_post: MakePost, workspace: Destination
) -> None:
    post = make_post(at=DAY)
    typed = {"caption": "x", "post_type": "reel", "account": lost(workspace).pk}
    assert "is not connected any more" in text_of(operator_client.post(f"/posts/{post.pk}/edit/", typed))


# -------------------------------------------------------------------- one post


def test_the_detail_page_tells_the_whole_story(
    operator_client: Client, uploaded_post: MakePost, social: object
) -> None:
    post = uploaded_post(at=DAY, caption="Fog", time_zone=ROME)
    now = timezone.now()
    post.begin(who="olga", now=now)
    events.record(post, "draft_created", now=now, who="web1:7#1", why="3f1c2a77")
    events.record(post, "publish_accepted", now=now, who="web1:7#1", why="asked 14 ms after its moment")
    events.record(post, "published", now=now, who="web1:7#1")
    ScheduledPost.objects.filter(pk=post.pk).update(
        status="PUBLISHED", published_at=DAY + timedelta(milliseconds=120), late_seconds=0.12,
        remote_url="https://social.example/p/1", remote_uuid="3f1c2a77",
    )  # fmt: skip
    page = operator_client.get(f"/posts/{post.pk}/")
    said = text_of(page)
    assert "Wed 16 Jun 2027 14:00:00 CEST" in said and "Wed 16 Jun 2027 12:00:00 UTC" in said
    assert "on time (+120 ms)" in said
    calls = page.content.decode().split("sc-calls")[1].split("</table>")[0]
    assert re.findall(r"<td>(Create the post|Publish now|Read back)</td>", calls) == [
        "Create the post", "Publish now", "Read back",
    ]  # fmt: skip
    assert "asked 14 ms after its moment" in calls and "https://social.example/p/1" in calls
    assert "Saved by olga" in said
    assert "Why is this not published?" not in said
    assert f'src="/posts/{post.pk}/videos/1/"' in page.content.decode()


def test_the_detail_page_says_why_it_is_not_published(operator_client: Client, make_post: MakePost) -> None:
    post = make_post(at=DAY)
    said = text_of(operator_client.get(f"/posts/{post.pk}/"))
    assert "Why is this not published?" in said and "Its media go to OnlySocial from" in said
    assert "None yet. Nothing of it is on OnlySocial." in said


def test_the_popover_is_a_part_of_it(operator_client: Client, make_post: MakePost) -> None:
    post = make_post(at=DAY, caption="Fog")
    answer = operator_client.get(f"/posts/{post.pk}/", headers=LIVE)
    assert "<html" not in answer.content.decode() and "Fog" in text_of(answer)


def test_an_open_detail_page_is_refreshed_in_its_parts(operator_client: Client, make_post: MakePost) -> None:
    post = make_post(at=DAY, caption="Fog")
    headers = {**LIVE, "HX-Current-URL": f"http://testserver/posts/{post.pk}/"}
    answer = operator_client.get(f"/posts/{post.pk}/", {"parts": "post"}, headers=headers)
    assert 'id="part-post"' in answer.content.decode() and "Fog" in text_of(answer)
    pressed = operator_client.post(f"/posts/{post.pk}/cancel/", {"parts": "post"}, headers=headers)
    assert "Cancelled" in text_of(pressed)


def test_the_video_plays_in_pieces(operator_client: Client, make_post: MakePost, library: Path) -> None:
    post = make_post()
    whole = (library / post.videos.get().library_path).read_bytes()
    address = f"/posts/{post.pk}/videos/1/"
    first = operator_client.get(address, headers={"Range": "bytes=0-99"})
    assert (first.status_code, first.content) == (206, whole[:100])
    assert first["Content-Range"] == f"bytes 0-99/{len(whole)}"
    assert operator_client.get(address, headers={"Range": "bytes=100-"}).content == whole[100:]
    assert operator_client.get(address, headers={"Range": "bytes=-10"}).content == whole[-10:]
    assert operator_client.get(address, headers={"Range": f"bytes={len(whole)}-"}).status_code == 416
    assert operator_client.get(f"/posts/{post.pk}/videos/2/").status_code == 404


def test_a_video_that_is_gone_or_elsewhere_is_not_played(
    operator_client: Client, make_post: MakePost, library: Path
) -> None:
    post = make_post()
    (library / post.videos.get().library_path).unlink()
    assert operator_client.get(f"/posts/{post.pk}/videos/1/").status_code == 404
    assert operator_client.get(f"/posts/{post.pk}/").status_code == 200
    post.videos.update(library_path="", url="https://fra1.digitaloceanspaces.com/a.mp4")
    assert operator_client.get(f"/posts/{post.pk}/videos/1/").status_code == 404
    assert "https://fra1.digitaloceanspaces.com/a.mp4" in text_of(operator_client.get(f"/posts/{post.pk}/"))
