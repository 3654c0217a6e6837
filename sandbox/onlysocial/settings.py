"""The settings of the stand-in for OnlySocial; all may be changed while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.checks import flag, number, one_of, optional_number, rate, words
from sandbox.platform import SettingError

OUTCOMES = ("published", "failed", "partly_published")
# Names as the control knows them; `byte_rate` is one for all platforms.
PREFIX = "onlysocial_"
SHARED = ("byte_rate",)


@dataclass(frozen=True)
class Account:
    id: int
    uuid: str
    name: str
    provider: str
    authorized: bool = True
    username: str = ""


def _first_accounts() -> list[Account]:
    names = [("Harbour Films", "instagram"), ("Harbour", "facebook_page"), ("Harbour Shorts", "youtube"),
             ("harbour.films", "tiktok")]  # fmt: skip
    accounts = [
        Account(42174 + n, f"00000000-0000-4000-8000-0000000421{74 + n}", name, provider, username=f"h{n}")
        for n, (name, provider) in enumerate(names)
    ]
    lost = Account(
        42178, "00000000-0000-4000-8000-000000042178", "Old Harbour", "instagram", authorized=False
    )
    return [*accounts, lost]


@dataclass
class Settings:
    token: str = "sandbox-token"
    token_revoked: bool = False
    workspace: str = "00000000-0000-4000-8000-000000000001"
    accounts: list[Account] = field(default_factory=_first_accounts)
    delay_ms: float = 0.0  # from a request to its answer; it is applied at once
    media_bytes: int = 100_000_000  # a larger one: 413 from the proxy in front
    media_ids: str = "string"  # how media ids are written in answers: string or number
    post_format: str = "current"  # the body of a new post: current or legacy
    publish_seconds: float = 1.0  # from accepted to the end
    outcome: str = "published"  # how publishing ends: published, failed, partly_published
    outcomes_by_caption: dict[str, str] = field(default_factory=dict)  # part of a caption to its outcome
    needs_approval: bool = False  # a request to publish waits for a person
    list_lag_seconds: float = 0.0  # what is new is missing from lists for so long
    requests_per_minute: float | None = None
    chunked: bool = False  # the newer uploads in pieces and from an address
    time_zone: str = "Europe/Rome"  # of the accounts, where a post names none
    byte_rate: float | None = None  # bytes a second of each upload; none: as fast as it comes

    def outcome_of(self, caption: str) -> str:
        return next((out for part, out in self.outcomes_by_caption.items() if part in caption), self.outcome)

    def change(self, changes: Mapping[str, Any]) -> None:
        """Apply all changes or none; raises SettingError. Names are those of the fields."""
        accepted = {name: _accepted(name, value) for name, value in changes.items()}
        for name, value in accepted.items():
            setattr(self, name, value)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def field_of(name: str) -> str | None:
    """The field a setting of the control's stands for; None: it is another platform's."""
    if name in SHARED:
        return name
    short = name.removeprefix(PREFIX)
    return short if short != name and short in CHECKS and short not in SHARED else None


def _accepted(name: str, value: Any) -> Any:
    try:
        return CHECKS[name](value)
    except (TypeError, ValueError, KeyError) as exc:
        shown = name if name in SHARED else PREFIX + name
        raise SettingError(f"{shown} cannot be {value!r}") from exc


def _accounts(value: Any) -> list[Account]:
    accounts = [row if isinstance(row, Account) else Account(**row) for row in value]
    if len({account.id for account in accounts}) != len(accounts):
        raise ValueError("two accounts with one id")
    return accounts


def _outcomes(value: Any) -> dict[str, str]:
    return {str(part): one_of(*OUTCOMES)(outcome) for part, outcome in dict(value).items()}


def _zone(value: Any) -> str:
    return ZoneInfo(words(value)).key


CHECKS: dict[str, Callable[[Any], Any]] = {
    **{f.name: number for f in fields(Settings)},
    "token": words,
    "token_revoked": flag,
    "workspace": words,
    "accounts": _accounts,
    "media_ids": one_of("string", "number"),
    "post_format": one_of("current", "legacy"),
    "outcome": one_of(*OUTCOMES),
    "outcomes_by_caption": _outcomes,
    "needs_approval": flag,
    "requests_per_minute": optional_number,
    "chunked": flag,
    "time_zone": _zone,
    "byte_rate": rate,
}
