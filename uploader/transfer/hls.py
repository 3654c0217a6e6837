"""What a playlist names. RFC 8216: every line that is no tag, and the URI of the tags that have one."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from uploader.platforms.errors import Rejected

_URI = re.compile(r'^#EXT-X-[A-Z-]+:.*?\bURI="([^"]*)"')
LARGEST_PLAYLIST_BYTES = 16 * 1024 * 1024


class BadPlaylist(Rejected):
    """The playlist cannot be used as it is. Transcode the video again."""


def named_in(playlist: Path, root: Path) -> list[str]:
    """The paths, relative to `root`, of what a playlist names. Raises BadPlaylist."""
    try:
        if playlist.stat().st_size > LARGEST_PLAYLIST_BYTES:
            raise BadPlaylist(f"{playlist.name} is too large to be a playlist.")
        text = playlist.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadPlaylist(f"{playlist.name} cannot be read. Transcode the video again.") from error
    if not text.startswith("#EXTM3U"):
        raise BadPlaylist(f"{playlist.name} is no playlist. Transcode the video again.")
    here = playlist.parent.relative_to(root).as_posix()
    return [_placed(uri, here, playlist.name) for uri in _uris(text)]


def _uris(text: str) -> Iterator[str]:
    for line in text.splitlines():
        stripped = line.strip()
        if found := _URI.match(stripped):
            yield found[1]
        elif stripped and not stripped.startswith("#"):
            yield stripped


def _placed(uri: str, here: str, name: str) -> str:
    parts = urlsplit(uri)
    path = posixpath.normpath(posixpath.join(here, unquote(parts.path)))
    if parts.scheme or parts.netloc or not parts.path or path.startswith(("/", "..")):
        raise BadPlaylist(f"{name} names “{uri}”, which is not in its package.")
    return path


def everything_named(master: Path, root: Path) -> set[str]:
    """What the master playlist names, and what the playlists it names name. Raises BadPlaylist."""
    found: set[str] = set()
    line = [master]
    while line:
        for path in named_in(line.pop(), root):
            if path not in found:
                found.add(path)
                if path.endswith(".m3u8"):
                    line.append(root / path)
    if not found:
        raise BadPlaylist(f"{master.name} names nothing. Transcode the video again.")
    return found
