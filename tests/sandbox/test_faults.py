from __future__ import annotations

import threading

import pytest
import requests

from sandbox.faults import FaultError
from sandbox.server import Sandbox
from tests.sandbox.client import TIMEOUT, Client, connected, multipart, post_head, send, wait_until

MIB = 1 << 20


def test_a_status_is_answered_once_and_nothing_is_done(client: Client, sandbox: Sandbox) -> None:
    url = client.uploaded_url()
    sandbox.add_fault("create", status=503)
    refused = client.create(url)
    assert refused.status_code == 503
    assert "error" in refused.json()
    assert sandbox.videos() == []
    assert client.create(url).status_code in (200, 201)
    assert sandbox.faults() == []


def test_a_body_and_headers_may_be_given(v2: Client, sandbox: Sandbox) -> None:
    sandbox.add_fault("me", status=502, body="<html>Bad Gateway</html>")
    sandbox.add_fault("me", status=429, headers={"Retry-After": "7"})
    sandbox.add_fault("me", status=200, body='{"user_id": "x')
    page, limited, cut = (v2.call("GET", "/me") for _ in range(3))
    assert (page.status_code, page.text) == (502, "<html>Bad Gateway</html>")
    assert page.headers["Content-Type"].startswith("text/html")
    assert (limited.headers["Retry-After"], limited.json()["error"]["code"]) == ("7", "TOO_MANY_REQUESTS")
    with pytest.raises(requests.JSONDecodeError):
        cut.json()


def test_faults_come_in_order_skip_and_repeat(v2: Client, sandbox: Sandbox) -> None:
    sandbox.add_fault("me", status=500, after=1, times=2)
    sandbox.add_fault("me", status=418, times=None)
    seen = [v2.call("GET", "/me").status_code for _ in range(5)]
    assert seen == [418, 500, 500, 418, 418]
    assert sandbox.clear_faults() == 2
    assert v2.call("GET", "/me").status_code == 200


def test_a_fault_may_wait_for_one_dialect(sandbox: Sandbox, v2: Client, partner: Client) -> None:
    sandbox.add_fault("open_upload", status=500, dialect="partner")
    assert v2.open_upload().status_code == 201
    assert partner.open_upload().status_code == 500


def test_a_fault_may_meet_every_route(v2: Client, sandbox: Sandbox) -> None:
    sandbox.add_fault("*", status=503, times=2)
    assert [v2.token().status_code, v2.list().status_code, v2.list().status_code] == [503, 503, 200]


def test_a_request_dropped_before_was_not_applied(client: Client, sandbox: Sandbox) -> None:
    url = client.uploaded_url()
    sandbox.add_fault("create", drop_before=True)
    with pytest.raises(requests.ConnectionError):
        client.create(url)
    assert sandbox.videos() == []
    assert sandbox.requests("create")[-1]["outcome"] == "reset"
    assert client.create(url).status_code in (200, 201)


def test_a_request_applied_and_dropped_is_found_by_listing(client: Client, sandbox: Sandbox) -> None:
    url = client.uploaded_url()
    sandbox.add_fault("create", apply_then_drop=True)
    with pytest.raises(requests.ConnectionError):
        client.create(url)
    assert len(sandbox.videos()) == 1
    assert len(client.list().json()["data" if client.dialect == "v2" else "list"]) == 1


def test_a_dropped_connection_is_a_real_reset(v2: Client, sandbox: Sandbox) -> None:
    sandbox.add_fault("upload", drop_before=True)
    url = v2.open_upload().json()["upload_url"]
    with connected(url) as connection:
        connection.sendall(post_head(url, 10))
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_an_upload_dropped_in_its_middle_needs_a_new_session(v2: Client, sandbox: Sandbox) -> None:
    sandbox.add_fault("upload", drop_after_bytes=MIB)
    url = v2.open_upload().json()["upload_url"]
    with pytest.raises(requests.ConnectionError):
        send(url, bytes(16 * MIB))
    assert sandbox.uploads()[-1]["state"] == "error"
    assert sandbox.uploads()[-1]["received"] == MIB
    assert send(url, b"video").status_code == 400
    assert v2.upload().status_code == 200


def test_an_upload_applied_and_dropped_has_ended_its_session(v2: Client, sandbox: Sandbox) -> None:
    sandbox.add_fault("upload", apply_then_drop=True)
    url = v2.open_upload().json()["upload_url"]
    with pytest.raises(requests.ConnectionError):
        send(url, b"video")
    assert sandbox.uploads()[-1]["state"] == "done"


def test_an_upload_refused_at_its_end_was_read_to_its_end(v2: Client, sandbox: Sandbox) -> None:
    sandbox.add_fault("upload", status=502, body="<html></html>")
    refused = v2.upload(bytes(4 * MIB))
    assert refused.status_code == 502
    assert sandbox.requests("upload")[-1]["bytes"] > 4 * MIB
    assert sandbox.uploads()[-1]["state"] == "error"


def test_a_stalled_upload_goes_on_after_its_pause(v2: Client, sandbox: Sandbox) -> None:
    sandbox.add_fault("upload", stall_after_bytes=MIB, seconds=0.3)
    assert v2.upload(bytes(2 * MIB)).status_code == 200
    assert sandbox.requests("upload")[-1]["seconds"] >= 0.3


def test_a_stalled_upload_stops_taking_bytes(v2: Client, sandbox: Sandbox) -> None:
    sandbox.add_fault("upload", stall_after_bytes=MIB, seconds=600)
    url = v2.open_upload().json()["upload_url"]
    body = multipart(bytes(64 * MIB))
    with connected(url) as connection:
        connection.settimeout(1)
        connection.sendall(post_head(url, len(body)))
        with pytest.raises(TimeoutError):
            connection.sendall(body)
        assert sandbox.uploads()[-1]["received"] == MIB


def test_an_expired_session_refuses_the_upload(v2: Client, sandbox: Sandbox) -> None:
    sandbox.add_fault("upload", expire_session=True)
    assert v2.upload().status_code == 400
    sandbox.add_fault("open_upload", expire_session=True)
    assert v2.upload().status_code == 400
    assert v2.upload().status_code == 200


def test_an_expired_file_refuses_the_create(client: Client, sandbox: Sandbox) -> None:
    url = client.uploaded_url()
    sandbox.add_fault("create", expire_session=True)
    assert client.create(url).status_code == 404
    assert client.create(url).status_code == 404
    assert client.create().status_code in (200, 201)


def test_a_truncated_reply_is_broken_json(v2: Client, sandbox: Sandbox) -> None:
    sandbox.add_fault("create", truncate_reply=20)
    answer = v2.create()
    assert (answer.status_code, len(answer.content)) == (201, 20)
    assert len(sandbox.videos()) == 1


def test_a_reply_may_break_off(v2: Client, sandbox: Sandbox) -> None:
    sandbox.add_fault("create", drop_reply_after_bytes=20)
    with pytest.raises(requests.RequestException):
        v2.create()
    assert len(sandbox.videos()) == 1


def test_a_delayed_request_is_applied_though_its_client_has_gone(v2: Client, sandbox: Sandbox) -> None:
    url = v2.uploaded_url()
    sandbox.add_fault("create", delay=0.5)
    body = {"title": "Late", "category": "tv", "visibility": "public", "is_for_kids": False}
    with pytest.raises(requests.Timeout):
        v2.http.post(
            f"{sandbox.api_url()}/profiles/{v2.profile}/videos",
            json={**body, "source": {"file_url": url}},
            timeout=0.1,
        )
    wait_until(sandbox.videos)
    assert sandbox.videos()[0]["title"] == "Late"


def test_a_small_request_may_be_cut_too(v2: Client, sandbox: Sandbox) -> None:
    sandbox.add_fault("create", drop_after_bytes=10)
    with pytest.raises(requests.ConnectionError):
        v2.create()
    assert sandbox.requests("create")[-1]["bytes"] == 10
    assert sandbox.videos() == []


@pytest.mark.parametrize(
    "spec",
    [
        {"route": "nowhere", "status": 500},
        {"route": "create"},
        {"route": "create", "status": 99},
        {"route": "create", "status": 500, "times": 0},
        {"route": "create", "status": 500, "after": -1},
        {"route": "create", "delay": "long"},
        {"route": "create", "drop_before": 1},
        {"route": "create", "drop_after_bytes": 1.5},
        {"route": "create", "explode": True},
        {"route": "create", "seconds": 5},
    ],
)
def test_a_fault_that_cannot_be_played_is_refused(sandbox: Sandbox, spec: dict[str, object]) -> None:
    with pytest.raises(FaultError):
        sandbox.add_fault(**spec)  # type: ignore[arg-type]
    answer = requests.post(f"{sandbox.control_url}/faults", json=spec, timeout=TIMEOUT)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_two_requests_at_once_take_one_fault_each(v2: Client, sandbox: Sandbox) -> None:
    sandbox.add_fault("create", status=500, times=2)
    url, statuses = v2.uploaded_url(), []
    headers = dict(v2.http.headers)

    def create() -> None:
        body = {"title": "T", "category": "tv", "visibility": "public", "is_for_kids": False}
        target = f"{sandbox.api_url()}/profiles/{v2.profile}/videos"
        answer = requests.post(
            target, json={**body, "source": {"file_url": url}}, headers=headers, timeout=TIMEOUT
        )
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 201, 201, 201, 500, 500]
