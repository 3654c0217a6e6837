"""Texts as vectors without a model: hashed words and pairs of words, weighed by TF-IDF (Weinberger et al. 2009)."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

from jobs.texts.words import words

DIMENSIONS = 256


def embed(texts: Sequence[str]) -> list[list[float]]:
    """A vector of length one for each text, all zeros for one without words; rarity is that among `texts`."""
    counts = [Counter(_features(text)) for text in texts]
    seen_in = Counter(feature for each in counts for feature in each)
    size = len(texts)
    return [
        _vector((feature, (1 + math.log(often)) * (math.log((1 + size) / (1 + seen_in[feature])) + 1))
                for feature, often in each.items())
        for each in counts
    ]  # fmt: skip


def likeness(one: Sequence[float], other: Sequence[float]) -> float:
    """The cosine of two vectors: 1 for the same direction, 0 where nothing is shared or a size differs."""
    if len(one) != len(other):
        return 0.0
    sizes = math.sqrt(sum(x * x for x in one)) * math.sqrt(sum(x * x for x in other))
    return sum(x * y for x, y in zip(one, other, strict=True)) / sizes if sizes else 0.0


def _features(text: str) -> Iterable[str]:
    found = list(words(text))
    yield from found
    yield from (f"{one} {other}" for one, other in pairwise(found))


def _vector(weights: Iterable[tuple[str, float]]) -> list[float]:
    vector = [0.0] * DIMENSIONS
    for feature, weight in weights:
        place, sign = _place(feature)
        vector[place] += sign * weight
    size = math.sqrt(sum(each * each for each in vector))
    return [round(each / size, 6) for each in vector] if size else vector


@lru_cache(maxsize=100_000)
def _place(feature: str) -> tuple[int, int]:
    """Not Python's own hash, which is another one in every process."""
    number = int.from_bytes(hashlib.blake2b(feature.encode("utf-8", "replace"), digest_size=8).digest())
    return number % DIMENSIONS, 1 if number >> 63 else -1
