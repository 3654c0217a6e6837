"""The stand-in for OnlySocial refuses what the real one refuses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from sandbox.server import Sandbox
from tests.sandbox.client import NOW, TIMEOUT, TestClock

WORKSPACE = "00000000-0000-4000-8000-000000000001"
INSTAGRAM, FACEBOOK, LOST = 42174, 42175, 42178


class Workspace:
    """A caller with a token, who follows no redirect."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers.update({"Authorization": "Bearer sandbox-token", "Accept": "application/json"})

    def call(
        self, method: str, path: str, *, workspace: str = WORKSPACE, **options: Any
    ) -> requests.Response:
        url = f"{self.sandbox.onlysocial_url}/{workspace}{path}"
        return self.http.request(method, url, timeout=TIMEOUT, allow_redirects=False, **options)

    def upload(
        self,
        name: str = "job-1.mp4",
        data: bytes = b"video",
        content_type: str = "video/mp4",
        field: str = "file",
    ) -> requests.Response:
        return self.call("POST", "/media", files={field: (name, data, content_type)})

    def create(self, **changes: Any) -> requests.Response:
        return self.call("POST", "/posts", json=body_of(**changes))

    def created(self, **changes: Any) -> str:
        answer = self.create(**changes)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["uuid"])

    def publish(self, uuid: str, body: Any = None) -> requests.Response:
        return self.call("POST", f"/posts/schedule/{uuid}", json=body or {"postNow": True})

    def read(self, uuid: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"/posts/{uuid}").json()
        return found


def body_of(*media: Any, content: Any = None, **changes: Any) -> dict[str, Any]:
    version = {
        "account_id": 0,
        "is_original": True,
        "content": content if content is not None else [{"body": "Caption", "media": list(media), "url": ""}],
        "options": {"instagram": {"type": "reel", "collaborators": []}},
    }
    whole = {"accounts": [INSTAGRAM], "tags": [], "date": None, "time": "", "timezone": "UTC"}
    return {**whole, "versions": [version], **changes}


@pytest.fixture
def workspace(sandbox: Sandbox) -> Iterator[Workspace]:
    made = Workspace(sandbox)
    with made.http:
        yield made


# -------------------------------------------------------------------- the door


@pytest.mark.parametrize("path", ["/accounts/", "/media/", "/posts/", "/posts/schedule/abc/", "/nothing/"])
def test_a_trailing_slash_leads_to_plain_http(workspace: Workspace, path: str) -> None:
    answer = workspace.call("GET", path)
    assert answer.status_code == 301
    assert answer.headers["Location"].startswith("http://")
    assert not answer.headers["Location"].endswith("/")


def test_without_accept_it_is_a_browser_and_is_sent_to_the_login_page(workspace: Workspace) -> None:
    answer = workspace.call("GET", "/accounts", headers={"Accept": "*/*"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (302, "text/html; charset=utf-8")
    assert answer.headers["Location"].endswith("/login")


@pytest.mark.parametrize(
    "token", ["", "Bearer", "Bearer wrong", "Basic sandbox-token", "Bearer sandbox-token "]
)
def test_a_token_must_be_right(workspace: Workspace, token: str) -> None:
    answer = workspace.call("GET", "/accounts", headers={"Authorization": token})
    is_right = token.strip() == "Bearer sandbox-token"
    assert answer.status_code == (200 if is_right else 401)
    assert is_right or answer.json() == {"message": "Unauthenticated."}


def test_a_token_can_be_taken_away(workspace: Workspace, sandbox: Sandbox) -> None:
    sandbox.settings(onlysocial_token_revoked=True)
    assert workspace.call("GET", "/accounts").status_code == 401


def test_another_workspace_is_not_found(workspace: Workspace) -> None:
    answer = workspace.call("GET", "/accounts", workspace="other")
    assert (answer.status_code, answer.json()) == (404, {"message": "Workspace not found."})


def test_what_is_not_there_and_what_is_not_allowed(workspace: Workspace) -> None:
    assert workspace.call("GET", "/nothing").status_code == 404
    assert workspace.call("PATCH", "/posts").status_code == 405


def test_so_many_requests_in_a_minute(workspace: Workspace, sandbox: Sandbox, clock: TestClock) -> None:
    sandbox.settings(onlysocial_requests_per_minute=2)
    assert [workspace.call("GET", "/accounts").status_code for _ in range(3)] == [200, 200, 429]
    answer = workspace.call("GET", "/accounts")
    assert answer.json() == {"message": "Too Many Attempts."}
    assert answer.headers["Retry-After"] == "60"
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    clock.now += 61
    assert workspace.call("GET", "/accounts").status_code == 200


# -------------------------------------------------------------------- accounts and media


def test_accounts_one_of_them_not_authorized(workspace: Workspace) -> None:
    accounts = workspace.call("GET", "/accounts").json()["data"]
    assert [account["authorized"] for account in accounts] == [True, True, True, True, False]
    uuid = accounts[0]["uuid"]
    assert workspace.call("GET", f"/accounts/{uuid}").json()["id"] == INSTAGRAM
    assert workspace.call("GET", "/accounts/none").status_code == 404


def test_media_ids_are_strings(workspace: Workspace, sandbox: Sandbox) -> None:
    answer = workspace.upload()
    assert answer.status_code == 201
    media = answer.json()
    assert (media["name"], media["type"], media["is_video"]) == ("job-1.mp4", "video", True)
    assert isinstance(media["id"], str)
    sandbox.settings(onlysocial_media_ids="number")
    assert isinstance(workspace.call("GET", f"/media/{media['uuid']}").json()["id"], int)


def test_too_large_a_file_is_refused_by_the_proxy_in_html(workspace: Workspace, sandbox: Sandbox) -> None:
    sandbox.settings(onlysocial_media_bytes=1000)
    answer = workspace.upload(data=bytes(2000))
    assert (answer.status_code, answer.headers["Content-Type"]) == (413, "text/html; charset=utf-8")
    assert sandbox.media() == []


@pytest.mark.parametrize(
    "changes", [{"field": "video"}, {"content_type": "video/quicktime"}, {"data": b""}], ids=str
)
def test_a_file_that_is_none_is_refused(workspace: Workspace, changes: dict[str, Any]) -> None:
    answer = workspace.upload(**changes)
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == ["file"]


def test_an_address_instead_of_a_file_is_refused(workspace: Workspace) -> None:
    answer = workspace.call("POST", "/media", json={"file": "https://example.com/video.mp4"})
    assert answer.status_code == 422


def test_media_are_listed_newest_first_twenty_to_a_page(workspace: Workspace) -> None:
    for n in range(23):
        workspace.upload(f"{n}.mp4")
    first, second = (workspace.call("GET", f"/media?page={n}").json() for n in (1, 2))
    assert [row["name"] for row in first["data"]][:2] == ["22.mp4", "21.mp4"]
    assert [row["name"] for row in second["data"]] == ["2.mp4", "1.mp4", "0.mp4"]
    assert first["meta"] == {
        "current_page": 1, "from": 1, "last_page": 2, "per_page": 20, "to": 20, "total": 23,
    }  # fmt: skip


def test_media_are_deleted_by_their_ids(workspace: Workspace, sandbox: Sandbox) -> None:
    media_id = workspace.upload().json()["id"]
    assert workspace.call("DELETE", "/media", json={"items": [int(media_id)]}).json() == {"success": True}
    assert sandbox.media() == []
    assert workspace.call("DELETE", "/media", json={}).status_code == 422


def test_uploads_in_pieces_are_absent_until_switched_on(workspace: Workspace, sandbox: Sandbox) -> None:
    data = bytes(500_000) + b"end"
    start = {"filename": "a.mp4", "mime_type": "video/mp4", "total_size": len(data)}
    assert workspace.call("POST", "/media/chunked/initiate", json=start).status_code == 404
    sandbox.settings(onlysocial_chunked=True)
    opened = workspace.call("POST", "/media/chunked/initiate", json=start).json()
    assert opened["total_chunks"] == 2
    base = f"/media/chunked/{opened['upload_uuid']}"
    assert workspace.call("POST", f"{base}/complete").status_code == 422
    for n in range(2):
        piece = data[n * opened["chunk_size"] : (n + 1) * opened["chunk_size"]]
        answer = workspace.call(
            "POST", f"{base}/upload", files={"chunk": ("chunk", piece)}, data={"chunk_index": n}
        )
        assert answer.json() == {"received": n + 1}
    assert workspace.call("POST", f"{base}/complete").json()["name"] == "a.mp4"
    assert sandbox.media()[0]["size"] == len(data)


# -------------------------------------------------------------------- making posts


def test_a_post_answers_with_its_uuid_and_nothing_of_itself(workspace: Workspace) -> None:
    media = int(workspace.upload().json()["id"])
    answer = workspace.create(versions=body_of(media)["versions"])
    assert answer.status_code == 201
    assert set(answer.json()) == {"id", "uuid", "name", "hex_color"}
    post = workspace.read(answer.json()["uuid"])
    assert post["status"] == "draft"
    assert post["versions"][0]["content"][0]["media"][0]["id"] == str(media)


def test_the_body_of_the_older_format_is_refused(workspace: Workspace) -> None:
    media = workspace.upload().json()["id"]
    body = {
        "accounts": [INSTAGRAM],
        "versions": [
            {"account_id": INSTAGRAM, "content": ["Caption"], "media_ids": [media], "is_original": True}
        ],
        "post_type": "reel",
    }
    answer = workspace.call("POST", "/posts", json=body)
    assert answer.status_code == 422
    assert set(answer.json()["errors"]) == {"tags", "versions.0.content.0"}
    assert answer.json()["message"].endswith("(and 1 more error)")


def test_the_older_format_can_be_switched_on(workspace: Workspace, sandbox: Sandbox) -> None:
    sandbox.settings(onlysocial_post_format="legacy")
    media = workspace.upload().json()["id"]
    version = {"account_id": INSTAGRAM, "content": ["Caption"], "media_ids": [media], "is_original": True}
    body = {"accounts": [INSTAGRAM], "versions": [version], "post_type": "reel"}
    assert workspace.call("POST", "/posts", json=body).status_code == 201
    for wrong in ({"post_type": "film"}, {"versions": [{**version, "media_ids": [int(media)]}]}):
        assert workspace.call("POST", "/posts", json={**body, **wrong}).status_code == 422
    assert workspace.create().status_code == 422


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda media: body_of(str(media)), "versions.0.content.0.media.0"),
        (lambda media: body_of(True), "versions.0.content.0.media.0"),
        (lambda media: body_of(1), "versions.0.content.0.media.0"),
        (lambda media: body_of(content=["Caption"]), "versions.0.content.0"),
        (lambda media: body_of(content=[{"body": "x" * 5001, "media": []}]), "versions.0.content.0.body"),
        (lambda media: body_of(accounts=[1]), "accounts.0"),
        (lambda media: body_of(accounts=[str(INSTAGRAM)]), "accounts.0"),
        (lambda media: body_of(accounts=None), "accounts"),
        (lambda media: body_of(tags=None), "tags"),
        (lambda media: body_of(versions=[]), "versions"),
        (lambda media: body_of(date="20.11.2026", time="10:00"), "date"),
        (lambda media: body_of(date="2026-11-20", time="10"), "time"),
        (lambda media: body_of(date="2026-11-20", time="10:00", timezone="Nowhere"), "timezone"),
    ],
)
def test_a_post_that_makes_no_sense_is_refused_by_its_field(
    workspace: Workspace, change: Callable[[int], dict[str, Any]], field: str
) -> None:
    media = int(workspace.upload().json()["id"])
    answer = workspace.call("POST", "/posts", json=change(media))
    assert answer.status_code == 422
    assert field in answer.json()["errors"]


def test_a_type_that_is_none_is_refused(workspace: Workspace) -> None:
    body = body_of()
    body["versions"][0]["options"] = {"instagram": {"type": "film"}}
    answer = workspace.call("POST", "/posts", json=body)
    assert list(answer.json()["errors"]) == ["versions.0.options.instagram.type"]


def test_without_a_zone_a_time_is_one_of_the_account(workspace: Workspace) -> None:
    moment = {"date": "2026-11-21", "time": "10:00"}
    own = workspace.created(**moment, timezone=None)
    utc = workspace.created(**moment, timezone="UTC")
    assert workspace.read(own)["scheduled_at"] == "2026-11-21 09:00:00"
    assert workspace.read(utc)["scheduled_at"] == "2026-11-21 10:00:00"


# -------------------------------------------------------------------- publishing


def test_publishing_is_asynchronous(workspace: Workspace, clock: TestClock) -> None:
    uuid = workspace.created()
    answer = workspace.publish(uuid).json()
    assert answer == {"success": True, "scheduled_at": "2026-11-20 10:00:00", "needs_approval": False}
    seen = []
    for seconds in (0.0, 0.5, 1.0):
        clock.now = NOW + seconds
        seen.append(workspace.read(uuid)["status"])
    assert seen == ["scheduled", "publishing", "published"]
    assert workspace.read(uuid)["accounts"][0]["external_url"]


def test_a_second_request_to_publish_is_refused_once_it_has_begun(
    workspace: Workspace, clock: TestClock
) -> None:
    uuid = workspace.created()
    workspace.publish(uuid)
    assert workspace.publish(uuid).status_code == 200
    clock.now += 0.5
    assert workspace.publish(uuid).json()["errors"] == {"publishing": ["publishing"]}
    clock.now += 1
    assert workspace.publish(uuid).json()["errors"] == {"in_history": ["in_history"]}


def test_post_now_is_required_and_a_boolean(workspace: Workspace) -> None:
    uuid = workspace.created()
    for body in ({"x": 1}, {"postNow": "yes"}, {"postNow": 1}):
        answer = workspace.publish(uuid, body)
        assert answer.status_code == 422
        assert "post now" in answer.json()["message"]


def test_a_later_moment_must_be_given_and_lie_ahead(workspace: Workspace, clock: TestClock) -> None:
    for changes in ({}, {"date": "2026-11-20", "time": "09:00"}):
        answer = workspace.publish(workspace.created(**changes), {"postNow": False})
        assert answer.json()["errors"] == {"cannot_scheduled": ["cannot_scheduled"]}
    uuid = workspace.created(date="2026-11-20", time="11:00")
    assert workspace.publish(uuid, {"postNow": False}).status_code == 200
    clock.now += 3599
    assert workspace.read(uuid)["status"] == "scheduled"
    clock.now += 3
    assert workspace.read(uuid)["status"] == "published"


def test_a_post_may_wait_for_a_person(workspace: Workspace, sandbox: Sandbox, clock: TestClock) -> None:
    sandbox.settings(onlysocial_needs_approval=True)
    uuid = workspace.created()
    assert workspace.publish(uuid).json()["needs_approval"] is True
    clock.now += 60
    assert workspace.read(uuid)["status"] == "needs_approval"
    control = f"{sandbox.control_url}/posts/{uuid}/approve"
    assert requests.post(control, timeout=TIMEOUT).json() == {"approved": True}
    assert not sandbox.approve_post(uuid)
    clock.now += 2
    assert workspace.read(uuid)["status"] == "published"


def test_one_account_that_fails_fails_the_whole_post(workspace: Workspace, sandbox: Sandbox) -> None:
    sandbox.settings(
        onlysocial_publish_seconds=0, onlysocial_outcomes_by_caption={"Caption": "partly_published"}
    )
    uuid = workspace.created(accounts=[INSTAGRAM, FACEBOOK])
    workspace.publish(uuid)
    post = workspace.read(uuid)
    assert post["status"] == "failed"
    assert [bool(account["external_url"]) for account in post["accounts"]] == [True, False]
    assert [bool(account["errors"]) for account in post["accounts"]] == [False, True]


def test_an_account_that_was_lost_fails(workspace: Workspace, sandbox: Sandbox) -> None:
    sandbox.settings(onlysocial_publish_seconds=0)
    uuid = workspace.created(accounts=[LOST])
    workspace.publish(uuid)
    assert workspace.read(uuid)["status"] == "failed"


def test_a_post_is_trashed_or_deleted(workspace: Workspace) -> None:
    uuid = workspace.created()
    workspace.call("DELETE", f"/posts/{uuid}", json={"trash": True})
    assert workspace.read(uuid)["trashed"] is True
    workspace.call("DELETE", f"/posts/{uuid}", json={"trash": False, "delete_mode": "app_only"})
    assert workspace.call("GET", f"/posts/{uuid}").status_code == 404


def test_a_list_may_lag_behind(workspace: Workspace, sandbox: Sandbox, clock: TestClock) -> None:
    sandbox.settings(onlysocial_list_lag_seconds=5)
    uuid = workspace.created()
    assert workspace.call("GET", "/posts").json()["data"] == []
    clock.now += 6
    assert [row["uuid"] for row in workspace.call("GET", "/posts").json()["data"]] == [uuid]


# -------------------------------------------------------------------- faults, settings, what is remembered


def test_faults_speak_its_language(workspace: Workspace, sandbox: Sandbox) -> None:
    sandbox.add_fault("publish_post", status=429, headers={"Retry-After": "7"})
    sandbox.add_fault("publish_post", status=502)
    answer = workspace.publish("x")
    assert (answer.json(), answer.headers["Retry-After"]) == ({"message": "Too Many Attempts."}, "7")
    assert workspace.publish("x").headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("route", ["create_post", "upload_media", "publish_post"])
def test_what_was_applied_stays_though_nobody_hears_of_it(
    workspace: Workspace, sandbox: Sandbox, route: str
) -> None:
    uuid = workspace.created()
    sandbox.add_fault(route, apply_then_drop=True)
    calls = {
        "create_post": workspace.create,
        "upload_media": workspace.upload,
        "publish_post": lambda: workspace.publish(uuid),
    }
    with pytest.raises(requests.ConnectionError):
        calls[route]()
    found = {
        "create_post": len(sandbox.posts()) == 2,
        "upload_media": len(sandbox.media()) == 1,
        "publish_post": sandbox.posts()[0]["status"] == "scheduled",
    }
    assert found[route]


def test_a_fault_with_a_status_applies_nothing(workspace: Workspace, sandbox: Sandbox) -> None:
    sandbox.add_fault("upload_media", status=503)
    assert workspace.upload().status_code == 503
    assert sandbox.media() == []


def test_answers_are_held_back_and_receipts_are_not(workspace: Workspace, sandbox: Sandbox) -> None:
    uuid = workspace.created()
    sandbox.settings(onlysocial_delay_ms=300)
    waiting = threading.Thread(target=workspace.publish, args=(uuid,))
    waiting.start()
    began = time.perf_counter()
    while not sandbox.posts()[0]["publish_received_at"]:
        assert time.perf_counter() - began < TIMEOUT
    assert waiting.is_alive(), "it was received and applied, and its answer still waits"
    waiting.join()


def test_the_moment_a_request_arrived_is_kept_exactly(
    workspace: Workspace, sandbox: Sandbox, clock: TestClock
) -> None:
    uuid = workspace.created()
    clock.now = NOW + 1.234567
    workspace.publish(uuid)
    (post,) = sandbox.posts()
    assert (post["create_received_at"], post["publish_received_at"]) == (NOW, [NOW + 1.234567])
    assert requests.get(f"{sandbox.control_url}/posts", timeout=TIMEOUT).json() == [post]


@pytest.mark.parametrize(
    "changes",
    [
        {"onlysocial_outcome": "maybe"},
        {"onlysocial_delay_ms": -1},
        {"onlysocial_needs_approval": 1},
        {"onlysocial_time_zone": "Nowhere"},
        {"onlysocial_nothing": 1},
        {"delay_ms": 1},
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(sandbox: Sandbox, changes: dict[str, Any]) -> None:
    before = sandbox.settings()
    answer = requests.post(f"{sandbox.control_url}/settings", json=changes, timeout=TIMEOUT)
    assert answer.status_code == 400
    assert sandbox.settings() == before


def test_it_remembers_over_a_restart(tmp_path: Any) -> None:
    path = tmp_path / "state.json"
    with Sandbox(state_path=path, onlysocial_publish_seconds=0) as first:
        caller = Workspace(first)
        media = int(caller.upload().json()["id"])
        uuid = caller.created(versions=body_of(media)["versions"])
        caller.publish(uuid)
    with Sandbox(state_path=path) as second:
        caller = Workspace(second)
        assert caller.read(uuid)["status"] == "published"
        assert int(caller.upload().json()["id"]) == media + 1


def test_the_page_shows_posts_and_what_waits_for_a_person(workspace: Workspace, sandbox: Sandbox) -> None:
    sandbox.settings(onlysocial_needs_approval=True)
    uuid = workspace.created(versions=body_of(content=[{"body": "<b>Sea</b>", "media": []}])["versions"])
    workspace.publish(uuid)
    shown = requests.get(f"{sandbox.control_url}/view", timeout=TIMEOUT).json()["posts"]
    assert "&lt;b&gt;Sea&lt;/b&gt;" in shown and "<b>Sea" not in shown
    assert "needs approval" in shown and f"posts/{uuid}/approve" in shown
    assert "10:00:00.000" in shown
