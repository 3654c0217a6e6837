"""Messages about jobs that ended, through real connections to servers of our own: one digest, no flood, no secret."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.db import connection

from jobs import notifying, runner
from jobs.errors import ErrorKind, JobError
from jobs.notifying import Notice, NotificationChannel, due, tell
from jobs.sending_notices import NotAnAddress, checked, service_of, without_secrets
from tests.admin_pages import address, press, root, staff_with
from tests.conftest import NOW
from tests.jobs.test_lifecycle import claimed, make_job

pytestmark = pytest.mark.django_db
BUTTON = "send_test"
SOON = NOW + timedelta(seconds=301)


class Sink(ThreadingHTTPServer):
    """Takes what is posted to it, and answers with `status`."""

    daemon_threads = True

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.status = 200
        super().__init__(("127.0.0.1", 0), Door)

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.server_address[1]}/hook/s3cr3t-token"


class Door(BaseHTTPRequestHandler):
    server: Sink

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.status == 200:
            self.server.taken.append(json.loads(body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def sink() -> Iterator[Sink]:
    server = Sink()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


class Mailbox(socketserver.ThreadingTCPServer):
    """As much of SMTP (RFC 5321) as a client needs to leave a mail."""

    daemon_threads = allow_reuse_address = True

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], str]] = []
        super().__init__(("127.0.0.1", 0), Postman)


class Postman(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        self.say("220 sink")
        to: list[str] = []
        for line in iter(self.rfile.readline, b""):
            match line.split()[0].upper() if line.split() else b"":
                case b"EHLO" | b"HELO":
                    self.say("250 sink")
                case b"RCPT":
                    to.append(line.decode().partition("<")[2].partition(">")[0])
                    self.say("250 ok")
                case b"DATA":
                    self.say("354 go on")
                    lines = []
                    while (text := self.rfile.readline()) != b".\r\n":
                        lines.append(text.decode())
                    self.server.mails.append((to, "".join(lines)))
                    self.say("250 taken")
                case b"QUIT":
                    self.say("221 bye")
                    return
                case _:
                    self.say("250 ok")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


def channel(to: str, **columns: Any) -> NotificationChannel:
    return NotificationChannel.objects.create(
        name=columns.pop("name", "team"), address=to, created_at=NOW, **columns
    )


def fail(number: int, message: str = "") -> None:
    error = JobError(message or f"Episode {number}: the file harbour/{number}.mp4 is missing.")
    error.kind = ErrorKind.REJECTED
    claimed(make_job(title=f"Harbour {number}")).fail(error, now=NOW)


# -------------------------------------------------------------------- digests


def test_a_hundred_failures_are_one_message(sink: Sink) -> None:
    to = channel(sink.address)
    for number in range(100):
        fail(number)
    assert tell(to, now=SOON)
    (message,) = sink.taken
    assert message["title"] == "Slotcast: 100 upload jobs failed"
    assert message["type"] == "failure"
    assert "100 × Rejected: Episode 0: the file harbour/0.mp4 is missing." in message["message"]
    assert "and 97 more" in message["message"]
    assert len(message["message"].splitlines()) < 10
    assert not Notice.objects.exists()
    assert not tell(to, now=SOON) and len(sink.taken) == 1


def test_it_waits_for_what_else_ends_and_then_tells_all_of_it(sink: Sink) -> None:
    to = channel(sink.address, tells_completions=True, tells_cancellations=True)
    fail(1)
    claimed(make_job(title="Good")).complete(now=NOW)
    make_job(title="Stopped").cancel(who="olga", now=NOW)
    assert due(NOW + timedelta(seconds=299)) == []
    assert due(SOON) == [to]
    assert runner._works["short"] and notifying.work_is_there(SOON)
    tell(to, now=SOON)
    assert (
        sink.taken[0]["title"]
        == "Slotcast: 1 upload job failed, 1 upload job completed, 1 upload job cancelled"
    )
    to.refresh_from_db()
    assert (to.sent_at, to.error) == (SOON, "")


def test_a_channel_hears_only_what_it_wants(sink: Sink) -> None:
    failures, completions = channel(sink.address), channel(
        sink.address, name="good news", tells_failures=False, tells_completions=True
    )  # fmt: skip
    other = channel(sink.address, name="films", about="uploader.transcodejob")
    off = channel(sink.address, name="off", is_active=False)
    fail(1)
    claimed(make_job(title="Good")).complete(now=NOW)
    told = [(each.notices.count(), list(each.notices.values_list("outcome", flat=True)))
            for each in (failures, completions, other, off)]  # fmt: skip
    assert told == [(1, ["failed"]), (1, ["completed"]), (0, []), (0, [])]


def test_an_attempt_that_is_tried_again_is_no_news(sink: Sink) -> None:
    channel(sink.address)
    claimed(make_job()).try_again(JobError("Once more."), now=NOW)
    assert not Notice.objects.exists()


def test_the_message_says_where_to_look_when_the_address_is_known(sink: Sink, settings: Any) -> None:
    settings.PUBLIC_URL = "https://slotcast.example.org/"
    to = channel(sink.address)
    fail(1)
    tell(to, now=SOON)
    assert sink.taken[0]["message"].endswith("https://slotcast.example.org/jobs/?status=failed")


# -------------------------------------------------------------------- when it cannot be sent


def test_what_could_not_be_sent_is_kept_and_tried_ever_later(sink: Sink) -> None:
    to = channel(sink.address)
    fail(1)
    sink.status = 500
    assert not tell(to, now=SOON)
    to.refresh_from_db()
    assert to.error and "s3cr3t" not in to.error
    assert (to.failures, to.next_at, to.notices.count()) == (1, SOON + timedelta(minutes=1), 1)
    assert due(SOON + timedelta(seconds=59)) == []
    sink.status = 200
    (again,) = due(SOON + timedelta(seconds=60))
    assert tell(again, now=SOON + timedelta(seconds=60))
    to.refresh_from_db()
    assert (to.error, to.failures, len(sink.taken)) == ("", 0, 1)


def test_nobody_at_the_other_end_is_no_error_of_the_job() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    to = channel(f"json://127.0.0.1:{port}/s3cr3t-token")
    fail(1)
    assert not tell(to, now=SOON)
    to.refresh_from_db()
    assert to.error and "s3cr3t" not in to.error


def test_two_workers_never_tell_the_same(sink: Sink) -> None:
    to = channel(sink.address)
    fail(1)
    NotificationChannel.objects.update(leased_until=SOON + timedelta(minutes=1))
    assert due(SOON) == [] and not tell(to, now=SOON)
    assert tell(to, now=SOON + timedelta(minutes=2))
    assert len(sink.taken) == 1


# -------------------------------------------------------------------- e-mail and the others


def test_an_e_mail_arrives() -> None:
    with Mailbox() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        to = channel(f"mailto://127.0.0.1:{port}?from=slotcast@example.org&to=olga@example.org&mode=insecure")
        fail(7)
        assert tell(to, now=SOON), NotificationChannel.objects.get().error
        server.shutdown()
        ((recipients, mail),) = server.mails
    assert recipients == ["olga@example.org"]
    assert "1 upload job failed" in mail.replace("=\r\n", "").replace("_", " ")
    assert "olga@example.org" in mail


@pytest.mark.parametrize(
    ("to", "service"),
    [
        ("mailto://user:password@example.org", "E-Mail"),
        ("slack://TokenA1234/TokenB1234/TokenC1234567890123456789/#films", "Slack"),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", "Discord"),
    ],
)
def test_e_mail_slack_and_discord_are_known(to: str, service: str) -> None:
    assert service_of(to) == service


@pytest.mark.parametrize("to", ["", "nonsense", "file:///etc/passwd", "syslog://", "dbus://", "https://"])
def test_what_is_no_service_elsewhere_is_refused(to: str) -> None:
    with pytest.raises(NotAnAddress):
        checked(to)


def test_no_part_of_an_address_is_told() -> None:
    said = "Failed to post to http://127.0.0.1:80/hook/s3cr3t-token: 500"
    assert "s3cr3t" not in without_secrets(said, "json://127.0.0.1:80/hook/s3cr3t-token")


# -------------------------------------------------------------------- the admin


def form(**fields: str) -> dict[str, str]:
    return {
        "name": "team",
        "is_active": "on",
        "tells_failures": "on",
        "about": "",
        "digest_seconds": "60",
        **fields,
    }


def test_an_address_goes_in_encrypted_and_never_comes_out(sink: Sink) -> None:
    client = root()
    answer = client.post(address(NotificationChannel, "add"), form(new_address=sink.address))
    assert answer.status_code == 302, answer.content.decode()[:2000]
    made = NotificationChannel.objects.get()
    assert made.address == sink.address
    with connection.cursor() as cursor:
        cursor.execute("SELECT address FROM jobs_notificationchannel")
        (stored,) = cursor.fetchone()
    assert "s3cr3t" not in stored
    for page in (address(made, "change", made.pk), address(NotificationChannel, "changelist")):
        assert "s3cr3t" not in client.get(page).content.decode()
    client.post(address(made, "change", made.pk), form(new_address="", digest_seconds="120"))
    made.refresh_from_db()
    assert (made.address, made.digest_seconds) == (sink.address, 120)


def test_an_address_that_is_none_is_refused_in_the_form() -> None:
    text = root().post(address(NotificationChannel, "add"), form(new_address="syslog://")).content.decode()
    assert "This would stay on the server itself" in text
    assert not NotificationChannel.objects.exists()


def test_the_button_sends_a_test_or_says_why_not(sink: Sink) -> None:
    client, made = root(), channel(sink.address)
    assert press(client, made, BUTTON) == "team: the test was sent."
    assert sink.taken[0]["title"] == "Slotcast: a test"
    sink.status = 403
    said = press(client, made, BUTTON)
    assert said.startswith("team: ") and "s3cr3t" not in said and "was sent" not in said


def test_only_superusers_choose_where_messages_go(sink: Sink) -> None:
    made = channel(sink.address)
    operator = staff_with("olga", apps=["jobs"], verbs=["view", "add", "change", "delete"])
    assert operator.get(address(NotificationChannel, "add")).status_code == 403
    operator.post(address(made, "change", made.pk), form(new_address="json://127.0.0.1/x"))
    made.refresh_from_db()
    assert made.address == sink.address
