from __future__ import annotations

import re

import requests

from sandbox.server import Sandbox
from tests.sandbox.client import TIMEOUT, Client, TestClock, connected, post_head, wait_until


def sections(sandbox: Sandbox) -> dict[str, str]:
    found: dict[str, str] = requests.get(f"{sandbox.control_url}/view", timeout=TIMEOUT).json()
    return found


def test_the_page_is_whole_and_loads_nothing_from_elsewhere(sandbox: Sandbox) -> None:
    answer = requests.get(sandbox.page_url, timeout=TIMEOUT)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "{{" not in answer.text
    assert re.findall(r'(?:src|href)="(?!data:)', answer.text) == []
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "Nothing received yet" in answer.text


def test_the_page_shows_videos_faults_and_requests(v2: Client, sandbox: Sandbox, clock: TestClock) -> None:
    v2.create(title="Harbour", tags=["drama"])
    clock.now += 50
    sandbox.add_fault("create", status=503)
    shown = sections(sandbox)
    assert "Harbour" in shown["videos"] and "#drama" in shown["videos"]
    assert "processing" in shown["videos"] and "50 %" in shown["videos"]
    assert "&quot;status&quot;: 503" in shown["faults"]
    assert "/dailymotion/v2/profiles/x1sandbox/videos" in shown["requests"]


def test_the_page_shows_an_upload_in_flight(v2: Client, sandbox: Sandbox) -> None:
    url = v2.open_upload().json()["upload_url"]
    with connected(url) as connection:
        head = b'--b0und\r\nContent-Disposition: form-data; name="file"; filename="night.mp4"\r\n\r\n'
        connection.sendall(post_head(url, 1_000_000) + head + bytes(400_000))
        wait_until(lambda: "400 kB of 1.0 MB" in sections(sandbox)["uploads"])
        assert "night.mp4" in sections(sandbox)["uploads"]


def test_what_clients_send_is_shown_as_text(v2: Client, sandbox: Sandbox) -> None:
    v2.create(title="<script>alert(1)</script>", tags=["<i>"])
    sandbox.add_fault("me", status=500, body="<b>broken</b>")
    v2.call("GET", "/<u>")
    text = "".join(sections(sandbox).values())
    for markup in ("<script>", "<i>", "<b>broken", "<u>"):
        assert markup not in text
