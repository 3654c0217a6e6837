"""What a storage can answer, as conditions of the error tree; foreign exceptions end here.

A storage's answers are XML as S3 gives it, `<Error><Code>…</Code>`, which the client libraries put into the
words of their exceptions. Codes: Amazon S3 API, “Error responses”; Ceph and Spaces give the same, often without a
message.
"""

from __future__ import annotations

import re

from obstore.exceptions import BaseError

from jobs.errors import ErrorKind
from uploader.platforms.errors import (
    CredentialsRejected,
    NotFound,
    PlatformError,
    QuotaReached,
    RateLimited,
    Rejected,
    Unavailable,
)

THROTTLED_SECONDS = 60.0
NO_ROOM_SECONDS = 900.0


class BucketMissing(CredentialsRejected):
    """There is no such bucket. Make it, or correct its name, then use “Test connection”."""


class KeysRejected(CredentialsRejected):
    """The storage refused the keys. Check them, then use “Test connection”."""


class ClockWrong(CredentialsRejected):
    """The clock of this machine differs too much from the storage's. Set it right, then use “Test connection”."""


class Throttled(RateLimited):
    """The storage asked for fewer requests."""

    def __init__(self, message: str = "", *, retry_after: float = THROTTLED_SECONDS) -> None:
        super().__init__(message, retry_after=retry_after)


class ConnectionBroken(Unavailable):
    """The connection to the storage broke off."""


class Damaged(PlatformError):
    """What arrived at the storage is not what was sent; it is sent again."""


class NoRoom(QuotaReached):
    """The storage has no room left. Make some; the upload goes on by itself then."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message, delay_seconds=NO_ROOM_SECONDS)


class ObjectMissing(NotFound):
    """The storage has no such object."""


class NotAPlace(Rejected):
    """The storage is not configured."""

    kind = ErrorKind.CREDENTIALS
    permanent = False


_STATUS = re.compile(r"(?:status code: |status: )(\d{3})")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_KIND = re.compile(r"kind: (Connect|Timeout|Interrupted|Decode|Request|Unknown)\b")
_KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "AccountProblem", "InvalidSecurity"}
_SLOW = {"SlowDown", "ServiceUnavailable", "Throttling", "ThrottlingException", "RequestLimitExceeded"}
_FULL = {"QuotaExceeded", "EntityTooLarge", "TooManyBuckets"}


def translated(error: BaseError | OSError | NotImplementedError, place: object) -> PlatformError:
    """The condition behind an exception of the data path's library."""
    text = str(error)
    status = _STATUS.search(text)
    code = _CODE.search(text)
    if status is None and isinstance(error, FileNotFoundError):
        return ObjectMissing(f"{place} has no such object.")
    if status is None:
        return _without_answer(text, place)
    return answered(int(status[1]), code[1] if code else "", place)


def answered(status: int, code: str, place: object) -> PlatformError:
    """The condition behind an answer that is no success: its status, and the code of its body, if it had one."""
    said = f"{status} {code}".strip()
    if code == "NoSuchBucket":
        return BucketMissing(f"{place}: there is no such bucket. Make it, or correct its name.")
    if code in ("RequestTimeTooSkewed", "RequestExpired"):
        return ClockWrong(
            f"{place} refused the request for its time: the clock of this machine is wrong. Set it right."
        )
    if code in _FULL:
        return NoRoom(f"{place} has no room left ({said}).")
    if code in _KEYS or status in (401, 403):
        return KeysRejected(f"{place} refused the keys ({said}). Check key, secret and what they may do.")
    if code in _SLOW or status in (429, 503):
        return Throttled(f"{place} asked for fewer requests ({said}).")
    if status == 404:
        return ObjectMissing(f"{place} has no such object ({said}).")
    if code in ("BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody"):
        return Damaged(f"{place} got other bytes than were sent ({said}).")
    if status >= 500 or code == "RequestTimeout" or status == 408:
        return Unavailable(f"{place} could not serve the request ({said}).")
    if 300 <= status < 400:
        return CredentialsRejected(
            f"{place} answers {said}: the bucket is in another region. Correct region or endpoint."
        )
    return Rejected(f"{place} refused the request ({said}).")


def _without_answer(text: str, place: object) -> PlatformError:
    if "No space left on device" in text or "Disk quota exceeded" in text:
        return NoRoom(f"{place} has no room left.")
    if "Permission denied" in text or "Read-only file system" in text:
        return KeysRejected(f"{place} may not be written by this process. Correct its permissions.")
    if "BareRedirect" in text or "redirect without LOCATION" in text:
        return CredentialsRejected(f"{place} is in another region. Correct region or endpoint.")
    if "CaUsedAsEndEntity" in text:
        return CredentialsRejected(
            f"{place}: its certificate is an authority's own, which a server must not show. Give it one signed by "
            "that authority; for a server on this very machine SPACES_TLS_VERIFY=0 does."
        )
    if "InvalidCertificate" in text:
        return CredentialsRejected(
            f"{place}: its certificate is not trusted. Name the file of its authority in SPACES_CA_FILE."
        )
    kind = _KIND.search(text)
    if "dns error" in text:
        return ConnectionBroken(f"{place}: its host name was not found.")
    if kind and kind[1] == "Connect":
        return ConnectionBroken(f"{place} could not be reached: no connection.")
    if (kind and kind[1] == "Timeout") or "operation timed out" in text:
        return ConnectionBroken(f"{place} did not answer in time.")
    return ConnectionBroken(f"The connection to {place} broke off.")
