"""The Dailymotion client against the stand-in: the same contract in each dialect."""

import hashlib
import io
import threading
import traceback
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from sandbox.server import Sandbox
from uploader.platforms.dailymotion import (
    Credentials,
    Dailymotion,
    NewVideo,
    Profile,
    UploadedFile,
    UploadSession,
    VideoState,
)
from uploader.platforms.dailymotion.tokens import CACHE
from uploader.platforms.errors import (
    CredentialsRejected,
    NotFound,
    OutcomeUnknown,
    PlatformError,
    QuotaReached,
    RateLimited,
    Rejected,
    SourceChanged,
    Unavailable,
    UploadExpired,
)
from uploader.platforms.http import Timeouts

DIALECTS = ("v2", "partner", "public")
LEGACY = ("partner", "public")
NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
HASTY = Timeouts(connect=10, read=0.3, send=0.3, upload_answer=0.3)
VIDEO = b"\x00\x00\x00\x18ftypmp42" + b"v" * 5000
TAG = "vid-0123abcd"


class Hands:
    """The clock both sides read, pushed on by tests."""

    def __init__(self) -> None:
        self.now = NOW.timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Hands()


@pytest.fixture
def sandbox(clock):
    with Sandbox(clock=clock, encode_seconds=60) as server:
        yield server
    CACHE.clear()


@pytest.fixture(params=DIALECTS)
def dialect(request):
    return request.param


def credentials_for(sandbox: Sandbox, dialect: str, **changes) -> Credentials:
    values = {
        "dialect": dialect,
        "key": "sandbox-key",
        "secret": "sandbox-secret",
        "username": "sandbox",
        "password": "sandbox",
        "profile_id": "x1sandbox",
        "api_url": sandbox.api_url(dialect),
        "token_url": sandbox.token_url(dialect),
    }
    return Credentials(**{**values, **changes})


@pytest.fixture
def client(sandbox, dialect, clock):
    with Dailymotion(credentials_for(sandbox, dialect), clock=clock) as opened:
        yield opened


@pytest.fixture
def hasty(sandbox, dialect, clock):
    with Dailymotion(credentials_for(sandbox, dialect), clock=clock, timeouts=HASTY) as opened:
        yield opened


def new_video(**changes) -> NewVideo:
    values = {
        "title": "Harbour – Episode 1",
        "description": "The boats & the <b>sea</b>.",
        "tags": ("harbour", TAG),
        "category": "tv",
        "language": "en",
        "is_for_kids": False,
    }
    return NewVideo(**{**values, **changes})


def send(client: Dailymotion, content: bytes = VIDEO, **options) -> UploadedFile:
    given = {"filename": "ep-001.mp4", "size_bytes": len(content), **options}
    return client.send_file(client.open_upload(), io.BytesIO(content), **given)


def named(value: object) -> str:
    return value.__name__ if isinstance(value, type) else str(value).encode("ascii", "replace").decode()


def routes(sandbox: Sandbox) -> list[str]:
    return [request["route"] for request in sandbox.requests()]


# The way of a video


def test_a_video_goes_from_file_to_published(client, sandbox, clock):
    uploaded = send(client)
    assert uploaded.hash == hashlib.sha1(VIDEO).hexdigest()
    assert uploaded.size_bytes == len(VIDEO)
    assert urlsplit(uploaded.url).fragment

    created = client.create_video(uploaded.url, new_video())
    assert created.state is VideoState.PENDING

    clock.now += 30
    encoding = client.get_video(created.video_id)
    assert encoding.state is VideoState.PENDING
    assert 0 < encoding.progress < 100

    clock.now += 60
    done = client.get_video(created.video_id)
    assert (done.state, done.progress, done.failure) == (VideoState.PUBLISHED, 100, "")
    assert done.title == "Harbour – Episode 1"
    assert done.tags == ("harbour", TAG)
    assert done.created_at == NOW
    assert done.url == f"https://www.dailymotion.com/video/{created.video_id}"

    [stored] = sandbox.videos()
    assert stored["description"] == "The boats & the <b>sea</b>."
    assert (stored["category"], stored["visibility"], stored["is_for_kids"]) == ("tv", "public", False)


def test_a_private_video_ends_as_published(client, clock, dialect):
    created = client.create_video(send(client).url, new_video(visibility="private"))
    clock.now += 60
    done = client.get_video(created.video_id)
    assert done.state is VideoState.PUBLISHED
    assert done.url.startswith("https://www.dailymotion.com/video/k")


@pytest.mark.parametrize(("outcome", "word"), [("encoding_error", "encode"), ("rejected", "")])
def test_a_video_that_cannot_be_encoded_says_why(client, sandbox, clock, outcome, word):
    sandbox.settings(outcome=outcome)
    created = client.create_video(send(client).url, new_video())
    clock.now += 60
    failed = client.get_video(created.video_id)
    assert failed.state is VideoState.FAILED
    assert failed.status in ("error", "encoding_error", "rejected")
    assert word in failed.failure
    assert failed.failure.endswith(".")


def test_a_video_can_be_edited_published_and_deleted(client, sandbox):
    created = client.create_video(send(client).url, new_video(visibility="private"))
    client.edit_video(created.video_id, title="Harbour – Folge 1", tags=("hafen",))
    client.edit_video(created.video_id, description="Neu")
    client.publish_video(created.video_id)
    [stored] = sandbox.videos()
    assert (stored["title"], stored["tags"], stored["description"]) == ("Harbour – Folge 1", ["hafen"], "Neu")
    client.delete_video(created.video_id)
    client.delete_video(created.video_id)
    assert sandbox.videos() == []
    with pytest.raises(NotFound):
        client.get_video(created.video_id)


def test_an_edit_of_nothing_asks_nothing(client, sandbox):
    client.edit_video("x1")
    assert sandbox.requests() == []
    with pytest.raises(Rejected):
        client.edit_video("x1", title=" ")


def test_a_strange_video_id_stays_one_part_of_the_path(client, sandbox):
    with pytest.raises(NotFound):
        client.get_video("../x1?fields=owner")
    assert sandbox.requests("get")[0]["path"].endswith("/../x1?fields=owner")


# Who


def test_the_account_is_named(client, dialect):
    identity = client.identify()
    assert identity.profile_id == "x1sandbox"
    assert identity.name == ("" if dialect == "partner" else "Sandbox")
    assert identity.profiles == (Profile("x1sandbox", identity.name),)


def test_the_limits_of_the_account(client, dialect):
    limits = client.limits()
    if dialect == "public":
        assert (limits.max_video_seconds, limits.max_video_bytes) == (7200, 4_000_000_000)
    else:
        assert limits is None


def test_without_a_profile_the_key_s_only_one_is_used(sandbox, clock):
    for dialect in ("v2", "public"):
        credentials = credentials_for(sandbox, dialect, profile_id="")
        with Dailymotion(credentials, clock=clock) as client:
            assert client.identify().profile_id == "x1sandbox"
            client.create_video(send(client).url, new_video())
    assert len(sandbox.videos()) == 2


def test_a_partner_key_needs_a_profile(sandbox, clock):
    with (
        Dailymotion(credentials_for(sandbox, "partner", profile_id=""), clock=clock) as client,
        pytest.raises(CredentialsRejected, match="Set the profile ID"),
    ):
        client.identify()


def test_a_choice_between_profiles_is_left_to_the_operator(sandbox, clock):
    profiles = [{"profile_id": "x1", "name": "One"}, {"profile_id": "x2", "name": "Two"}]
    sandbox.add_fault("me", times=None, status=200, body={"user_id": "u", "profiles": profiles})
    with Dailymotion(credentials_for(sandbox, "v2", profile_id=""), clock=clock) as client:
        assert client.identify().profile_id == ""
        assert client.identify().profiles == (("x1", "One"), ("x2", "Two"))
        with pytest.raises(CredentialsRejected, match=r"One \(x1\), Two \(x2\). Choose one"):
            client.create_video("https://up.dailymotion.com/f#x", new_video())


def test_a_profile_the_key_does_not_reach_is_refused(sandbox, clock):
    with (
        Dailymotion(credentials_for(sandbox, "v2", profile_id="x9"), clock=clock) as client,
        pytest.raises(CredentialsRejected, match="does not reach the profile x9; it reaches Sandbox"),
    ):
        client.identify()


def test_an_unknown_dialect_is_refused():
    with pytest.raises(CredentialsRejected, match="Choose one of v2, partner, public"):
        Dailymotion(Credentials("v3", "key", "secret"))


# Tokens


@pytest.mark.parametrize("changes", [{"key": "other"}, {"secret": "other"}])
def test_refused_credentials_hold_the_account(sandbox, dialect, clock, changes):
    with (
        Dailymotion(credentials_for(sandbox, dialect, **changes), clock=clock) as client,
        pytest.raises(CredentialsRejected, match="Client authentication failed") as caught,
    ):
        client.open_upload()
    assert "other" not in str(caught.value)
    assert routes(sandbox) == ["token"]


def test_a_wrong_password_holds_the_account(sandbox, clock):
    with (
        Dailymotion(credentials_for(sandbox, "public", password="other"), clock=clock) as client,
        pytest.raises(CredentialsRejected, match="Invalid username or password"),
    ):
        client.identify()


def test_one_token_serves_every_client_of_the_process(sandbox, dialect, clock):
    for _ in range(3):
        with Dailymotion(credentials_for(sandbox, dialect), clock=clock) as client:
            client.open_upload()
    assert routes(sandbox).count("token") == 1


def test_threads_that_need_a_token_at_once_ask_for_one(sandbox, dialect, clock):
    sandbox.add_fault("token", delay=0.1)

    def work() -> None:
        with Dailymotion(credentials_for(sandbox, dialect), clock=clock) as client:
            client.open_upload()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert routes(sandbox).count("token") == 1
    assert routes(sandbox).count("open_upload") == 8


def test_other_credentials_have_a_token_of_their_own(sandbox, clock):
    for username in ("sandbox", "other"):
        with Dailymotion(credentials_for(sandbox, "v2", username=username), clock=clock) as client:
            client.open_upload()
    assert routes(sandbox).count("token") == 2


@pytest.mark.parametrize(("share", "tokens"), [(0.84, 1), (0.86, 2)])
def test_a_token_is_renewed_before_it_expires(client, sandbox, dialect, clock, share, tokens):
    lifetime = sandbox.settings()[f"{dialect}_token_seconds"]
    client.open_upload()
    clock.now += share * lifetime
    client.open_upload()
    assert routes(sandbox).count("token") == tokens
    assert {request["status"] for request in sandbox.requests("open_upload")} <= {200, 201}


def test_the_answer_says_how_long_a_token_lives(client, sandbox, clock):
    sandbox.add_fault("token", status=200, body={"access_token": "a.b.c", "expires_in": "60"})
    with pytest.raises(Unavailable):
        sandbox.add_fault("open_upload", times=1, status=503)
        client.open_upload()
    clock.now += 52
    client.open_upload()
    assert routes(sandbox).count("token") == 2


def test_a_refused_token_is_renewed_once(client, sandbox):
    client.open_upload()
    sandbox.revoke_tokens()
    client.open_upload()
    assert [request["status"] in (200, 201) for request in sandbox.requests("open_upload")] == [
        True,
        False,
        True,
    ]


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("dialect", LEGACY, indirect=True)
def test_every_form_of_an_expired_legacy_token_is_understood(client, sandbox, status):
    sandbox.settings(legacy_expiry_status=status)
    client.open_upload()
    sandbox.revoke_tokens()
    assert client.open_upload().upload_url


def test_a_create_with_a_refused_token_is_sent_again(client, sandbox):
    uploaded = send(client)
    sandbox.revoke_tokens()
    client.create_video(uploaded.url, new_video())
    assert len(sandbox.videos()) == 1


def test_a_fresh_token_that_is_refused_holds_the_account(client, sandbox):
    sandbox.add_fault("open_upload", times=2, status=401)
    with pytest.raises(CredentialsRejected, match="fresh access token"):
        client.open_upload()
    assert routes(sandbox).count("token") == 2
    assert routes(sandbox).count("open_upload") == 2


@pytest.mark.parametrize("dialect", ["public"], indirect=True)
def test_a_password_login_is_refreshed_without_the_password(client, sandbox, clock):
    client.open_upload()
    clock.now += 35_000
    client.open_upload()
    assert [r["body"]["grant_type"] for r in sandbox.requests("token")] == ["password", "refresh_token"]


@pytest.mark.parametrize("dialect", ["public"], indirect=True)
def test_a_lost_refresh_token_falls_back_to_the_password(client, sandbox, clock):
    client.open_upload()
    sandbox.revoke_tokens()
    client.open_upload()
    grants = [r["body"]["grant_type"] for r in sandbox.requests("token")]
    assert grants == ["password", "refresh_token", "password"]


@pytest.mark.parametrize("dialect", ["v2"], indirect=True)
def test_refused_scopes_are_asked_for_as_a_bundle(client, sandbox):
    refusal = {"detail": [{"msg": "invalid scope", "type": "value_error"}]}
    sandbox.add_fault("token", status=422, body=refusal)
    client.open_upload()
    scopes = [r["body"]["scope"] for r in sandbox.requests("token")]
    assert scopes == ["account.read video.read video.manage", "bundle.publisher"]


@pytest.mark.parametrize("dialect", ["v2"], indirect=True)
def test_a_refused_bundle_holds_the_account(client, sandbox):
    sandbox.add_fault("token", times=2, status=422, body={"detail": [{"msg": "invalid scope"}]})
    with pytest.raises(CredentialsRejected, match="invalid scope"):
        client.open_upload()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 500}, Unavailable),
        ({"status": 502, "body": "<html>Bad gateway</html>"}, Unavailable),
        ({"status": 429, "headers": {"Retry-After": "7"}}, RateLimited),
        ({"truncate_reply": 20}, Unavailable),
        ({"drop_before": True}, Unavailable),
        ({"status": 200, "body": {"access_token": "a\r\nX-Evil: 1"}}, Unavailable),
    ],
)
def test_a_token_endpoint_in_trouble_blames_no_credentials(client, sandbox, fault, error):
    sandbox.add_fault("token", **fault)
    with pytest.raises(error):
        client.open_upload()
    assert routes(sandbox) == ["token"]


# Sending the file


def test_the_upload_server_never_sees_the_token(client, sandbox):
    session = client.open_upload()
    client.send_file(session, io.BytesIO(VIDEO), filename="a.mp4", size_bytes=len(VIDEO))
    client.upload_progress(session)
    assert [r["authorization"] for r in sandbox.requests("upload") + sandbox.requests("progress")] == [
        False
    ] * 2


@pytest.mark.parametrize(
    "filename", ['the "best"; one.mp4', "🎬 Folge ü.mp4", "two\r\nlines.mp4", "a\\b%22.mp4"]
)
def test_any_file_name_arrives_as_one_file(client, sandbox, filename):
    assert send(client, filename=filename).size_bytes == len(VIDEO)
    assert sandbox.uploads()[0]["state"] == "done"


def test_progress_reaches_the_size(client):
    content = b"v" * 1_000_000
    seen: list[int] = []
    send(client, content, on_progress=seen.append)
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0, len(content))


def test_what_the_progress_callback_raises_ends_the_upload(client, sandbox):
    stop = TimeoutError("cancelled")

    def cancel(sent: int) -> None:
        if sent > 300_000:
            raise stop

    with pytest.raises(TimeoutError) as caught:
        send(client, b"v" * 3_000_000, on_progress=cancel)
    assert caught.value is stop
    assert client.open_upload().upload_url
    assert client.upload_progress(client.open_upload()) == ("starting", None, None)


@pytest.mark.parametrize(("announced", "message"), [(10_000, "shrank"), (5_000, "grew")])
def test_a_file_that_changes_is_never_taken_for_whole(client, sandbox, announced, message):
    with pytest.raises(SourceChanged, match=message) as caught:
        send(client, b"v" * 7_000, size_bytes=announced)
    assert not caught.value.permanent
    assert all(upload["state"] != "done" for upload in sandbox.uploads())


def test_an_empty_file_is_rejected_before_anything_is_sent(client, sandbox):
    session = client.open_upload()
    with pytest.raises(Rejected, match="is empty"):
        client.send_file(session, io.BytesIO(), filename="a.mp4", size_bytes=0)
    assert sandbox.requests("upload") == []


def test_an_address_of_somebody_else_gets_no_byte(client):
    class Untouched(io.BytesIO):
        def read(self, size=-1):
            raise AssertionError("read")

    for url in ("https://evil.example/upload", "http://upload.dailymotion.com/u", "http://localhost:1/u"):
        with pytest.raises(PlatformError, match="nothing was sent"):
            client.send_file(UploadSession(url), Untouched(b"v"), filename="a.mp4", size_bytes=1)
    with pytest.raises(PlatformError, match="nothing was sent"):
        client.upload_progress(UploadSession("", "https://evil.example/progress"))


def test_an_upload_session_of_somebody_else_is_refused_at_once(client, sandbox):
    sandbox.add_fault("open_upload", status=200, body={"upload_url": "https://evil.example/u?seal=s3cr3t"})
    with pytest.raises(PlatformError, match="not its own") as caught:
        client.open_upload()
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("how", ["aged", "used", "unknown"])
def test_a_session_that_ended_needs_the_file_again(client, sandbox, how):
    session = client.open_upload()
    if how == "aged":
        sandbox.add_fault("upload", expire_session=True)
    if how == "used":
        client.send_file(session, io.BytesIO(VIDEO), filename="a.mp4", size_bytes=len(VIDEO))
    if how == "unknown":
        sandbox.reset()
    with pytest.raises(UploadExpired, match="must be sent again"):
        client.send_file(session, io.BytesIO(VIDEO), filename="a.mp4", size_bytes=len(VIDEO))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 404}, UploadExpired),
        ({"status": 422}, Rejected),
        ({"status": 429, "headers": {"Retry-After": "7"}}, RateLimited),
        ({"status": 500}, Unavailable),
        ({"status": 502, "body": "<html>Bad gateway</html>"}, Unavailable),
        ({"status": 200, "body": {"error": "Server error"}}, Unavailable),
        ({"status": 200, "body": {"name": "no url"}}, Unavailable),
        ({"status": 200, "body": {"url": "https://up.dailymotion.com/\ud800"}}, Unavailable),
        ({"status": 301, "headers": {"Location": "https://evil.example/"}}, Unavailable),
        ({"drop_before": True}, Unavailable),
        ({"drop_after_bytes": 500_000}, Unavailable),
        ({"apply_then_drop": True}, Unavailable),
        ({"truncate_reply": 30}, Unavailable),
        ({"drop_reply_after_bytes": 30}, Unavailable),
    ],
    ids=named,
)
@pytest.mark.parametrize("dialect", ["v2"], indirect=True)
def test_an_upload_that_fails_says_whether_to_try_again(client, sandbox, fault, error):
    sandbox.add_fault("upload", **fault)
    with pytest.raises(PlatformError) as caught:
        send(client, b"v" * 20_000_000)
    assert type(caught.value) is error
    shown = "".join(traceback.format_exception(caught.value))
    assert "seal=" not in shown
    sandbox.clear_faults()
    assert send(client).url


@pytest.mark.parametrize("fault", [{"stall_after_bytes": 500_000, "seconds": 3}, {"delay": 3}], ids=named)
@pytest.mark.parametrize("dialect", ["v2"], indirect=True)
def test_an_upload_that_stalls_is_given_up(client, hasty, sandbox, fault):
    session = client.open_upload()
    sandbox.add_fault("upload", **fault)
    with pytest.raises(Unavailable, match="no byte moved in time"):
        hasty.send_file(session, io.BytesIO(b"v" * 20_000_000), filename="a.mp4", size_bytes=20_000_000)


# Creating: not repeatable


def test_the_day_s_allowance_holds_the_account_and_keeps_the_file(client, sandbox, dialect):
    sandbox.settings(videos_per_day=1)
    client.create_video(send(client).url, new_video())
    uploaded = send(client)
    with pytest.raises(QuotaReached, match="You have reached your upload limit") as caught:
        client.create_video(uploaded.url, new_video())
    assert caught.value.delay_seconds == (3600 if dialect == "v2" else 86_400)
    sandbox.advance(86_401)
    assert client.create_video(uploaded.url, new_video()).video_id


def test_a_stale_file_must_be_sent_again(client, sandbox):
    uploaded = send(client)
    for url in (uploaded.url.partition("#")[0], uploaded.url + "x"):
        with pytest.raises(UploadExpired, match="must be sent again") as caught:
            client.create_video(url, new_video())
        assert urlsplit(uploaded.url).fragment not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "error", "made"),
    [
        ({"status": 400}, Rejected, 0),
        ({"status": 422}, Rejected, 0),
        ({"status": 403}, CredentialsRejected, 0),
        ({"status": 409}, OutcomeUnknown, 0),
        ({"status": 429}, QuotaReached, 0),
        ({"status": 500}, OutcomeUnknown, 0),
        ({"status": 502, "body": "<html>Bad gateway</html>"}, OutcomeUnknown, 0),
        ({"status": 503}, OutcomeUnknown, 0),
        ({"status": 200, "body": {}}, OutcomeUnknown, 0),
        ({"drop_before": True}, OutcomeUnknown, 0),
        ({"apply_then_drop": True}, OutcomeUnknown, 1),
        ({"truncate_reply": 25}, OutcomeUnknown, 1),
        ({"drop_reply_after_bytes": 25}, OutcomeUnknown, 1),
    ],
    ids=named,
)
def test_a_create_without_a_clear_answer_is_never_called_failed(client, sandbox, fault, error, made):
    uploaded = send(client)
    sandbox.add_fault("create", **fault)
    with pytest.raises(PlatformError) as caught:
        client.create_video(uploaded.url, new_video())
    assert type(caught.value) is error
    assert routes(sandbox).count("create") == 1
    if not made:
        assert sandbox.videos() == []


def test_a_create_that_is_not_answered_in_time_may_have_been_applied(client, hasty, sandbox):
    uploaded = send(client)
    sandbox.add_fault("create", delay=3)
    with pytest.raises(OutcomeUnknown, match="no byte moved in time"):
        hasty.create_video(uploaded.url, new_video())


def test_a_create_that_never_left_is_safe_to_repeat(sandbox, dialect, clock):
    with Dailymotion(credentials_for(sandbox, dialect), clock=clock) as client:
        uploaded = send(client)
        sandbox.stop()
        with pytest.raises(Unavailable, match="no connection"):
            client.create_video(uploaded.url, new_video())


@pytest.mark.parametrize("dialect", ["v2"], indirect=True)
def test_a_key_without_the_scope_says_which(client, sandbox):
    missing = {"missing_permissions": ["video.manage"]}
    error = {"code": "MISSING_PERMISSIONS", "message": "Missing permission.", "details": missing}
    sandbox.add_fault("create", status=403, body={"error": error})
    with pytest.raises(CredentialsRejected, match=r"The key lacks video.manage\."):
        client.create_video(send(client).url, new_video())


@pytest.mark.parametrize("dialect", LEGACY, indirect=True)
def test_a_legacy_key_without_the_scope_says_which(client, sandbox):
    message = "Unsufficient scope for `POST /me/videos', scope required: manage_videos"
    sandbox.add_fault("create", status=403, body={"error": {"code": 403, "message": message}})
    with pytest.raises(CredentialsRejected, match="scope required: manage_videos"):
        client.create_video(send(client).url, new_video())


@pytest.mark.parametrize("dialect", ["v2"], indirect=True)
def test_a_category_the_dialect_lost_is_rejected(client):
    with pytest.raises(Rejected, match="shortfilms"):
        client.create_video("https://up.dailymotion.com/f#x", new_video(category="shortfilms"))


# Any other call


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 403}, CredentialsRejected),
        ({"status": 404}, NotFound),
        ({"status": 422}, Rejected),
        ({"status": 429}, RateLimited),
        ({"status": 500}, Unavailable),
        ({"status": 502, "body": "<html>Bad gateway</html>"}, Unavailable),
        ({"truncate_reply": 25}, Unavailable),
        ({"drop_before": True}, Unavailable),
        ({"apply_then_drop": True}, Unavailable),
        ({"drop_reply_after_bytes": 25}, Unavailable),
        ({"status": 200, "body": {}}, Unavailable),
        ({"status": 200, "body": "[1]"}, Unavailable),
        ({"status": 302, "headers": {"Location": "/login"}}, Unavailable),
    ],
    ids=named,
)
def test_a_repeatable_call_that_fails_says_whether_to_try_again(client, sandbox, fault, error):
    created = client.create_video(send(client).url, new_video())
    sandbox.add_fault("get", **fault)
    with pytest.raises(PlatformError) as caught:
        client.get_video(created.video_id)
    assert type(caught.value) is error
    assert client.get_video(created.video_id).video_id == created.video_id


def test_a_call_that_is_not_answered_in_time_is_unavailable(client, hasty, sandbox):
    client.open_upload()
    sandbox.add_fault("open_upload", delay=3)
    with pytest.raises(Unavailable, match="no byte moved in time"):
        hasty.open_upload()


@pytest.mark.parametrize(
    ("value", "seconds"), [("30", 30), ("Fri, 20 Nov 2026 10:02:00 GMT", 120), (None, 3600)]
)
def test_a_pause_is_as_long_as_the_platform_asks(client, sandbox, value, seconds):
    headers = {"Retry-After": value} if value else {}
    sandbox.add_fault("open_upload", status=429, headers=headers)
    with pytest.raises(RateLimited) as caught:
        client.open_upload()
    assert caught.value.retry_after == seconds


def test_no_message_repeats_a_secret_the_platform_echoes(client, sandbox):
    client.open_upload()
    error = {"code": 400, "message": "No sandbox-secret here, see https://up.dailymotion.com/u?seal=1"}
    sandbox.add_fault("open_upload", status=400, body={"error": error})
    with pytest.raises(Rejected, match=r"“No ••• here, see https://up.dailymotion.com/u…” \(HTTP 400\)"):
        client.open_upload()


# Looking after a lost answer


@pytest.mark.parametrize("fault", [{"apply_then_drop": True}, {"truncate_reply": 25}], ids=named)
def test_a_video_made_without_an_answer_is_found(client, sandbox, fault):
    uploaded = send(client)
    sandbox.add_fault("create", **fault)
    with pytest.raises(OutcomeUnknown):
        client.create_video(uploaded.url, new_video())
    found = client.find_video(
        tag=TAG,
        title="Harbour – Episode 1",
        created_after=NOW - timedelta(minutes=5),
        file_hash=uploaded.hash,
    )
    assert [video.video_id for video in found] == [sandbox.videos()[0]["id"]]


def test_a_video_without_tags_is_found_by_title_and_file(client):
    ours = send(client)
    other = send(client, b"another")
    made = client.create_video(ours.url, new_video(tags=()))
    client.create_video(other.url, new_video(tags=()))
    client.create_video(ours.url, new_video(tags=(), title="Harbour – Episode 2"))
    client.create_video(ours.url, new_video(tags=("vid-ffffffff",)))
    since = NOW - timedelta(minutes=5)
    asked = {"tag": TAG, "title": "Harbour –  Episode 1", "created_after": since}
    assert [v.video_id for v in client.find_video(**asked, file_hash=ours.hash.upper())] == [made.video_id]
    assert len(client.find_video(**asked)) == 2
    assert client.find_video(**{**asked, "created_after": NOW + timedelta(seconds=1)}) == []


@pytest.mark.parametrize("envelope", ["nested", "flat"])
def test_every_page_of_the_list_is_read(client, sandbox, clock, envelope):
    sandbox.settings(videos_per_day=None, seconds_per_day=None, list_envelope=envelope)
    uploaded = send(client)
    made = []
    for number in range(205):
        clock.now += 1
        tags = (TAG,) if number % 2 else ("other",)
        made.append(client.create_video(uploaded.url, new_video(title=f"Episode {number}", tags=tags)))
    newest_first = [video.video_id for video in reversed(made)]
    assert [video.video_id for video in client.list_videos(created_after=NOW)] == newest_first
    assert len(sandbox.requests("list")) == 3
    tagged = list(client.list_videos(created_after=NOW, tag=TAG))
    assert [video.video_id for video in tagged] == newest_first[1::2]


def test_a_list_is_filtered_even_if_the_platform_does_not(client, sandbox, dialect):
    rows = [
        {"video_id": "x1", "id": "x1", "tags": ["other"]},
        {"video_id": "x2", "id": "x2", "tags": [TAG]},
        7,
    ]
    sandbox.add_fault("list", status=200, body={"data": rows, "list": rows, "next": None, "has_more": False})
    assert [v.video_id for v in client.list_videos(created_after=NOW, tag=TAG)] == ["x2"]


@pytest.mark.parametrize("dialect", ["v2"], indirect=True)
@pytest.mark.parametrize(
    "following", ["https://evil.example/videos?page=2", 2, "2", "/videos?cursor=abc&page=2"]
)
def test_the_next_page_is_asked_of_the_configured_api_alone(client, sandbox, following):
    row = {"video_id": "x1"}
    sandbox.add_fault("list", status=200, body={"data": [row], "pagination": {"next": following}})
    sandbox.add_fault("list", status=200, body={"data": [row], "pagination": {"next": following}})
    assert len(list(client.list_videos(created_after=NOW))) == 2
    assert [request["query"]["page"] for request in sandbox.requests("list")] == ["1", "2"]


# Over TLS


@pytest.mark.parametrize("dialect", ["v2"], indirect=True)
def test_an_untrusted_certificate_is_not_talked_to(dialect, clock):
    with Sandbox(clock=clock, tls=True) as sandbox:
        credentials = credentials_for(sandbox, dialect)
        with Dailymotion(credentials, clock=clock) as client, pytest.raises(Unavailable, match="not trusted"):
            client.open_upload()
        assert sandbox.requests() == []


def test_the_same_works_over_tls(dialect, clock, monkeypatch):
    with Sandbox(clock=clock, tls=True) as sandbox:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(sandbox.ca_path))
        with Dailymotion(credentials_for(sandbox, dialect), clock=clock) as client:
            uploaded = send(client, b"v" * 3_000_000)
            assert client.create_video(uploaded.url, new_video()).video_id
    CACHE.clear()
