"""Ids of pipeline rows: UUIDs that begin with their moment, so that new rows lie together in the index."""

from __future__ import annotations

import secrets
import time
import uuid
from datetime import UTC, datetime, timedelta

# The clock of a machine elsewhere may be off by so much.
LARGEST_SKEW = timedelta(days=1)


def new_id() -> uuid.UUID:
    """A UUID of version 7 (RFC 9562): milliseconds since 1970, then chance; sorted by id is sorted by age."""
    value = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    value &= ~(0xF << 76 | 0x3 << 62)
    return uuid.UUID(int=value | 0x7 << 76 | 0x2 << 62)


def is_of_now(value: uuid.UUID, now: datetime) -> bool:
    """Whether an id made elsewhere is one of these, and stands among ours in its place."""
    moment = timedelta(milliseconds=value.int >> 80)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return value.version == 7 and now - epoch - LARGEST_SKEW < moment < now - epoch + LARGEST_SKEW
