"""Files that come with a request: written below MEDIA_ROOT while they arrive, never held in memory."""

from __future__ import annotations

import uuid
from pathlib import Path, PurePosixPath
from typing import IO, Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile

from schedules.posts.sources import SUFFIXES
from uploader import kept_files
from uploader.platforms.onlysocial import MEDIA_BYTES

# Below MEDIA_ROOT.
FOLDER = "posts"


class KeptFile(UploadedFile):  # type: ignore[type-arg]
    """An uploaded file at its place below MEDIA_ROOT."""

    def __init__(self, file: IO[bytes], path: Path, *, name: str, size: int) -> None:
        super().__init__(file=file, name=name, size=size)
        self.path = path


class KeepingHandler(FileUploadHandler):
    """Writes every file of the request to MEDIA_ROOT/posts; one that is too large is dropped and remembered."""

    chunk_size = 1024 * 1024

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self.too_large: list[str] = []
        self._kept: list[Path] = []
        self._file: IO[bytes] | None = None
        self._written = 0

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        folder = Path(settings.MEDIA_ROOT) / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        suffix = PurePosixPath(str(self.file_name)).suffix.lower()
        # A name of ours: a name of theirs could lead anywhere.
        path = folder / f"{uuid.uuid4().hex}{suffix if suffix in SUFFIXES else '.bin'}"
        self._file, self._written = path.open("xb"), 0
        self._kept.append(path)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        assert self._file is not None
        self._written += len(raw_data)
        if self._written > MEDIA_BYTES:
            self._file.close()
            self._kept.pop().unlink()
            self.too_large.append(str(self.file_name))
            raise SkipFile
        self._file.write(raw_data)

    def file_complete(self, file_size: int) -> KeptFile | None:
        if self._file is None or self._file.closed:
            return None
        self._file.close()
        return KeptFile(self._file, self._kept[-1], name=str(self.file_name), size=file_size)

    def upload_interrupted(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Remove every file of the request: nothing came of it."""
        if self._file is not None:
            self._file.close()
        for path in self._kept:
            kept_files.forget(path)
        self._kept.clear()
