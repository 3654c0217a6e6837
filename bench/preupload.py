"""The media of 100 posts of 50 MB, one after the other, against `curl -F` of the same files.

Once over a link of 1 Gbit/s, once with nothing between the two but the machine itself, where what a job costs
beside its bytes (claim, lease, history, the post's own states) shows. BENCH_FILES and BENCH_FILE_MB scale it down.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path

from bench.ground import DATABASES, Figure, LeftOut, main, running
from bench.uploading import memory_of

FILES = int(os.environ.get("BENCH_FILES", "100"))
FILE_BYTES = int(os.environ.get("BENCH_FILE_MB", "50")) * 1_000_000
ROUNDS = 3
GIGABIT = 125_000_000
# Counting this process's own memory holds it up: seldom.
SAMPLE_EVERY_SECONDS = 0.5


def measure(kind: str) -> list[Figure]:
    if shutil.which("curl") is None:
        raise LeftOut("curl is not installed; the pre-upload has nothing to stand beside.")
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="slotcast-bench-", dir=memory if memory.is_dir() else None
    ) as folder:
        paths = files(Path(folder))
        return [
            *compared(kind, paths, "1 Gbit/s", [str(GIGABIT)], rounds=1, goal=0.9),
            *compared(kind, paths, "no link", [], rounds=ROUNDS, goal=None),
        ]


def compared(
    kind: str, paths: list[Path], link: str, arguments: list[str], *, rounds: int, goal: float | None
) -> list[Figure]:
    ours, curls, samples = [], [], []
    with running("-m", "bench.media_sink", *arguments) as process:
        assert process.stdout is not None
        api = json.loads(process.stdout.readline())["api"]
        for number in range(rounds):
            curls.append(with_curl(api, paths))
            took, seen = with_jobs(api, paths, f"{link[:2].strip()}-{number}")
            ours.append(took)
            samples += seen
    total = FILES * FILE_BYTES
    ratio = statistics.median(curl / own for curl, own in zip(curls, ours, strict=True))
    half = len(samples) // 2
    growth = (max(samples[half:]) - max(samples[:half])) / 1e6
    name = f"{FILES} posts of {FILE_BYTES // 1_000_000} MB, {link}, {DATABASES[kind]}"
    return [
        Figure(
            f"pre-upload: {name}",
            f"{total / statistics.median(ours) / 1e6:,.0f} MB/s",
            f"curl -F, one after the other {total / statistics.median(curls) / 1e6:,.0f} MB/s",
            ratio, f">= {goal}" if goal else "", ratio >= goal if goal else None,
        ),
        Figure(
            f"pre-upload: memory, {name}",
            f"+{(max(samples) - samples[0]) / 1e6:.0f} MB at most, {growth:+.1f} MB from first to second half",
            "", None, "flat", growth <= 5,
        ),
    ]  # fmt: skip


def files(folder: Path) -> list[Path]:
    """One file on the disk under many names."""
    from django.conf import settings

    settings.LIBRARY_ROOT = folder
    first = folder / "0.mp4"
    with first.open("wb") as file:
        file.write(b"\0\0\0\x18ftypisom")
        piece = os.urandom(1_000_000)
        for _ in range(FILE_BYTES // len(piece)):
            file.write(piece)
        file.truncate(FILE_BYTES)
    paths = [folder / f"{number}.mp4" for number in range(FILES)]
    for path in paths[1:]:
        os.link(first, path)
    return paths


def with_curl(api: str, paths: list[Path]) -> float:
    began = time.monotonic()
    for path in paths:
        command = ["curl", "-sS", "-o", os.devnull, "-F", f"file=@{path};type=video/mp4", f"{api}/w/media"]
        subprocess.run(command, check=True)
    return time.monotonic() - began


def with_jobs(api: str, paths: list[Path], name: str) -> tuple[float, list[int]]:
    """Seconds from the first job to the last post with its media there, and this process's memory meanwhile."""
    from django.utils import timezone

    from jobs import runner
    from schedules.posts.media import pre_upload
    from schedules.posts.models import PostStatus, ScheduledPost
    from schedules.posts.videos import PostVideo
    from uploader.destinations import Destination
    from uploader.social_accounts import SocialAccount

    now = timezone.now()
    destination = Destination.objects.create(
        name=name, platform="onlysocial", api_key="bench", workspace="w", api_url=api, accounts_asked_at=now
    )
    account = SocialAccount.objects.create(
        destination=destination, remote_id=1, uuid=name, name="Bench", provider="instagram",
        is_authorized=True, seen_at=now,
    )  # fmt: skip
    for path in paths:
        post = ScheduledPost.objects.create(account=account, scheduled_for=now + timedelta(minutes=30))
        PostVideo.objects.create(post=post, position=1, library_path=path.name, size_bytes=FILE_BYTES)
    samples: list[int] = [memory_of(os.getpid())]
    over = threading.Event()

    def sample() -> None:
        while not over.wait(SAMPLE_EVERY_SECONDS):
            samples.append(memory_of(os.getpid()))

    watching = threading.Thread(target=sample)
    watching.start()
    began = time.monotonic()
    pre_upload(timezone.now())
    while runner.drain("upload"):
        continue
    took = time.monotonic() - began
    over.set()
    watching.join()
    left = ScheduledPost.objects.filter(account=account).exclude(status=PostStatus.MEDIA_UPLOADED).count()
    if left:
        raise SystemExit(f"{left} posts are not uploaded.")
    return took, samples


if __name__ == "__main__":
    sys.exit(main(measure, ["sqlite", "postgresql"]))
