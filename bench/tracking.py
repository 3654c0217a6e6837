"""What progress and lease cost an upload of 2 GB: the same job with them and without."""

from __future__ import annotations

import statistics
import sys

from bench.ground import Figure, main
from bench.uploading import episode_of, hands, large_file, platform

PAIRS = 25


def measure(kind: str) -> list[Figure]:
    from django.utils import timezone

    from uploader.upload_jobs import create_upload

    found: dict[str, list[dict[str, float]]] = {"tracked": [], "untracked": []}
    with large_file() as path, platform() as there, hands() as worker:
        destination = there.destination("bench")
        episode = episode_of(path, now=timezone.now())
        # The first upload of a process is slower in either way.
        worker.execute(create_upload(episode, destination, now=timezone.now()))
        for number in range(PAIRS):
            for how in ("tracked", "untracked") if number % 2 else ("untracked", "tracked"):
                answer = worker.execute(create_upload(episode, destination, now=timezone.now()), how)
                found[how].append(answer)
    return [figure("time", "seconds", found), figure("CPU time", "cpu", found), share(found["tracked"])]


def figure(name: str, key: str, found: dict[str, list[dict[str, float]]]) -> Figure:
    tracked, untracked = ([answer[key] for answer in found[how]] for how in ("tracked", "untracked"))
    ratios = [one / other for one, other in zip(tracked, untracked, strict=True)]
    ratio = statistics.median(ratios)
    # How far the median itself may be off by chance.
    error = 1.25 * statistics.stdev(ratios) / len(ratios) ** 0.5
    return Figure(
        f"tracking: {name} of a 2 GB upload",
        f"{statistics.median(tracked):.3f} s",
        f"untracked {statistics.median(untracked):.3f} s, ratio ± {error:.2f}",
        ratio,
        "<= 1.02",
        ratio <= 1.02,
    )


def share(tracked: list[dict[str, float]]) -> Figure:
    """The supervising thread by itself: what two uploads that differ by chance cannot show."""
    ratio = statistics.median(answer["cpu"] / (answer["cpu"] - answer["supervising"]) for answer in tracked)
    own = statistics.median(answer["supervising"] for answer in tracked)
    return Figure(
        "tracking: CPU time of the supervising thread",
        f"{own * 1000:.1f} ms of the upload's",
        f"the rest {statistics.median(a['cpu'] - a['supervising'] for a in tracked):.3f} s",
        ratio,
        "<= 1.02",
        ratio <= 1.02,
    )


if __name__ == "__main__":
    sys.exit(main(measure, ["sqlite"]))
