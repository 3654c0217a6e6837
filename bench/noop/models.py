"""A tracked job that does nothing: what is left is what tracking costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.claiming import claim_index, lease_index
from jobs.lifecycle import TrackedJob

if TYPE_CHECKING:
    from jobs.running import Run


class NoopJob(TrackedJob):
    lane = "noop"
    claim_batch = 10

    class Meta:
        indexes = (claim_index("noop_claim"), lease_index("noop_lease"))

    def __str__(self) -> str:
        return f"No-op {self.pk}"

    def perform(self, run: Run) -> None:
        pass
