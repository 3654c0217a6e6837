"""A pass of the clock over 10,000 weekly windows and a million videos against one over a hundredth of that."""

from __future__ import annotations

import statistics
import sys

from bench.ground import DATABASES, Figure, main, running
from bench.tick import answer_of, one_round

FEW, MANY = 5, 500
ROUNDS = 30
MOST_SECONDS = 0.1


def measure(kind: str) -> list[Figure]:
    with (
        running("-m", "bench.weekly", kind, str(FEW)) as small,
        running("-m", "bench.weekly", kind, str(MANY)) as large,
    ):
        answer_of(small)  # a table of a hundred rows is read whole, and rightly so
        unused = [index for index, is_used in answer_of(large).items() if not is_used]
        if unused:
            print(f"Not used on {DATABASES[kind]}: {', '.join(unused)}", file=sys.stderr)
        rounds = [(one_round(large), one_round(small)) for _ in range(ROUNDS)]
    return [
        figure(DATABASES[kind], name, [one[name] for one, _ in rounds], [other[name] for _, other in rounds])
        for name in rounds[0][0]
    ]


def figure(database: str, name: str, large: list[float], small: list[float]) -> Figure:
    most, least = statistics.median(large), statistics.median(small)
    ratio = statistics.median(one / other for one, other in zip(large, small, strict=True))
    return Figure(
        f"windows: {name}, 10,000 windows, 1,000,000 videos, {database}",
        f"{most * 1000:.1f} ms",
        f"1 % of that {least * 1000:.1f} ms",
        ratio,
        "<= 100 ms, <= 1.5",
        most <= MOST_SECONDS and ratio <= 1.5,
    )


if __name__ == "__main__":
    sys.exit(main(measure, ["sqlite", "postgresql"]))
