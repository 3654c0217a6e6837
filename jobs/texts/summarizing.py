"""An extract: the sentences that stand nearest to what the whole text speaks of, in their order.

Centroid ranking over TF-IDF with sentences as documents (Radev et al. 2004, MEAD), first sentences weighing more.
"""

from __future__ import annotations

import math
from collections import Counter

from jobs.texts.words import sentences, words

SENTENCES = 3
MOST_SENTENCES_READ = 5000
LONGEST = 1000


def summarize(text: str) -> str:
    """Up to three sentences; a text of no more comes back whole."""
    said = sentences(text)[:MOST_SENTENCES_READ]
    if len(said) <= SENTENCES:
        return _cut(" ".join(said))
    counts = [Counter(words(sentence)) for sentence in said]
    seen_in = Counter(word for each in counts for word in each)
    rarity = {word: math.log(1 + len(said) / often) for word, often in seen_in.items()}
    # What is said once in a long text is no subject of it.
    centre = {word: often * rarity[word] for word, often in seen_in.items() if often > 1}

    def score(place: int) -> float:
        each = counts[place]
        size = sum(each.values())
        if size < 4:
            return 0.0
        near = sum(centre.get(word, 0.0) * rarity[word] for word in each) / math.sqrt(size)
        return near * (1.25 if place < 3 else 1.0)

    best = sorted(range(len(said)), key=lambda place: (-score(place), place))[:SENTENCES]
    return _cut(" ".join(said[place] for place in sorted(best)))


def _cut(text: str) -> str:
    return (
        text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rpartition(' ')[0] or text[: LONGEST - 1]}…"
    )
