"""Dailymotion's answers: what each refusal means."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from uploader.platforms.errors import (
    CredentialsRejected,
    NotFound,
    OutcomeUnknown,
    PlatformError,
    QuotaReached,
    RateLimited,
    Rejected,
    Unavailable,
    UploadExpired,
)
from uploader.platforms.http import Answer
from uploader.platforms.values import DAY, integer, retry_after, shown, text

HOUR = 3600.0

_EXPIRED_TOKEN = {"INVALID_TOKEN", "AUTHORIZATION_EXPIRED", "INVALID_AUTHORIZATION"}
_QUOTA = re.compile(r"limit|quota|\brate\b|too many", re.IGNORECASE)
_SCOPE = re.compile(r"scope|permission|privilege", re.IGNORECASE)
_STALE_SESSION = re.compile(r"expir|session|seal|uuid|unknown upload", re.IGNORECASE)


class Purpose(Enum):
    """What a request was for, as far as it changes what a refusal means."""

    API = auto()
    CREATE = auto()  # not repeatable; its quota answers mean the day's allowance
    UPLOAD = auto()  # at the signed address: no credentials involved, a new session mends most


@dataclass(frozen=True)
class Problem:
    """An error answer of any dialect, taken apart."""

    status: int
    code: str = ""
    message: str = ""
    correlation_id: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        return f"HTTP {self.status}" + (f", correlation {self.correlation_id}" if self.correlation_id else "")

    @property
    def sentence(self) -> str:
        return f"“{self.message}” ({self.reference})" if self.message else self.reference


def problem_of(answer: Answer, *, hide: Callable[[str], str]) -> Problem | None:
    """
    What is wrong with an answer; None for a success. A 200 with an `error` is an error.

    `hide` takes out of the platform's words what must not be shown.
    """
    try:
        body = answer.json()
    except ValueError:
        body = None
    error = body.get("error") if isinstance(body, dict) else None
    if 200 <= answer.status < 300 and not error:
        return None
    if isinstance(error, dict):
        return _problem(answer.status, error, hide)
    if isinstance(body, dict):
        message = text(error) and " – ".join(filter(None, (text(error), text(body.get("error_description")))))
        return Problem(_error_status(answer.status, None), message=shown(hide(message or _detail(body))))
    return Problem(_error_status(answer.status, None))


def _problem(status: int, error: Mapping[str, Any], hide: Callable[[str], str]) -> Problem:
    details = error.get("details") or error.get("error_data")
    return Problem(
        _error_status(status, integer(error.get("code"))),
        code=text(error.get("code")),
        message=shown(hide(text(error.get("message")))),
        correlation_id=shown(hide(text(error.get("correlation_id")))),
        details=details if isinstance(details, dict) else {},
    )


def _error_status(status: int, code: int | None) -> int:
    """An error under a good status says its own in `code`; without one it is the server's fault."""
    if not 200 <= status < 300:
        return status
    return code if code is not None and 400 <= code < 600 else 500


def _detail(body: Mapping[str, Any]) -> str:
    """The v2 token endpoint's validation errors: {"detail": [{"msg": …}]}."""
    detail = body.get("detail")
    if isinstance(detail, list):
        return "; ".join(text(each.get("msg")) for each in detail if isinstance(each, dict))
    return text(detail) or text(body.get("message"))


def is_token_refused(answer: Answer, problem: Problem) -> bool:
    """v2 answers 401; the legacy dialects 400, 401 or 403 with a WWW-Authenticate of `invalid_token`."""
    challenge = answer.headers.get("WWW-Authenticate", "")
    return (
        problem.status == 401
        or problem.code in _EXPIRED_TOKEN
        or (answer.status in (400, 403) and "invalid_token" in challenge)
    )


def error_for(
    answer: Answer, problem: Problem, *, purpose: Purpose, doing: str, clock: Callable[[], float]
) -> PlatformError:
    """The exception a refusal stands for; `doing` names the action: “create the video”."""
    status, said = problem.status, f"Dailymotion refused to {doing}: {problem.sentence}."
    pause = retry_after(answer, clock=clock)
    if status == 429 or (purpose is Purpose.CREATE and status == 403 and _is_quota(problem)):
        if purpose is Purpose.CREATE:
            return QuotaReached(f"Upload allowance used up. {said}", delay_seconds=pause or DAY)
        return RateLimited(said, retry_after=pause or HOUR)
    if status >= 500 or status == 408:
        return _server_error(problem, purpose=purpose, doing=doing)
    if 300 <= status < 400:
        return Unavailable(
            f"Dailymotion answered with a redirect ({problem.reference}). Check the API address."
        )
    if purpose is Purpose.UPLOAD:
        return _upload_error(problem, said)
    if status == 401:
        return CredentialsRejected(
            f"Dailymotion does not accept the access token: {problem.sentence}. Reconnect."
        )
    if status == 403:
        return CredentialsRejected(said + _missing_scope(problem))
    if status == 404:
        return _not_found(problem, purpose=purpose, said=said)
    if status == 409:
        return OutcomeUnknown(
            f"Dailymotion reports a conflict: {problem.sentence}. It may have been applied."
        )
    return Rejected(said)


def _is_quota(problem: Problem) -> bool:
    is_scope = problem.code == "MISSING_PERMISSIONS" or _SCOPE.search(problem.message)
    return not is_scope and bool(_QUOTA.search(problem.message))


def _server_error(problem: Problem, *, purpose: Purpose, doing: str) -> PlatformError:
    if purpose is Purpose.CREATE:
        return OutcomeUnknown(
            f"Dailymotion failed when asked to {doing}: {problem.sentence}. It may have been applied."
        )
    return Unavailable(f"Dailymotion could not {doing}: {problem.sentence}.")


def _upload_error(problem: Problem, said: str) -> PlatformError:
    if problem.status == 409:
        return Unavailable(said)
    is_stale = problem.status in (401, 403, 404, 410) or _STALE_SESSION.search(problem.message)
    return UploadExpired(f"{said} The file must be sent again.") if is_stale else Rejected(said)


def _not_found(problem: Problem, *, purpose: Purpose, said: str) -> PlatformError:
    if text(problem.details.get("object_type")).lower() in ("profile", "user"):
        return CredentialsRejected(f"{said} Check the profile ID.")
    if purpose is Purpose.CREATE:
        return UploadExpired(f"{said} The file must be sent again.")
    return NotFound(said)


def _missing_scope(problem: Problem) -> str:
    """Names what the key lacks; the legacy dialects say so in the message itself."""
    for name in ("missing_permissions", "required_permissions"):
        missing = problem.details.get(name)
        if isinstance(missing, list) and missing:
            return f" The key lacks {', '.join(text(each) for each in missing)}."
    return ""
