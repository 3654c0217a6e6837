from __future__ import annotations

from typing import Any

import pytest

from jobs.pipeline import live
from jobs.pipeline.subjects import Source, Work
from tests.jobs.pipeline import handlers


@pytest.fixture(autouse=True)
def _every_message_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests before have sent counts for nothing."""
    monkeypatch.setattr(live, "limiter", live.Limiter())


@pytest.fixture
def handled(settings: Any) -> list[str]:
    """Handlers for six of the seven types; gives the list of the jobs they were called with."""
    settings.PIPELINE_HANDLERS = handlers.PATHS
    handlers.calls.clear()
    return handlers.calls


@pytest.fixture
def work(db: None) -> Work:
    return Work.objects.create(title="Harbour", source=Source.objects.create(name="Fixture"))
