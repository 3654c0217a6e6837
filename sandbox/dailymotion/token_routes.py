"""The token endpoints and the end of a session."""

from __future__ import annotations

from urllib.parse import parse_qs

from aiohttp import web

from sandbox.dailymotion.settings import Account
from sandbox.dailymotion.state import State
from sandbox.dailymotion.tokens import LEGACY_SCOPES, Token, Tokens, expand
from sandbox.platform import Call

GRANTS = {
    "v2": frozenset({"client_credentials"}),
    "partner": frozenset({"client_credentials"}),
    "public": frozenset({"password", "refresh_token", "client_credentials"}),
}
FORM = "application/x-www-form-urlencoded"


class OAuthError(Exception):
    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.body = {"error": error, "error_description": description}


class TokenRoutes:
    def __init__(self, state: State, tokens: Tokens) -> None:
        self._state = state
        self._tokens = tokens

    async def v2(self, call: Call) -> web.Response:
        try:
            form, account = self._client(call, "v2")
        except OAuthError as error:
            return web.json_response(error.body, status=error.status)
        scopes = expand(form.get("scope", ""))
        if scopes is None:
            detail = [{"msg": "invalid scope", "type": "value_error"}]
            return web.json_response({"detail": detail}, status=422)
        token = self._tokens.issue(account, dialect="v2", scopes=scopes, has_user=True)
        return web.json_response(_reply(token))

    async def partner(self, call: Call) -> web.Response:
        try:
            form, account = self._client(call, "partner")
            token = self._tokens.issue(
                account, dialect="partner", scopes=_legacy_scopes(form), has_user=False
            )
        except OAuthError as error:
            return web.json_response(error.body, status=error.status)
        return web.json_response(_reply(token))

    async def public(self, call: Call) -> web.Response:
        try:
            form, account = self._client(call, "public")
            token = self._public_token(form, account)
        except OAuthError as error:
            return web.json_response(error.body, status=error.status)
        uid = token.profile_id if token.has_user else None
        return web.json_response({**_reply(token), "refresh_token": token.refresh_token, "uid": uid})

    def _public_token(self, form: dict[str, str], account: Account) -> Token:
        if form["grant_type"] == "client_credentials":  # public data only
            return self._tokens.issue(account, dialect="public", scopes=(), has_user=False)
        if form["grant_type"] == "password":
            if (form.get("username"), form.get("password")) != (account.username, account.password):
                raise OAuthError(400, "invalid_grant", "Invalid username or password")
            login = self._tokens.login(account, _legacy_scopes(form))
        else:
            found = self._tokens.by_refresh_token(form.get("refresh_token", ""))
            if found is None or found.profile_id != account.profile_id:
                raise OAuthError(400, "invalid_grant", "Invalid refresh token")
            login = found
        return self._tokens.issue(
            account, dialect="public", scopes=login.scopes, has_user=True, refresh=login.refresh_token
        )

    def _client(self, call: Call, dialect: str) -> tuple[dict[str, str], Account]:
        if call.request.content_type != FORM:
            raise OAuthError(400, "invalid_request", f"The request must be {FORM}")
        parsed = parse_qs(call.raw.decode("utf-8", "replace"), keep_blank_values=True)
        form = {name: values[-1] for name, values in parsed.items()}
        grant = form.get("grant_type")
        if grant is None:
            raise OAuthError(400, "invalid_request", "Missing grant_type")
        if grant not in GRANTS[dialect]:
            raise OAuthError(400, "unsupported_grant_type", f"The grant {grant} is not supported")
        account = self._state.account(key=form.get("client_id", ""))
        if account is None or account.secret != form.get("client_secret"):
            raise OAuthError(401, "invalid_client", "Client authentication failed")
        return form, account


def _legacy_scopes(form: dict[str, str]) -> frozenset[str]:
    scopes = frozenset(form.get("scope", "").split())
    if not scopes <= LEGACY_SCOPES:
        raise OAuthError(400, "invalid_scope", f"Unknown scope: {' '.join(sorted(scopes - LEGACY_SCOPES))}")
    return scopes


def _reply(token: Token) -> dict[str, object]:
    return {
        "access_token": token.value,
        "token_type": "Bearer",
        "expires_in": token.expires_in,
        "scope": " ".join(sorted(token.scopes)),
    }
