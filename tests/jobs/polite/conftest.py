"""A fetcher that asks a site of this machine and does not sleep."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jobs.polite.fetching import Fetcher
from tests.jobs.polite.waits import Waits
from tests.site import Site


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def fetcher(site: Site, waits: Waits) -> Iterator[Fetcher]:
    with Fetcher(wait=waits) as made:
        yield made
