from __future__ import annotations

from typing import Any

import pytest
import requests

from sandbox.server import Sandbox
from tests.sandbox.client import LEGACY_VIDEO, NOW, PROFILE, Client, TestClock

ENCODE_SECONDS = 100
STATUS = "?fields=status,encoding_progress,publishing_progress"


def kind(answer: requests.Response) -> str:
    return str(answer.json()["error"]["type"])


def titles(answer: requests.Response) -> list[str]:
    return [video["title"] for video in answer.json()["list"]]


def test_only_a_user_has_a_me(partner: Client, public: Client) -> None:
    assert partner.call("GET", "/me").status_code == 403
    assert public.call("GET", "/me?fields=id,username,limits").json() == {
        "id": PROFILE,
        "username": "sandbox",
        "limits": {"video_duration": 7200, "video_size": 4_000_000_000},
    }
    assert public.call("GET", "/auth").json() == {
        "id": PROFILE, "scope": ["manage_videos"], "roles": [], "username": "sandbox",
        "screenname": "Sandbox", "language": "en",
    }  # fmt: skip


def test_create_answers_with_the_default_fields(legacy: Client) -> None:
    answer = legacy.create()
    video = answer.json()
    assert answer.status_code == 200
    assert video.pop("id").startswith("x")
    assert video == {"title": LEGACY_VIDEO["title"], "channel": "tv", "owner": PROFILE}


def test_create_for_me_needs_a_user(partner: Client, public: Client) -> None:
    for client, status in ((partner, 403), (public, 200)):
        body = {**LEGACY_VIDEO, "url": client.uploaded_url()}
        assert client.call("POST", "/me/videos?fields=id,status", data=body).status_code == status


def test_a_draft_stays_ready_until_it_is_published(legacy: Client, clock: TestClock) -> None:
    video_id = legacy.created_id()

    def seen() -> tuple[object, ...]:
        return tuple(legacy.call("GET", f"/video/{video_id}{STATUS}").json().values())

    assert seen() == ("waiting", -1, 0)
    clock.now += ENCODE_SECONDS / 2
    assert seen() == ("processing", 44, 50)
    clock.now += ENCODE_SECONDS / 2
    assert seen() == ("ready", -1, 100)
    answer = legacy.call("POST", f"/video/{video_id}", data={"published": "true"})
    assert (answer.status_code, answer.json()["id"]) == (200, video_id)
    assert seen() == ("published", -1, 100)


def test_a_video_created_as_published_is_published(legacy: Client, clock: TestClock) -> None:
    video_id, private_id = (
        legacy.created_id(published="1"),
        legacy.created_id(published="yes", private="true"),
    )
    clock.now += ENCODE_SECONDS
    assert legacy.call("GET", f"/video/{video_id}{STATUS}").json()["status"] == "published"
    assert legacy.call("GET", f"/video/{private_id}{STATUS}").json()["status"] == "ready"


@pytest.mark.parametrize("outcome", ["encoding_error", "rejected"])
def test_a_video_may_fail(legacy: Client, sandbox: Sandbox, clock: TestClock, outcome: str) -> None:
    sandbox.settings(outcome=outcome)
    video_id = legacy.created_id(published="true")
    clock.now += ENCODE_SECONDS
    assert legacy.call("GET", f"/video/{video_id}{STATUS}").json()["status"] == outcome


@pytest.mark.parametrize("name", ["url", "title", "channel", "is_created_for_kids"])
def test_required_fields_are_required(legacy: Client, name: str) -> None:
    body = {**LEGACY_VIDEO, "url": legacy.uploaded_url()}
    del body[name]
    answer = legacy.call("POST", f"/user/{PROFILE}/videos", data=body)
    assert (answer.status_code, kind(answer)) == (400, "missing_required_parameter")


@pytest.mark.parametrize(
    "change",
    [
        {"title": "x" * 256},
        {"channel": "series"},
        {"is_created_for_kids": "maybe"},
        {"published": "on"},
        {"description": "x" * 3001},
        {"tags": ",".join(["x"] * 151)},
        {"category": "tv"},
    ],
)
def test_a_form_that_breaks_a_rule_is_refused(legacy: Client, change: dict[str, str]) -> None:
    answer = legacy.create(**change)
    assert (answer.status_code, kind(answer)) == (400, "invalid_parameter")


def test_json_is_not_a_form(legacy: Client) -> None:
    body = {**LEGACY_VIDEO, "url": legacy.uploaded_url()}
    assert legacy.call("POST", f"/user/{PROFILE}/videos", json=body).status_code == 400


def test_legacy_has_a_channel_more(legacy: Client) -> None:
    assert legacy.create(channel="shortfilms").status_code == 200


def test_an_error_has_all_its_parts(legacy: Client) -> None:
    answer = legacy.call("GET", "/video/xnotfound")
    assert answer.status_code == 404
    assert answer.json()["error"] == {
        "more_info": "https://developer.dailymotion.com/api#error-codes",
        "code": 404,
        "message": "Can't find object video for `id' parameter",
        "type": "not_found",
        "error_data": {
            "reason": "object_not_found", "object_type": "video", "object_id": "xnotfound", "param": "id",
        },
    }  # fmt: skip


def test_a_private_video_has_an_id_of_its_own(legacy: Client) -> None:
    video_id = legacy.created_id(private="true")
    shown = legacy.call("GET", f"/video/{video_id}?fields=private,private_id").json()
    assert shown["private"] is True
    assert legacy.call("GET", f"/video/{shown['private_id']}").json()["id"] == video_id


def test_fields_choose_what_is_shown(legacy: Client) -> None:
    video_id = legacy.created_id(tags="vid-1a2b3c4d,drama")
    shown = legacy.call("GET", f"/video/{video_id}?fields=tags,created_time").json()
    assert shown == {"tags": ["vid-1a2b3c4d", "drama"], "created_time": int(NOW)}
    assert legacy.call("GET", f"/video/{video_id}?fields=video_id").status_code == 400


def test_list_has_its_envelope(legacy: Client, clock: TestClock) -> None:
    url = legacy.uploaded_url()
    for number in range(3):
        legacy.create(url, title=f"Episode {number}")
        clock.now += 60
    answer = legacy.list(limit=2, sort="recent").json()
    assert [video["title"] for video in answer.pop("list")] == ["Episode 2", "Episode 1"]
    assert answer == {"page": 1, "limit": 2, "explicit": False, "total": 3, "has_more": True}
    assert legacy.list(limit=2, page=2).json()["has_more"] is False


def test_list_filters(legacy: Client, clock: TestClock) -> None:
    url = legacy.uploaded_url()
    old = legacy.created_id(url, title="Old", tags="vid-1")
    clock.now += 600
    legacy.created_id(url, title="New", tags="vid-2,drama", private="true", published="true")
    assert titles(legacy.list(created_after=int(NOW) + 300)) == ["New"]
    assert titles(legacy.list(created_before=int(NOW) + 300)) == ["Old"]
    assert titles(legacy.list(tags="vid-2")) == ["New"]
    assert titles(legacy.list(search="old")) == ["Old"]
    assert titles(legacy.list(ids=old)) == ["Old"]
    assert titles(legacy.list(private="true")) == ["New"]
    assert titles(legacy.list(unpublished="true")) == ["Old"]


@pytest.mark.parametrize(
    "query",
    [{"limit": 101}, {"page": 101}, {"page_size": 5}, {"created_after": "2026-11-20"}, {"sort": "-x"}],
)
def test_list_refuses_what_it_does_not_know(legacy: Client, query: dict[str, Any]) -> None:
    assert legacy.list(**query).status_code == 400


def test_others_see_published_videos_only(legacy: Client, sandbox: Sandbox, clock: TestClock) -> None:
    url = legacy.uploaded_url()
    draft, shown = (
        legacy.created_id(url, title="Draft"),
        legacy.created_id(url, title="Shown", published="true"),
    )
    clock.now += ENCODE_SECONDS
    other = Client(sandbox, legacy.dialect, account="other").log_in()
    assert titles(other.call("GET", f"/user/{PROFILE}/videos")) == ["Shown"]
    assert other.call("GET", f"/video/{draft}").status_code == 404
    assert other.call("DELETE", f"/video/{shown}").status_code == 403
    assert other.call("POST", f"/user/{PROFILE}/videos", data={}).status_code == 403


def test_delete_answers_with_nothing(legacy: Client) -> None:
    video_id = legacy.created_id()
    answer = legacy.call("DELETE", f"/video/{video_id}")
    assert (answer.status_code, answer.json()) == (200, {})
    assert legacy.call("DELETE", f"/video/{video_id}").status_code == 404
