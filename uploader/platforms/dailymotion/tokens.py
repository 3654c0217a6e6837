"""Access tokens: asked for once per process and account, renewed before they expire, never logged."""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from uploader.platforms.dailymotion.answers import HOUR, Problem, problem_of
from uploader.platforms.dailymotion.records import Credentials
from uploader.platforms.errors import CredentialsRejected, RateLimited, Unavailable
from uploader.platforms.http import Answer, Http
from uploader.platforms.values import number, retry_after, text

RENEW_AFTER = 0.85  # of a token's life
LIFETIME_SECONDS = {"v2": 1800.0, "partner": 3600.0, "public": 36000.0}  # when the answer does not say
V2_SCOPES = ("account.read video.read video.manage", "bundle.publisher")
LEGACY_SCOPE = "manage_videos"
_HEADER_SAFE = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Token:
    value: str = field(repr=False)
    renew_at: float
    refresh: str = field(default="", repr=False)


class TokenCache:
    """The tokens of this process. One account's requests for a token wait for each other; accounts do not."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._tokens: dict[str, Token] = {}

    def lock(self, account: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(account, threading.Lock())

    def get(self, account: str) -> Token | None:
        return self._tokens.get(account)

    def put(self, account: str, token: Token) -> None:
        self._tokens[account] = token

    def clear(self) -> None:
        self._tokens.clear()


CACHE = TokenCache()


class Tokens:
    """The tokens of one account, over one connection."""

    def __init__(
        self, credentials: Credentials, *, token_url: str, http: Http, clock: Callable[[], float]
    ) -> None:
        self._credentials = credentials
        self._url = token_url
        self._http = http
        self._clock = clock
        self._account = _digest(credentials, token_url)

    def current(self) -> Token:
        """A token with life left. Raises CredentialsRejected, RateLimited or Unavailable."""
        with CACHE.lock(self._account):
            known = CACHE.get(self._account)
            if known and self._clock() < known.renew_at:
                return known
            return self._renewed(known)

    def after(self, refused: Token) -> Token:
        """A token other than the one just refused; the one another thread got meanwhile will do."""
        with CACHE.lock(self._account):
            known = CACHE.get(self._account)
            if known and known.value != refused.value and self._clock() < known.renew_at:
                return known
            return self._renewed(known)

    def hide(self, message: str) -> str:
        """The message without anything a platform may have echoed of the credentials or the token."""
        known = CACHE.get(self._account)
        held = (self._credentials.key, self._credentials.secret, self._credentials.password)
        for secret in (*held, *((known.value, known.refresh) if known else ())):
            message = message.replace(secret, "•••") if secret else message
        return message

    def _renewed(self, known: Token | None) -> Token:
        token = self._ask(known)
        CACHE.put(self._account, token)
        return token

    def _ask(self, known: Token | None) -> Token:
        """The first grant that is accepted; the next is tried only when one is refused, not when it fails."""
        problem = Problem(0)
        for grant in self._grants(known):
            answer = self._http.call("POST", self._url, form=grant)
            refused = problem_of(answer, hide=self.hide)
            if refused is None:
                return self._token(answer)
            problem = refused
            self._raise_unless_refused(answer, problem)
            if not self._is_worth_another_grant(grant, problem):
                break
        raise CredentialsRejected(
            f"Dailymotion refused the credentials: {problem.sentence}. "
            "Check the key, the secret and the dialect."
        )

    def _grants(self, known: Token | None) -> Iterator[dict[str, str]]:
        client = {"client_id": self._credentials.key, "client_secret": self._credentials.secret}
        if self._credentials.dialect == "v2":
            for scope in V2_SCOPES:
                yield {"grant_type": "client_credentials", **client, "scope": scope}
            return
        if self._credentials.dialect == "partner":
            yield {"grant_type": "client_credentials", **client, "scope": LEGACY_SCOPE}
            return
        if known and known.refresh:
            refresh = {"scope": LEGACY_SCOPE, "refresh_token": known.refresh}
            yield {"grant_type": "refresh_token", **client, **refresh}
        login = {"username": self._credentials.username, "password": self._credentials.password}
        yield {"grant_type": "password", **client, **login, "scope": LEGACY_SCOPE}

    def _is_worth_another_grant(self, grant: dict[str, str], problem: Problem) -> bool:
        return grant["grant_type"] == "refresh_token" or "scope" in problem.message.lower()

    def _raise_unless_refused(self, answer: Answer, problem: Problem) -> None:
        if problem.status == 429:
            raise RateLimited(
                f"Dailymotion asks to wait before the next token: {problem.sentence}.",
                retry_after=retry_after(answer, clock=self._clock) or HOUR,
            )
        if not 400 <= problem.status < 500 or problem.status == 408:
            raise Unavailable(f"Dailymotion could not issue a token: {problem.sentence}.")

    def _token(self, answer: Answer) -> Token:
        try:
            body = answer.json()
        except ValueError:
            body = None
        value = text(body.get("access_token")) if isinstance(body, dict) else ""
        if not isinstance(body, dict) or not _HEADER_SAFE.fullmatch(value):
            raise Unavailable("Dailymotion's token answer was not whole.")
        lifetime = number(body.get("expires_in"))
        if lifetime is None:
            lifetime = LIFETIME_SECONDS[self._credentials.dialect]
        return Token(value, self._clock() + RENEW_AFTER * lifetime, text(body.get("refresh_token")))


def _digest(credentials: Credentials, token_url: str) -> str:
    parts = (
        credentials.dialect,
        credentials.key,
        credentials.secret,
        credentials.username,
        credentials.password,
        token_url,
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
