from __future__ import annotations

import pytest

from sandbox.server import Sandbox
from tests.sandbox.client import PROFILE, Client, TestClock

LIFETIMES = {"v2": 1800, "partner": 3600, "public": 36_000}


def test_every_dialect_gives_a_bearer_token_with_its_lifetime(client: Client) -> None:
    answer = client.token().json()
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == LIFETIMES[client.dialect]
    assert set(answer["scope"].split()) == set(client.scope.split())


def test_only_the_password_grant_has_a_user_and_a_refresh_token(sandbox: Sandbox) -> None:
    client = Client(sandbox, "public")
    with client.http:
        password = client.token().json()
        alone = client.token(grant_type="client_credentials").json()
    assert password["uid"] == PROFILE and password["refresh_token"]
    assert alone["uid"] is None and alone["refresh_token"] is None
    assert "refresh_token" not in Client(sandbox, "v2").token().json()


def test_a_wrong_secret_is_an_invalid_client_in_every_dialect(client: Client) -> None:
    answer = client.token(client_secret="wrong")
    assert answer.status_code == 401
    assert answer.json() == {
        "error": "invalid_client",
        "error_description": "Client authentication failed",
    }


def test_a_wrong_password_is_an_invalid_grant(public: Client) -> None:
    answer = public.token(password="wrong")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("dialect", ["v2", "partner"])
def test_private_keys_have_no_password_grant(sandbox: Sandbox, dialect: str) -> None:
    answer = Client(sandbox, dialect).token(grant_type="password", username="sandbox", password="sandbox")
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


def test_a_token_request_must_be_a_form(v2: Client, sandbox: Sandbox) -> None:
    answer = v2.http.post(sandbox.token_url("v2"), json=v2.token_form(), timeout=20)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_v2_refuses_an_unknown_scope_in_its_own_words(v2: Client) -> None:
    answer = v2.token(scope="video.manage everything")
    assert answer.status_code == 422
    assert answer.json() == {"detail": [{"msg": "invalid scope", "type": "value_error"}]}


def test_the_publisher_bundle_serves_everything_a_publisher_needs(sandbox: Sandbox) -> None:
    client = Client(sandbox, "v2", scope="bundle.publisher").log_in()
    assert client.call("GET", "/me").status_code == 200
    assert client.list().status_code == 200
    assert client.create().status_code == 201


def test_managing_videos_does_not_include_reading_them(sandbox: Sandbox) -> None:
    client = Client(sandbox, "v2", scope="video.manage").log_in()
    refused = client.list()
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "MISSING_PERMISSIONS"
    assert refused.json()["error"]["details"]["missing_permissions"] == ["video.read"]
    assert client.call("GET", "/me").status_code == 403


def test_a_legacy_token_without_its_scope_is_told_which(sandbox: Sandbox) -> None:
    answer = Client(sandbox, "partner", scope="").log_in().create("https://x/")
    message = answer.json()["error"]["message"]
    assert answer.status_code == 403
    assert message == f"Insufficient scope for `POST /user/{PROFILE}/videos', scope required: manage_videos"


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "INVALID_AUTHORIZATION"),
        ("Basic abc", "INVALID_AUTHORIZATION"),
        ("Bearer not-a-jwt", "INVALID_TOKEN"),
        ("Bearer a.b.c", "INVALID_TOKEN"),
    ],
)
def test_v2_says_what_is_wrong_with_a_token(sandbox: Sandbox, authorization: str | None, code: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = Client(sandbox, "v2").call("GET", "/me", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)


def test_an_expired_token_is_refused_in_the_words_of_its_dialect(client: Client, clock: TestClock) -> None:
    clock.now += LIFETIMES[client.dialect] - 1
    assert client.open_upload().status_code in (200, 201)
    clock.now += 1
    refused = client.open_upload()
    assert refused.status_code == 401
    if client.dialect == "v2":
        assert refused.json()["error"]["code"] == "AUTHORIZATION_EXPIRED"
    else:
        assert refused.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    assert client.log_in().open_upload().status_code in (200, 201)


@pytest.mark.parametrize("status", [400, 401, 403])
def test_the_older_dialects_signal_expiry_by_header_whatever_the_status(
    partner: Client, sandbox: Sandbox, clock: TestClock, status: int
) -> None:
    sandbox.settings(legacy_expiry_status=status)
    clock.now += 3600
    refused = partner.open_upload()
    assert refused.status_code == status
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]


def test_revoked_tokens_are_refused(client: Client, sandbox: Sandbox) -> None:
    assert sandbox.revoke_tokens() == 1
    assert client.open_upload().status_code == 401
    assert client.log_in().open_upload().status_code in (200, 201)


def test_a_token_serves_one_dialect_only(v2: Client, sandbox: Sandbox) -> None:
    other = Client(sandbox, "partner")
    other.http.headers["Authorization"] = v2.http.headers["Authorization"]
    assert other.open_upload().status_code == 401


def test_a_refresh_token_gives_a_new_token_of_the_same_login(public: Client) -> None:
    refresh = public.token().json()["refresh_token"]
    answer = public.token(grant_type="refresh_token", refresh_token=refresh)
    assert answer.json()["uid"] == PROFILE
    unknown = public.token(grant_type="refresh_token", refresh_token="unknown")
    assert (unknown.status_code, unknown.json()["error"]) == (400, "invalid_grant")


def test_the_scope_of_a_login_widens_only_after_logout(sandbox: Sandbox) -> None:
    narrow = Client(sandbox, "public", scope="").log_in()
    assert narrow.token(scope="manage_videos").json()["scope"] == ""
    assert narrow.call("GET", "/logout").status_code == 200
    assert narrow.call("GET", "/me").status_code == 401
    assert narrow.token(scope="manage_videos").json()["scope"] == "manage_videos"


def test_client_credentials_of_the_public_dialect_read_public_data_only(sandbox: Sandbox) -> None:
    client = Client(sandbox, "public").log_in(grant_type="client_credentials")
    assert client.list().status_code == 200
    assert client.open_upload().status_code == 403
