"""Who may watch the live stream: staff, by session (from our own pages) or by API token."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from importlib import import_module
from typing import Any
from urllib.parse import urlparse

from channels.security.websocket import OriginValidator
from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
    load_backend,
)
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import parse_cookie
from django.utils.crypto import constant_time_compare
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

Scope = dict[str, Any]

# The subprotocol under which a browser, which cannot set headers, offers its token.
BEARER = "bearer"


class Close(IntEnum):
    """Why the server closed a live connection; servers let an application use 4000–4999 only."""

    # The query is not understood: asking again will not help.
    BAD_REQUEST = 4400
    # No session or token, or one that has ended: log in.
    UNAUTHENTICATED = 4401
    # Known, but not staff (any more).
    FORBIDDEN = 4403
    # The client reads too slowly: it comes back with `after` and misses nothing.
    TOO_SLOW = 4408
    # The stream broke on our side: come back with `after`.
    TRY_AGAIN = 4503


def headers(scope: Scope, name: bytes) -> Iterator[str]:
    return (value.decode("latin1") for key, value in scope["headers"] if key == name)


def token_of(scope: Scope) -> str | None:
    """The API token of the Authorization header, or the one offered as a subprotocol after `bearer`."""
    for value in headers(scope, b"authorization"):
        kind, _, token = value.partition(" ")
        if kind.lower() == BEARER:
            return token.strip()
    offered = scope.get("subprotocols") or []
    return offered[1] if len(offered) == 2 and offered[0] == BEARER else None


def origin_allowed(scope: Scope) -> bool:
    """Whether the page that opens the connection is ours; only a token may come from no page at all.

    A browser sends its cookies with any site's WebSocket and always names the site: a session without an
    Origin is no browser's.
    """
    origins = list(headers(scope, b"origin"))
    if not origins:
        return token_of(scope) is not None or not session_key_of(scope)
    try:
        return all(OriginValidator(None, settings.ALLOWED_HOSTS).valid_origin(urlparse(o)) for o in origins)
    except ValueError:
        return False


def session_key_of(scope: Scope) -> str | None:
    for value in headers(scope, b"cookie"):
        if key := parse_cookie(value).get(settings.SESSION_COOKIE_NAME):
            return key
    return None


def refusal(scope: Scope) -> Close | None:
    """Why this client may not watch, now; None if it may. Reads the database."""
    user = (
        token_user(token) if (token := token_of(scope)) is not None else session_user(session_key_of(scope))
    )
    if user is None or not user.is_active:
        return Close.UNAUTHENTICATED
    return None if getattr(user, "is_staff", False) else Close.FORBIDDEN


def token_user(token: str) -> AbstractBaseUser | None:
    try:
        user, _ = TokenAuthentication().authenticate_credentials(token.encode())
    except AuthenticationFailed:
        return None
    return user


def session_user(key: str | None) -> AbstractBaseUser | None:
    """The user of a session that has not ended; unlike Django's own look-up it never renews or ends one."""
    session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    backend = session.get(BACKEND_SESSION_KEY)
    if SESSION_KEY not in session or backend not in settings.AUTHENTICATION_BACKENDS:
        return None
    pk = get_user_model()._meta.pk.to_python(session[SESSION_KEY])
    user = load_backend(backend).get_user(pk)
    if user is None:
        return None
    kept = session.get(HASH_SESSION_KEY, "")
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return user if any(constant_time_compare(kept, valid) for valid in hashes) else None
