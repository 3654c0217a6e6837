"""Files on their way to a storage: all of them, checked, none twice, whatever the storage answers."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import Cancelled
from tests.s3 import S3, Asked, Fault, Trouble
from uploader.destinations import Destination
from uploader.platforms.errors import SourceChanged, Unavailable
from uploader.transfer import local_files, sending
from uploader.transfer.errors import BucketMissing, Damaged, KeysRejected, Throttled
from uploader.transfer.local_files import LocalFile
from uploader.transfer.pace import Pace
from uploader.transfer.places import Folder
from uploader.transfer.sending import Sending, Tally
from uploader.transfer.storage import Storage


class Seen:
    """A watch that remembers, and stops the transfer when it is told to."""

    def __init__(self, stop_when: Callable[[int], bool] = lambda done: False) -> None:
        self.said: list[tuple[int, int]] = []
        self._stop_when = stop_when

    def progress(self, done: int, total: int) -> None:
        self.said.append((done, total))
        if self._stop_when(done):
            raise Cancelled


@pytest.fixture
def tree(tmp_path: Path) -> list[LocalFile]:
    return files_of(tmp_path / "sd", [1000 + n for n in range(40)])


def files_of(folder: Path, sizes: list[int], seed: int = 1) -> list[LocalFile]:
    folder.mkdir(exist_ok=True)
    dice = random.Random(seed)
    made = []
    for number, size in enumerate(sizes):
        path = folder / f"seg_{number:05}.ts"
        path.write_bytes(dice.randbytes(size))
        made.append(LocalFile(path, f"films/1/sd/{path.name}", size))
    return made


def send(storage: Storage, files: list[LocalFile], watch: Any = None) -> Tally:
    with Sending(storage, watch or Seen()) as opened:
        opened.expect(files)
        opened.send(files, storage.listing("films/1/sd"))
        return opened.tally


def first(
    count: int, fault: Fault, wanted: Callable[[Asked], bool] = lambda asked: True
) -> Callable[[Asked], Fault]:
    """The fault for the first so many requests that are `wanted`."""
    left, lock = [count], threading.Lock()

    def choose(asked: Asked) -> Fault:
        with lock:
            if asked.method == "PUT" and wanted(asked) and left[0]:
                left[0] -= 1
                return fault
        return None

    return choose


def test_every_file_arrives_with_its_checksum_and_headers(
    storage: Destination, s3: S3, bucket: str, tree: list[LocalFile]
) -> None:
    seen = Seen()
    tally = send(storage.open_storage(), tree, seen)
    assert s3.keys(bucket) == [file.key for file in tree]
    assert (tally.files_done, tally.files_total, tally.files_kept) == (40, 40, 0)
    assert tally.bytes_done == tally.bytes_total == tally.bytes_sent == sum(file.size_bytes for file in tree)
    stored = storage.open_storage().listing("films/1/sd")
    assert {key: each.tag for key, each in stored.items()} == {file.key: file.tag() for file in tree}
    head = s3.client.head_object(Bucket=bucket, Key=tree[0].key)
    assert (head["ContentType"], head["CacheControl"]) == (
        "video/mp2t",
        "public, max-age=31536000, immutable",
    )


def test_many_go_at_once_but_no_more_than_allowed(
    troubled: Destination, trouble: Trouble, tmp_path: Path
) -> None:
    trouble.gate = threading.Event()

    def open_gate(done: int) -> bool:
        if trouble.most_at_once >= 32 and trouble.gate:
            trouble.gate.set()
        return False

    send(troubled.open_storage(), files_of(tmp_path / "sd", [100] * 80), Seen(open_gate))
    assert trouble.most_at_once == 32


@pytest.mark.parametrize("place", ["bucket", "folder"])
def test_what_is_there_is_not_sent_again_unless_it_differs(
    request: pytest.FixtureRequest, tree: list[LocalFile], tmp_path: Path, place: str
) -> None:
    storage = (
        Storage(Folder(tmp_path / "storage"))
        if place == "folder"
        else request.getfixturevalue("storage").open_storage()
    )
    send(storage, tree[:25])
    storage.put(tree[3].key, b"z" * tree[3].size_bytes, {"Content-Type": "x/y"})
    storage.put(tree[4].key, b"shorter", {"Content-Type": "x/y"})
    tally = send(storage, tree)
    assert tally.files_kept == 23
    assert tally.bytes_sent == sum(file.size_bytes for file in [*tree[3:5], *tree[25:]])
    for file in tree:
        assert storage.read(file.key).body == file.path.read_bytes()


def test_a_stop_leaves_at_once_and_the_next_try_sends_only_the_rest(
    troubled: Destination, trouble: Trouble, tree: list[LocalFile]
) -> None:
    storage = troubled.open_storage()
    trouble.gate = threading.Event()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        send(storage, tree, Seen(lambda done: trouble.most_at_once >= 32))
    # The requests under way are held for half a minute; nobody waits for them.
    assert time.monotonic() - began < 15
    trouble.gate.set()
    trouble.gate = None
    send(storage, tree)
    assert sorted(storage.listing("films/1/sd")) == [file.key for file in tree]


def test_killed_half_way_little_is_sent_again(
    troubled: Destination, trouble: Trouble, tree: list[LocalFile]
) -> None:
    half = sum(file.size_bytes for file in tree) // 2
    watch = Seen(lambda done: done >= half)
    with pytest.raises(Cancelled), Sending(troubled.open_storage(), watch, at_once=2) as opened:
        opened.expect(tree)
        opened.send(tree, {})
    wait_until(lambda: len(trouble.sent()) >= 20)
    before = len(trouble.sent())
    tally = send(troubled.open_storage(), tree)
    assert tally.bytes_sent <= 0.55 * tally.bytes_total
    assert len(trouble.sent()) - before == 40 - tally.files_kept


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


# -------------------------------------------------------------------- faults


def test_slow_down_slows_down_and_does_not_fail(
    troubled: Destination, trouble: Trouble, tree: list[LocalFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    paces: list[Pace] = []
    made = Pace.__init__
    monkeypatch.setattr(Pace, "__init__", lambda self, most: (paces.append(self), made(self, most))[1])
    trouble.fault = lambda asked: (503, "SlowDown") if asked.method == "PUT" and trouble.at_once > 4 else None
    trouble.delay_seconds = 0.02
    tally = send(troubled.open_storage(), tree)
    assert tally.files_done == 40
    assert paces[0].slowed >= 1 and paces[0].limit < 32
    assert sorted(troubled.open_storage().listing("films/1/sd")) == [file.key for file in tree]


def test_a_storage_that_only_says_slow_down_holds_the_job(
    troubled: Destination, trouble: Trouble, tree: list[LocalFile], settings: Any
) -> None:
    settings.STALL_SECONDS = 0.5
    trouble.fault = lambda asked: (503, "SlowDown") if asked.method == "PUT" else None
    with pytest.raises(Throttled) as caught:
        send(troubled.open_storage(), tree)
    assert caught.value.kind == "rate_limited"


@pytest.mark.parametrize(
    "fault", ["reset", "reset after", "corrupt", (500, "InternalError"), (400, "RequestTimeout")]
)
def test_a_passing_fault_costs_another_try_of_that_file(
    troubled: Destination, trouble: Trouble, tree: list[LocalFile], fault: Any
) -> None:
    trouble.fault = first(12, fault, lambda asked: int(asked.path[-5:-3]) % 4 == 0)
    tally = send(troubled.open_storage(), tree)
    assert tally.files_done == 40 and tally.retries >= 10
    assert tally.bytes_done == tally.bytes_total
    stored = troubled.open_storage().listing("films/1/sd")
    assert {key: each.tag for key, each in stored.items()} == {file.key: file.tag() for file in tree}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ((403, "InvalidAccessKeyId"), KeysRejected),
        ((404, "NoSuchBucket"), BucketMissing),
        ("reset", Unavailable),
        ("corrupt", Damaged),
    ],
)
def test_a_lasting_fault_ends_the_try_with_its_cause(
    troubled: Destination, trouble: Trouble, tmp_path: Path, fault: Any, error: type[Exception]
) -> None:
    trouble.fault = lambda asked: fault if asked.method == "PUT" else None
    with pytest.raises((error, Damaged) if fault == "corrupt" else error):
        send(troubled.open_storage(), files_of(tmp_path / "sd", [500] * 6))


def test_a_file_that_changes_meanwhile_is_noticed(storage: Destination, tree: list[LocalFile]) -> None:
    tree[7].path.write_bytes(b"other")
    with pytest.raises(SourceChanged, match="seg_00007"):
        send(storage.open_storage(), tree)


def test_a_link_is_not_followed(storage: Destination, tree: list[LocalFile], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(tree[7].path.read_bytes())
    tree[7].path.unlink()
    tree[7].path.symlink_to(secret)
    with pytest.raises(local_files.SourceUnreadable):
        send(storage.open_storage(), tree)
    with pytest.raises(local_files.SourceUnreadable):
        send(Storage(Folder(tmp_path / "storage")), tree)


# -------------------------------------------------------------------- larger files


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts as small as S3 allows, so that little makes many."""
    monkeypatch.setattr(local_files, "PART_BYTES", 5 * local_files.MIB)


@pytest.fixture
def large(tmp_path: Path, small_parts: None) -> Iterator[LocalFile]:
    [file] = files_of(tmp_path / "sd", [17 * local_files.MIB])
    yield file


def parts_sent(trouble: Trouble) -> list[str]:
    return [
        asked.path.partition("partNumber=")[2].partition("&")[0]
        for asked in trouble.asked
        if asked.method == "PUT" and "partNumber=" in asked.path
    ]


def test_a_middling_file_tells_its_progress_while_it_is_sent(storage: Destination, tmp_path: Path) -> None:
    [file] = files_of(tmp_path / "sd", [3_000_000])
    tally = send(storage.open_storage(), [file])
    found = storage.open_storage().read(file.key)
    assert found.body == file.path.read_bytes()
    assert (found.headers["Content-Type"], tally.bytes_done) == ("video/mp2t", 3_000_000)


def test_a_large_file_goes_in_parts_and_keeps_its_headers(
    troubled: Destination, trouble: Trouble, large: LocalFile
) -> None:
    storage = troubled.open_storage()
    tally = send(storage, [large])
    assert sorted(parts_sent(trouble)) == ["1", "2", "3", "4"]
    stored = storage.head(large.key)
    assert stored is not None and (stored.size_bytes, stored.tag) == (large.size_bytes, large.tag())
    assert stored.tag.endswith("-4")
    assert storage.read(large.key, start=0, end=1).headers["Content-Type"] == "video/mp2t"
    assert send(storage, [large]).files_kept == tally.files_done == 1


def test_a_large_file_that_was_stopped_goes_on_with_the_parts_it_lacks(
    troubled: Destination, trouble: Trouble, large: LocalFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "PARTS_AT_ONCE", 1)
    trouble.fault = lambda asked: (403, "AccessDenied") if "partNumber=3&" in asked.path else None
    with pytest.raises(KeysRejected):
        send(troubled.open_storage(), [large])
    trouble.fault = lambda asked: None
    trouble.asked.clear()
    tally = send(troubled.open_storage(), [large])
    assert parts_sent(trouble) == ["3", "4"]
    assert tally.bytes_done == tally.bytes_total
    assert troubled.open_storage().read(large.key).body == large.path.read_bytes()


@pytest.mark.parametrize("fault", ["reset", "corrupt", (503, "SlowDown"), (500, "InternalError")])
def test_a_part_that_fails_is_sent_again_alone(
    troubled: Destination, trouble: Trouble, large: LocalFile, fault: Any
) -> None:
    trouble.fault = first(1, fault, lambda asked: "partNumber=2&" in asked.path)
    tally = send(troubled.open_storage(), [large])
    assert sorted(parts_sent(trouble)) == ["1", "2", "2", "3", "4"]
    assert tally.bytes_done == tally.bytes_total == large.size_bytes


def test_an_upload_the_storage_has_forgotten_is_begun_anew(
    troubled: Destination, trouble: Trouble, large: LocalFile, s3: S3
) -> None:
    """Another worker gave it up, or the storage's own rule did, while this one was sending."""
    done = threading.Event()

    def forget(asked: Asked) -> Fault:
        if asked.method == "POST" and "uploadId=" in asked.path and not done.is_set():
            done.set()
            return (404, "NoSuchUpload")
        return None

    trouble.fault = forget
    with pytest.raises(Unavailable, match="forgot"):
        send(troubled.open_storage(), [large])
    tally = send(troubled.open_storage(), [large])
    assert tally.files_done == 1
    assert troubled.open_storage().read(large.key).body == large.path.read_bytes()


def test_parts_are_never_more_than_a_storage_takes() -> None:
    huge = LocalFile(Path("x"), "x", 4_000_000_000_000)
    assert len(huge.parts) <= 10_000 and huge.part_bytes % local_files.PART_BYTES == 0
    assert [huge.part_size(start) for start in huge.parts][-1] <= huge.part_bytes
