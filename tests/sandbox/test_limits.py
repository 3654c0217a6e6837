from __future__ import annotations

import requests

from sandbox.server import Sandbox
from tests.sandbox.client import Client, TestClock, movie

DAY = 86_400


def assert_quota(client: Client, answer: requests.Response) -> None:
    if client.dialect == "v2":
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "TOO_MANY_REQUESTS")
        assert answer.headers["Retry-After"] == "3600"
    else:
        message = "You have reached your upload limit"
        assert answer.status_code == 403
        assert answer.json() == {"error": {"code": 403, "type": "access_forbidden", "message": message}}


def test_the_sixteenth_video_of_a_day_is_refused_after_its_upload(client: Client, clock: TestClock) -> None:
    url = client.uploaded_url()
    for _ in range(15):
        client.created_id(url)
        clock.now += 60
    sixteenth = client.upload()
    assert sixteenth.status_code == 200
    assert_quota(client, client.create(sixteenth.json()["url"]))
    clock.now += DAY - 15 * 60
    client.log_in().created_id(sixteenth.json()["url"])


def test_deleting_gives_no_quota_back(v2: Client, sandbox: Sandbox) -> None:
    sandbox.settings(videos_per_day=1)
    v2.call("DELETE", f"/videos/{v2.created_id()}")
    assert_quota(v2, v2.create())


def test_a_refused_create_takes_no_quota(v2: Client, sandbox: Sandbox) -> None:
    sandbox.settings(videos_per_day=1)
    assert v2.create(title="").status_code == 422
    assert v2.create().status_code == 201


def test_ten_hours_a_day_are_enough(client: Client) -> None:
    two_hours = client.uploaded_url(movie(7200))
    for _ in range(5):
        client.created_id(two_hours)
    assert_quota(client, client.create(client.uploaded_url(movie(1))))


def test_each_account_has_its_own_day(v2: Client, sandbox: Sandbox) -> None:
    sandbox.settings(videos_per_day=1)
    v2.created_id()
    assert Client(sandbox, "v2", account="other").log_in().create().status_code == 201
    assert sandbox.state()["usage"]["dailymotion"]["x1sandbox"]["videos"] == 1


def test_a_video_over_two_hours_is_refused_for_good(client: Client) -> None:
    answer = client.create(client.uploaded_url(movie(7201)))
    assert answer.status_code == (422 if client.dialect == "v2" else 400)


def test_a_file_over_the_limit_is_uploaded_and_then_refused(client: Client, sandbox: Sandbox) -> None:
    sandbox.settings(file_bytes=1000)
    upload = client.upload(bytes(1001))
    assert upload.status_code == 200
    answer = client.create(upload.json()["url"])
    assert answer.status_code == (422 if client.dialect == "v2" else 400)
    assert "too large" in answer.json()["error"]["message"]


def test_limits_may_be_lifted(v2: Client, sandbox: Sandbox) -> None:
    sandbox.settings(videos_per_day=None, seconds_per_day=None, video_seconds=None, file_bytes=None)
    url = v2.uploaded_url(movie(90_000))
    assert {v2.create(url).status_code for _ in range(20)} == {201}
