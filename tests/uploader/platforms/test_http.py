"""Every way a connection can fail, and the exception it becomes."""

import io
import socket
import threading
import traceback

import pytest

from uploader.platforms.errors import OutcomeUnknown, Unavailable
from uploader.platforms.http import Http, Timeouts
from uploader.platforms.multipart import MultipartFile

from .wire import answers, reply, request_of, resets, served

PATIENT = Timeouts(connect=10, read=10, send=10, upload_answer=10)
HASTY = Timeouts(connect=10, read=0.3, send=0.3, upload_answer=0.3)
SIGNED = "/upload?uuid=0001&seal=s3cr3t"


@pytest.fixture
def http():
    client = Http("Dailymotion", timeouts=PATIENT)
    yield client
    client.close()


@pytest.fixture
def hasty():
    client = Http("Dailymotion", timeouts=HASTY)
    yield client
    client.close()


def video(size: int = 1000, **options) -> MultipartFile:
    return MultipartFile(
        io.BytesIO(b"v" * size),
        field="file",
        filename="a.mp4",
        size_bytes=size,
        content_type="video/mp4",
        **options,
    )


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_an_answer_comes_back_whatever_its_status(http):
    with served(answers(reply("418 Teapot", b'{"a": 1}', headers="X-Id: 7\r\n"))) as base:
        answer = http.call("GET", base + "/me")
    assert (answer.status, answer.headers["x-id"], answer.json()) == (418, "7", {"a": 1})


def test_forms_and_json_are_sent_with_their_length(http):
    seen: list[bytes] = []
    with served(answers(reply("200 OK"), into=seen), answers(reply("200 OK"), into=seen)) as base:
        http.call("POST", base, form={"title": "Ü & é", "url": "https://x/#a=b"}, repeatable=False)
        http.call("PATCH", base, json_body={"title": "Ü"}, repeatable=False)
    assert seen[0].endswith(b"\r\n\r\ntitle=%C3%9C+%26+%C3%A9&url=https%3A%2F%2Fx%2F%23a%3Db")
    assert b"Content-Length: 54\r\n" in seen[0]
    assert b"Transfer-Encoding" not in seen[0]
    assert seen[1].endswith(b'{"title": "\\u00dc"}')
    assert b"Content-Type: application/json\r\n" in seen[1]


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_refused_connection_applied_nothing(http, repeatable):
    with pytest.raises(Unavailable, match=r"no connection \(Connection refused\)"):
        http.call("POST", f"http://127.0.0.1:{closed_port()}/videos", form={"a": "b"}, repeatable=repeatable)


def test_an_unknown_host_is_named_as_such(http):
    with pytest.raises(Unavailable, match="its host name was not found"):
        http.call("GET", "http://nowhere.invalid/me")


BROKEN = {
    "reset": resets,
    "closed": request_of,
    "truncated body": answers(reply("200 OK", b'{"id"', length=100)),
    "truncated chunks": answers(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{"id"'),
    "no gzip": answers(reply("200 OK", b"{}", headers="Content-Encoding: gzip\r\n")),
    "garbage": answers(b"\x00\x01\x02\r\n\r\n"),
}


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
def test_a_broken_answer_to_a_repeatable_request_is_unavailable(http, script):
    with served(script) as base, pytest.raises(Unavailable):
        http.call("POST", base, form={"a": "b"})


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
def test_a_broken_answer_to_any_other_leaves_the_outcome_unknown(http, script):
    with served(script) as base, pytest.raises(OutcomeUnknown, match="may have been applied"):
        http.call("POST", base, form={"a": "b"}, repeatable=False)


def test_an_answer_that_never_comes_is_given_up(hasty):
    def silence(connection: socket.socket) -> None:
        request_of(connection)
        connection.recv(1)

    with served(silence, silence) as base:
        with pytest.raises(Unavailable, match="no byte moved in time"):
            hasty.call("POST", base, form={"a": "b"})
        with pytest.raises(OutcomeUnknown, match="no byte moved in time"):
            hasty.call("POST", base, form={"a": "b"}, repeatable=False)


def test_an_answer_that_drips_is_given_up(hasty):
    def drip(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        pause = threading.Event()
        for _ in range(100):
            connection.sendall(b" ")
            pause.wait(0.02)

    with served(drip) as base, pytest.raises(Unavailable, match="no byte moved in time"):
        hasty.call("GET", base)


def test_an_endless_answer_is_given_up(http, monkeypatch):
    monkeypatch.setattr("uploader.platforms.http.ANSWER_BYTES", 1000)
    with served(answers(reply("200 OK", b" " * 200_000))) as base, pytest.raises(Unavailable):
        http.call("GET", base)


def test_redirects_are_not_followed(http):
    with served(answers(reply("302 Found", headers="Location: http://127.0.0.1:1/\r\n"))) as base:
        assert http.call("GET", base).status == 302


def test_a_netrc_file_never_adds_a_password(http, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("default login somebody password something\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    seen: list[bytes] = []
    with served(answers(reply("200 OK"), into=seen)) as base:
        http.call("GET", base)
    assert b"authorization" not in seen[0].lower()


def test_cookies_are_not_kept(http):
    seen: list[bytes] = []
    cookie = reply("200 OK", headers="Set-Cookie: a=b\r\nConnection: close\r\n")
    with served(answers(cookie, into=seen), answers(reply("200 OK"), into=seen)) as base:
        http.call("GET", base)
        http.call("GET", base)
    assert b"cookie" not in seen[1].lower()


def test_a_request_that_must_not_repeat_gets_a_new_connection(http):
    def keep_open_then_reset(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(reply("200 OK"))
        connection.recv(1)

    with served(keep_open_then_reset, answers(reply("201 Created"))) as base:
        http.call("GET", base)
        assert http.call("POST", base, form={"a": "b"}, repeatable=False).status == 201


def test_an_upload_is_one_request_of_known_length(http):
    seen: list[bytes] = []
    body = video(700_000)
    with served(answers(reply("200 OK", b"{}"), into=seen)) as base:
        assert http.upload(base + SIGNED, body).status == 200
    head, _, sent = seen[0].partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert len(sent) == len(body)
    assert body.sent_bytes == 700_000


def test_a_receiver_that_stops_reading_is_given_up(hasty):
    done = threading.Event()

    def stall(connection: socket.socket) -> None:
        connection.recv(1000)
        done.wait(5)

    try:
        with served(stall) as base, pytest.raises(Unavailable, match="no byte moved in time"):
            try:
                hasty.upload(base + SIGNED, video(20_000_000))
            finally:
                done.set()
    finally:
        done.set()


def test_an_answer_before_the_last_byte_is_still_read(http):
    def refuse_early(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(reply("413 Too Large", b"{}", headers="Connection: close\r\n"))
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    with served(refuse_early) as base:
        assert http.upload(base + SIGNED, video(5_000_000)).status == 413


@pytest.mark.parametrize("error", [BrokenPipeError("stop"), TimeoutError("stop"), ValueError("stop")])
def test_what_stops_the_reading_comes_out_unchanged(http, error):
    received: list[bytes] = []
    begun = threading.Event()
    error.__cause__ = KeyError("the reason")

    def stop(sent: int) -> None:
        if sent:
            begun.wait(5)
            raise error

    def read_all(connection: socket.socket) -> None:
        begun.set()
        received.append(request_of(connection))

    with (
        served(read_all) as base,
        pytest.raises(type(error)) as caught,
    ):
        http.upload(base + SIGNED, video(1_000_000, on_progress=stop))
    assert caught.value is error
    assert isinstance(caught.value.__cause__, KeyError)
    assert 0 < len(received[0]) < 1_000_000


@pytest.mark.parametrize("script", [resets, answers(reply("200 OK", b"{", length=9))])
def test_a_signed_address_is_in_no_message_and_no_traceback(http, script):
    with served(script) as base, pytest.raises(Unavailable) as caught:
        http.upload(base + SIGNED, video())
    with pytest.raises(Unavailable) as refused:
        http.call("GET", f"http://127.0.0.1:{closed_port()}{SIGNED}")
    shown = "".join(traceback.format_exception(caught.value) + traceback.format_exception(refused.value))
    assert "s3cr3t" not in shown
    assert "0001" not in shown
