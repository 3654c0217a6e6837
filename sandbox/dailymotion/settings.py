"""The settings of the stand-in for Dailymotion; all may be changed while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from sandbox.checks import number, one_of, optional_number, rate
from sandbox.platform import SettingError

OUTCOMES = ("published", "encoding_error", "rejected")


@dataclass(frozen=True)
class Account:
    key: str = "sandbox-key"
    secret: str = "sandbox-secret"
    username: str = "sandbox"
    password: str = "sandbox"
    profile_id: str = "x1sandbox"
    screenname: str = "Sandbox"


@dataclass
class Settings:
    encode_seconds: float = 3.0  # of videos created from now on
    outcome: str = "published"  # how encoding ends: published, encoding_error, rejected
    outcomes_by_title: dict[str, str] = field(default_factory=dict)  # part of a title to its outcome
    byte_rate: float | None = None  # bytes a second of each upload; none: as fast as it comes
    v2_token_seconds: int = 1800
    partner_token_seconds: int = 3600
    public_token_seconds: int = 36_000
    legacy_expiry_status: int = 401  # 400, 401 or 403, as the older dialects are known to answer
    session_idle_seconds: float = 14_400
    videos_per_day: int | None = 15
    seconds_per_day: float | None = 36_000
    file_bytes: int | None = 4_000_000_000
    video_seconds: float | None = 7_200
    list_envelope: str = "nested"  # nested under `pagination`, or flat (v2)
    list_lag_seconds: float = 0.0  # a new video is missing from lists for so long
    accounts: list[Account] = field(default_factory=lambda: [Account()])

    def outcome_of(self, title: str) -> str:
        return next((out for part, out in self.outcomes_by_title.items() if part in title), self.outcome)

    def change(self, changes: Mapping[str, Any]) -> None:
        """Apply all changes or none; raises SettingError."""
        accepted = {name: _accepted(name, value) for name, value in changes.items()}
        for name, value in accepted.items():
            setattr(self, name, value)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _accepted(name: str, value: Any) -> Any:
    check = CHECKS.get(name)
    if check is None:
        raise SettingError(f"there is no setting {name}")
    try:
        return check(value)
    except (TypeError, ValueError, KeyError) as exc:
        raise SettingError(f"{name} cannot be {value!r}") from exc


def _outcomes(value: Any) -> dict[str, str]:
    return {str(part): one_of(*OUTCOMES)(outcome) for part, outcome in dict(value).items()}


def _accounts(value: Any) -> list[Account]:
    accounts = [row if isinstance(row, Account) else Account(**row) for row in value]
    if len({account.key for account in accounts}) != len(accounts):
        raise ValueError("two accounts with one key")
    return accounts


CHECKS: dict[str, Callable[[Any], Any]] = {
    **{f.name: number for f in fields(Settings)},
    "outcome": one_of(*OUTCOMES),
    "outcomes_by_title": _outcomes,
    "byte_rate": rate,
    "legacy_expiry_status": one_of(400, 401, 403),
    "videos_per_day": optional_number,
    "seconds_per_day": optional_number,
    "file_bytes": optional_number,
    "video_seconds": optional_number,
    "list_envelope": one_of("nested", "flat"),
    "accounts": _accounts,
}
