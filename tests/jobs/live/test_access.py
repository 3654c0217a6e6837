"""Who is let in, and who is sent away later."""

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session

from jobs.live.access import Close
from jobs.live.consumer import LiveConsumer
from tests.jobs.live.conftest import ORIGIN

EVIL = (b"origin", b"https://evil.example")


@pytest.fixture
def cookie(staff, cookie_of):
    return cookie_of(staff)


def bearer(token: str) -> tuple[bytes, bytes]:
    return b"authorization", f"Bearer {token}".encode()


async def test_a_staff_session_on_our_own_page_is_let_in(client, cookie):
    assert (await client(headers=[cookie, ORIGIN]).hello())["type"] == "hello"


async def test_a_session_on_a_foreign_page_is_refused(client, cookie):
    assert await client(headers=[cookie, EVIL]).connect() == (False, 1000)


async def test_a_session_without_an_origin_is_refused(client, cookie):
    assert await client(headers=[cookie]).connect() == (False, 1000)


async def test_a_token_needs_no_origin(client, token):
    assert (await client(headers=[bearer(token)]).hello())["type"] == "hello"


@pytest.mark.parametrize(
    "origin", [b"https://evil.example", b"null", b"http://[", b"http://testserver.evil.example"]
)
async def test_a_token_on_a_foreign_page_is_refused(client, token, origin):
    assert await client(headers=[bearer(token), (b"origin", origin)]).connect() == (False, 1000)


async def test_any_origin_is_ours_where_any_host_is(client, cookie, settings):
    settings.ALLOWED_HOSTS = ["*"]
    assert (await client(headers=[cookie, EVIL]).hello())["type"] == "hello"
    assert await client(headers=[cookie]).connect() == (False, 1000)


async def test_a_token_may_come_as_a_subprotocol(client, token):
    socket = client(headers=[ORIGIN], protocols=["bearer", token])
    assert await socket.connect() == (True, "bearer")
    assert (await socket.next())["type"] == "hello"


async def test_nobody_is_sent_to_log_in(client, transactional_db):
    assert await client(headers=[ORIGIN]).close_code() == Close.UNAUTHENTICATED
    assert await client(headers=[]).close_code() == Close.UNAUTHENTICATED


async def test_a_token_in_the_query_is_not_looked_at(client, token):
    assert await client(f"token={token}", headers=[]).close_code() == Close.UNAUTHENTICATED


@pytest.mark.parametrize("wrong", ["", "nonsense", "Ünicode", "0" * 64])
async def test_a_wrong_token_is_refused(client, wrong, transactional_db):
    header = (b"authorization", f"Bearer {wrong}".encode())
    assert await client(headers=[header]).close_code() == Close.UNAUTHENTICATED


async def test_a_wrong_token_is_not_saved_by_a_session(client, cookie):
    headers = [cookie, ORIGIN, bearer("wrong")]
    assert await client(headers=headers).close_code() == Close.UNAUTHENTICATED


async def test_a_user_who_is_not_staff_is_forbidden(client, cookie_of, django_user_model, transactional_db):
    user = await sync_to_async(django_user_model.objects.create_user)("eve")
    cookie = await sync_to_async(cookie_of)(user)
    assert await client(headers=[cookie, ORIGIN]).close_code() == Close.FORBIDDEN


async def test_a_session_ends_with_the_password_it_was_opened_with(client, cookie, staff):
    staff.set_password("difference")
    await staff.asave()
    assert await client(headers=[cookie, ORIGIN]).close_code() == Close.UNAUTHENTICATED
    assert await Session.objects.acount() == 1


async def test_a_key_that_was_rotated_out_keeps_sessions(client, cookie, settings):
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another" * 10
    assert (await client(headers=[cookie, ORIGIN]).hello())["type"] == "hello"


@pytest.mark.parametrize(
    ("change", "code"),
    [({"is_active": False}, Close.UNAUTHENTICATED), ({"is_staff": False}, Close.FORBIDDEN)],
)
async def test_a_user_who_loses_access_is_disconnected(client, token, staff, monkeypatch, change, code):
    monkeypatch.setattr(LiveConsumer, "recheck_seconds", 0.05)
    socket = client()
    await socket.hello()
    await type(staff).objects.filter(pk=staff.pk).aupdate(**change)
    assert await socket.closed() == code


async def test_logging_out_disconnects(client, cookie, monkeypatch):
    monkeypatch.setattr(LiveConsumer, "recheck_seconds", 0.05)
    socket = client(headers=[cookie, ORIGIN])
    await socket.hello()
    await Session.objects.all().adelete()
    assert await socket.closed() == Close.UNAUTHENTICATED
