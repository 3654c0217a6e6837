"""Videos given by their address: fetched from the right places only, streamed, and told about without secrets."""

from __future__ import annotations

import hashlib
import socket
import threading
import tracemalloc
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from django.utils import timezone

from jobs.polite import pinned
from sandbox.server import Sandbox
from tests.uploader.test_delivering import assert_failed, attempt
from uploader.destinations import Destination
from uploader.fetching import AddressRefused, SourceAway, SourceGone, checked, opened
from uploader.media_uploads import create_media_upload
from uploader.upload_jobs import UploadJob

SPACES = "https://bucket.fra1.digitaloceanspaces.com"
DATA = bytes(range(256)) * 4000


class Bucket(BaseHTTPRequestHandler):
    """Serves DATA, or what its path asks for."""

    seen: ClassVar[list[str]] = []
    size: ClassVar[int] = len(DATA)

    def do_GET(self) -> None:
        Bucket.seen.append(self.path)
        name = self.path.partition("?")[0].strip("/")
        if name.isdecimal():
            self.send_response(int(name))
            self.send_header("Location", "http://169.254.169.254/latest")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        if name != "unknown.mp4":
            self.send_header("Content-Length", str(Bucket.size))
        if name == "packed.mp4":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        body = DATA[:1000] if name == "broken.mp4" else DATA
        if name == "large.mp4":
            for _ in range(Bucket.size // len(DATA)):
                self.wfile.write(DATA)
        else:
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves early is what some tests are about."""


@pytest.fixture
def bucket(settings: Any) -> Iterator[str]:
    """A server on this machine, which the operator named."""
    Bucket.seen.clear()
    Bucket.size = len(DATA)
    server = Server(("127.0.0.1", 0), Bucket)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    settings.MEDIA_HOSTS = [f"127.0.0.1:{server.server_port}"]
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


# -------------------------------------------------------------------- whom nothing is fetched from


@pytest.mark.parametrize(
    "url",
    [
        "http://bucket.fra1.digitaloceanspaces.com/a.mp4",
        "https://bucket.fra1.digitaloceanspaces.com:8443/a.mp4",
        "https://digitaloceanspaces.com.evil.example/a.mp4",
        "https://evildigitaloceanspaces.com/a.mp4",
        "https://user:pass@bucket.fra1.digitaloceanspaces.com/a.mp4",
        "https://bucket.fra1.digitaloceanspaces.com@evil.example/a.mp4",
        "https://evil.example\\@bucket.fra1.digitaloceanspaces.com/a.mp4",
        "https://evil.example/https://bucket.fra1.digitaloceanspaces.com/a.mp4",
        "https://bucket.fra1.digitaloceanspaces.com\n.evil.example/a.mp4",
        "http://127.0.0.1/a.mp4",
        "http://localhost:8000/admin/",
        "http://[::1]/a.mp4",
        "http://169.254.169.254/latest/meta-data/",
        "http://2130706433/a.mp4",
        "http://0x7f.1/a.mp4",
        "http://10.0.0.7/a.mp4",
        "https://127.0.0.1:9000/a.mp4",
        "file:///etc/passwd",
        "ftp://bucket.fra1.digitaloceanspaces.com/a.mp4",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "//bucket.fra1.digitaloceanspaces.com/a.mp4",
        "",
        "https://",
        "https://[bad/a.mp4",
        f"{SPACES}/" + "x" * 2000,
    ],
)
def test_an_address_of_anybody_else_is_refused_before_a_connection(url: str, settings: Any) -> None:
    settings.MEDIA_HOSTS, settings.SPACES_ENDPOINT_URL = ["cdn.example.com", "127.0.0.1:9001"], ""
    with pytest.raises(AddressRefused):
        checked(url)


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        (f"{SPACES}/a/b.mp4", "bucket.fra1.digitaloceanspaces.com", 443, "/a/b.mp4"),
        (f"{SPACES}/a%20b.mp4?X=1%2F2", "bucket.fra1.digitaloceanspaces.com", 443, "/a%20b.mp4?X=1%2F2"),
        (f"{SPACES}/über.mp4", "bucket.fra1.digitaloceanspaces.com", 443, "/%C3%BCber.mp4"),
        ("https://cdn.example.com/a.mp4", "cdn.example.com", 443, "/a.mp4"),
        ("http://127.0.0.1:9001/a.mp4", "127.0.0.1", 9001, "/a.mp4"),
        ("http://127.0.0.1:9000/bucket/a.mp4", "127.0.0.1", 9000, "/bucket/a.mp4"),
    ],
)  # fmt: skip
def test_an_address_of_spaces_or_of_a_host_the_operator_named_is_taken(
    url: str, host: str, port: int, target: str, settings: Any
) -> None:
    settings.MEDIA_HOSTS, settings.SPACES_ENDPOINT_URL = (
        ["cdn.example.com", "127.0.0.1:9001"],
        "http://127.0.0.1:9000",
    )
    place = checked(url)
    assert (place.host, place.port, place.target) == (host, port, target)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fd00::1"]
)
def test_a_name_that_leads_into_a_private_network_is_refused_at_the_connection(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443)),
        (family, socket.SOCK_STREAM, 6, "", (address, 443)),
    ]

    def connect(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection was made")

    monkeypatch.setattr(pinned.socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(pinned.socket, "create_connection", connect)
    with pytest.raises(AddressRefused, match="private network"), opened(f"{SPACES}/a.mp4"):
        pass


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that means another machine the second time gains nothing: it is asked for once."""
    asked: list[str] = []
    connected: list[Any] = []

    def resolve(host: str, port: int, **_: Any) -> Any:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.4.4", port))]

    def connect(address: Any, **_: Any) -> None:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(pinned.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(pinned.socket, "create_connection", connect)
    with pytest.raises(SourceAway), opened(f"{SPACES}/a.mp4"):
        pass
    assert (asked, connected) == (["bucket.fra1.digitaloceanspaces.com"], [("8.8.4.4", 443)])


# -------------------------------------------------------------------- what comes


def test_the_file_is_streamed_with_its_size_known(bucket: str) -> None:
    with opened(f"{bucket}/a.mp4?signature=1") as (stream, size):
        assert size == len(DATA)
        digest = hashlib.sha256()
        while piece := stream.read(70_000):
            digest.update(piece)
    assert digest.digest() == hashlib.sha256(DATA).digest()
    assert Bucket.seen == ["/a.mp4?signature=1"]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("404", SourceGone), ("410", SourceGone), ("403", SourceGone), ("401", SourceGone),
        ("301", AddressRefused), ("302", AddressRefused), ("307", AddressRefused),
        ("500", SourceAway), ("503", SourceAway), ("429", SourceAway), ("204", SourceAway),
        ("unknown.mp4", AddressRefused), ("packed.mp4", AddressRefused),
    ],
)  # fmt: skip
def test_what_is_no_file_is_told_apart(bucket: str, name: str, error: type[Exception]) -> None:
    with pytest.raises(error), opened(f"{bucket}/{name}?signature=canary-31") as _:
        pass
    assert len(Bucket.seen) == 1, "no redirect is followed, nothing is asked twice"


def test_no_error_shows_what_is_signed(bucket: str) -> None:
    for name in ("404", "403", "302", "503", "unknown.mp4"):
        with pytest.raises(Exception) as caught, opened(f"{bucket}/{name}?signature=canary-31"):
            pass
        assert "canary-31" not in str(caught.value)


def test_nobody_there_is_worth_another_try(settings: Any) -> None:
    settings.MEDIA_HOSTS = ["127.0.0.1:9"]
    with pytest.raises(SourceAway, match="could not be reached"), opened("http://127.0.0.1:9/a.mp4"):
        pass


# -------------------------------------------------------------------- on its way to the platform


@pytest.fixture
def job(social: Destination, bucket: str) -> UploadJob:
    return create_media_upload(social, url=f"{bucket}/clips/sea.mp4?signature=1", now=timezone.now())


def test_a_file_on_spaces_goes_straight_through(job: UploadJob, platform: Sandbox) -> None:
    job = attempt(job)
    assert (job.status, job.error_message) == ("completed", "")
    (media,) = platform.media()
    assert (media["size"], media["sha1"]) == (len(DATA), hashlib.sha1(DATA).hexdigest())
    assert (job.bytes_total, job.bytes_sent) == (len(DATA), len(DATA))


def test_it_is_held_neither_in_memory_nor_on_disk(
    social: Destination, bucket: str, platform: Sandbox, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Bucket.size = 60 * len(DATA)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    job = create_media_upload(social, url=f"{bucket}/large.mp4", now=timezone.now())
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    job = attempt(job)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert platform.media()[0]["size"] == Bucket.size > 60_000_000
    assert job.status == "completed"
    # Stand-in, bucket and worker share this process.
    assert peak < 15_000_000
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_source_that_breaks_off_is_tried_again(social: Destination, bucket: str, platform: Sandbox) -> None:
    job = attempt(create_media_upload(social, url=f"{bucket}/broken.mp4", now=timezone.now()))
    assert (job.status, job.attempt, job.create_intended_at) == ("waiting", 1, None)
    assert platform.media() == []


def test_a_source_that_is_too_large_is_refused_before_a_byte_moves(
    social: Destination, bucket: str, platform: Sandbox
) -> None:
    Bucket.size = 200_000_000
    job = attempt(create_media_upload(social, url=f"{bucket}/sea.mp4", now=timezone.now()))
    assert_failed(job, "takes at most 100,000,000")
    assert platform.requests("upload_media") == []


def test_an_address_of_anybody_else_fails_the_job(social: Destination, platform: Sandbox) -> None:
    job = attempt(
        create_media_upload(social, url="https://evil.example/sea.mp4?key=canary-55", now=timezone.now())
    )
    assert_failed(job, "not fetched from evil.example")
    assert "canary-55" not in job.error_message
    assert platform.requests("upload_media") == []
