"""How long many runs took, as a small histogram: counts that can be added up, percentiles to within five per cent."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

# A bucket is a tenth wider than the one before; bucket 0 is what took less than a millisecond.
GROWTH = math.log(1.1)


def bucket_of(seconds: float) -> int:
    """The number of the bucket that a run of `seconds` falls into."""
    milliseconds = seconds * 1000
    return 0 if milliseconds < 1 else 1 + int(math.log(milliseconds) / GROWTH)


def middle_of(bucket: int) -> float:
    """Seconds in the middle of a bucket."""
    return 0.0005 if bucket == 0 else math.exp((bucket - 0.5) * GROWTH) / 1000


def add(lengths: dict[str, int], more: Mapping[str, int]) -> None:
    """Add counts to counts. Keys are text, as in JSON."""
    if not lengths and all(count > 0 for count in more.values()):
        lengths.update(more)
        return
    for bucket, count in more.items():
        total = lengths.get(bucket, 0) + count
        if total > 0:
            lengths[bucket] = total
        else:
            lengths.pop(bucket, None)


def percentile(lengths: Mapping[str, int] | Iterable[tuple[str, int]], percent: float) -> float | None:
    """Seconds below which `percent` of the runs lie; None when there are none."""
    counts = sorted((int(bucket), count) for bucket, count in dict(lengths).items())
    wanted = sum(count for _, count in counts) * percent / 100
    passed = 0
    for bucket, count in counts:
        passed += count
        if passed >= wanted:
            return middle_of(bucket)
    return None
