"""What each file of a package is told to be, and how long it may be kept by those it passes.

Python's own table says text/vnd.trolltech.linguist for .ts, and a storage guesses nothing. Segments may be kept for
ever because a package's folder is never written to again; the playlists' names are known before their content is.
"""

from __future__ import annotations

from pathlib import PurePosixPath

FOR_EVER = "public, max-age=31536000, immutable"

# RFC 8216 (playlists), RFC 3555 (MPEG-TS), RFC 8081 and the like; all by the end of the name.
HEADERS = {
    ".m3u8": ("application/vnd.apple.mpegurl", "public, max-age=300"),
    ".ts": ("video/mp2t", FOR_EVER),
    ".m4s": ("video/iso.segment", FOR_EVER),
    ".mp4": ("video/mp4", FOR_EVER),
    ".m4a": ("audio/mp4", FOR_EVER),
    ".aac": ("audio/aac", FOR_EVER),
    ".vtt": ("text/vtt; charset=utf-8", "public, max-age=3600"),
    ".mpd": ("application/dash+xml", "public, max-age=60"),
    ".jpg": ("image/jpeg", FOR_EVER),
    ".json": ("application/json", "public, max-age=60"),
}
OTHER = ("application/octet-stream", "no-cache")


def headers_of(name: str) -> dict[str, str]:
    """Content type and cache header of a file by its name."""
    content_type, cache = HEADERS.get(PurePosixPath(name).suffix.lower(), OTHER)
    return {"Content-Type": content_type, "Cache-Control": cache}
