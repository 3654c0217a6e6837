from __future__ import annotations

import hashlib
from typing import Any

import pytest
import requests

from sandbox.platform import SettingError
from sandbox.server import Sandbox
from tests.sandbox.client import TIMEOUT, Client


def control(sandbox: Sandbox, method: str, path: str, **options: Any) -> requests.Response:
    return requests.request(method, f"{sandbox.control_url}/{path}", timeout=TIMEOUT, **options)


def test_videos_show_what_was_received(v2: Client, sandbox: Sandbox) -> None:
    v2.create(v2.uploaded_url(b"video"), tags=["vid-1"])
    (video,) = control(sandbox, "GET", "videos").json()
    assert video == sandbox.videos()[0]
    assert (video["title"], video["tags"], video["size"]) == ("Harbour – Episode 1", ["vid-1"], 5)
    assert (video["state"], video["created_at"]) == ("waiting", "2026-11-20T10:00:00Z")
    assert video["sha1"] == hashlib.sha1(b"video").hexdigest()


def test_requests_are_logged_without_their_secrets(public: Client, sandbox: Sandbox) -> None:
    public.upload()
    public.call("GET", "/me", params={"access_token": "t0p-secret"})
    logged = control(sandbox, "GET", "requests")
    assert [entry["route"] for entry in logged.json()] == ["token", "open_upload", "upload", "me"]
    token = control(sandbox, "GET", "requests?route=token").json()[0]
    assert (token["dialect"], token["status"], token["method"]) == ("public", 200, "POST")
    assert token["body"]["client_id"] == "sandbox-key"
    assert token["body"]["client_secret"] == token["body"]["password"] == "***"
    assert "sandbox-secret" not in logged.text
    assert "t0p-secret" not in logged.text
    assert str(public.http.headers["Authorization"]).split()[1] not in logged.text
    assert len(control(sandbox, "GET", "requests?limit=1").json()) == 1


def test_state_has_everything(v2: Client, sandbox: Sandbox) -> None:
    v2.create()
    sandbox.add_fault("me", status=500)
    state = control(sandbox, "GET", "state").json()
    assert [len(state[name]) for name in ("videos", "uploads", "faults")] == [1, 1, 1]
    assert state["counters"]["dailymotion.create"] == 1
    assert state["settings"]["videos_per_day"] == 15
    assert state["urls"]["dailymotion"]["v2"]["api"] == sandbox.api_url("v2")
    assert state["urls"]["upload"] == sandbox.upload_base


def test_faults_are_added_listed_and_removed(v2: Client, sandbox: Sandbox) -> None:
    rules = [
        {"route": "me", "status": 500},
        {"route": "create", "apply_then_drop": True, "times": None, "after": 1},
    ]
    first, second = control(sandbox, "POST", "faults", json=rules).json()
    assert (first["times"], first["status"]) == (1, 500)
    assert (second["times"], second["after"], second["apply_then_drop"]) == (None, 1, True)
    assert control(sandbox, "DELETE", f"faults/{first['id']}").json() == {"removed": 1}
    assert control(sandbox, "GET", "faults").json() == [second]
    assert control(sandbox, "DELETE", "faults").json() == {"removed": 1}
    assert v2.call("GET", "/me").status_code == 200


def test_settings_change_all_or_none(sandbox: Sandbox) -> None:
    changed = control(sandbox, "POST", "settings", json={"encode_seconds": 7, "byte_rate": 1000}).json()
    assert (changed["encode_seconds"], changed["byte_rate"]) == (7, 1000)
    refused = control(sandbox, "POST", "settings", json={"encode_seconds": 8, "byte_rate": -1})
    assert refused.status_code == 400
    assert "byte_rate" in refused.json()["error"]
    assert sandbox.settings()["encode_seconds"] == 7
    with pytest.raises(SettingError):
        sandbox.settings(speed=1)


@pytest.mark.parametrize(
    "change",
    [
        {"encode_seconds": "3"},
        {"encode_seconds": None},
        {"outcome": "lost"},
        {"outcomes_by_title": {"x": "lost"}},
        {"accounts": [{"key": "a"}, {"key": "a"}]},
        {"accounts": [{"name": "a"}]},
        {"list_envelope": "none"},
        {"legacy_expiry_status": 500},
        {"clock_offset_seconds": "tomorrow"},
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(sandbox: Sandbox, change: dict[str, Any]) -> None:
    before = sandbox.settings()
    with pytest.raises(SettingError):
        sandbox.settings(change)
    assert sandbox.settings() == before


def test_an_account_may_be_added(sandbox: Sandbox) -> None:
    account = {"key": "new-key", "secret": "new-secret", "profile_id": "x2new"}
    sandbox.settings(accounts=[*sandbox.settings()["accounts"], account])
    assert Client(sandbox, "v2", account="new").log_in().create().status_code == 201


def test_the_clock_may_be_pushed(v2: Client, sandbox: Sandbox) -> None:
    video_id = v2.created_id()
    sandbox.advance(60)
    sandbox.advance(60)
    assert v2.call("GET", f"/videos/{video_id}").json()["is_published"] is True


def test_reset_forgets_everything(v2: Client, sandbox: Sandbox) -> None:
    v2.create()
    sandbox.add_fault("me", status=500)
    sandbox.settings(encode_seconds=1, clock_offset_seconds=60)
    assert control(sandbox, "POST", "reset").json() == {"reset": True}
    assert (sandbox.videos(), sandbox.uploads(), sandbox.faults(), sandbox.requests()) == ([], [], [], [])
    assert sandbox.settings()["encode_seconds"] == 100
    assert sandbox.settings()["clock_offset_seconds"] == 0
    assert v2.call("GET", "/me").status_code == 401


def test_tokens_may_be_revoked(v2: Client, sandbox: Sandbox) -> None:
    assert control(sandbox, "POST", "revoke-tokens").json() == {"revoked": 1}
    assert v2.call("GET", "/me").status_code == 401


@pytest.mark.parametrize("path", ["faults", "settings"])
@pytest.mark.parametrize("body", ["{", "7", "[7]"])
def test_a_body_that_is_no_object_is_refused(sandbox: Sandbox, path: str, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    assert control(sandbox, "POST", path, data=body, headers=headers).status_code == 400


def test_a_form_of_another_site_changes_nothing(sandbox: Sandbox) -> None:
    body = '{"encode_seconds": 9}'
    headers = {"Content-Type": "text/plain", "Origin": "https://example.com"}
    assert control(sandbox, "POST", "settings", data=body, headers=headers).status_code == 400
    assert control(sandbox, "POST", "reset", headers=headers).status_code == 403
    assert control(sandbox, "POST", "revoke-tokens", headers=headers).status_code == 403
    assert sandbox.settings()["encode_seconds"] == 100
