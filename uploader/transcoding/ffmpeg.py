"""Running ffmpeg: its progress while it works, its words kept, and its death whenever its worker stops."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import imageio_ffmpeg
from django.utils import timezone

from jobs.errors import ErrorKind, JobError
from jobs.running import unbroken
from uploader.probing import FORMATS
from uploader.transcoding.transcode_jobs import Stage, TranscodeJob, TranscodeLog

# Of what ffmpeg says, the end is kept.
MOST_LOG_BYTES = 64 * 1024
LONGEST_COMMAND = 20_000
PROGRESS_SECONDS = 0.5
# How ffmpeg ends when more pictures than `-max_error_rate` cannot be decoded.
TOO_MANY_ERRORS = 69
# Linux: <sys/prctl.h>
PR_SET_PDEATHSIG = 1

FULL = ("No space left on device", "Disk quota exceeded", "File too large")
# Ffmpeg 5 ends with 0 all the same when these are its words.
NOT_WRITTEN = (*FULL, "Error writing trailer", "Error closing file", "av_interleaved_write_frame()")
DAMAGED = (
    "Invalid data found when processing input",
    "moov atom not found",
    "Error while decoding stream",
    "does not contain any stream",
    "matches no streams",
)

# Before a film's own address: it opens nothing but itself, no playlist, no other file.
SOURCE_OPTIONS = ["-protocol_whitelist", "file", "-format_whitelist", FORMATS]

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class FfmpegFailed(JobError):
    """Ffmpeg ended with an error. Its log is kept with the job."""


class FfmpegKilled(FfmpegFailed):
    """Ffmpeg was killed from outside, often for want of memory. It is tried again."""


class SourceDamaged(JobError):
    """The film's file is damaged. Replace it, then retry."""

    kind = ErrorKind.REJECTED
    permanent = True


class DiskFull(JobError):
    """The disk is full. Make room, then retry."""

    sign = "the disk is full"


class Said:
    """What one run of ffmpeg reported of itself."""

    def __init__(self) -> None:
        self.frames = 0
        self.seconds = 0.0
        self.errors = ""


def program() -> str:
    """The system's ffmpeg, else the one that comes with imageio-ffmpeg."""
    return shutil.which("ffmpeg") or str(imageio_ffmpeg.get_ffmpeg_exe())


def run_ffmpeg(
    arguments: Sequence[str],
    *,
    job: TranscodeJob,
    stage: Stage,
    subject: str,
    piece: int | None = None,
    pass_fds: Sequence[int] = (),
    on_progress: Callable[[Said], None] = lambda said: None,
) -> Said:
    """Run ffmpeg to its end and keep its log with `job`; what `on_progress` raises ends it at once.

    `subject` begins the sentence of an error. Raises SourceDamaged, DiskFull, FfmpegKilled, FfmpegFailed.
    """
    command = [
        program(), "-y", "-nostdin", "-hide_banner", "-loglevel", "level+warning", "-nostats",
        "-stats_period", str(PROGRESS_SECONDS), "-progress", "pipe:1", *arguments,
    ]  # fmt: skip
    began, said = time.monotonic(), Said()
    exit_code: int | None = None
    with tempfile.TemporaryFile() as words:
        try:
            with _running(command, words, pass_fds) as process:
                assert process.stdout is not None
                for line in process.stdout:
                    _hear(line.decode(errors="replace"), said, on_progress)
                exit_code = process.wait()
        finally:
            said.errors = _tail(words)
            TranscodeLog.objects.create(
                job_id=job.pk, attempt=job.attempt, stage=stage, piece=piece, at=timezone.now(),
                command=shlex.join(command)[:LONGEST_COMMAND], exit_code=exit_code, text=said.errors,
                seconds=round(time.monotonic() - began, 3),
            )  # fmt: skip
    if exit_code or any(sign in said.errors for sign in NOT_WRITTEN):
        raise failure(exit_code or 0, said.errors, subject)
    return said


def failure(exit_code: int, words: str, subject: str) -> JobError:
    """What a run that ended with `exit_code` and these words means, as a sentence about `subject`."""
    if any(sign in words for sign in FULL):
        return DiskFull(f"{subject}: {DiskFull.sign}. Make room on it, then retry.")
    if exit_code < 0:
        name = signal.Signals(-exit_code).name
        return FfmpegKilled(
            f"{subject}: ffmpeg was ended by {name}, often for want of memory. It is tried again."
        )
    if exit_code == TOO_MANY_ERRORS or any(sign in words for sign in DAMAGED):
        return SourceDamaged(
            f"{subject}: the file is damaged, its pictures or sound cannot be decoded. Replace it, then retry."
        )
    last = next((line for line in reversed(words.splitlines()) if line.strip()), "it said nothing")
    return FfmpegFailed(f"{subject}: ffmpeg ended with status {exit_code}: {last.strip()[:300]}")


@contextlib.contextmanager
def _running(
    command: list[str], words: IO[bytes], pass_fds: Sequence[int]
) -> Iterator[subprocess.Popen[bytes]]:
    """The process; dead and gone on the way out, and with its worker whatever kills that."""
    process: subprocess.Popen[bytes] | None = None
    try:
        with unbroken():
            process = subprocess.Popen(  # noqa: S603 - the arguments are ours; files go by descriptor
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=words, pass_fds=pass_fds,
                preexec_fn=_die_with(os.getpid()),
            )  # fmt: skip
        yield process
    finally:
        with unbroken():
            if process is not None:
                process.kill()
                process.wait()
                if process.stdout:
                    process.stdout.close()


def _die_with(parent: int) -> Callable[[], None]:
    """What makes a child die with `parent`; the process group does it where the system cannot."""

    def arrange() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGKILL)

    return arrange


def _hear(line: str, said: Said, on_progress: Callable[[Said], None]) -> None:
    """One line of `-progress`: "key=value"; a block ends with "progress=…"."""
    key, _, value = line.strip().partition("=")
    if key == "frame" and value.isdigit():
        said.frames = int(value)
    elif key == "out_time_us" and value.lstrip("-").isdigit():
        said.seconds = max(0.0, int(value) / 1_000_000)
    elif key == "progress":
        on_progress(said)


def _tail(words: IO[bytes]) -> str:
    size = words.seek(0, os.SEEK_END)
    words.seek(max(0, size - MOST_LOG_BYTES))
    return words.read().decode(errors="replace").replace("\0", "")


def path_argument(path: Path) -> str:
    """A path as ffmpeg reads it: never as an address or an option."""
    return f"file:{path}"
