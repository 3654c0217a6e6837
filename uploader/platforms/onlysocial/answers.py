"""OnlySocial's answers: accounts, media and posts read leniently, and what each refusal means."""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any

from uploader.platforms.errors import (
    CredentialsRejected,
    NotFound,
    OutcomeUnknown,
    PlatformError,
    RateLimited,
    Rejected,
    Unavailable,
)
from uploader.platforms.http import Answer
from uploader.platforms.onlysocial.records import Account, Media, Post, PostAccount, PostStatus
from uploader.platforms.values import flag, integer, moment, retry_after, shown, text

MINUTE = 60.0

# What a request to publish is answered with when an earlier one was accepted.
_UNDER_WAY = ("in_history", "publishing")
_STATUSES = {
    "approval": PostStatus.NEEDS_APPROVAL,
    "pending_approval": PostStatus.NEEDS_APPROVAL,
    "partially_published": PostStatus.PARTLY_PUBLISHED,
    "error": PostStatus.FAILED,
    "processing": PostStatus.PUBLISHING,
}


class Purpose(Enum):
    """What a request was for, as far as it changes what a refusal means."""

    LOOK = auto()  # may be repeated at will
    CHANGE = auto()  # may have been applied when its answer is lost
    MEDIA = auto()  # likewise, and its refusals are about the file


def error_for(
    answer: Answer, *, purpose: Purpose, doing: str, clock: Callable[[], float], hide: Callable[[str], str]
) -> PlatformError | None:
    """The exception a refusal stands for, None for a success; `doing` names the action: “create the post”."""
    status = answer.status
    if 200 <= status < 300:
        return None
    sentence = _sentence(answer, hide)
    said = f"OnlySocial refused to {doing}: {sentence}."
    if status == 429:
        return RateLimited(said, retry_after=retry_after(answer, clock=clock) or MINUTE)
    if 300 <= status < 400:
        # Followed, it would go on without the token; the login page it leads to would look like an answer.
        return CredentialsRejected(
            f"OnlySocial answered with a redirect (HTTP {status}) when asked to {doing}. Check the API "
            "address and the workspace."
        )
    if status == 401:
        return CredentialsRejected(f"OnlySocial does not accept the access token: {sentence}. Renew it.")
    if status == 403:
        return CredentialsRejected(f"{said} The token has no access to this workspace.")
    if status == 413:
        return Rejected(f"The file is too large for OnlySocial: {sentence}. Make it smaller.")
    if status == 404:
        return _not_found(said, sentence)
    if status >= 500 or status in (408, 409):
        if purpose is not Purpose.LOOK:
            return OutcomeUnknown(
                f"OnlySocial failed when asked to {doing}: {sentence}. It may have been applied."
            )
        return Unavailable(f"OnlySocial could not {doing}: {sentence}.")
    return Rejected(said)


def _not_found(said: str, sentence: str) -> PlatformError:
    if "workspace" in sentence.lower():
        return CredentialsRejected(f"{said} Check the workspace of the destination.")
    return NotFound(said)


def _sentence(answer: Answer, hide: Callable[[str], str]) -> str:
    """What the platform says, its validation errors by field; a proxy's page of HTML is not quoted."""
    reference = f"HTTP {answer.status}"
    body = json_of(answer)
    if not isinstance(body, dict):
        return reference
    errors = [
        f"{field}: {'; '.join(strings(messages))}" for field, messages in validation_errors(body).items()
    ]
    message = text(body.get("message"))
    detail = " ".join(filter(None, (message, f"({'. '.join(errors)})" if errors else "")))
    return f"“{shown(hide(detail))}” ({reference})" if detail else reference


def is_under_way(answer: Answer) -> bool:
    """Whether a refusal to publish says that the post is being published, or was."""
    if answer.status != 422:
        return False
    errors = validation_errors(json_of(answer))
    return any(name in errors for name in _UNDER_WAY)


def validation_errors(body: object) -> Mapping[str, Any]:
    """`errors` of a 422: a field, dotted, and its messages."""
    errors = body.get("errors") if isinstance(body, dict) else None
    return errors if isinstance(errors, dict) else {}


def json_of(answer: Answer) -> Any:
    """The parsed body; None for what is no JSON."""
    try:
        return answer.json()
    except ValueError:
        return None


def record(body: object) -> Mapping[str, Any]:
    """One object, alone or under `data`; empty for anything else."""
    if isinstance(body, dict) and isinstance(body.get("data"), dict):
        body = body["data"]
    return body if isinstance(body, dict) else {}


def records(body: object) -> list[Mapping[str, Any]]:
    """A list of objects, alone or under `data`."""
    return objects(body.get("data") if isinstance(body, dict) else body)


def objects(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def strings(value: object) -> list[str]:
    if isinstance(value, list):
        return [said for each in value if (said := text(each))]
    return [said] if (said := text(value)) else []


def ids_of(value: object) -> list[int]:
    """The ids in a list of objects, or of bare ids; as numbers, whichever way they are written."""
    found = [integer(each.get("id") if isinstance(each, dict) else each) for each in _list(value)]
    return [each for each in found if each is not None]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def account_of(body: Mapping[str, Any]) -> Account | None:
    """None without the id by which posts name it."""
    account_id = integer(body.get("id"))
    if account_id is None:
        return None
    return Account(
        id=account_id,
        uuid=text(body.get("uuid")),
        name=text(body.get("name")),
        provider=text(body.get("provider")),
        is_authorized=flag(body.get("authorized")),
        username=text(body.get("username")),
    )


def media_of(body: Mapping[str, Any]) -> Media | None:
    """None without an id. The platform writes it as a string but wants an integer back."""
    media_id = integer(body.get("id"))
    if media_id is None:
        return None
    return Media(
        id=media_id,
        uuid=text(body.get("uuid")),
        name=text(body.get("name")),
        mime_type=text(body.get("mime_type")),
        url=text(body.get("url")),
        created_at=moment(body.get("created_at")),
    )


def post_of(body: Mapping[str, Any]) -> Post | None:
    """None without a uuid."""
    uuid = text(body.get("uuid"))
    if not uuid:
        return None
    accounts = tuple(each for each in map(_post_account, objects(body.get("accounts"))) if each)
    word = text(body.get("status")).lower()
    return Post(
        uuid=uuid,
        status=_status(word, accounts),
        platform_status=word,
        accounts=accounts,
        media_ids=tuple(_media_ids(body)),
        scheduled_at=moment(body.get("scheduled_at")),
        published_at=moment(body.get("published_at")),
        created_at=moment(body.get("created_at")),
        is_trashed=flag(body.get("trashed")),
    )


def _status(word: str, accounts: tuple[PostAccount, ...]) -> PostStatus:
    """One failing account makes the platform call the whole post failed, though it is out on the others."""
    named = word.replace(" ", "_").replace("-", "_")
    status = _STATUSES.get(named) or (PostStatus(named) if named in set(PostStatus) else PostStatus.UNKNOWN)
    if status is PostStatus.FAILED and any(account.external_url for account in accounts):
        return PostStatus.PARTLY_PUBLISHED
    return status


def _post_account(body: Mapping[str, Any]) -> PostAccount | None:
    account_id = integer(body.get("id"))
    if account_id is None:
        return None
    return PostAccount(
        id=account_id,
        provider=text(body.get("provider")),
        name=text(body.get("name")),
        external_url=text(body.get("external_url")),
        errors=tuple(shown(each) for each in strings(body.get("errors"))),
    )


def _media_ids(body: Mapping[str, Any]) -> list[int]:
    """The media of every version, in either format."""
    found: list[int] = []
    for version in objects(body.get("versions")):
        for content in objects(version.get("content")):
            found += ids_of(content.get("media"))
        found += ids_of(version.get("media_ids"))
    return list(dict.fromkeys(found))
