from __future__ import annotations

import ast
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.server import Sandbox
from tests.sandbox.client import PROFILE, TIMEOUT, V2_SCOPE, V2_VIDEO, Client, connected, send

ROOT = Path(__file__).parents[2]


@contextmanager
def process(
    *arguments: str, stop: int = signal.SIGTERM
) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--upload-port", "0", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        try:
            yield json.loads(running.stdout.readline()), running
        finally:
            running.send_signal(stop)
            assert running.wait(TIMEOUT) == 0


def log_in(urls: dict[str, Any], **options: Any) -> dict[str, str]:
    form = {"grant_type": "client_credentials", "client_id": "sandbox-key", "client_secret": "sandbox-secret"}
    url = urls["dailymotion"]["v2"]["token"]
    answer = requests.post(url, data={**form, "scope": V2_SCOPE}, timeout=TIMEOUT, **options)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def publish(urls: dict[str, Any], **options: Any) -> str:
    api, headers = urls["dailymotion"]["v2"]["api"], log_in(urls, **options)
    session = requests.post(f"{api}/files/upload_sessions", headers=headers, timeout=TIMEOUT, **options)
    uploaded = send(session.json()["upload_url"], b"video", **options).json()["url"]
    body = {**V2_VIDEO, "source": {"file_url": uploaded}}
    created = requests.post(
        f"{api}/profiles/{PROFILE}/videos", json=body, headers=headers, timeout=TIMEOUT, **options
    )
    return str(created.json()["video_id"])


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_leaves_when_told(stop: int) -> None:
    with process("--encode-seconds", "0", "--byte-rate", "5000000", stop=stop) as (urls, _):
        state = requests.get(f"{urls['control']}/state", timeout=TIMEOUT).json()
        assert (state["settings"]["encode_seconds"], state["settings"]["byte_rate"]) == (0, 5_000_000)
        assert requests.get(urls["page"], timeout=TIMEOUT).status_code == 200
        assert publish(urls)


def test_it_leaves_at_once_though_an_upload_hangs() -> None:
    with process() as (urls, running):
        api, headers = urls["dailymotion"]["v2"]["api"], log_in(urls)
        url = requests.post(f"{api}/files/upload_sessions", headers=headers, timeout=TIMEOUT).json()[
            "upload_url"
        ]
        with connected(url) as connection:
            connection.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx")
            running.terminate()
            assert running.wait(TIMEOUT) == 0


def test_videos_and_settings_survive_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "var" / "sandbox.json"
    with process("--state", str(state)) as (urls, _):
        video_id = publish(urls)
        requests.post(f"{urls['control']}/settings", json={"videos_per_day": 1}, timeout=TIMEOUT)
    with process("--state", str(state), "--encode-seconds", "0") as (urls, _):
        videos = requests.get(f"{urls['control']}/videos", timeout=TIMEOUT).json()
        assert [video["id"] for video in videos] == [video_id]
        api, headers = urls["dailymotion"]["v2"]["api"], log_in(urls)
        body = {**V2_VIDEO, "source": {"file_url": videos[0]["source_url"]}}
        again = requests.post(f"{api}/profiles/{PROFILE}/videos", json=body, headers=headers, timeout=TIMEOUT)
        assert again.status_code == 429
    assert [path.name for path in state.parent.iterdir()] == ["sandbox.json"]


def test_a_port_that_is_taken_is_said_so() -> None:
    with process() as (urls, _):
        port = urls["page"].rstrip("/").rpartition(":")[2]
        command = [sys.executable, "-m", "sandbox", "--port", port, "--upload-port", "0"]
        second = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    assert second.returncode == 1
    assert "cannot start" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_state_file_that_is_broken_is_said_so(tmp_path: Path) -> None:
    state = tmp_path / "sandbox.json"
    state.write_text("{")
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--upload-port", "0", "--state", str(state)]
    broken = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert broken.returncode == 1
    assert str(state) in broken.stderr


def test_it_speaks_tls_with_a_certificate_of_its_own() -> None:
    with process("--tls") as (urls, _):
        assert urls["page"].startswith("https://") and urls["upload"].startswith("https://")
        assert publish(urls, verify=urls["ca_path"])
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(urls["page"], timeout=TIMEOUT)


def test_a_reset_reaches_through_tls() -> None:
    with Sandbox(tls=True) as sandbox:
        client = Client(sandbox)
        client.http.verify = str(sandbox.ca_path)
        with client.http:
            client.log_in()
            sandbox.add_fault("me", drop_before=True)
            with pytest.raises(requests.ConnectionError):
                client.call("GET", "/me")
            assert client.call("GET", "/me").status_code == 200


def test_urls_given_out_may_have_another_host() -> None:
    with Sandbox(public_host="localhost") as sandbox:
        assert sandbox.upload_base.startswith("http://localhost:")
        assert Client(sandbox).log_in().open_upload().json()["upload_url"].startswith(sandbox.upload_base)


def test_two_sandboxes_live_side_by_side() -> None:
    with Sandbox() as one, Sandbox() as other:
        Client(one).log_in().create()
        assert (len(one.videos()), len(other.videos())) == (1, 0)


def test_a_taken_port_raises() -> None:
    with Sandbox() as one, pytest.raises(OSError, match="in use"):
        Sandbox(port=int(one.page_url.rstrip("/").rpartition(":")[2])).start()


def test_the_sandbox_imports_nothing_of_the_product() -> None:
    foreign = {"config", "jobs", "uploader", "schedules", "django"}
    for path in (ROOT / "sandbox").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.partition(".")[0] for name in names} & foreign, path
