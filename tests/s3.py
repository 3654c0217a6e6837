"""A real S3 server for the tests: the one the environment names, else moto's in this process; and trouble before it."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from uploader.default_destinations import STORAGE_LIMITS
from uploader.destinations import Destination

DEPLOY = Path(__file__).resolve().parent.parent / "docs" / "deploy"


@dataclass(frozen=True)
class S3:
    """An S3 server: its address, keys, and the file of its certificate authority, if it has one of its own."""

    url: str
    key: str = "testkey"
    secret: str = "testsecret"
    ca_file: str = ""

    @property
    def client(self) -> Any:
        own = Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        return boto3.client(
            "s3", endpoint_url=self.url, region_name="us-east-1", aws_access_key_id=self.key,
            aws_secret_access_key=self.secret, verify=self.ca_file or None, config=own,
        )  # fmt: skip

    def new_bucket(self) -> str:
        name = f"slotcast-{secrets.token_hex(6)}"
        self.client.create_bucket(Bucket=name)
        return name

    def open_to(self, origin: str, bucket: str, prefix: str) -> None:
        """Let everybody read, and players of `origin` too: by the files that docs/deploy gives operators."""
        self.let_everybody_read(bucket, prefix)
        rules = (DEPLOY / "bucket-cors.json").read_text().replace("https://films.example.com", origin)
        self.client.put_bucket_cors(Bucket=bucket, CORSConfiguration=json.loads(rules))

    def let_everybody_read(self, bucket: str, prefix: str) -> None:
        policy = (DEPLOY / "bucket-policy.json").read_text().replace("my-space/films", f"{bucket}/{prefix}")
        self.client.put_bucket_policy(Bucket=bucket, Policy=policy)

    def keys(self, bucket: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return sorted(each["Key"] for page in pages for each in page.get("Contents", ()))


@contextmanager
def s3_server() -> Iterator[S3]:
    if url := os.environ.get("SLOTCAST_TEST_S3_URL"):
        yield S3(
            url.rstrip("/"),
            os.environ.get("SLOTCAST_TEST_S3_KEY", "testkey"),
            os.environ.get("SLOTCAST_TEST_S3_SECRET", "testsecret"),
            os.environ.get("SLOTCAST_TEST_S3_CA_FILE", ""),
        )
        return
    # Without it every page of every site may read every bucket.
    os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3(f"http://{host}:{port}")
    finally:
        server.stop()


def make_storage(s3: S3, bucket: str, name: str = "storage", **fields: Any) -> Destination:
    """A destination for packages: the bucket at the server."""
    own: dict[str, Any] = {
        "title": name.title(),
        "platform": "spaces",
        "bucket": bucket,
        "api_url": s3.url,
        "api_key": s3.key,
        "api_secret": s3.secret,
        **STORAGE_LIMITS,
    }
    return Destination.objects.create(name=name, **{**own, **fields})


# What a fault does with one request: None lets it through; an answer (status, code) is given in its place;
# "reset" cuts the connection before, "reset after" behind the request that the server has had, "cut" amid the answer;
# "corrupt" lets another byte through than was sent, in the request or, when it has none, in the answer.
Fault = tuple[int, str] | str | None


def other(body: bytes) -> bytes:
    """The same with one bit turned."""
    return bytes([body[0] ^ 1]) + body[1:]


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    size: int


class Trouble:
    """A door before an S3 server that forwards requests, remembers them, and makes what trouble it is told to."""

    def __init__(self, s3: S3) -> None:
        self.asked: list[Asked] = []
        self.fault: Callable[[Asked], Fault] = lambda asked: None
        self.delay_seconds = 0.0
        self.gate: threading.Event | None = None
        self.most_at_once = 0
        self.at_once = 0
        self._lock = threading.Lock()
        upstream, trouble = urlsplit(s3.url), self

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def handle_any(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                if self.headers.get("Expect", "").lower() == "100-continue":
                    self.send_response_only(100)
                    self.end_headers()
                body = self.rfile.read(size)
                asked = Asked(self.command, self.path, size)
                with trouble._counted(asked):
                    time.sleep(trouble.delay_seconds)
                    fault = trouble.fault(asked)
                    if fault == "reset":
                        return self.cut()
                    if fault == "corrupt" and body:
                        body, fault = other(body), None
                    if isinstance(fault, tuple):
                        code = f"<Error><Code>{fault[1]}</Code></Error>".encode()
                        answer = code if self.command != "HEAD" else b""
                        return self.answer(fault[0], [], answer)
                    if trouble.gate is not None and self.command == "PUT":
                        trouble.gate.wait(30)
                    status, headers, answer = self.forward(body)
                    if fault == "reset after":
                        return self.cut()
                    if fault == "corrupt":
                        answer = other(answer)
                    self.answer(status, headers, answer, most=len(answer) // 2 if fault == "cut" else None)
                    return self.cut() if fault == "cut" else None

            do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = handle_any

            def forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
                if upstream.scheme == "https":
                    context = ssl.create_default_context(cafile=s3.ca_file or None)
                    line: Any = http.client.HTTPSConnection(upstream.netloc, context=context, timeout=60)
                else:
                    line = http.client.HTTPConnection(upstream.netloc, timeout=60)
                dropped = ("connection", "expect", "content-length", "transfer-encoding")
                headers = {name: v for name, v in self.headers.items() if name.lower() not in dropped}
                try:
                    line.request(self.command, self.path, body or None, headers)
                    found = line.getresponse()
                    kept = [
                        (n, v) for n, v in found.getheaders() if n.lower() not in dropped[:1] + dropped[3:]
                    ]
                    return found.status, kept, found.read()
                finally:
                    line.close()

            def answer(
                self, status: int, headers: list[tuple[str, str]], body: bytes, most: int | None = None
            ) -> None:
                self.send_response_only(status)
                names = {name.lower() for name, _ in headers}
                for name, value in headers:
                    self.send_header(name, value)
                if "content-length" not in names:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body[:most])

            def cut(self) -> None:
                with suppress(OSError):
                    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()
                self.close_connection = True

            def log_message(self, *args: Any) -> None:
                pass

        class Doors(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *args: Any) -> None:
                """A client that went away is what some tests are about."""

        self._server = Doors(("127.0.0.1", 0), Door)
        self.s3 = S3(f"http://127.0.0.1:{self._server.server_port}", s3.key, s3.secret)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @contextmanager
    def _counted(self, asked: Asked) -> Iterator[None]:
        with self._lock:
            self.asked.append(asked)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            yield
        finally:
            with self._lock:
                self.at_once -= 1

    def sent(self, method: str = "PUT") -> list[str]:
        return [each.path.partition("?")[0] for each in self.asked if each.method == method]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
