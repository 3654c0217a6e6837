"""`python -m bench.transcode`: a film to three resolutions beside one hand-written ffmpeg, a long film by two
workers beside one, and how soon a cancel is over.

BENCH_FILM_SECONDS and BENCH_LONG_SECONDS make the films shorter, BENCH_RUNS the runs of the first more or fewer.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from bench.ground import ROOT, Figure, LeftOut, main, wait_for

FILM_SECONDS = int(os.environ.get("BENCH_FILM_SECONDS", "120"))
LONG_SECONDS = int(os.environ.get("BENCH_LONG_SECONDS", "600"))
RUNS = int(os.environ.get("BENCH_RUNS", "2"))
CANCELS = 5
LONG_PATIENCE_SECONDS = 1800

# What somebody would write by hand: one decode, three encoders, HLS from the same process.
BY_HAND = (
    "-filter_complex",
    "[0:v:0]fps=30000/1001:start_time=0,split=3[a][b][c];[a]scale=-2:1080[v0];[b]scale=-2:720[v1];[c]scale=-2:480[v2]",
    *("-map", "[v0]", "-map", "[v1]", "-map", "[v2]", "-map", "0:a:0"),
    *("-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-pix_fmt", "yuv420p"),
    *("-sc_threshold", "0", "-g", "120", "-keyint_min", "120"),
    *("-crf:v:0", "22", "-maxrate:v:0", "5000k", "-bufsize:v:0", "7500k"),
    *("-crf:v:1", "22", "-maxrate:v:1", "2800k", "-bufsize:v:1", "4200k"),
    *("-crf:v:2", "23", "-maxrate:v:2", "1400k", "-bufsize:v:2", "2100k"),
    *("-af", "aresample=async=1:first_pts=0", "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-ar", "48000"),
    *("-f", "hls", "-hls_time", "4", "-hls_list_size", "0", "-hls_playlist_type", "vod"),
    *(
        "-hls_flags",
        "independent_segments",
        "-hls_segment_type",
        "fmp4",
        "-hls_fmp4_init_filename",
        "init.mp4",
    ),
)
STREAMS = (
    "v:0,agroup:aud,name:1080p v:1,agroup:aud,name:720p v:2,agroup:aud,name:480p "
    "a:0,agroup:aud,default:yes,name:audio"
)


def measure(kind: str) -> list[Figure]:
    folder = Path(os.environ["LIBRARY_ROOT"])
    short = make_film(folder / "short.mp4", FILM_SECONDS, "1920x1080", "30000/1001")
    figures = [beside_one_ffmpeg(short), cancelling(short)]
    long = make_film(folder / "long.mp4", LONG_SECONDS, "640x360", "25")
    try:
        figures.append(two_workers(long))
    except LeftOut as why:
        print(why, file=sys.stderr)
    return figures


def make_film(path: Path, seconds: int, size: str, rate: str) -> Path:
    """A moving picture with noise, as hard to encode as film, and a tone."""
    ffmpeg(
        *("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds},noise=alls=12:allf=t"),
        *("-f", "lavfi", "-i", f"sine=duration={seconds}:sample_rate=48000"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "250", "-b:v", "12M"),
        *("-c:a", "aac", str(path)),
    )
    return path


def ffmpeg(*arguments: str) -> None:
    from uploader.transcoding.ffmpeg import program

    subprocess.run([program(), "-nostdin", "-loglevel", "error", "-y", *arguments], check=True)


def film_of(path: Path) -> Any:
    from uploader.catalog import Film

    return Film.objects.get_or_create(path=path.name, defaults={"title": path.stem})[0]


# -------------------------------------------------------------------- one film, one machine


def beside_one_ffmpeg(path: Path) -> Figure:
    """The runs take turns, so that what else the machine does falls on both."""
    ours, by_hand = [], []
    for _ in range(RUNS):
        by_hand.append(timed(lambda: write_by_hand(path)))
        ours.append(timed(lambda: package(path)))
    wall, peer = min(run[0] for run in ours), min(run[0] for run in by_hand)
    cpu, peer_cpu = min(run[1] for run in ours), min(run[1] for run in by_hand)
    return Figure(
        f"transcode: {FILM_SECONDS} s of 1080p to three rungs, packaged",
        f"{wall:.1f} s, CPU {cpu:.0f} s",
        f"one ffmpeg by hand {peer:.1f} s, CPU {peer_cpu:.0f} s",
        wall / peer,
        "<= 1.1",
        wall <= 1.1 * peer,
    )


def timed(work: Any) -> tuple[float, float]:
    """Seconds of wall and of CPU, with those of child processes."""
    before, began = cpu_seconds(), time.monotonic()
    work()
    return time.monotonic() - began, cpu_seconds() - before


def cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def write_by_hand(path: Path) -> None:
    out = path.parent / "by-hand"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    ffmpeg(
        *("-i", str(path)), *BY_HAND, "-hls_segment_filename", f"{out}/%v/seg_%05d.m4s",
        *("-master_pl_name", "master.m3u8", "-var_stream_map", STREAMS, f"{out}/%v/index.m3u8"),
    )  # fmt: skip


def package(path: Path) -> None:
    """A whole transcode job, done by this process as by a worker."""
    from django.utils import timezone

    from jobs import runner
    from uploader.transcoding.transcode_jobs import TranscodeJob, create_transcode

    create_transcode(film_of(path), now=timezone.now())
    (job,) = TranscodeJob.objects.claim("bench#1", now=timezone.now())
    runner.execute(job)
    if job.status != "completed" or len(job.labels) != 3:
        raise SystemExit(f"The film ended as {job.status}: {job.error_message}")


# -------------------------------------------------------------------- cancel


def cancelling(path: Path) -> Figure:
    """From the request to the end of ffmpeg and of every file."""
    from django.conf import settings
    from django.utils import timezone

    from uploader.transcoding import deciding
    from uploader.transcoding.transcode_jobs import TranscodeJob, create_transcode

    seconds: list[float] = []
    root = Path(settings.TRANSCODE_ROOT)
    shutil.rmtree(root, ignore_errors=True)
    TranscodeJob.objects.all().delete()
    with worker_on(None) as process:
        for _ in range(CANCELS):
            job = create_transcode(film_of(path), now=timezone.now())

            def moves(job: Any = job) -> bool:
                job.refresh_from_db()
                return job.frames_done > 0

            wait_for(moves, "the first pictures", every=0.05)
            began = time.monotonic()
            deciding.cancel(job, who="bench", now=timezone.now())
            wait_for(lambda: not ffmpegs(process) and not files(root), "the end of ffmpeg", every=0.01)
            seconds.append(time.monotonic() - began)

            def over(job: Any = job) -> bool:
                job.refresh_from_db()
                return bool(job.status == "cancelled")

            wait_for(over, "the end of the job")
    return Figure(
        f"transcode: cancel to no ffmpeg and no file, {CANCELS} times",
        f"{min(seconds):.2f}–{max(seconds):.2f} s",
        "",
        None,
        "<= 2 s",
        max(seconds) <= 2,
    )


def ffmpegs(process: psutil.Process) -> list[psutil.Process]:
    found = []
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "ffmpeg" in child.name() and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


def files(root: Path) -> list[Path]:
    with contextlib.suppress(FileNotFoundError):
        return [path for path in root.rglob("*") if path.is_file()]
    return []


# -------------------------------------------------------------------- a long film, one worker and two


def two_workers(path: Path) -> Figure:
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        raise LeftOut("Two workers on cores of their own need two cores and Linux.")
    half = min(2, len(cores) // 2)
    first, second = set(cores[:half]), set(cores[half : 2 * half])
    alone = seconds_with(path, [first])
    together = seconds_with(path, [first, second])
    return Figure(
        f"transcode: {LONG_SECONDS} s of film by two workers, {half} cores each",
        f"{together:.1f} s",
        f"one worker {alone:.1f} s",
        together / alone,
        "<= 0.6",
        together <= 0.6 * alone,
    )


def seconds_with(path: Path, crews: list[set[int]]) -> float:
    """From the making of the job to its package, with a worker on each set of cores, idle before."""
    from django.utils import timezone

    from jobs import runner
    from uploader.transcoding.transcode_jobs import create_transcode

    with contextlib.ExitStack() as stack:
        for cores in crews:
            stack.enter_context(worker_on(cores))
        began = time.monotonic()
        job = create_transcode(film_of(path), now=timezone.now())
        runner.enqueue(job.lane)

        def done() -> bool:
            job.refresh_from_db()
            if job.status == "failed":
                raise SystemExit(f"The film failed: {job.error_message}")
            return job.status == "completed"

        wait_for(done, "the package", seconds=LONG_PATIENCE_SECONDS)
        return time.monotonic() - began


@contextlib.contextmanager
def worker_on(cores: set[int] | None) -> Iterator[psutil.Process]:
    """`manage.py worker` of the lane “transcode”, ready, on these cores."""
    from jobs.workers import Worker

    pin = f"import os; os.sched_setaffinity(0, {cores}); " if cores else "import os; "
    start = f"{pin}os.execv({sys.executable!r}, [{sys.executable!r}, 'manage.py', 'worker', '--lanes', 'transcode'])"
    known = set(Worker.objects.values_list("pk", flat=True))
    process = psutil.Popen([sys.executable, "-c", start], cwd=ROOT, env=dict(os.environ))
    try:
        wait_for(lambda: Worker.objects.filter(lane="transcode").exclude(pk__in=known).exists(), "the worker")
        time.sleep(1)
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(15)
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
        process.wait()
        Worker.objects.all().delete()


if __name__ == "__main__":
    sys.exit(main(measure, ["sqlite"]))
