"""Deletes everything below a folder of a storage: what players open first, so that nothing names what is gone."""

from __future__ import annotations

import re
import shutil

from uploader.platforms.errors import Rejected
from uploader.transfer.control import Control
from uploader.transfer.crew import Crew
from uploader.transfer.places import Bucket
from uploader.transfer.storage import Storage

AT_ONCE = 16
# A package's folder: two steps below the prefix at the least. An empty name would empty the bucket.
DEEP_ENOUGH = re.compile(r"[\w-]+/[\w-]+/[\w/.-]+", re.ASCII)


def clear(storage: Storage, folder: str) -> int:
    """How many objects were deleted. Raises Rejected for a folder that holds more than a package."""
    if not DEEP_ENOUGH.fullmatch(folder) or ".." in folder:
        raise Rejected(f"“{folder}” is no folder of a package.")
    keys = sorted(storage.listing(folder), key=lambda key: (not key.endswith(".m3u8"), key.count("/"), key))
    playlists = [key for key in keys if key.endswith(".m3u8")]
    storage.delete(playlists)
    crew = Crew(AT_ONCE, lambda: None)

    def delete(key: str) -> None:
        storage.delete([key])

    crew.do([key for key in keys if not key.endswith(".m3u8")], delete)
    if isinstance(storage.place, Bucket):
        control = Control(storage.place)
        for key, upload_id in control.unfinished_below(folder):
            control.abort(key, upload_id)
    else:
        shutil.rmtree(storage.local_path(folder), ignore_errors=True)
    return len(keys)
