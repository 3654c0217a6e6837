from __future__ import annotations

from typing import Any

import pytest

from tests.jobs.pipeline import handlers


@pytest.fixture
def handled(settings: Any) -> list[str]:
    """Handlers for six of the seven types; gives the list of the jobs they were called with."""
    settings.PIPELINE_HANDLERS = handlers.PATHS
    handlers.calls.clear()
    return handlers.calls
