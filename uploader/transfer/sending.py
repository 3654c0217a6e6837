"""Brings files to a storage: many at once, each checked against what the storage says it got, none twice.

What is there already with the right size and checksum is not sent again; so an upload goes on where it was
stopped, whatever stopped it. Files of more than a part go in parts, which are kept likewise.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from django.conf import settings

from uploader.platforms.errors import Unavailable
from uploader.transfer.control import Control, UploadGone
from uploader.transfer.crew import Crew, Stopped
from uploader.transfer.errors import Damaged, Throttled
from uploader.transfer.headers import headers_of
from uploader.transfer.local_files import WHOLE_BYTES, LocalFile, tag_of_parts
from uploader.transfer.pace import Pace
from uploader.transfer.places import Bucket
from uploader.transfer.storage import Storage, Stored, is_md5
from uploader.transfer.streams import Streams

T = TypeVar("T")

AT_ONCE = 32
PARTS_AT_ONCE = 8
# Tries of one request before the attempt of the whole job counts as failed.
TRIES = 5
FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 5.0


class Watch(Protocol):
    """Who is told how far it is, and may raise to stop it; `jobs.running.Run` is one."""

    def progress(self, done: int, total: int) -> None: ...


@dataclass
class Tally:
    """What has been done so far. Written by many threads."""

    files_total: int = 0
    files_done: int = 0
    bytes_total: int = 0
    bytes_done: int = 0
    bytes_sent: int = 0  # over the line, also in vain
    files_kept: int = 0  # were there already
    retries: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, *, is_kept: bool) -> None:
        with self._lock:
            self.files_done += 1
            self.files_kept += is_kept

    def move(self, size: int, *, sent: int = 0) -> None:
        with self._lock:
            self.bytes_done += size
            self.bytes_sent += sent

    def note_retry(self) -> None:
        with self._lock:
            self.retries += 1


class Sending:
    """One transfer to one storage: its threads, its pace, its tally. Closed after use."""

    def __init__(self, storage: Storage, watch: Watch, *, at_once: int = AT_ONCE) -> None:
        self.storage = storage
        self.tally = Tally()
        self.pace = Pace(at_once)
        self._watch = watch
        self._crew = Crew(at_once, self._look)
        self._last_good = time.monotonic()
        self._control: Control | None = None
        self._streams: Streams | None = None
        self._making = threading.Lock()

    def __enter__(self) -> Sending:
        return self

    def __exit__(self, *exc: object) -> None:
        self._crew.stop.set()
        if self._streams is not None:
            self._streams.close()

    def expect(self, files: Iterable[LocalFile]) -> None:
        """Tell what will be sent in all, before the first part of it is."""
        for file in files:
            self.tally.files_total += 1
            self.tally.bytes_total += file.size_bytes

    def listing(self, folder: str) -> dict[str, Stored]:
        """What the storage has below `folder`, by key; asked in a thread, so that a stop need not wait for it.

        Raises the condition that stopped it, or whatever the watch raised.
        """
        found: dict[str, Stored] = {}
        self._last_good = time.monotonic()
        self._crew.do(
            [folder], lambda below: found.update(self._patiently(lambda: self.storage.listing(below)))
        )
        return found

    def send(self, files: list[LocalFile], present: dict[str, Stored]) -> None:
        """Bring every file there; `present` is what the storage has already, by key.

        Raises the condition that stopped it, `SourceChanged`, or whatever the watch raised.
        """
        self._last_good = time.monotonic()
        in_parts = [file for file in files if file.is_in_parts and not self.storage.is_local]
        apart = {file.key for file in in_parts}
        whole = [file for file in files if file.key not in apart]
        self._crew.do(whole, lambda file: self._bring(file, present.get(file.key)))
        for file in in_parts:
            self._bring_in_parts(file, present.get(file.key))

    # ---------------------------------------------------------------- whole files

    def _bring(self, file: LocalFile, stored: Stored | None) -> None:
        if stored is not None and self._is_same(file, stored):
            self.tally.move(file.size_bytes)
            self.tally.count(is_kept=True)
            return
        if self.storage.is_local:
            self._patiently(lambda: self._copy(file))
        elif file.size_bytes <= WHOLE_BYTES:
            self._patiently(lambda: self._put(file))
        else:
            self._patiently(lambda: self._stream(file))
        self.tally.count(is_kept=False)

    def _is_same(self, file: LocalFile, stored: Stored) -> bool:
        if stored.size_bytes != file.size_bytes:
            return False
        if self.storage.is_local:
            return self.storage.md5(file.key) == file.md5().hexdigest()
        return stored.tag == file.tag()

    def _put(self, file: LocalFile) -> None:
        body = file.read()
        tag = self.storage.put(file.key, body, headers_of(file.key))
        self.tally.move(file.size_bytes, sent=file.size_bytes)
        if is_md5(tag) and tag != md5_of(body):
            self.tally.move(-file.size_bytes)
            raise Damaged(f"{self.storage} got other bytes of {file.key} than were sent.")

    def _stream(self, file: LocalFile) -> None:
        headers = headers_of(file.key)
        self.streams.put(
            self.control.object_url(file.key, headers), file, start=0, size=file.size_bytes, headers=headers,
            on_bytes=self._moved, stop=self._crew.stop,
        )  # fmt: skip

    def _copy(self, file: LocalFile) -> None:
        self.storage.take(file.key, file)
        self.tally.move(file.size_bytes, sent=file.size_bytes)

    # ---------------------------------------------------------------- files in parts

    def _bring_in_parts(self, file: LocalFile, stored: Stored | None) -> None:
        """One large file: the parts an earlier try left are kept, the others are sent, then they are joined."""
        if stored is not None and stored.size_bytes == file.size_bytes and stored.tag == file.tag():
            self.tally.move(file.size_bytes)
            self.tally.count(is_kept=True)
            return
        begun = self._patiently(lambda: self.control.unfinished(file.key))
        for upload_id in begun:
            if self._finish(file, upload_id):
                return
        upload_id = self._patiently(lambda: self.control.begin(file.key, headers_of(file.key)))
        if not self._finish(file, upload_id):
            raise Unavailable(f"{self.storage} forgot the upload of {file.key} while it was under way.")

    def _finish(self, file: LocalFile, upload_id: str) -> bool:
        """Send what this upload lacks and join its parts; false when the storage has given it up."""
        done = self.tally.bytes_done
        try:
            there = self._patiently(lambda: self.control.parts(file.key, upload_id))
            tags: dict[int, str] = {}

            def bring(part: tuple[int, int]) -> None:
                number, start = part
                tags[number] = self._part(file, upload_id, number, start, there.get(number))

            self._crew.do(list(enumerate(file.parts, 1)), bring, size=PARTS_AT_ONCE)
            ordered = [tags[number] for number in sorted(tags)]
            tag = self._patiently(lambda: self.control.complete(file.key, upload_id, ordered))
        except UploadGone:
            self.tally.move(done - self.tally.bytes_done)
            self._crew = Crew(self._crew.size, self._look)
            found = self._patiently(lambda: self.storage.head(file.key))
            if found is None or found.size_bytes != file.size_bytes or found.tag != file.tag():
                return False
            self.tally.move(file.size_bytes)
        else:
            if "-" in tag and tag != tag_of_parts(ordered):
                raise Damaged(f"{self.storage} joined the parts of {file.key} to something else.")
        self.tally.count(is_kept=False)
        return True

    def _part(
        self, file: LocalFile, upload_id: str, number: int, start: int, there: tuple[int, str] | None
    ) -> str:
        size = file.part_size(start)
        if there is not None and there[0] == size:
            tag = file.md5(start, size).hexdigest()
            if there[1] == tag:
                self.tally.move(size)
                return tag
        return self._patiently(
            lambda: self.streams.put(
                self.control.part_url(file.key, upload_id, number), file, start=start, size=size, headers={},
                on_bytes=self._moved, stop=self._crew.stop,
            )
        )  # fmt: skip

    # ---------------------------------------------------------------- tries

    def _patiently(self, call: Callable[[], T]) -> T:
        """Make a call in its turn; again after a fault, later and less at once when the storage asks for that."""
        tries = 0
        while True:
            with self.pace.turn(self._crew.stop) as began:
                if not began:
                    raise Stopped
                try:
                    found = call()
                except Throttled:
                    self._slow_down(began)
                    continue
                except (Unavailable, Damaged):
                    tries += 1
                    if tries >= TRIES:
                        raise
                else:
                    self._last_good = time.monotonic()
                    self.pace.went_well()
                    return found
            self.tally.note_retry()
            wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**tries)
            if self._crew.stop.wait(wait * random.uniform(0.5, 1.0)):  # noqa: S311 - no secret
                raise Stopped

    def _slow_down(self, began: float) -> None:
        """Raises Throttled when nothing has gone well for too long: the job waits and uses no attempt."""
        self.tally.note_retry()
        self.pace.slow_down(began)
        if time.monotonic() - self._last_good > settings.STALL_SECONDS * 3 / 4:
            raise Throttled

    def _moved(self, size: int) -> None:
        self.tally.move(size, sent=max(size, 0))
        if size > 0:
            self._last_good = time.monotonic()

    def _look(self) -> None:
        self._watch.progress(self.tally.bytes_done, self.tally.bytes_total)

    # ---------------------------------------------------------------- what only large files need

    @property
    def control(self) -> Control:
        with self._making:
            if self._control is None:
                self._control = Control(self._bucket)
            return self._control

    @property
    def streams(self) -> Streams:
        with self._making:
            if self._streams is None:
                self._streams = Streams(self._bucket, at_once=self.pace.most)
            return self._streams

    @property
    def _bucket(self) -> Bucket:
        assert isinstance(self.storage.place, Bucket)
        return self.storage.place


def md5_of(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()
