"""`sync_assets` with an S3 server over real HTTP: whole files both ways, whatever happens to connections and bytes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.events import history_of
from jobs.pipeline.pipeline_jobs import PipelineJob
from tests.s3 import S3, Asked, Trouble
from uploader.transfer import sending

Done = Callable[..., PipelineJob]
pytestmark = pytest.mark.django_db
MIB = 1024 * 1024
# In three parts, the last one short.
LARGE = 33 * MIB + 5


@pytest.fixture
def storage(settings: Any, trouble: Trouble, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Trouble:
    """The bucket as the storage, through a door that makes trouble; between two tries nobody waits."""
    s3 = trouble.s3
    settings.STORAGE = {
        **settings.STORAGE, "url": f"s3://{bucket}", "endpoint": s3.url, "key": s3.key, "secret": s3.secret,
        "region": "us-east-1", "ca_file": s3.ca_file,
    }  # fmt: skip
    monkeypatch.setattr(sending, "FIRST_WAIT_SECONDS", 0.001)
    return trouble


@pytest.fixture
def files(library: Path) -> dict[str, bytes]:
    """What is in the library: small, empty, of another alphabet, larger than a piece."""
    made = {
        "harbour/01.mp4": os.urandom(MIB + 7),
        "harbour/01.en.srt": b"1\n",
        "über & co/ä + b.mp4": b"x" * 10,
        "empty.txt": b"",
    }
    for name, body in made.items():
        (library / name).parent.mkdir(exist_ok=True)
        (library / name).write_bytes(body)
    return made


@pytest.fixture
def large(library: Path) -> bytes:
    body = os.urandom(LARGE)
    (library / "film.mp4").write_bytes(body)
    return body


def in_library(library: Path) -> dict[str, bytes]:
    """Every file, those that are hidden or unfinished too."""
    found = (path for path in library.rglob("*") if path.is_file())
    return {path.relative_to(library).as_posix(): path.read_bytes() for path in found}


def clear(library: Path) -> None:
    for path in library.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def log_of(job: PipelineJob) -> str:
    return "\n".join(event.why for event in history_of(job) if event.type == "log")


def once(fault: str, method: str) -> Callable[[Asked], str | None]:
    """That fault at the first request of each object."""
    seen: set[str] = set()

    def make(asked: Asked) -> str | None:
        path = asked.path.partition("?")[0]
        if asked.method != method or "library" not in path or path in seen:
            return None
        seen.add(path)
        return fault

    return make


def test_files_go_up_and_come_down_as_they_were(
    done: Done, storage: Trouble, s3: S3, bucket: str, library: Path, files: dict[str, bytes]
) -> None:
    job = done("sync_assets")
    total = sum(map(len, files.values()))
    assert job.output == {"total": 4, "success": 4, "skipped": 0, "failed": 0, "bytes": total}
    assert s3.keys(bucket) == sorted(f"library/{name}" for name in files)
    again = done("sync_assets")
    assert again.output and (again.output["success"], again.output["skipped"]) == (0, 4)
    clear(library)
    down = done("sync_assets", {"direction": "down"})
    assert down.output == {"total": 4, "success": 4, "skipped": 0, "failed": 0, "bytes": total}
    assert in_library(library) == files


def test_a_large_file_goes_in_parts_and_comes_back(
    done: Done, storage: Trouble, library: Path, large: bytes
) -> None:
    assert done("sync_assets").status == "success"
    assert len([path for path in storage.sent() if path.endswith("film.mp4")]) == 3
    clear(library)
    storage.fault = once("cut", "GET")
    assert done("sync_assets", {"direction": "down"}).status == "success"
    assert in_library(library) == {"film.mp4": large}


@pytest.mark.parametrize("fault", ["reset", "reset after", "corrupt"])
def test_going_up_a_broken_connection_and_a_wrong_checksum_cost_another_try(
    done: Done, storage: Trouble, s3: S3, bucket: str, files: dict[str, bytes], fault: str
) -> None:
    storage.fault = once(fault, "PUT")
    job = done("sync_assets")
    assert job.status == "success"
    assert job.output and (job.output["success"], job.output["failed"]) == (4, 0)
    for name, body in files.items():
        assert s3.client.get_object(Bucket=bucket, Key=f"library/{name}")["Body"].read() == body


def test_going_up_bytes_that_never_arrive_right_fail_the_run(
    done: Done, storage: Trouble, files: dict[str, bytes]
) -> None:
    storage.fault = lambda asked: "corrupt" if asked.path.endswith("01.en.srt") else None
    job = done("sync_assets")
    assert job.status == "queued" and "other bytes" in job.error


@pytest.mark.parametrize("fault", ["reset", "cut"])
def test_coming_down_a_broken_connection_costs_another_try(
    done: Done, storage: Trouble, library: Path, files: dict[str, bytes], fault: str
) -> None:
    done("sync_assets")
    clear(library)
    storage.fault = once(fault, "GET")
    job = done("sync_assets", {"direction": "down"})
    assert (job.status, job.error) == ("success", "")
    assert in_library(library) == files


def test_coming_down_a_wrong_checksum_leaves_nothing_and_is_told(
    done: Done, storage: Trouble, library: Path, files: dict[str, bytes], large: bytes
) -> None:
    done("sync_assets")
    clear(library)
    wrong = ("01.mp4", "film.mp4")
    storage.fault = lambda asked: "corrupt" if asked.method == "GET" and asked.path.endswith(wrong) else None
    job = done("sync_assets", {"direction": "down"})
    assert job.output and (job.output["success"], job.output["failed"]) == (3, 2)
    assert log_of(job).count("came with other bytes than were stored") == 2
    del files["harbour/01.mp4"]
    assert in_library(library) == files, "no half a file, no file that is another"
    storage.fault = lambda asked: None
    again = done("sync_assets", {"direction": "down"})
    assert again.output and (again.output["success"], again.output["skipped"]) == (2, 3)
    assert in_library(library)["film.mp4"] == large


def test_what_is_replaced_while_it_comes_down_is_no_mixture(
    done: Done, storage: Trouble, s3: S3, bucket: str, library: Path, large: bytes
) -> None:
    done("sync_assets")
    clear(library)
    pieces: list[Asked] = []

    def replace(asked: Asked) -> None:
        if asked.method == "GET" and asked.path.endswith("film.mp4"):
            pieces.append(asked)
            if len(pieces) == 2:
                s3.client.put_object(Bucket=bucket, Key="library/film.mp4", Body=os.urandom(LARGE))

    storage.fault = replace
    job = done("sync_assets", {"direction": "down"})
    assert "changed while it was fetched" in job.error
    assert in_library(library) == {}


def test_what_somebody_else_sent_in_parts_of_his_own_comes_too(
    done: Done, storage: Trouble, s3: S3, bucket: str, library: Path
) -> None:
    body = os.urandom(7 * MIB)
    there = {"Bucket": bucket, "Key": "library/his.mp4"}
    upload = s3.client.create_multipart_upload(**there)["UploadId"]
    parts = [
        {"PartNumber": number, "ETag": s3.client.upload_part(
            **there, UploadId=upload, PartNumber=number, Body=body[start : start + 5 * MIB]
        )["ETag"]}
        for number, start in enumerate((0, 5 * MIB), 1)
    ]  # fmt: skip
    s3.client.complete_multipart_upload(**there, UploadId=upload, MultipartUpload={"Parts": parts})
    assert done("sync_assets", {"direction": "down"}).status == "success"
    assert in_library(library) == {"his.mp4": body}


def test_a_storage_that_goes_away_is_left_alone(
    done: Done, storage: Trouble, s3: S3, bucket: str, library: Path
) -> None:
    for number in range(9):
        s3.client.put_object(Bucket=bucket, Key=f"library/{number}.txt", Body=b"x")
    storage.fault = lambda asked: "reset" if asked.method == "GET" and "library/" in asked.path else None
    job = done("sync_assets", {"direction": "down"})
    assert job.status == "queued" and "5 in a row could not be had" in job.error
    assert {path[-5:] for path in storage.sent("GET") if "/library/" in path} == {
        f"{n}.txt" for n in range(5)
    }


@pytest.mark.parametrize("direction", ["up", "down"])
def test_keys_that_are_refused_hold_the_job_for_a_person(
    done: Done, storage: Trouble, files: dict[str, bytes], direction: str
) -> None:
    storage.fault = lambda asked: (403, "InvalidAccessKeyId")
    job = done("sync_assets", {"direction": direction})
    assert (job.status, job.attempt) == ("queued", 0)
    assert "refused the keys" in job.error
