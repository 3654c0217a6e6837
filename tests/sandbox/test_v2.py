from __future__ import annotations

import hashlib
import uuid
from typing import Any

import pytest
import requests

from sandbox.server import Sandbox
from tests.sandbox.client import PROFILE, V2_VIDEO, Client, TestClock, real_video

ENCODE_SECONDS = 100


def code(answer: requests.Response) -> str:
    return str(answer.json()["error"]["code"])


def titles(answer: requests.Response) -> list[str]:
    return [video["title"] for video in answer.json()["data"]]


def test_me_names_the_profiles(v2: Client) -> None:
    assert v2.call("GET", "/me").json()["profiles"] == [{"profile_id": PROFILE, "name": "Sandbox"}]


def test_create_answers_201_with_the_video(v2: Client) -> None:
    data = real_video()
    answer = v2.create(v2.uploaded_url(data), tags=["vid-1a2b3c4d", "drama"], description="<b>One</b>")
    video = answer.json()
    assert answer.status_code == 201
    assert {name: video[name] for name in V2_VIDEO if name != "source"} == V2_VIDEO
    assert video["tags"] == ["vid-1a2b3c4d", "drama"]
    assert video["created_at"] == "2026-11-20T10:00:00Z"
    assert video["source"]["checksum"] == hashlib.sha1(data).hexdigest()
    assert (video["source"]["width"], video["source"]["height"]) == (128, 72)


def test_a_video_is_waiting_then_encoding_then_published(v2: Client, clock: TestClock) -> None:
    video_id = v2.created_id()

    def seen() -> tuple[bool, str, int, int]:
        video = v2.call("GET", f"/videos/{video_id}").json()
        done = video["processing"]
        return (video["is_published"], *done.values())

    assert seen() == (False, "uploaded", 0, 0)
    clock.now += ENCODE_SECONDS * 0.55
    assert seen() == (False, "encoding", 50, 55)
    clock.now += ENCODE_SECONDS * 0.449
    assert seen() == (False, "encoding", 99, 99)
    clock.now += 1
    assert seen() == (True, "encoded", 100, 100)


@pytest.mark.parametrize("outcome", ["encoding_error", "rejected"])
def test_a_video_may_fail(v2: Client, sandbox: Sandbox, clock: TestClock, outcome: str) -> None:
    sandbox.settings(outcomes_by_title={"broken": outcome})
    bad, good = v2.created_id(title="A broken one"), v2.created_id()
    clock.now += ENCODE_SECONDS
    assert v2.call("GET", f"/videos/{bad}").json()["processing"]["encoding_status"] == "error"
    assert v2.call("GET", f"/videos/{good}").json()["is_published"] is True
    assert [video["state"] for video in sandbox.videos()] == [outcome, "published"]


def test_a_planned_video_is_published_at_its_time(v2: Client, clock: TestClock) -> None:
    video_id = v2.created_id(published_at="2026-11-20T11:00:00Z")
    clock.now += 3599
    v2.log_in()
    assert v2.call("GET", f"/videos/{video_id}").json()["is_published"] is False
    clock.now += 1
    assert v2.call("GET", f"/videos/{video_id}").json()["is_published"] is True


@pytest.mark.parametrize("name", ["title", "visibility", "category", "is_for_kids", "source"])
def test_required_fields_are_required(v2: Client, name: str) -> None:
    body = {**V2_VIDEO, "source": {"file_url": v2.uploaded_url()}}
    del body[name]
    answer = v2.call("POST", f"/profiles/{PROFILE}/videos", json=body)
    assert (answer.status_code, code(answer)) == (422, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"]["param"] == name


@pytest.mark.parametrize(
    "change",
    [
        {"title": "   "},
        {"title": ""},
        {"title": "x" * 256},
        {"title": 7},
        {"category": "series"},
        {"category": "shortfilms"},
        {"visibility": "hidden"},
        {"visibility": "password"},
        {"visibility": "password", "password": "x" * 33},
        {"is_for_kids": "false"},
        {"is_for_kids": 0},
        {"description": "x" * 3001},
        {"tags": "a,b"},
        {"tags": ["x" * 151]},
        {"tags": ["x"] * 151},
        {"engagement_message": "x" * 501},
        {"published_at": 1_795_168_800},
        {"published_at": "2026-11-20T10:00:00"},
        {"embedding": {"enable_embed": "yes"}},
        {"source": "https://example.com/a.mp4"},
        {"published": True},
        {"channel": "tv"},
    ],
)
def test_a_body_that_breaks_a_rule_is_refused(v2: Client, sandbox: Sandbox, change: dict[str, Any]) -> None:
    answer = v2.create(**change)
    assert (answer.status_code, code(answer)) == (422, "VALIDATION_ERROR")
    assert sandbox.videos() == []


def test_everything_documented_is_accepted(v2: Client) -> None:
    answer = v2.create(
        title="x" * 255, description="x" * 3000, tags=["x" * 150] * 150, visibility="password", password="x",
        is_explicit=True, country="IN", language="en", hashtags=["one"], engagement_message="Hello",
        is_ai_altered=False, enable_ai_chapter_generation=True, embedding={"enable_embed": False},
    )  # fmt: skip
    assert answer.status_code == 201, answer.text


def test_a_form_is_not_a_v2_body(v2: Client) -> None:
    answer = v2.call("POST", f"/profiles/{PROFILE}/videos", data=V2_VIDEO)
    assert (answer.status_code, code(answer)) == (422, "VALIDATION_ERROR")


def test_a_url_without_its_fragment_is_not_found(client: Client) -> None:
    url = client.uploaded_url()
    assert client.create(url.partition("#")[0]).status_code == 404
    assert client.create(url + "x").status_code == 404
    assert client.create("https://example.com/a.mp4#x").status_code == 404
    assert client.create(url).status_code in (200, 201)


def test_a_url_belongs_to_the_account_that_uploaded_it(client: Client, sandbox: Sandbox) -> None:
    other = Client(sandbox, client.dialect, account="other").log_in()
    assert other.create(client.uploaded_url()).status_code == 404


def test_a_url_used_twice_makes_two_videos(client: Client, sandbox: Sandbox) -> None:
    url = client.uploaded_url()
    assert client.created_id(url) != client.created_id(url)
    assert len(sandbox.videos()) == 2


def test_profiles_of_others_are_closed(v2: Client) -> None:
    assert v2.call("POST", "/profiles/x2other/videos", json={}).status_code == 403
    assert v2.call("GET", "/profiles/x2other/videos").status_code == 403
    assert v2.call("GET", "/profiles/nobody/videos").status_code == 404


def test_an_error_has_all_its_parts(v2: Client) -> None:
    answer = v2.call("GET", "/videos/x1")
    error = answer.json()["error"]
    assert answer.status_code == 404
    assert str(uuid.UUID(error.pop("correlation_id")))
    assert error == {
        "code": "RESOURCE_NOT_FOUND",
        "message": "Video with ID 'x1' not found.",
        "details": {
            "object_id": "x1",
            "reason": "object_not_found",
            "object_type": "Video",
            "param": "id",
        },
        "documentation_url": "https://developers.dailymotion.com/reference/api-errors",
    }


def test_fields_choose_what_is_shown(v2: Client) -> None:
    video_id = v2.created_id()
    assert v2.call("GET", f"/videos/{video_id}?fields=video_id,title").json() == {
        "video_id": video_id,
        "title": V2_VIDEO["title"],
    }
    assert v2.call("GET", f"/videos/{video_id}?fields=id").status_code == 422


def test_a_private_video_is_shown_to_its_owner_only(v2: Client, sandbox: Sandbox, clock: TestClock) -> None:
    private, public = v2.created_id(visibility="private"), v2.created_id()
    clock.now += ENCODE_SECONDS
    other = Client(sandbox, "v2", account="other").log_in()
    assert other.call("GET", f"/videos/{private}").status_code == 404
    assert other.call("GET", f"/videos/{public}").status_code == 200
    assert other.call("PATCH", f"/videos/{public}", json={"title": "Mine"}).status_code == 403
    assert other.call("DELETE", f"/videos/{public}").status_code == 403
    assert private not in v2.call("GET", f"/videos/{private}").json()["video_url"]


def test_edit_changes_what_it_names(v2: Client) -> None:
    video_id = v2.created_id(description="Before")
    answer = v2.call(
        "PATCH", f"/videos/{video_id}", json={"title": "Harbour, part 1", "visibility": "private"}
    )
    assert (answer.status_code, answer.content) == (204, b"")
    video = v2.call("GET", f"/videos/{video_id}").json()
    assert (video["title"], video["visibility"], video["description"]) == (
        "Harbour, part 1", "private", "Before",
    )  # fmt: skip


@pytest.mark.parametrize("change", [{"title": ""}, {"is_published": True}, {"visibility": "password"}])
def test_edit_keeps_the_rules_of_create(v2: Client, change: dict[str, Any]) -> None:
    assert v2.call("PATCH", f"/videos/{v2.created_id()}", json=change).status_code == 422


def test_explicit_stays_explicit(v2: Client) -> None:
    video_id = v2.created_id(is_explicit=True)
    assert v2.call("PATCH", f"/videos/{video_id}", json={"is_explicit": False}).status_code == 422


def test_delete_removes_the_video(v2: Client, sandbox: Sandbox) -> None:
    video_id = v2.created_id()
    assert v2.call("DELETE", f"/videos/{video_id}").status_code == 204
    assert v2.call("DELETE", f"/videos/{video_id}").status_code == 404
    assert sandbox.videos() == []


def test_list_goes_by_pages_newest_first(v2: Client, clock: TestClock) -> None:
    url = v2.uploaded_url()
    for number in range(5):
        v2.create(url, title=f"Episode {number}")
        clock.now += 60
    first = v2.list(page_size=2, sort="-created_at")
    assert titles(first) == ["Episode 4", "Episode 3"]
    assert first.json()["pagination"]["previous"] is None
    found, following = titles(first), first.json()["pagination"]["next"]
    while following:
        page = v2.http.get(following, timeout=20)
        found += titles(page)
        following = page.json()["pagination"]["next"]
    assert found == [f"Episode {number}" for number in (4, 3, 2, 1, 0)]
    assert titles(v2.list(sort="created_at", page_size=1)) == ["Episode 0"]


def test_list_filters(v2: Client, clock: TestClock) -> None:
    url = v2.uploaded_url()
    v2.create(url, title="Old", tags=["vid-1"])
    clock.now += 600
    v2.create(url, title="New", tags=["vid-2", "drama"], visibility="private")
    assert titles(v2.list(created_after="2026-11-20T10:05:00Z")) == ["New"]
    assert titles(v2.list(tags="vid-1")) == ["Old"]
    assert titles(v2.list(tags="vid-2,drama")) == ["New"]
    assert titles(v2.list(visibility="public")) == ["Old"]
    assert titles(v2.list(is_for_kids="true")) == []


@pytest.mark.parametrize(
    "query",
    [{"page_size": 101}, {"page": 0}, {"sort": "recent"}, {"created_after": "yesterday"}, {"limit": 5}],
)
def test_list_refuses_what_it_does_not_know(v2: Client, query: dict[str, Any]) -> None:
    assert v2.list(**query).status_code == 422


def test_the_envelope_may_be_flat(v2: Client, sandbox: Sandbox) -> None:
    sandbox.settings(list_envelope="flat")
    v2.create()
    assert set(v2.list().json()) == {"data", "page", "page_size", "total", "next", "previous"}


def test_a_list_may_lag(client: Client, sandbox: Sandbox, clock: TestClock) -> None:
    sandbox.settings(list_lag_seconds=60)
    client.created_id()
    key = "data" if client.dialect == "v2" else "list"
    assert client.list().json()[key] == []
    clock.now += 60
    assert len(client.list().json()[key]) == 1


def test_an_unknown_path_or_method_is_answered_in_the_dialect(v2: Client) -> None:
    assert code(v2.call("GET", "/video/x1")) == "RESOURCE_NOT_FOUND"
    assert v2.call("POST", "/me").status_code == 405
