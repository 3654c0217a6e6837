"""One upload of 2 GB as the product does it, against curl sending the same file to the same place."""

from __future__ import annotations

import shutil
import statistics
import sys

from bench.ground import Figure, LeftOut, main
from bench.uploading import FILE_BYTES, curl, episode_of, hands, large_file, platform

ROUNDS = 7
MEGABYTE = 1_000_000


def measure(kind: str) -> list[Figure]:
    if shutil.which("curl") is None:
        raise LeftOut("curl is not installed: nothing to compare the benchmark “upload” with.")
    from django.utils import timezone

    from uploader.upload_jobs import create_upload

    ours, curls, peaks, growths = [], [], [], []
    with large_file() as path, platform() as there, hands() as worker:
        destination = there.destination("bench")
        episode = episode_of(path, now=timezone.now())
        for _ in range(ROUNDS):
            curls.append(FILE_BYTES / curl(path, there.upload_url))
            answer, memory = worker.execute_watched(create_upload(episode, destination, now=timezone.now()))
            ours.append(FILE_BYTES / answer["seconds"])
            peaks.append(max(memory) - worker.idle_bytes)
            # Flat: what the second half needed beyond the first.
            half = len(memory) // 2
            growths.append(max(memory[half:]) - max(memory[:half]))
    ratio = statistics.median(one / other for one, other in zip(ours, curls, strict=True))
    peak, growth = max(peaks) / MEGABYTE, statistics.median(growths) / MEGABYTE
    return [
        Figure(
            "upload: 2 GB, a whole upload job",
            f"{statistics.median(ours) / MEGABYTE:,.0f} MB/s",
            f"curl -F {statistics.median(curls) / MEGABYTE:,.0f} MB/s",
            ratio,
            ">= 0.9",
            ratio >= 0.9,
        ),
        Figure(
            f"upload: memory over {ROUNDS} uploads",
            f"+{peak:.0f} MB at most, {growth:+.1f} MB from first to second half",
            "the same process idle",
            None,
            "<= +60 MB, flat",
            peak <= 60 and growth <= 2,
        ),
    ]


if __name__ == "__main__":
    sys.exit(main(measure, ["sqlite"]))
