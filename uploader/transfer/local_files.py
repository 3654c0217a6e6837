"""Files on their way to a storage: what they are, and the checksum a storage will name for them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from uploader.platforms.errors import SourceChanged, SourceUnreadable

MIB = 1024 * 1024
# Up to so much goes in one piece with the data path's library, which tells nothing while it sends.
WHOLE_BYTES = 1 * MIB
# Up to so much goes in one request; what is larger in parts of this size, or of a multiple of it.
PART_BYTES = 16 * MIB
# Amazon S3 and Spaces take no more parts of one object.
MOST_PARTS = 10_000
READ_BYTES = 256 * 1024


@dataclass(frozen=True)
class LocalFile:
    """One file and the key it is to have."""

    path: Path
    key: str
    size_bytes: int

    @property
    def part_bytes(self) -> int:
        """The size of its parts; the same at every try, so that what is there can be compared."""
        parts = PART_BYTES
        while self.size_bytes > parts * MOST_PARTS:
            parts *= 2
        return parts

    @property
    def is_in_parts(self) -> bool:
        return self.size_bytes > PART_BYTES

    @property
    def parts(self) -> range:
        """The offsets at which its parts begin."""
        return range(0, self.size_bytes, self.part_bytes)

    def open(self) -> BinaryIO:
        """Opened for reading, no link followed. Raises SourceUnreadable, SourceChanged."""
        try:
            opened = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise SourceUnreadable(f"{self.path} cannot be read ({error.strerror}).") from error
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode) or found.st_size != self.size_bytes:
            os.close(opened)
            raise SourceChanged(f"{self.path} changed while it was uploaded.")
        return os.fdopen(opened, "rb", buffering=0)

    def read(self) -> bytes:
        """All of it, for what is small. Raises as `open` does."""
        with self.open() as file:
            body = file.read()
        if len(body) != self.size_bytes:
            raise SourceChanged(f"{self.path} changed while it was uploaded.")
        return body

    def pieces(self, start: int, size: int) -> Iterator[bytes]:
        """`size` bytes from `start` on, in small pieces. Raises as `open` does."""
        with self.open() as file:
            file.seek(start)
            left = size
            while left:
                piece = file.read(min(left, READ_BYTES))
                if not piece:
                    raise SourceChanged(f"{self.path} became shorter while it was uploaded.")
                left -= len(piece)
                yield piece

    def md5(self, start: int = 0, size: int | None = None) -> hashlib._Hash:
        digest = hashlib.md5(usedforsecurity=False)
        for piece in self.pieces(start, self.size_bytes - start if size is None else size):
            digest.update(piece)
        return digest

    def part_size(self, start: int) -> int:
        return min(self.part_bytes, self.size_bytes - start)

    def tag(self) -> str:
        """The tag S3 gives it: the MD5 of the whole, or of the parts' MD5s with their number behind it."""
        if not self.is_in_parts:
            return self.md5().hexdigest()
        return tag_of_parts([self.md5(start, self.part_size(start)).hexdigest() for start in self.parts])


def tag_of_parts(tags: list[str]) -> str:
    whole = hashlib.md5(b"".join(bytes.fromhex(tag) for tag in tags), usedforsecurity=False)
    return f"{whole.hexdigest()}-{len(tags)}"
