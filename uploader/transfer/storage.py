"""A storage as the rest of the product sees it: put, list, read, delete, whatever stands behind.

The library is obstore (Rust's object_store): measured beside s5cmd, boto3 and others it is the fastest at many
small objects and takes a third of the processor. Only its synchronous calls are used, from threads.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from uploader.platforms.errors import Rejected, SourceChanged, Unavailable
from uploader.transfer.errors import Damaged, ObjectMissing, translated
from uploader.transfer.local_files import MIB, LocalFile
from uploader.transfer.places import Bucket, Folder, Place

CONNECT_SECONDS = 10
# For a whole request of the data path; what is larger than a piece goes in pieces.
REQUEST_SECONDS = 120
PROBE = "slotcast-connection-test"


@dataclass(frozen=True)
class Stored:
    """An object as a listing shows it. `tag` is what the storage calls its entity tag, without quotes."""

    size_bytes: int
    tag: str


@dataclass(frozen=True)
class Found:
    """An object's bytes from `start` on, how long the whole is, its tag and headers."""

    body: bytes
    start: int
    size_bytes: int
    tag: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Identity:
    """Whom a connection test reached."""

    name: str
    profile_id: str = ""


class Storage:
    """One place. May be shared between threads. Keys are relative to the place's prefix, with "/" between parts.

    Every method may raise what `errors.translated` gives.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._store = _opened(place)

    def __enter__(self) -> Storage:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def __str__(self) -> str:
        return str(self.place)

    @property
    def is_local(self) -> bool:
        return isinstance(self.place, Folder)

    def put(self, key: str, body: bytes | memoryview | Path, headers: dict[str, str]) -> str:
        """Store an object whole, in one request; returns its tag."""
        kept: Any = None if self.is_local else headers
        with self._translating():
            result = obstore.put(self._store, key, body, attributes=kept, use_multipart=False)
        return tag_of(result["e_tag"])

    def take(self, key: str, file: LocalFile) -> None:
        """Copy a file into a folder: under its name it is there whole, or not at all."""
        file.open().close()
        with self._translating():
            obstore.put(self._store, key, file.path, chunk_size=8 * MIB, max_concurrency=2)
        if (stored := self.head(key)) is None or stored.size_bytes != file.size_bytes:
            raise SourceChanged(f"{file.path} changed while it was copied.")

    def md5(self, key: str) -> str:
        """Of an object in a folder, read anew."""
        path = self.local_path(key)
        return LocalFile(path, key, path.stat().st_size).md5().hexdigest()

    def local_path(self, key: str) -> Path:
        """Where an object of a folder lies. Raises Rejected for what lies elsewhere."""
        assert isinstance(self.place, Folder)
        base = Path(os.path.realpath(self.place.path))
        path = Path(os.path.realpath(base / key))
        if ".." in key.split("/") or path == base or not path.is_relative_to(base):
            raise Rejected(f"{key} is not in {self}.")
        return path

    def listing(self, folder: str) -> dict[str, Stored]:
        """Every object below a folder, by its key."""
        found: dict[str, Stored] = {}
        with self._translating():
            for page in obstore.list(self._store, folder or None, chunk_size=1000):
                for meta in page:
                    found[meta["path"]] = Stored(meta["size"], tag_of(meta["e_tag"]))
        return found

    def head(self, key: str) -> Stored | None:
        """One object; None when it is not there."""
        try:
            with self._translating():
                meta = obstore.head(self._store, key)
        except ObjectMissing:
            return None
        return Stored(meta["size"], tag_of(meta["e_tag"]))

    def read(self, key: str, *, start: int = 0, end: int | None = None) -> Found:
        """The bytes of an object from `start` to before `end`."""
        chosen: Any = {}
        if end is not None:
            chosen = {"range": (start, end)}
        elif start:
            chosen = {"range": {"offset": start}}
        with self._translating():
            answer = obstore.get(self._store, key, options=chosen)
            body = bytes(answer.bytes())
        headers = {str(name): str(value) for name, value in answer.attributes.items()}
        return Found(body, answer.range[0], answer.meta["size"], tag_of(answer.meta["e_tag"]), headers)

    def delete(self, keys: Iterable[str]) -> int:
        """Delete objects, one request each: not every server takes deletions in bulk as they are sent today."""
        count = 0
        for key in keys:
            with self._translating(), contextlib.suppress(FileNotFoundError):
                obstore.delete(self._store, key)
            count += 1
        return count

    def signed_url(self, key: str, *, seconds: float) -> str:
        """An address that gives the object to whoever has it, for so long; empty for a folder."""
        if isinstance(self._store, LocalStore):
            return ""
        with self._translating():
            return obstore.sign(self._store, "GET", key, timedelta(seconds=seconds))

    def identify(self) -> Identity:
        """Write an object, read it, delete it. Raises what went wrong."""
        key = f"{PROBE}/{secrets.token_hex(8)}.txt"
        body = secrets.token_hex(16).encode()
        tag = self.put(key, body, {"Content-Type": "text/plain", "Cache-Control": "no-store"})
        try:
            if self.read(key).body != body or not self.listing(PROBE).get(key):
                raise Damaged(f"{self} does not give back what was written.")
            if (
                not self.is_local
                and is_md5(tag)
                and tag != hashlib.md5(body, usedforsecurity=False).hexdigest()
            ):
                raise Damaged(f"{self} names another checksum than that of what was written.")
        finally:
            self.delete([key])
        if self.head(key) is not None:
            raise Unavailable(f"{self} still has an object that was deleted.")
        return Identity(str(self))

    @contextlib.contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError, NotImplementedError) as error:
            # Without the cause: its words quote whole requests.
            raise translated(error, self) from None


def tag_of(value: object) -> str:
    return str(value or "").strip('"').lower()


def is_md5(tag: str) -> bool:
    """Whether a tag is the MD5 of a whole object; one stored in pieces has “-” and their number behind it."""
    return len(tag) == 32 and "-" not in tag


def _opened(place: Place) -> LocalStore | S3Store:
    if isinstance(place, Folder):
        try:
            place.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise translated(error, place) from error
        return LocalStore(place.path)
    return _bucket_store(place)


def _bucket_store(bucket: Bucket) -> S3Store:
    options: dict[str, Any] = {
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        "timeout": timedelta(seconds=REQUEST_SECONDS),
        "allow_http": bucket.endpoint.startswith("http://"),
        "user_agent": "Slotcast",
    }
    if bucket.ca_file:
        try:
            options["root_certificate"] = Path(bucket.ca_file).read_text()
        except OSError as error:
            raise Unavailable(
                f"SPACES_CA_FILE {bucket.ca_file} cannot be read ({error.strerror})."
            ) from error
    if not bucket.checks_certificate:
        options["allow_invalid_certificates"] = True
    return S3Store(
        bucket.name,
        prefix=bucket.prefix or None,
        endpoint=bucket.address if bucket.is_virtual else bucket.endpoint,
        region=bucket.region,
        access_key_id=bucket.key,
        secret_access_key=bucket.secret,
        virtual_hosted_style_request=bucket.is_virtual,
        # TLS and the tag of the answer say whether the bytes are right; hashing them a second time does not.
        unsigned_payload=bucket.endpoint.startswith("https://"),
        client_options=cast("Any", options),
        # Whoever sends many objects slows down for all of them: `pace`.
        retry_config={"max_retries": 0},
        disable_bulk_delete=True,
    )
