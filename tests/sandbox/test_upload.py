from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from sandbox.server import Sandbox
from tests.sandbox.client import (
    PROFILE,
    TIMEOUT,
    Client,
    TestClock,
    connected,
    movie,
    multipart,
    post_head,
    real_video,
    send,
    wait_until,
)

MIB = 1 << 20


def error_text(answer: requests.Response) -> str:
    error = answer.json()["error"]
    return str(error["message"] if isinstance(error, dict) else error)


def progress(client: Client, urls: dict[str, str]) -> dict[str, object]:
    answer = requests.get(urls["progress_url"], timeout=TIMEOUT)
    assert answer.status_code == 200
    found: dict[str, object] = answer.json()
    return found


def test_a_session_gives_an_upload_url_on_another_port(client: Client, sandbox: Sandbox) -> None:
    answer = client.open_upload()
    urls = answer.json()
    assert answer.status_code == (201 if client.dialect == "v2" else 200)
    assert urls["upload_url"].startswith(f"{sandbox.upload_base}/upload?uuid=")
    assert urlsplit(urls["upload_url"]).netloc != urlsplit(sandbox.page_url).netloc
    assert parse_qs(urlsplit(urls["upload_url"]).query)["extra"] == [PROFILE]
    assert urls["progress_url"].startswith(f"{sandbox.upload_base}/progress?uuid=")


def test_v2_opens_a_session_without_a_body_only(v2: Client) -> None:
    assert v2.call("POST", "/files/upload_sessions", json={}).status_code == 422


def test_an_upload_answers_with_text_values_and_a_url_with_its_fragment(v2: Client) -> None:
    data = b"0123456789" * 50_000
    answer = v2.upload(data, "ep-001.mp4").json()
    assert all(isinstance(value, str) for value in answer.values())
    assert (answer["name"], answer["size"]) == ("ep-001", "500000")
    assert answer["hash"] == hashlib.sha1(data).hexdigest()
    assert re.fullmatch("[0-9a-f]{32}", answer["seal"])
    fragment = base64.b64decode(urlsplit(answer["url"]).fragment).decode()
    assert parse_qs(fragment)["hash"] == [answer["hash"]]
    assert parse_qs(fragment)["seal"] == [answer["seal"]]


def test_a_real_video_is_described(v2: Client) -> None:
    answer = v2.upload(real_video()).json()
    assert answer["dimension"] == "128x72"
    assert (answer["acodec"], answer["vcodec"], answer["format"]) == ("AAC", "AVC", "MPEG-4")
    assert int(answer["duration"]) == pytest.approx(2000, abs=100)


def test_a_duration_at_the_end_of_a_long_file_is_found(v2: Client) -> None:
    assert v2.upload(movie(3600.5, data=bytes(5 * MIB))).json()["duration"] == "3600500"


def test_a_file_name_may_have_any_letters(v2: Client) -> None:
    assert v2.upload(b"x", "Перша серія – 1.mp4").json()["name"] == "Перша серія – 1"


def test_a_token_sent_to_the_upload_host_is_refused(v2: Client) -> None:
    urls = v2.open_upload().json()
    headers = {"Authorization": str(v2.http.headers["Authorization"])}
    assert send(urls["upload_url"], b"video", headers=headers).status_code == 400
    assert requests.get(urls["progress_url"], headers=headers, timeout=TIMEOUT).status_code == 400


def test_the_field_must_be_named_file(v2: Client) -> None:
    url = v2.open_upload().json()["upload_url"]
    answer = requests.post(url, files={"video": ("a.mp4", b"x")}, timeout=TIMEOUT)
    assert answer.status_code == 400
    assert "must be named file" in error_text(answer)


def test_a_second_part_is_refused(v2: Client) -> None:
    url = v2.open_upload().json()["upload_url"]
    answer = requests.post(
        url, files=[("file", ("a.mp4", b"x")), ("title", (None, b"Harbour"))], timeout=TIMEOUT
    )
    assert answer.status_code == 400
    assert "one part" in error_text(answer)


def test_a_chunked_body_is_refused(v2: Client) -> None:
    def pieces() -> Iterator[bytes]:
        yield multipart(b"video")

    url = v2.open_upload().json()["upload_url"]
    headers = {"Content-Type": "multipart/form-data; boundary=b0und"}
    answer = requests.post(url, data=pieces(), headers=headers, timeout=TIMEOUT)
    assert answer.status_code == 400
    assert "Content-Length" in error_text(answer)


def test_an_empty_file_is_refused(v2: Client) -> None:
    url = v2.open_upload().json()["upload_url"]
    answer = requests.post(
        url,
        data=multipart(b""),
        headers={"Content-Type": "multipart/form-data; boundary=b0und"},
        timeout=TIMEOUT,
    )
    assert answer.status_code == 400
    assert "empty" in error_text(answer)


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data", "video/mp4"])
def test_another_kind_of_body_is_refused(v2: Client, content_type: str) -> None:
    url = v2.open_upload().json()["upload_url"]
    answer = requests.post(url, data=b"video", headers={"Content-Type": content_type}, timeout=TIMEOUT)
    assert answer.status_code == 400


def test_an_unknown_session_is_refused(v2: Client, sandbox: Sandbox) -> None:
    assert send(f"{sandbox.upload_base}/upload?uuid=none&seal=none", b"x").status_code == 404
    url = v2.open_upload().json()["upload_url"]
    assert send(re.sub("seal=[0-9a-f]+", "seal=0", url), b"x").status_code == 404


def test_a_session_takes_one_file(v2: Client) -> None:
    url = v2.open_upload().json()["upload_url"]
    assert send(url, b"video").status_code == 200
    again = send(url, b"video")
    assert again.status_code == 400
    assert "already used" in error_text(again)


def test_a_session_that_failed_cannot_be_used_again(v2: Client) -> None:
    urls = v2.open_upload().json()
    assert requests.post(urls["upload_url"], files={"x": b"x"}, timeout=TIMEOUT).status_code == 400
    assert progress(v2, urls) == {"state": "error"}
    assert send(urls["upload_url"], b"video").status_code == 400


def test_an_unused_session_has_no_end(v2: Client, clock: TestClock) -> None:
    url = v2.open_upload().json()["upload_url"]
    clock.now += 10 * 86_400
    assert send(url, b"video").status_code == 200


def test_progress_tells_how_much_has_come(v2: Client, sandbox: Sandbox) -> None:
    urls = v2.open_upload().json()
    assert progress(v2, urls) == {"state": "starting"}
    body = multipart(bytes(2 * MIB))
    with connected(urls["upload_url"]) as connection:
        connection.sendall(post_head(urls["upload_url"], len(body)) + body[:MIB])
        seen = {"state": "uploading", "received": MIB, "size": len(body)}
        wait_until(lambda: progress(v2, urls) == seen)
        connection.sendall(body[MIB:])
        assert b"200 OK" in connection.recv(65_536)
    assert progress(v2, urls) == {"state": "done"}


def test_progress_of_an_unknown_session_is_starting(sandbox: Sandbox) -> None:
    answer = requests.get(f"{sandbox.upload_base}/progress?uuid=unknown", timeout=TIMEOUT)
    assert (answer.status_code, answer.json()) == (200, {"state": "starting"})


def test_a_session_dies_four_hours_after_its_last_byte(
    v2: Client, sandbox: Sandbox, clock: TestClock
) -> None:
    urls = v2.open_upload().json()
    with connected(urls["upload_url"]) as connection:
        connection.sendall(post_head(urls["upload_url"], 10_000) + b"--b0und\r\n")
        wait_until(lambda: progress(v2, urls).get("received") == 9)
        clock.now += 4 * 3600
        assert progress(v2, urls) == {"state": "error"}
    refused = send(urls["upload_url"], b"video")
    assert refused.status_code == 400
    assert "expired" in error_text(refused)


def test_a_client_that_leaves_ends_its_session(v2: Client, sandbox: Sandbox) -> None:
    urls = v2.open_upload().json()
    with connected(urls["upload_url"]) as connection:
        connection.sendall(post_head(urls["upload_url"], 10_000) + b"--b0und\r\n")
    wait_until(lambda: progress(v2, urls) == {"state": "error"})
    assert sandbox.requests("upload")[-1]["outcome"] == "gone"


def test_the_byte_rate_holds_a_sender_back(v2: Client, sandbox: Sandbox) -> None:
    sandbox.settings(byte_rate=2_000_000)
    v2.upload(bytes(1_000_000))
    assert sandbox.requests("upload")[-1]["seconds"] == pytest.approx(0.5, abs=0.2)


def test_a_throttled_sender_cannot_run_far_ahead(v2: Client, sandbox: Sandbox) -> None:
    sandbox.settings(byte_rate=8 * MIB)
    url = v2.open_upload().json()["upload_url"]
    body = multipart(bytes(8 * MIB))
    with connected(url) as connection:
        connection.sendall(post_head(url, len(body)) + body)
        assert sandbox.uploads()[-1]["received"] > 4 * MIB
        assert b"200 OK" in connection.recv(65_536)


def test_the_byte_rate_may_change_during_an_upload(v2: Client, sandbox: Sandbox) -> None:
    sandbox.settings(byte_rate=1_000)
    urls = v2.open_upload().json()
    body = multipart(bytes(200_000))
    with connected(urls["upload_url"]) as connection:
        connection.sendall(post_head(urls["upload_url"], len(body)) + body[:50_000])
        wait_until(lambda: sandbox.uploads()[-1]["received"])
        sandbox.settings(byte_rate=None)
        connection.sendall(body[50_000:])
        assert b"200 OK" in connection.recv(65_536)
    assert sandbox.requests("upload")[-1]["seconds"] < 10


def test_the_log_shows_that_no_token_came(v2: Client, sandbox: Sandbox) -> None:
    v2.upload()
    assert sandbox.requests("open_upload")[-1]["authorization"] is True
    assert sandbox.requests("open_upload")[-1]["headers"]["Authorization"] == "***"
    assert sandbox.requests("upload")[-1]["authorization"] is False
