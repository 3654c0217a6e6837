"""Uploaded files that never became part of a post: somebody chose them in the form and went away."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from schedules.posts.uploads import FOLDER
from schedules.posts.videos import PostVideo
from uploader import kept_files
from uploader.kept_files import MARK

log = logging.getLogger(__name__)

# A form may stay open over night.
KEPT_FOR = timedelta(days=2)


def remove(now: datetime) -> int:
    """Delete what is older and belongs to no post. Returns how many."""
    before = (now - KEPT_FOR).timestamp()
    found = (Path(settings.MEDIA_ROOT) / FOLDER).glob("*")
    # A file that was moved to the storage has left its mark here.
    old = [path.with_name(path.name.removesuffix(MARK)) for path in found if path.stat().st_mtime < before]
    if not old:
        return 0
    names = {f"{FOLDER}/{path.name}": path for path in old}
    used = set(PostVideo.objects.exclude(media_path="").values_list("media_path", flat=True).iterator())
    left = [path for name, path in names.items() if name not in used]
    for path in left:
        kept_files.forget(path)
    if left:
        log.info("%s uploaded files that belong to no post were removed", len(left))
    return len(left)
