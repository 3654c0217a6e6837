"""Ids of pipeline rows: UUIDs that begin with their moment, so that new rows lie together in the index."""

from __future__ import annotations

import secrets
import time
import uuid


def new_id() -> uuid.UUID:
    """A UUID of version 7 (RFC 9562): milliseconds since 1970, then chance; sorted by id is sorted by age."""
    value = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    value &= ~(0xF << 76 | 0x3 << 62)
    return uuid.UUID(int=value | 0x7 << 76 | 0x2 << 62)
