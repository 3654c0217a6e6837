"""A small client of the stand-in for Dailymotion, and the clock and files its tests need."""

from __future__ import annotations

import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import imageio_ffmpeg
import requests

from sandbox.server import Sandbox

NOW = 1_795_168_800.0  # 2026-11-20T10:00:00Z
PROFILE = "x1sandbox"
V2_SCOPE = "account.read video.read video.manage"
TIMEOUT = 20
SECOND_ACCOUNT = {"key": "other-key", "secret": "other-secret", "username": "other", "password": "other",
                  "profile_id": "x2other", "screenname": "Other"}  # fmt: skip
V2_VIDEO = {"title": "Harbour – Episode 1", "category": "tv", "visibility": "public", "is_for_kids": False}
LEGACY_VIDEO = {"title": "Harbour – Episode 1", "channel": "tv", "is_created_for_kids": "false"}


class TestClock:
    __test__ = False

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def wait_until(condition: Callable[[], object]) -> None:
    """Ask until it is so; the test fails after TIMEOUT seconds."""
    deadline = time.perf_counter() + TIMEOUT
    while not condition():
        assert time.perf_counter() < deadline, "this never came true"


class Client:
    """One account speaking one dialect."""

    def __init__(
        self, sandbox: Sandbox, dialect: str = "v2", *, account: str = "sandbox", scope: str | None = None
    ) -> None:
        self.sandbox = sandbox
        self.dialect = dialect
        self.account = account
        self.profile = PROFILE if account == "sandbox" else f"x2{account}"
        self.scope = scope if scope is not None else (V2_SCOPE if dialect == "v2" else "manage_videos")
        self.http = requests.Session()
        self.http.trust_env = False  # a certificate bundle named by the environment would win over ours

    def token_form(self, **changes: str) -> dict[str, str]:
        form = {"client_id": f"{self.account}-key", "client_secret": f"{self.account}-secret"}
        form["scope"] = self.scope
        if self.dialect == "public":
            form |= {"grant_type": "password", "username": self.account, "password": self.account}
        else:
            form["grant_type"] = "client_credentials"
        return {**form, **changes}

    def token(self, **changes: str) -> requests.Response:
        url = self.sandbox.token_url(self.dialect)
        return self.http.post(url, data=self.token_form(**changes), timeout=TIMEOUT)

    def log_in(self, **changes: str) -> Client:
        answer = self.token(**changes)
        assert answer.status_code == 200, answer.text
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return self

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        url = self.sandbox.api_url(self.dialect) + path
        return self.http.request(method, url, timeout=TIMEOUT, **options)

    def open_upload(self) -> requests.Response:
        if self.dialect == "v2":
            return self.call("POST", "/files/upload_sessions")
        return self.call("GET", "/file/upload")

    def upload(self, data: bytes = b"video", filename: str = "ep-001.mp4") -> requests.Response:
        return send(self.open_upload().json()["upload_url"], data, filename)

    def uploaded_url(self, data: bytes = b"video") -> str:
        return str(self.upload(data).json()["url"])

    def create(self, url: str | None = None, **changes: Any) -> requests.Response:
        url = self.uploaded_url() if url is None else url
        if self.dialect == "v2":
            body = {**V2_VIDEO, "source": {"file_url": url}, **changes}
            return self.call("POST", f"/profiles/{self.profile}/videos", json=body)
        return self.call("POST", f"/user/{self.profile}/videos", data={**LEGACY_VIDEO, "url": url, **changes})

    def created_id(self, url: str | None = None, **changes: Any) -> str:
        answer = self.create(url, **changes)
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["video_id" if self.dialect == "v2" else "id"])

    def list(self, **query: Any) -> requests.Response:
        owner = f"/profiles/{self.profile}" if self.dialect == "v2" else f"/user/{self.profile}"
        return self.call("GET", f"{owner}/videos", params=query)


def send(upload_url: str, data: bytes, filename: str = "ep-001.mp4", **options: Any) -> requests.Response:
    files = {"file": (filename, data, "video/mp4")}
    return requests.post(upload_url, files=files, timeout=TIMEOUT, **options)


def multipart(data: bytes, *, field: str = "file", boundary: str = "b0und") -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="ep-001.mp4"\r\n'
    return f"{head}Content-Type: video/mp4\r\n\r\n".encode() + data + f"\r\n--{boundary}--\r\n".encode()


def post_head(url: str, length: int) -> bytes:
    parts = urlsplit(url)
    lines = [
        f"POST {parts.path}?{parts.query} HTTP/1.1",
        f"Host: {parts.netloc}",
        f"Content-Length: {length}",
        "Content-Type: multipart/form-data; boundary=b0und",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    with socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT) as connection:
        yield connection


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def movie(seconds: float, *, data: bytes = b"frames") -> bytes:
    """An mp4 file of no picture that says how long it is, at its end."""
    mvhd = box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 1000, int(seconds * 1000)), bytes(80))
    return box(b"ftyp", b"isom") + box(b"mdat", data) + box(b"moov", mvhd)


@cache
def real_video() -> bytes:
    """Two seconds of a test picture with a tone, 128x72, H.264 and AAC."""
    inputs = ["-f", "lavfi", "-i", "testsrc=d=2:s=128x72:r=10", "-f", "lavfi", "-i", "sine=d=2"]
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "video.mp4"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *inputs, "-c:a", "aac", str(target)]
        subprocess.run(command, check=True)
        return target.read_bytes()
