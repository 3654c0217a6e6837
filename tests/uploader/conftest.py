"""A real S3 server, and a door before it that makes trouble."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.s3 import S3, Trouble, s3_server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture
def bucket(s3: S3) -> str:
    """A bucket of the test's own, empty."""
    return s3.new_bucket()


@pytest.fixture
def trouble(s3: S3) -> Iterator[Trouble]:
    door = Trouble(s3)
    yield door
    door.close()
