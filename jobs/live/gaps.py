"""Ids that were passed over: still to be committed, or never.

PostgreSQL gives an id at the insert and shows the row at the commit, so ids become visible out of order.
A missing id is lost for good (rolled back, pruned) once every transaction of that time has ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Gap:
    """The missing ids `first`…`last`."""

    first: int
    last: int
    # Monotonic time of the first look that missed them.
    missed_at: float
    # Transaction ids below this one may still fill the gap; None until it is known.
    fence: int | None = None

    def without(self, found: Iterable[int]) -> list[Gap]:
        """What is left when these ids have appeared."""
        left, start = [], self.first
        for id in sorted(id for id in found if self.first <= id <= self.last):
            if start < id:
                left.append(replace(self, first=start, last=id - 1))
            start = id + 1
        if start <= self.last:
            left.append(replace(self, first=start))
        return left

    def is_dead(self, oldest_running: int | None) -> bool:
        """Whether nobody can fill it any more, given the oldest transaction that still runs."""
        return self.fence is not None and oldest_running is not None and oldest_running >= self.fence


def missing_between(position: int, ids: Iterable[int], known: Collection[Gap], now: float) -> list[Gap]:
    """The gaps among ascending `ids` behind `position`; part of a known gap keeps its age and fence."""
    gaps = []
    for id in ids:
        if id > position + 1:
            first, last = position + 1, id - 1
            older = next((gap for gap in known if gap.first <= first and last <= gap.last), None)
            gaps.append(replace(older, first=first, last=last) if older else Gap(first, last, now))
        position = id
    return gaps
