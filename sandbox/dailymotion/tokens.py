"""Access tokens of the three dialects: lifetimes, scopes, sessions, revocation."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.dailymotion.errors import BadToken, Forbidden
from sandbox.dailymotion.settings import Account
from sandbox.dailymotion.state import State

_PUBLIC = {"playlist.read", "profile.read", "video.read"}
_USER = _PUBLIC | {"account.manage", "live.manage", "playlist.manage", "profile.manage", "video.manage"}
_PUBLISHER = _USER | {"analytics.manage", "player.manage"}
BUNDLES = {
    "bundle.public": _PUBLIC,
    "bundle.user": _USER,
    "bundle.publisher": _PUBLISHER,
    "bundle.organization": _PUBLISHER | {"organization.manage"},
}
V2_SCOPES = BUNDLES["bundle.organization"] | {"account.read"}
LEGACY_SCOPES = frozenset(
    {"manage_videos", "manage_playlists", "manage_likes", "manage_subscriptions", "manage_player", "userinfo"}
    | {"email", "feed", "read_insights", "manage_claim_rules"}
)
# The bundles hold no account.read, yet their holders read their account: managing it includes reading it.
IMPLIED = {"account.read": "account.manage"}


@dataclass
class Token:
    value: str
    dialect: str
    profile_id: str
    scopes: frozenset[str]
    expires_at: float
    expires_in: int
    has_user: bool  # false: client_credentials of the older dialects, where nobody is logged in
    refresh_token: str | None = None


@dataclass
class Login:
    """A password session of the public dialect. Its scopes stay as they were until it is logged out."""

    profile_id: str
    scopes: frozenset[str]
    refresh_token: str


class Tokens:
    def __init__(self, state: State) -> None:
        self._state = state
        self._tokens: dict[str, Token] = {}
        self._logins: dict[str, Login] = {}

    def issue(
        self,
        account: Account,
        *,
        dialect: str,
        scopes: Iterable[str],
        has_user: bool,
        refresh: str | None = None,
    ) -> Token:
        lifetime: int = getattr(self._state.settings, f"{dialect}_token_seconds")
        now = self._state.clock()
        value = secrets.token_urlsafe(32) if dialect == "public" else _jwt(account.profile_id, now, lifetime)
        token = Token(
            value, dialect, account.profile_id, frozenset(scopes), now + lifetime, lifetime, has_user, refresh
        )
        self._tokens[value] = token
        return token

    def login(self, account: Account, scopes: frozenset[str]) -> Login:
        """The account's open session whatever its scopes, or a new one."""
        login = self._logins.get(account.profile_id)
        if login is None:
            login = Login(account.profile_id, scopes, secrets.token_urlsafe(32))
            self._logins[account.profile_id] = login
        return login

    def by_refresh_token(self, value: str) -> Login | None:
        return next((login for login in self._logins.values() if login.refresh_token == value), None)

    def logout(self, token: Token) -> None:
        self._logins.pop(token.profile_id, None)
        kept = self._tokens.items()
        self._tokens = {
            value: held
            for value, held in kept
            if not (held.dialect == "public" and held.has_user and held.profile_id == token.profile_id)
        }

    def check(self, dialect: str, authorization: str | None) -> Token:
        """The valid token of an Authorization header; raises BadToken."""
        legacy_status = self._state.settings.legacy_expiry_status
        scheme, _, value = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not value:
            raise BadToken("INVALID_AUTHORIZATION", "No access token was given.")
        if dialect != "public" and value.count(".") != 2:
            raise BadToken("INVALID_TOKEN", "The access token is malformed.", legacy_status=legacy_status)
        token = self._tokens.get(value)
        if token is None or token.dialect != dialect or self._state.profile(token.profile_id) is None:
            raise BadToken("INVALID_TOKEN", "The access token is invalid.", legacy_status=legacy_status)
        if token.expires_at <= self._state.clock():
            raise BadToken(
                "AUTHORIZATION_EXPIRED", "The access token has expired.", legacy_status=legacy_status
            )
        return token

    def revoke_all(self) -> int:
        count = len(self._tokens)
        self._tokens.clear()
        self._logins.clear()
        return count


def require_v2_scope(token: Token, scope: str) -> None:
    if scope not in token.scopes and IMPLIED.get(scope) not in token.scopes:
        required = {"missing_permissions": [scope], "required_permissions": [scope]}
        raise Forbidden(f"Missing permission: {scope}.", details=required)


def require_legacy_scope(token: Token, scope: str, *, method: str, path: str) -> None:
    if scope not in token.scopes:
        raise Forbidden(f"Insufficient scope for `{method} {path}', scope required: {scope}")


def expand(scope: str) -> frozenset[str] | None:
    """The v2 scopes named by a scope parameter, bundles opened; none if a name is unknown."""
    names = scope.split()
    if not all(name in V2_SCOPES or name in BUNDLES for name in names):
        return None
    return frozenset(single for name in names for single in BUNDLES.get(name, {name}))


def _jwt(subject: str, now: float, lifetime: int) -> str:
    header = {"alg": "HS256", "typ": "JWT"}
    claims = {"sub": subject, "iat": int(now), "exp": int(now) + lifetime, "jti": secrets.token_hex(8)}
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in (header, claims)]
    return ".".join(_base64url(part) for part in (*parts, secrets.token_bytes(32)))


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
