"""The destination that the environment describes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import NOW
from uploader.default_destinations import ensure_default
from uploader.destinations import Destination

GIVEN = {
    "dialect": "partner",
    "key": "the-key",
    "secret": "the-secret",
    "api_url": "",
    "token_url": "",
    "profile_id": "x1",
    "username": "",
    "password": "",
}


@pytest.fixture(autouse=True)
def _database(db: None) -> None:
    pass


def test_the_environment_makes_the_default_destination(settings: Any) -> None:
    settings.DAILYMOTION = GIVEN
    destination = ensure_default(NOW)
    assert destination is not None
    assert (destination.name, destination.credentials_from_environment) == ("dailymotion", True)
    assert (destination.credentials.key, destination.credentials.dialect) == ("the-key", "partner")
    assert destination.api_key is None, "the environment's secrets are not copied into the database"


def test_it_is_made_once_and_a_person_s_changes_stay(settings: Any) -> None:
    settings.DAILYMOTION = GIVEN
    ensure_default(NOW)
    Destination.objects.update(title="Our channel")
    again = ensure_default(NOW)
    assert again is not None
    assert again.title == "Our channel"


def test_without_credentials_there_is_none(settings: Any) -> None:
    settings.DAILYMOTION = {**GIVEN, "key": ""}
    assert ensure_default(NOW) is None
    assert not Destination.objects.exists()


def test_secrets_do_not_show_in_a_repr(settings: Any) -> None:
    settings.DAILYMOTION = GIVEN
    destination = ensure_default(NOW)
    assert destination is not None
    assert "the-secret" not in repr(destination) + repr(destination.credentials)
