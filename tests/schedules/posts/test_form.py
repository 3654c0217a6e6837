"""The form that makes posts: what it offers, what it previews, what it refuses beside each field, what it keeps."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from schedules.posts.models import PostStatus, ScheduledPost
from schedules.posts.page import leftovers
from tests.schedules.conftest import FACEBOOK, YOUTUBE, MakePost
from tests.schedules.posts.test_page import DAY, LIVE, ROME, in_zone, lost, text_of
from uploader.catalog import Series
from uploader.destinations import Destination
from uploader.social_accounts import SocialAccount

pytestmark = pytest.mark.django_db

# -------------------------------------------------------------------- making posts


MakeSeries = Callable[..., Series]


def form_of(answer: HttpResponse) -> dict[str, list[str]]:
    """What the form would send again: its hidden tokens and the fields that were filled in."""
    page = answer.content.decode()
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", page.split('id="post-form"')[1]):
        fields = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if fields.get("type") in ("checkbox", "radio") and " checked" not in tag:
            continue
        if fields.get("type") != "file" and "name" in fields:
            found.setdefault(fields["name"], []).append(fields.get("value", ""))
    return found


def chosen(client: Client, paths: list[str], **fields: Any) -> dict[str, Any]:
    """The form with videos of the library chosen."""
    answer = client.post("/posts/new/", {"do": "look", "add": paths, **fields}, headers=LIVE)
    assert answer.status_code == 200
    return {**form_of(answer), **fields}


def save(client: Client, fields: dict[str, Any]) -> HttpResponse:
    return client.post("/posts/new/", {**fields, "do": "save"})


def planned(answer: HttpResponse) -> list[str]:
    page = answer.content.decode().split('id="post-plan"')[1]
    return re.findall(r'<span class="sc-name">([^<]*)</span>', page)


def moments() -> list[datetime]:
    return [
        at
        for at in ScheduledPost.objects.order_by("scheduled_for").values_list("scheduled_for", flat=True)
        if at
    ]


def test_the_form_shows_each_account_and_whether_it_is_connected(
    operator_client: Client, workspace: Destination
) -> None:
    page = operator_client.get("/posts/new/").content.decode()
    for each in workspace.social_accounts.all():
        row = page.split(f'id="account-{each.pk}"')[1].split("</li>")[0]
        assert each.name in row
        assert ("Connected" if each.is_authorized else "Not connected") in row
        assert (" disabled" in row) is not each.is_authorized


def test_the_library_is_searched(operator_client: Client, make_series: MakeSeries, account: object) -> None:
    make_series("Harbour", 2)
    answer = operator_client.post("/posts/new/", {"do": "look", "q": "harb"}, headers=LIVE)
    assert "Harbour – Episode 1" in text_of(answer) and "harbour/02.mp4" in text_of(answer)
    nothing = operator_client.post("/posts/new/", {"do": "look", "q": "nope"}, headers=LIVE)
    assert "Nothing in the catalog matches “nope”." in text_of(nothing)


def test_videos_go_to_accounts_each_with_its_caption(
    operator_client: Client, make_series: MakeSeries, workspace: Destination
) -> None:
    make_series("Harbour", 2)
    one, two = workspace.social_accounts.filter(remote_id__in=(FACEBOOK, YOUTUBE)).order_by("pk")
    fields = chosen(
        operator_client, ["harbour/01.mp4", "harbour/02.mp4"], account=[one.pk, two.pk], caption="Fog\r\nand sea",
        at="2027-06-16T14:00", post_type="reel", **{f"caption-{two.pk}": "For the tube", "in": ROME},
    )  # fmt: skip
    answer = save(operator_client, fields)
    assert (answer.status_code, answer["Location"]) == (302, "/posts/?on=2027-06-16")
    posts = list(ScheduledPost.objects.order_by("pk").prefetch_related("videos"))
    assert [(post.account_id, post.caption, str(post.videos.get())) for post in posts] == [
        (one.pk, "Fog\nand sea", "01.mp4"), (one.pk, "Fog\nand sea", "02.mp4"),
        (two.pk, "For the tube", "01.mp4"), (two.pk, "For the tube", "02.mp4"),
    ]  # fmt: skip
    assert set(moments()) == {DAY}
    assert {post.time_zone for post in posts} == {ROME}
    assert {post.status for post in posts} == {PostStatus.PENDING}


def test_all_videos_may_be_one_post(
    operator_client: Client, make_series: MakeSeries, account: SocialAccount
) -> None:
    make_series("Harbour", 3)
    fields = chosen(
        operator_client, [f"harbour/0{number}.mp4" for number in (2, 1, 3)], account=account.pk,
        at="2027-06-16T12:00", together="one", **{"in": "UTC"},
    )  # fmt: skip
    save(operator_client, fields)
    post = ScheduledPost.objects.get()
    assert [str(video) for video in post.videos.all()] == ["02.mp4", "01.mp4", "03.mp4"]


def test_the_moment_is_shown_in_utc_and_on_the_viewers_clock(
    operator_client: Client, account: SocialAccount
) -> None:
    fields = {"do": "look", "at": "2027-06-16T14:00", "in": "Asia/Kolkata"}
    answer = in_zone(operator_client, ROME).post("/posts/new/", fields, headers=LIVE)
    moment = answer.content.decode().split('id="moment-both"')[1].split("</p>")[0]
    assert "Wed 16 Jun 2027 08:30 UTC" in moment and "Wed 16 Jun 2027 10:30 CEST" in moment
    gap = operator_client.post(
        "/posts/new/", {"do": "look", "at": "2027-03-28T02:30", "in": ROME}, headers=LIVE
    )
    assert "The clocks of Europe/Rome skip 02:30" in text_of(gap)


@pytest.mark.parametrize(("spread", "expected"), [
    ({"mode": "keep"}, [0, 0, 0]),
    ({"mode": "keep", "at_video": ["", "2027-06-17T12:00", ""]}, [0, 0, 24]),
    ({"mode": "every", "hours": "24"}, [0, 24, 48]),
    ({"mode": "every", "hours": "1.5"}, [0, 1.5, 3]),
    ({"mode": "windows", "windows": "13:00-15:00", "gap": "60"}, [1, 2, 25]),
])  # fmt: skip
def test_several_videos_are_spread_as_the_preview_says(
    operator_client: Client, make_series: MakeSeries, account: SocialAccount, spread: dict[str, Any],
    expected: list[float],
) -> None:  # fmt: skip
    make_series("Harbour", 3)
    fields = chosen(
        operator_client, [f"harbour/0{number}.mp4" for number in (1, 2, 3)], account=account.pk,
        at="2027-06-16T12:00", **{"in": "UTC"},
    )  # fmt: skip
    look = operator_client.post("/posts/new/", {**fields, **spread, "do": "look"}, headers=LIVE)
    wanted = [DAY + timedelta(hours=hours) for hours in expected]
    assert planned(look) == [f"{at:%a} {at.day} {at:%b %Y %H:%M} UTC" for at in wanted]
    assert not ScheduledPost.objects.exists(), "A preview saves nothing."
    assert save(operator_client, {**fields, **spread}).status_code == 302
    assert moments() == wanted


def test_windows_leave_out_what_is_taken(
    operator_client: Client, make_series: MakeSeries, make_post: MakePost, account: SocialAccount
) -> None:
    make_series("Harbour", 1)
    make_post(at=datetime(2027, 6, 16, 13, 0, tzinfo=UTC))
    fields = chosen(
        operator_client, ["harbour/01.mp4"], account=account.pk, at="2027-06-16T12:00", mode="windows",
        windows="13:00-15:00", gap="60", **{"in": "UTC"},
    )  # fmt: skip
    save(operator_client, fields)
    assert datetime(2027, 6, 16, 14, 0, tzinfo=UTC) in moments()


@pytest.mark.parametrize(
    ("hours", "said"),
    [("0.1", "6 min after 01.mp4."), ("1", "")],
)
def test_the_plan_warns_of_posts_that_are_close_to_one_another(
    operator_client: Client, make_series: MakeSeries, account: SocialAccount, hours: str, said: str
) -> None:
    make_series("Harbour", 2)
    form = {
        "do": "look", "add": ["harbour/01.mp4", "harbour/02.mp4"], "account": account.pk,
        "at": "2027-06-16T14:00", "in": "UTC",
    }  # fmt: skip
    together = text_of(operator_client.post("/posts/new/", form, headers=LIVE))
    assert f"Goes out on {account} at the same moment as 01.mp4." in together
    spread = text_of(
        operator_client.post("/posts/new/", {**form, "mode": "every", "hours": hours}, headers=LIVE)
    )
    assert (f"Goes out on {account} {said}" in spread) is bool(said)
    assert "at the same moment" not in spread


@pytest.mark.parametrize("mode", ["keep", "every", "windows"])
def test_a_zone_nobody_knows_makes_no_moment(
    operator_client: Client, make_series: MakeSeries, account: SocialAccount, mode: str
) -> None:
    make_series("Harbour", 1)
    fields = {"account": account.pk, "at": "2027-06-16T14:00", "mode": mode, "in": "Mars/Base"}
    look = {"do": "look", "add": ["harbour/01.mp4"], **fields}
    shown = operator_client.post("/posts/new/", look, headers=LIVE)
    assert "“Mars/Base” is no time zone" in text_of(shown)
    assert planned(shown) == []
    assert "UTC" not in shown.content.decode().split('id="moment-both"')[1].split("</p>")[0]


def test_posts_may_be_saved_without_a_time(
    operator_client: Client, make_series: MakeSeries, account: SocialAccount
) -> None:
    make_series("Harbour", 1)
    fields = chosen(operator_client, ["harbour/01.mp4"], account=account.pk, mode="tray", caption="Some day")
    assert save(operator_client, fields)["Location"] == "/posts/#part-tray"
    post = ScheduledPost.objects.get()
    assert (post.scheduled_for, post.status) == (None, PostStatus.PENDING)
    assert "Some day" in operator_client.get("/posts/").content.decode().split('id="part-tray"')[1]


def test_the_plan_warns_of_collisions(
    operator_client: Client, make_series: MakeSeries, make_post: MakePost, account: SocialAccount
) -> None:
    make_series("Harbour", 1)
    make_post(at=DAY, caption="Already there")
    fields = chosen(
        operator_client, ["harbour/01.mp4"], account=account.pk, at="2027-06-16T12:05", **{"in": "UTC"}
    )
    answer = operator_client.post("/posts/new/", {**fields, "do": "look"}, headers=LIVE)
    assert "Collides" in text_of(answer) and "Already there" in text_of(answer)
    assert save(operator_client, fields).status_code == 302


# -------------------------------------------------------------------- refusals, and nothing typed is lost


def beside(answer: HttpResponse, anchor: str) -> str:
    """The text from a field on to the end of its group."""
    page = answer.content.decode()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.split(anchor, 1)[1].split("</fieldset>")[0]))


def test_a_look_does_not_complain_of_what_is_not_typed_yet(operator_client: Client, account: object) -> None:
    answer = operator_client.post("/posts/new/", {"do": "look"}, headers=LIVE)
    assert "sc-wrong" not in answer.content.decode()


def test_what_is_missing_is_said_beside_its_field(operator_client: Client, account: object) -> None:
    answer = save(operator_client, {"caption": "Kept"})
    assert answer.status_code == 422
    assert "Choose at least one video." in beside(answer, 'id="group-videos"')
    assert "Choose at least one account." in beside(answer, 'id="group-accounts"')
    assert "Give the day and time" in beside(answer, 'id="group-when"')
    assert "Kept" in text_of(answer)


def test_everything_typed_survives_a_refusal(
    operator_client: Client, make_series: MakeSeries, account: SocialAccount
) -> None:
    make_series("Harbour", 2)
    fields = chosen(
        operator_client, ["harbour/01.mp4", "harbour/02.mp4"], account=account.pk, caption="Kept caption",
        at="2020-01-01T12:00", mode="every", hours="7", post_type="story", together="each", q="harb",
        **{"in": "Asia/Kolkata", f"caption-{account.pk}": "Kept too"},
    )  # fmt: skip
    answer = save(operator_client, fields)
    assert answer.status_code == 422
    assert "is in the past" in beside(answer, 'id="group-when"')
    again = form_of(answer)
    assert len(again["video"]) == 2 and again["account"] == [str(account.pk)]
    kept = {name: again[name] for name in ("at", "mode", "hours", "post_type", "in", "q", "key")}
    assert kept == {
        "at": ["2020-01-01T12:00"], "mode": ["every"], "hours": ["7"], "post_type": ["story"],
        "in": ["Asia/Kolkata"], "q": ["harb"], "key": fields["key"],
    }  # fmt: skip
    assert "Kept caption" in text_of(answer) and "Kept too" in text_of(answer)
    assert not ScheduledPost.objects.exists()


@pytest.mark.parametrize(("fields", "anchor", "why"), [
    ({"mode": "every", "hours": "0"}, 'id="post-hours"', "Give a number from"),
    ({"mode": "every", "hours": "many"}, 'id="post-hours"', "Give a number from"),
    ({"mode": "windows", "windows": "25:00-26:00"}, 'id="post-windows"', "no window of the day"),
    ({"mode": "windows", "windows": " "}, 'id="post-windows"', "Give at least one window"),
    ({"in": "Mars/Crater"}, 'id="post-zone"', "is no time zone"),
    ({"at": "2090-01-01T12:00"}, 'id="post-at"', "more than two years ahead"),
    ({"caption": "x" * 5001}, 'id="caption"', "5,001 characters; at most 5,000"),
    ({"url": "https://example.com/film.mov"}, 'id="post-url"', "is no MP4 video"),
])  # fmt: skip
def test_each_refusal_stands_beside_its_field(
    operator_client: Client, make_series: MakeSeries, account: SocialAccount, fields: dict[str, str], anchor: str,
    why: str,
) -> None:  # fmt: skip
    make_series("Harbour", 1)
    base = chosen(
        operator_client, ["harbour/01.mp4"], account=account.pk, at="2027-06-16T12:00", **{"in": "UTC"}
    )
    answer = save(operator_client, {**base, **fields})
    assert answer.status_code == 422
    assert why in beside(answer, anchor)
    assert not ScheduledPost.objects.exists()


def test_an_account_without_stories_is_said_at_the_type(
    operator_client: Client, make_series: MakeSeries, workspace: Destination
) -> None:
    make_series("Harbour", 1)
    youtube = workspace.social_accounts.get(remote_id=YOUTUBE)
    fields = chosen(
        operator_client, ["harbour/01.mp4"], account=youtube.pk, at="2027-06-16T12:00", post_type="story"
    )
    assert "has no stories" in beside(save(operator_client, fields), 'id="type-label"')


def test_an_account_that_lost_its_connection_meanwhile_is_refused(
    operator_client: Client, make_series: MakeSeries, workspace: Destination
) -> None:
    make_series("Harbour", 1)
    fields = chosen(operator_client, ["harbour/01.mp4"], account=lost(workspace).pk, at="2027-06-16T12:00")
    answer = save(operator_client, fields)
    assert answer.status_code == 422 and "is not connected any more" in text_of(answer)
    assert not ScheduledPost.objects.exists()


def test_a_library_file_that_went_meanwhile_is_refused(
    operator_client: Client, make_series: MakeSeries, account: SocialAccount, library: Path
) -> None:
    make_series("Harbour", 1)
    fields = chosen(operator_client, ["harbour/01.mp4"], account=account.pk, at="2027-06-16T12:00")
    (library / "harbour" / "01.mp4").unlink()
    assert "File missing at harbour/01.mp4" in beside(save(operator_client, fields), 'id="group-videos"')


def test_the_same_form_sent_twice_is_saved_once(
    operator_client: Client, make_series: MakeSeries, account: SocialAccount
) -> None:
    make_series("Harbour", 2)
    fields = chosen(
        operator_client, ["harbour/01.mp4", "harbour/02.mp4"], account=account.pk, at="2027-06-16T12:00"
    )
    assert save(operator_client, fields).status_code == 302
    again = operator_client.post("/posts/new/", {**fields, "do": "save"}, follow=True)
    assert "This form was saved already: post " in text_of(again)
    assert ScheduledPost.objects.count() == 2


def test_a_video_is_taken_out_again(
    operator_client: Client, make_series: MakeSeries, account: object
) -> None:
    make_series("Harbour", 2)
    fields = chosen(operator_client, ["harbour/01.mp4", "harbour/02.mp4"])
    left = operator_client.post(
        "/posts/new/", {**fields, "do": "look", "remove": fields["video"][0]}, headers=LIVE
    )
    assert form_of(left)["video"] == fields["video"][1:]


@pytest.mark.parametrize("token", ["x", "harbour/01.mp4", "eyJsaWJyYXJ5IjoiL2V0Yy9wYXNzd2QifQ:1abc:def"])
def test_a_forged_video_is_left_out(operator_client: Client, account: object, token: str) -> None:
    answer = operator_client.post("/posts/new/", {"do": "look", "video": token}, headers=LIVE)
    assert "could not be read back" in text_of(answer)
    assert "video" not in form_of(answer)


# -------------------------------------------------------------------- files


def test_a_file_is_kept_when_it_is_chosen_and_posted_when_the_form_is_saved(
    operator_client: Client, account: SocialAccount, library: Path, one_video: Path
) -> None:
    file = SimpleUploadedFile("my film.mp4", one_video.read_bytes(), "video/mp4")
    [token] = operator_client.post("/posts/new/files/", {"files": file}).json()["tokens"]
    fields = {"video": token, "account": account.pk, "at": "2027-06-16T12:00", "in": "UTC"}
    look = operator_client.post("/posts/new/", {**fields, "do": "look"}, headers=LIVE)
    assert "my film.mp4" in text_of(look)
    assert save(operator_client, fields).status_code == 302
    video = ScheduledPost.objects.get().videos.get()
    assert (Path(settings.MEDIA_ROOT) / video.media_path).read_bytes() == one_video.read_bytes()
    played = operator_client.get(f"/posts/{video.post_id}/videos/1/", headers={"Range": "bytes=0-9"})
    assert played.content == one_video.read_bytes()[:10]


def test_without_scripts_a_refused_form_keeps_the_file(
    operator_client: Client, account: SocialAccount, library: Path, one_video: Path
) -> None:
    file = SimpleUploadedFile("my film.mp4", one_video.read_bytes(), "video/mp4")
    answer = save(operator_client, {"files": file, "account": account.pk})
    assert answer.status_code == 422 and "my film.mp4" in text_of(answer)
    again = {**form_of(answer), "at": "2027-06-16T12:00", "in": "UTC"}
    assert save(operator_client, again).status_code == 302
    assert ScheduledPost.objects.get().videos.get().media_path


def test_a_file_that_is_no_video_is_refused_and_not_kept(
    operator_client: Client, account: object, library: Path
) -> None:
    for name, why in (("notes.txt", "is no MP4 video"), ("notes.mp4", "is no MP4 video inside")):
        answer = operator_client.post(
            "/posts/new/files/", {"files": SimpleUploadedFile(name, b"hello, world")}
        )
        assert answer.status_code == 415 and why in answer.json()["error"]
    assert not list((Path(settings.MEDIA_ROOT) / "posts").iterdir())


def test_a_file_that_is_too_large_is_refused_and_not_kept(
    operator_client: Client, account: object, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schedules.posts.uploads.MEDIA_BYTES", 1000)
    answer = operator_client.post("/posts/new/files/", {"files": SimpleUploadedFile("big.mp4", b"\0" * 1001)})
    assert answer.status_code == 413 and "larger than 100 MB" in answer.json()["error"]
    assert not list((Path(settings.MEDIA_ROOT) / "posts").iterdir())


@pytest.mark.parametrize("path", ["/posts/new/", "/posts/new/files/"])
def test_a_form_without_its_token_is_refused(operator_client: Client, operator: Any, path: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(operator, backend="django.contrib.auth.backends.ModelBackend")
    assert strict.post(path, {"do": "save"}).status_code == 403


def test_files_that_belong_to_no_post_are_removed_after_two_days(
    operator_client: Client, account: SocialAccount, library: Path, one_video: Path
) -> None:
    tokens = [
        operator_client.post(
            "/posts/new/files/", {"files": SimpleUploadedFile(name, one_video.read_bytes())}
        ).json()["tokens"][0]
        for name in ("posted.mp4", "left.mp4")
    ]
    save(operator_client, {"video": tokens[0], "account": account.pk, "at": "2027-06-16T12:00", "in": "UTC"})
    folder = Path(settings.MEDIA_ROOT) / "posts"
    now = timezone.now()
    assert leftovers.remove(now + timedelta(hours=47)) == 0
    assert leftovers.remove(now + timedelta(hours=49)) == 1
    assert [f"posts/{path.name}" for path in folder.iterdir()] == [
        ScheduledPost.objects.get().videos.get().media_path
    ]
