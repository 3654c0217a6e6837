from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.s3 import S3, Trouble, make_storage, s3_server
from uploader.destinations import Destination
from uploader.transfer import sending


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture
def bucket(s3: S3) -> str:
    """A bucket of the test's own, empty."""
    return s3.new_bucket()


@pytest.fixture(autouse=True)
def own_authority(s3: S3, settings: pytest.FixtureRequest) -> None:
    settings.STORAGE = {**settings.STORAGE, "ca_file": s3.ca_file}  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two tries."""
    monkeypatch.setattr(sending, "FIRST_WAIT_SECONDS", 0.01)


@pytest.fixture
def trouble(s3: S3) -> Iterator[Trouble]:
    door = Trouble(s3)
    yield door
    door.close()


@pytest.fixture
def storage(db: None, s3: S3, bucket: str) -> Destination:
    return make_storage(s3, bucket)


@pytest.fixture
def troubled(db: None, trouble: Trouble, bucket: str) -> Destination:
    """The same bucket, reached through the door that makes trouble."""
    return make_storage(trouble.s3, bucket, "troubled")
