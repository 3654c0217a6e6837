"""What came of an action over many rows, as one sentence: how many, and why the others not."""

from __future__ import annotations

from collections import Counter

from django.contrib import messages
from django.http import HttpRequest

# So many different reasons are told; the rest is counted.
MOST_REASONS = 5


class Report:
    """ "3 queued, 2 refused: already completed (2)." """

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.left = 0

    def count(self, word: str, number: int = 1) -> None:
        self.done[word] += number

    def refuse(self, reason: object) -> None:
        self.reasons[str(reason).rstrip(".")] += 1

    def leave(self, number: int) -> None:
        """So many were chosen and not looked at: too many for one request."""
        self.left += number

    def __str__(self) -> str:
        parts = [f"{number} {word}" for word, number in self.done.items()]
        if self.reasons:
            parts.append(f"{self.reasons.total()} refused: {self._why()}")
        if self.left:
            parts.append(f"{self.left} left as they are, too many at once: repeat it for the rest")
        return f"{', '.join(parts) or 'Nothing was chosen'}."

    def _why(self) -> str:
        told = self.reasons.most_common(MOST_REASONS)
        why = "; ".join(f"{reason} ({number})" if number > 1 else reason for reason, number in told)
        left = len(self.reasons) - len(told)
        return f"{why}; and {left} other reasons" if left else why

    def tell(self, request: HttpRequest) -> None:
        """Show it on the next page."""
        refused = messages.WARNING if self.done else messages.ERROR
        messages.add_message(request, refused if self.reasons or self.left else messages.SUCCESS, str(self))
