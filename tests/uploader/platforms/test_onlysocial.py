"""The OnlySocial client against the stand-in and against servers that do not behave."""

import io
import threading
import traceback
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.server import Sandbox
from tests.uploader.platforms.wire import answers, reply, request_of, resets, served
from uploader.platforms.errors import (
    CredentialsRejected,
    NotFound,
    OutcomeUnknown,
    PlatformError,
    RateLimited,
    Rejected,
    SourceChanged,
    Unavailable,
)
from uploader.platforms.http import Timeouts
from uploader.platforms.onlysocial import (
    Credentials,
    Draft,
    OnlySocial,
    PostFormat,
    PostStatus,
    PostType,
)

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
HASTY = Timeouts(connect=10, read=0.3, send=0.3, upload_answer=0.3)
WORKSPACE = "00000000-0000-4000-8000-000000000001"
VIDEO = b"\x00\x00\x00\x18ftypmp42" + b"v" * 5000
INSTAGRAM, YOUTUBE, LOST = 42174, 42176, 42178


class Hands:
    """The clock of the sandbox, pushed on by tests."""

    def __init__(self) -> None:
        self.now = NOW.timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def clock():
    return Hands()


@pytest.fixture(scope="module")
def running(clock):
    with Sandbox(clock=clock) as server:
        yield server


@pytest.fixture
def sandbox(running, clock):
    clock.now = NOW.timestamp()
    running.reset()
    return running


def credentials_for(sandbox: Sandbox, **changes) -> Credentials:
    values = {"key": "sandbox-token", "workspace": WORKSPACE, "api_url": sandbox.onlysocial_url}
    return Credentials(**{**values, **changes})


@pytest.fixture
def client(sandbox, clock):
    with OnlySocial(credentials_for(sandbox), clock=clock, timeouts=Timeouts(read=5, send=5)) as made:
        yield made


@pytest.fixture
def hasty(sandbox, clock):
    with OnlySocial(credentials_for(sandbox), clock=clock, timeouts=HASTY) as made:
        yield made


def upload(client: OnlySocial, name: str = "job-1.mp4", data: bytes = VIDEO, **changes):
    return client.upload_media(io.BytesIO(data), **{"name": name, "size": len(data), **changes})


def draft(*media_ids: int, **changes) -> Draft:
    values = {
        "account_id": INSTAGRAM,
        "provider": "instagram",
        "caption": "By the sea",
        "media_ids": media_ids,
    }
    return Draft(**{**values, "post_type": PostType.REEL, **changes})


# -------------------------------------------------------------------- accounts


def test_accounts_are_listed_with_whether_they_are_connected(client):
    accounts = {account.id: account for account in client.accounts()}
    assert (accounts[INSTAGRAM].name, accounts[INSTAGRAM].provider) == ("Harbour Films", "instagram")
    assert accounts[INSTAGRAM].uuid
    assert [each.id for each in accounts.values() if not each.is_authorized] == [LOST]
    assert client.identify().name == "the workspace, 5 social accounts, 1 to be reconnected"


# -------------------------------------------------------------------- what is sent


def test_every_request_is_as_the_platform_wants_it(client, sandbox):
    """No trailing slash, Accept and Authorization on each, no redirect on the way."""
    media = upload(client)
    uuid = client.create_post(draft(media.id))
    client.publish_now(uuid)
    client.read_post(uuid)
    client.find_media("x")
    client.find_posts([1])
    client.accounts()
    client.delete_post(uuid)
    client.delete_media(media.id)
    requests = sandbox.requests()
    assert len(requests) == 9
    assert not [each for each in requests if each["path"].endswith("/") or each["status"] >= 300]
    assert {each["headers"]["Accept"] for each in requests} == {"application/json"}
    assert all(each["authorization"] for each in requests)


def test_one_connection_carries_everything(client):
    client.warm()
    upload(client)
    client.publish_now(client.create_post(draft(caption="x")))
    (pool,) = [pool for pool, _ in client._http._pools.values()]
    assert (pool.num_connections, pool.num_requests) == (1, 3)


def test_each_thread_has_a_connection_of_its_own(client):
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(client._http)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({*map(id, seen), id(client._http)}) == 4


def test_warming_sends_nothing_and_says_when_there_is_nobody(client, sandbox):
    client.warm()
    assert sandbox.requests() == []
    with (
        OnlySocial(Credentials(key="k", workspace="w", api_url="http://127.0.0.1:9")) as nobody,
        pytest.raises(Unavailable, match="could not be reached"),
    ):
        nobody.warm()


# -------------------------------------------------------------------- media


@pytest.mark.parametrize("form", ["string", "number"])
def test_a_file_is_uploaded_and_its_id_is_a_number(client, sandbox, form):
    sandbox.settings(onlysocial_media_ids=form)
    told = []
    media = upload(client, on_progress=told.append)
    (stored,) = sandbox.media()
    assert (media.id, media.name, media.mime_type) == (stored["id"], "job-1.mp4", "video/mp4")
    assert isinstance(media.id, int)
    assert stored["size"] == len(VIDEO)
    assert told == [0, len(VIDEO)]


def test_a_path_of_the_library_is_opened_there(client, sandbox, library):
    (library / "clip.mp4").write_bytes(VIDEO)
    assert client.upload_media("clip.mp4", name="job-1.mp4", size=len(VIDEO)).id
    assert sandbox.media()[0]["size"] == len(VIDEO)


def test_a_stream_that_cannot_be_rewound_is_passed_through(client, sandbox):
    class Pipe(io.RawIOBase):
        left = VIDEO

        def readable(self):
            return True

        def read(self, size=-1):
            piece, self.left = self.left[: min(size, 700)], self.left[min(size, 700) :]
            return piece

    client.upload_media(Pipe(), name="job-1.mp4", size=len(VIDEO))
    assert sandbox.media()[0]["size"] == len(VIDEO)


def test_too_large_a_file_is_refused_before_anything_is_sent(client, sandbox):
    with pytest.raises(Rejected, match="takes at most 100,000,000"):
        client.upload_media(io.BytesIO(b""), name="job-1.mp4", size=100_000_001)
    assert sandbox.requests() == []


def test_an_empty_file_is_refused(client):
    with pytest.raises(Rejected, match="empty"):
        upload(client, data=b"")


def test_a_413_of_the_proxy_in_html_is_for_good(client, sandbox):
    sandbox.settings(onlysocial_media_bytes=2000)
    with pytest.raises(Rejected, match=r"too large for OnlySocial: HTTP 413") as caught:
        upload(client)
    assert "<" not in str(caught.value)


def test_a_file_that_grew_or_shrank_is_never_taken_for_whole(client, sandbox):
    for size in (len(VIDEO) - 1, len(VIDEO) + 1):
        with pytest.raises(SourceChanged):
            upload(client, size=size)
    assert sandbox.media() == []


def test_what_the_progress_raises_stops_the_upload_unchanged(client, sandbox):
    def stop(sent):
        raise KeyError("stop")

    with pytest.raises(KeyError):
        upload(client, on_progress=stop)
    assert sandbox.media() == []


def test_an_upload_that_broke_off_was_not_taken(client, sandbox):
    sandbox.add_fault("upload_media", drop_after_bytes=300_000)
    with pytest.raises(Unavailable, match="broke off"):
        upload(client, data=VIDEO * 1000)
    assert sandbox.media() == []


@pytest.mark.parametrize("fault", [{"apply_then_drop": True}, {"truncate_reply": 10}, {"status": 502}])
def test_an_upload_whose_answer_is_lost_is_looked_for_by_its_name(client, sandbox, fault):
    sandbox.add_fault("upload_media", **fault)
    with pytest.raises(OutcomeUnknown):
        upload(client, name="job-7.mp4")
    found = client.find_media("job-7.mp4")
    assert (found.id if found else None) == next((each["id"] for each in sandbox.media()), None)
    assert client.find_media("job-8.mp4") is None


def test_an_answer_that_never_comes_is_given_up(hasty, sandbox):
    sandbox.add_fault("upload_media", delay=5)
    with pytest.raises(OutcomeUnknown, match="no byte moved in time"):
        upload(hasty)


def test_a_file_is_found_behind_sixty_newer_ones_and_no_further(client):
    upload(client, name="old.mp4")
    upload(client, name="wanted.mp4")
    for n in range(58):
        upload(client, name=f"newer-{n}.mp4", data=b"\0" * 20)
    assert client.find_media("wanted.mp4")
    upload(client, name="one-more.mp4")
    upload(client, name="two-more.mp4")
    assert client.find_media("old.mp4") is None


# -------------------------------------------------------------------- posts


def test_a_post_is_made_published_and_read_back(client, sandbox):
    media = upload(client)
    uuid = client.create_post(draft(media.id))
    assert client.read_post(uuid).status is PostStatus.DRAFT
    accepted = client.publish_now(uuid)
    assert (accepted.needs_approval, accepted.was_under_way) == (False, False)
    assert accepted.scheduled_at == NOW
    assert client.read_post(uuid).status is PostStatus.SCHEDULED
    sandbox.advance(0.5)
    assert client.read_post(uuid).status is PostStatus.PUBLISHING
    sandbox.advance(1)
    post = client.read_post(uuid)
    assert (post.status, post.media_ids, post.is_trashed) == (PostStatus.PUBLISHED, (media.id,), False)
    assert post.status.is_final
    assert post.accounts[0].external_url.startswith("https://instagram.example/")
    assert post.published_at == NOW + timedelta(seconds=1)


def test_what_a_post_is_is_told_per_provider(client, sandbox):
    media = upload(client)
    client.create_post(draft(media.id, post_type=PostType.STORY))
    client.create_post(draft(media.id, account_id=YOUTUBE, provider="youtube", caption="Harbour\nmore"))
    client.create_post(draft(media.id, account_id=42177, provider="tiktok"))
    options = [each["body"]["versions"][0]["options"] for each in sandbox.requests("create_post")]
    assert options[0] == {"instagram": {"type": "story", "collaborators": []}}
    assert options[1] == {"youtube": {"title": "Harbour", "status": "public"}}
    assert options[2]["tiktok"]["privacy_level"] == {"account-42177": "PUBLIC_TO_EVERYONE"}


def test_the_older_format_is_spoken_where_it_is_asked_for(sandbox):
    sandbox.settings(onlysocial_post_format="legacy")
    with OnlySocial(credentials_for(sandbox, post_format=PostFormat.LEGACY)) as legacy:
        media = upload(legacy)
        uuid = legacy.create_post(draft(media.id))
        assert legacy.read_post(uuid).media_ids == (media.id,)
        assert [post.uuid for post in legacy.find_posts([media.id])] == [uuid]
    assert sandbox.requests("create_post")[0]["body"] == {
        "accounts": [INSTAGRAM],
        "versions": [
            {
                "account_id": INSTAGRAM,
                "content": ["By the sea"],
                "media_ids": [str(media.id)],
                "is_original": True,
            }
        ],
        "post_type": "reel",
    }


def test_the_formats_are_not_taken_for_each_other(sandbox, client):
    media = upload(client)
    with (
        OnlySocial(credentials_for(sandbox, post_format=PostFormat.LEGACY)) as legacy,
        pytest.raises(Rejected, match=r"versions\.0\.content\.0"),
    ):
        legacy.create_post(draft(media.id))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"caption": "x" * 5001}, "5,001 characters"),
        ({"caption": " "}, "neither media nor a caption"),
        ({"provider": "youtube", "post_type": PostType.STORY}, "no stories"),
    ],
)
def test_a_draft_that_cannot_work_is_refused_before_anything_is_sent(client, sandbox, changes, sentence):
    with pytest.raises(Rejected, match=sentence):
        client.create_post(draft(**changes))
    assert sandbox.requests() == []


def test_a_post_whose_answer_is_lost_is_found_by_its_media(client, sandbox):
    media, other = upload(client), upload(client, name="job-2.mp4")
    client.create_post(draft(other.id))
    sandbox.add_fault("create_post", apply_then_drop=True)
    with pytest.raises(OutcomeUnknown):
        client.create_post(draft(media.id))
    (found,) = client.find_posts([media.id])
    assert (found.status, found.media_ids) == (PostStatus.DRAFT, (media.id,))
    assert client.find_posts([999]) == []


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 504}, {"truncate_reply": 5}])
def test_a_creation_that_failed_on_their_side_may_have_been_applied(client, sandbox, fault):
    sandbox.add_fault("create_post", **fault)
    with pytest.raises(OutcomeUnknown):
        client.create_post(draft(caption="x"))


def test_a_creation_that_never_left_was_not_applied(client, sandbox):
    with (
        OnlySocial(Credentials(key="k", workspace="w", api_url="http://127.0.0.1:9")) as nobody,
        pytest.raises(Unavailable),
    ):
        nobody.create_post(draft(caption="x"))


def test_publishing_again_is_harmless(client, sandbox):
    uuid = client.create_post(draft(caption="x"))
    sandbox.add_fault("publish_post", apply_then_drop=True)
    with pytest.raises(OutcomeUnknown):
        client.publish_now(uuid)
    assert client.read_post(uuid).status is PostStatus.SCHEDULED
    assert not client.publish_now(uuid).was_under_way
    for seconds in (0.5, 1):
        sandbox.advance(seconds)
        assert client.publish_now(uuid).was_under_way
    assert client.read_post(uuid).status is PostStatus.PUBLISHED
    assert len(sandbox.posts()[0]["publish_received_at"]) == 4


def test_approval_is_told(client, sandbox):
    sandbox.settings(onlysocial_needs_approval=True)
    uuid = client.create_post(draft(caption="x"))
    assert client.publish_now(uuid).needs_approval
    assert client.read_post(uuid).status is PostStatus.NEEDS_APPROVAL
    assert sandbox.approve_post(uuid)
    sandbox.advance(2)
    assert client.read_post(uuid).status is PostStatus.PUBLISHED


def test_partly_published_is_not_failed(client, sandbox):
    sandbox.settings(onlysocial_outcome="partly_published", onlysocial_publish_seconds=0)
    uuid = client.create_post(draft(caption="x"))
    client.publish_now(uuid)
    assert client.read_post(uuid).status is PostStatus.PARTLY_PUBLISHED
    sandbox.settings(onlysocial_outcome="failed")
    other = client.create_post(draft(caption="x"))
    client.publish_now(other)
    post = client.read_post(other)
    assert (post.status, post.failure) == (
        PostStatus.FAILED,
        "Harbour Films: The platform refused the video.",
    )


def test_an_account_that_is_not_connected_fails(client, sandbox):
    sandbox.settings(onlysocial_publish_seconds=0)
    uuid = client.create_post(draft(caption="x", account_id=LOST))
    client.publish_now(uuid)
    assert "no longer authorized" in client.read_post(uuid).failure


def test_a_post_is_left_to_the_platform_s_own_minute(client, sandbox):
    media = upload(client)
    uuid = client.create_post(draft(media.id))
    at = NOW + timedelta(hours=2, seconds=30)
    assert client.schedule(uuid, at).scheduled_at == NOW + timedelta(hours=2)
    post = client.read_post(uuid)
    assert (post.status, post.media_ids, post.scheduled_at) == (
        PostStatus.SCHEDULED,
        (media.id,),
        NOW + timedelta(hours=2),
    )
    sandbox.advance(2 * 3600 + 2)
    assert client.read_post(uuid).status is PostStatus.PUBLISHED


def test_a_moment_in_the_past_is_refused(client):
    uuid = client.create_post(draft(caption="x"))
    with pytest.raises(Rejected, match="cannot_scheduled"):
        client.schedule(uuid, NOW - timedelta(hours=1))


def test_a_post_somebody_deleted_is_gone(client, sandbox):
    uuid = client.create_post(draft(caption="x"))
    client.delete_post(uuid)
    client.delete_post(uuid)
    for call in (client.read_post, client.publish_now):
        with pytest.raises(NotFound):
            call(uuid)


@pytest.mark.parametrize("uuid", ["../accounts", "a/b", "", "x" * 65, "ü"])
def test_what_is_no_id_is_never_put_into_an_address(client, sandbox, uuid):
    with pytest.raises(NotFound):
        client.read_post(uuid)
    assert sandbox.requests() == []


# -------------------------------------------------------------------- refusals


@pytest.mark.parametrize("call", ["accounts", "create_post", "publish_now", "upload_media"])
def test_a_token_taken_away_is_told_as_such(client, sandbox, call):
    sandbox.settings(onlysocial_token_revoked=True)
    calls = {
        "accounts": client.accounts,
        "create_post": lambda: client.create_post(draft(caption="x")),
        "publish_now": lambda: client.publish_now("abc"),
        "upload_media": lambda: upload(client),
    }
    with pytest.raises(CredentialsRejected, match="access token"):
        calls[call]()


def test_another_workspace_is_told_as_such(sandbox):
    with (
        OnlySocial(credentials_for(sandbox, workspace="nobody")) as lost,
        pytest.raises(CredentialsRejected, match="Check the workspace"),
    ):
        lost.accounts()


def test_a_rate_limit_says_for_how_long(client, sandbox):
    sandbox.settings(onlysocial_requests_per_minute=2)
    client.accounts()
    client.accounts()
    with pytest.raises(RateLimited) as caught:
        client.create_post(draft(caption="x"))
    assert 0 < caught.value.retry_after <= 60
    assert sandbox.posts() == []


def test_a_redirect_is_not_followed(client, sandbox):
    sandbox.add_fault(
        "accounts", status=302, body="<html>", headers={"Location": f"{sandbox.onlysocial_url}/x/accounts"}
    )
    with pytest.raises(CredentialsRejected, match="redirect"):
        client.accounts()
    assert len(sandbox.requests()) == 1


def test_a_page_of_html_instead_of_an_answer_is_no_answer(client, sandbox):
    sandbox.add_fault("accounts", status=200, body="<html>Welcome</html>")
    with pytest.raises(Unavailable, match="not whole"):
        client.accounts()
    sandbox.add_fault("create_post", status=200, body="<html>Welcome</html>")
    with pytest.raises(OutcomeUnknown):
        client.create_post(draft(caption="x"))


def test_any_answer_of_success_to_publish_is_an_acceptance(client, sandbox):
    uuid = client.create_post(draft(caption="x"))
    sandbox.add_fault("publish_post", status=200, body='"scheduled"')
    assert not client.publish_now(uuid).needs_approval


def test_the_uuid_is_found_at_the_top_or_under_data():
    for body in (b'{"uuid": "abc"}', b'{"data": {"uuid": "abc"}}'):
        with (
            served(answers(reply("201 Created", body))) as base,
            OnlySocial(Credentials(key="k", workspace="w", api_url=base)) as client,
        ):
            assert client.create_post(draft(caption="x")) == "abc"


def test_a_connection_reset_after_the_request_left_is_unknown():
    with (
        served(resets) as base,
        OnlySocial(Credentials(key="k", workspace="w", api_url=base)) as client,
        pytest.raises(OutcomeUnknown),
    ):
        client.publish_now("abc")


def test_an_idle_connection_is_not_trusted_with_what_cannot_be_repeated():
    """The second request finds its connection closed by the server: it is sent on a new one, once."""
    seen: list[bytes] = []

    def once_then_close(connection):
        seen.append(request_of(connection))
        connection.sendall(reply("200 OK", b'{"data": []}'))

    with (
        served(once_then_close, answers(reply("201 Created", b'{"uuid": "abc"}'), into=seen)) as base,
        OnlySocial(Credentials(key="k", workspace="w", api_url=base)) as client,
    ):
        client.accounts()
        client._http._used_at -= 60
        assert client.create_post(draft(caption="x")) == "abc"
    assert [each.split(b" ")[0] for each in seen] == [b"GET", b"POST"]


def test_the_token_shows_nowhere(sandbox):
    secret = "canary-5f3a"
    with OnlySocial(credentials_for(sandbox, key=secret)) as client:
        sandbox.add_fault("*", status=500, body={"message": f"token {secret} is bad"}, times=None)
        with pytest.raises(PlatformError) as caught:
            client.accounts()
    shown = "".join(traceback.format_exception(caught.value)) + repr(credentials_for(sandbox, key=secret))
    assert secret not in shown


@pytest.mark.parametrize(
    "changes",
    [
        {"api_url": "http://app.onlysocial.io/os/api"},
        {"api_url": "ftp://example.com"},
        {"api_url": "https://user:pass@example.com"},
        {"key": ""},
        {"key": "a\nb"},
        {"workspace": ""},
        {"workspace": "../x"},
    ],
)
def test_credentials_that_cannot_be_used_are_refused_at_once(sandbox, changes):
    with pytest.raises(CredentialsRejected):
        OnlySocial(credentials_for(sandbox, **changes))
