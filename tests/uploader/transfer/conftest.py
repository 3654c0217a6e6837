from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.s3 import S3, Trouble, make_storage
from uploader.destinations import Destination
from uploader.transfer import sending


@pytest.fixture(autouse=True)
def own_authority(s3: S3, settings: pytest.FixtureRequest) -> None:
    settings.STORAGE = {**settings.STORAGE, "ca_file": s3.ca_file}  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two tries."""
    monkeypatch.setattr(sending, "FIRST_WAIT_SECONDS", 0.01)


@pytest.fixture
def cdn(settings: Any) -> Iterator[Callable[[int], list[Any]]]:
    """`cdn(204)`: DigitalOcean's API answers so; gives the list of what it is asked."""
    asked: list[Any] = []
    answers = [204]

    class Door(BaseHTTPRequestHandler):
        def do_DELETE(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, self.headers["Authorization"], body))
            self.send_response(answers[-1])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.DIGITALOCEAN_API_URL = f"http://127.0.0.1:{server.server_port}"

    def start(status: int) -> list[Any]:
        answers.append(status)
        return asked

    yield start
    server.shutdown()
    server.server_close()


@pytest.fixture
def storage(db: None, s3: S3, bucket: str) -> Destination:
    return make_storage(s3, bucket)


@pytest.fixture
def troubled(db: None, trouble: Trouble, bucket: str) -> Destination:
    """The same bucket, reached through the door that makes trouble."""
    return make_storage(trouble.s3, bucket, "troubled")
