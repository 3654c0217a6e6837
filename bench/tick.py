"""A pass of the clock over a line of 100,000 episodes against one over 1,000."""

from __future__ import annotations

import json
import statistics
import sys
from subprocess import Popen

from bench.ground import DATABASES, Figure, main, running
from bench.line import EPISODES

SHORT, LONG = 1_000 // EPISODES, 100_000 // EPISODES
ROUNDS = 30


def measure(kind: str) -> list[Figure]:
    with (
        running("-m", "bench.line", kind, str(SHORT)) as short,
        running("-m", "bench.line", kind, str(LONG)) as long,
    ):
        for line in (short, long):
            unused = [index for index, is_used in answer_of(line).items() if not is_used]
            if unused:
                print(f"Not used on {DATABASES[kind]}: {', '.join(unused)}", file=sys.stderr)
        rounds = [(one_round(long), one_round(short)) for _ in range(ROUNDS)]
    return [
        figure(DATABASES[kind], name, [one[name] for one, _ in rounds], [other[name] for _, other in rounds])
        for name in rounds[0][0]
    ]


def one_round(line: Popen[str]) -> dict[str, float]:
    line.stdin.write("go\n")
    line.stdin.flush()
    return answer_of(line)


def answer_of(line: Popen[str]) -> dict[str, float]:
    return json.loads(line.stdout.readline())


def figure(database: str, name: str, long: list[float], short: list[float]) -> Figure:
    most, least = statistics.median(long), statistics.median(short)
    ratio = statistics.median(one / other for one, other in zip(long, short, strict=True))
    return Figure(
        f"tick: {name}, 100,000 rows, {database}",
        f"{most * 1000:.1f} ms",
        f"1,000 rows {least * 1000:.1f} ms",
        ratio,
        "<= 50 ms, <= 1.5",
        most <= 0.05 and ratio <= 1.5,
    )


if __name__ == "__main__":
    sys.exit(main(measure, ["sqlite", "postgresql"]))
