"""Deployment mistakes are named."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from config import checks


def ids(found: list[Any]) -> list[str]:
    return [message.id for message in found]


def test_a_key_in_a_file_beside_a_shared_database_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "connection", SimpleNamespace(vendor="postgresql"))
    monkeypatch.delenv("SECRET_KEY", raising=False)
    assert ids(checks.check_secret_key_is_shared(None)) == ["slotcast.W001"]
    monkeypatch.setenv("SECRET_KEY", "given")
    assert ids(checks.check_secret_key_is_shared(None)) == []


def test_a_demo_in_production_is_named(settings: Any) -> None:
    assert ids(checks.check_demo_is_off(None)) == []
    settings.DEMO = True
    assert ids(checks.check_demo_is_off(None)) == ["slotcast.W002"]


def test_a_missing_content_policy_is_named(settings: Any) -> None:
    assert ids(checks.check_policy_is_sent(None)) == []
    settings.MIDDLEWARE = []
    assert ids(checks.check_policy_is_sent(None)) == ["slotcast.W003"]
