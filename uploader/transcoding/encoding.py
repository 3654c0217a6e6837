"""Encoding one piece of a film to every rung of its ladder, in one decode. Works on one machine or on many.

Piece i holds the frames [first, first + count) of a fixed grid. It is found by a seek some seconds ahead and
by the `fps` filter's start time, so that its frames are those a single pass gives; key frames stand at the
same places on every rung and at each piece's edge. Sound is encoded once for the whole film: AAC has a
beginning of its own at each start, which would be heard at every edge.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import av
import av.error
from django.db.models import Sum

from jobs.errors import JobError
from jobs.running import Run
from uploader import library
from uploader.transcoding import live, workfiles
from uploader.transcoding.ffmpeg import (
    SOURCE_OPTIONS,
    Said,
    SourceDamaged,
    path_argument,
    run_ffmpeg,
)
from uploader.transcoding.ladder import Rung
from uploader.transcoding.pieces import TranscodePiece
from uploader.transcoding.sources import Source
from uploader.transcoding.transcode_jobs import Stage, TranscodeJob

# The decoder begins so much earlier: pictures need those before them.
MARGIN_SECONDS = 5
# A film of whose pictures more cannot be decoded is damaged.
MOST_ERRORS = "0.1"
AUDIO_BITRATE = "128k"
# The end of a file may be so much shorter than it states.
MISSING_SECONDS, MISSING_SHARE = 1.0, 0.01
HDR_TO_SDR = (
    "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=tonemap=hable:desat=0,"
    "zscale=t=bt709:m=bt709:r=tv,format=yuv420p"
)
SDR_TAGS = ["-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709"]


class SourceReplaced(JobError):
    """The film's file was replaced while it was transcoded. It is begun anew."""


def piece_folder(job_id: int, number: int) -> Path:
    return workfiles.work_folder(job_id) / f"piece-{number:05}"


def remuxed(job_id: int) -> Path:
    """The source in a container that can be cut, where its own cannot."""
    return workfiles.work_folder(job_id) / "source.mp4"


def audio_name(position: int) -> str:
    return f"audio-{position}.mp4"


def encode_piece(piece: TranscodePiece, run: Run) -> None:
    """One try at the piece: its folder is there afterwards, whole. Raises what stopped it."""
    with workfiles.disk(piece.job.resource_name):
        encode(piece, run)


def encode(piece: TranscodePiece, run: Run) -> None:
    job = piece.job
    source, rungs = Source.of_json(job.source), [Rung.of_json(rung) for rung in job.ladder]
    folder = piece_folder(job.pk, piece.number)
    total = frames_of(piece, source)

    def note(done: int, _: int, per_second: float) -> dict[str, Any]:
        report(job, piece, done, per_second)
        return {"frames_done": done, "frames_per_second": per_second}

    def on_progress(said: Said) -> None:
        run.progress(said.frames if piece.has_video else int(said.seconds * source.rate), total)

    with opened_source(job) as file, workfiles.appearing(folder) as making, run.moving(note):
        descriptor = file.fileno()
        arguments = command(piece, source, rungs, path_argument(Path(f"/dev/fd/{descriptor}")), making)
        run_ffmpeg(
            arguments,
            job=job,
            stage=Stage.TRANSCODING,
            piece=piece.number,
            subject=job.resource_name,
            pass_fds=[descriptor],
            on_progress=on_progress,
        )
        frames = check(piece, source, rungs, making, job.resource_name) if piece.has_video else 0
    run.save(frames_done=frames, frames_per_second=0.0)


def opened_source(job: TranscodeJob) -> BinaryIO:
    """The film's file, or its copy that can be cut. Raises SourceReplaced, LibraryError."""
    copy = remuxed(job.pk)
    if copy.exists():
        return copy.open("rb")
    return library.open_video(job.source_path)


def frames_of(piece: TranscodePiece, source: Source) -> int:
    return piece.frame_count or max(1, source.frames - piece.first_frame)


def command(
    piece: TranscodePiece, source: Source, rungs: list[Rung], address: str, making: Path
) -> list[str]:
    """What ffmpeg is told for one piece; its files go to the folder `making`."""
    begin = float(piece.first_frame / source.rate)
    seek = ["-ss", f"{begin - MARGIN_SECONDS:.6f}"] if begin > MARGIN_SECONDS else []
    arguments = [
        "-max_error_rate",
        MOST_ERRORS,
        *SOURCE_OPTIONS,
        *seek,
        "-copyts",
        "-start_at_zero",
        "-i",
        address,
    ]
    if piece.has_video:
        arguments += ["-filter_complex", graph(source, rungs, begin)]
        for number, rung in enumerate(rungs):
            arguments += ["-map", f"[v{number}]", *video_options(source, rung)]
            if piece.frame_count is not None:
                arguments += ["-frames:v", str(piece.frame_count)]
            arguments += ["-f", "mp4", path_argument(making / f"{rung.label}.mp4")]
    if piece.has_audio:
        for position, track in enumerate(source.audio):
            arguments += ["-map", f"0:{track.index}", *audio_options()]
            arguments += ["-f", "mp4", path_argument(making / audio_name(position))]
    return arguments


def graph(source: Source, rungs: list[Rung], begin: float) -> str:
    """One decode, put on the grid from `begin` on, and split into every size."""
    steps = ["bwdif=mode=send_frame:deint=interlaced"] if source.is_interlaced else []
    steps += [f"fps={source.rate}:start_time={begin:.6f}", "setpts=PTS-STARTPTS"]
    steps += [HDR_TO_SDR] if source.hdr else []
    outputs = "".join(f"[s{number}]" for number in range(len(rungs)))
    scaled = ";".join(
        f"[s{number}]scale={rung.width}:{rung.height},setsar=1[v{number}]"
        for number, rung in enumerate(rungs)
    )
    return f"[0:{source.video_index}]{','.join(steps)},split={len(rungs)}{outputs};{scaled}"


def video_options(source: Source, rung: Rung) -> list[str]:
    distance = str(rung.distance)
    return [
        "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-pix_fmt", "yuv420p",
        "-sc_threshold", "0", "-g", distance, "-keyint_min", distance, "-crf", str(rung.crf),
        "-maxrate", f"{rung.kilobits}k", "-bufsize", f"{rung.kilobits * 3 // 2}k",
        *(SDR_TAGS if source.hdr else []), "-map_metadata", "-1", "-map_chapters", "-1",
        "-video_track_timescale", str(source.rate.numerator),
    ]  # fmt: skip


def audio_options() -> list[str]:
    return [
        "-af", "aresample=async=1:first_pts=0", "-c:a", "aac", "-b:a", AUDIO_BITRATE, "-ac", "2",
        "-ar", "48000", "-map_metadata", "-1", "-map_chapters", "-1",
    ]  # fmt: skip


def check(piece: TranscodePiece, source: Source, rungs: list[Rung], making: Path, name: str) -> int:
    """The number of frames on every rung. Raises SourceDamaged when they are fewer than the file states."""
    counts = {frame_count(making / f"{rung.label}.mp4") for rung in rungs}
    if len(counts) != 1:
        raise JobError(f"{name}: the rungs of piece {piece.number + 1} differ in length ({sorted(counts)}).")
    (frames,) = counts
    wanted = frames_of(piece, source)
    allowed = 0 if piece.frame_count else max(MISSING_SECONDS * source.rate, MISSING_SHARE * source.frames)
    if frames < 1 or frames < wanted - allowed:
        raise SourceDamaged(
            f"{name}: of {wanted:,} pictures only {frames:,} can be decoded from "
            f"{float(piece.first_frame / source.rate):.0f} s on. The file is damaged: replace it, then retry."
        )
    return frames


def frame_count(path: Path) -> int:
    try:
        with av.open(str(path)) as container:
            return container.streams.video[0].frames if container.streams.video else 0
    except (av.error.FFmpegError, FileNotFoundError):
        return 0


def report(job: TranscodeJob, piece: TranscodePiece, done: int, per_second: float) -> None:
    """Bring the film's own progress up to date with this piece's; at most once a second from each worker."""
    others = TranscodePiece.objects.filter(job_id=job.pk, has_video=True).exclude(pk=piece.pk)
    sums = others.aggregate(
        done=Sum("frames_done", default=0), per_second=Sum("frames_per_second", default=0.0)
    )
    own = (done, per_second) if piece.has_video else (0, 0.0)
    live.transcoding_moved(job, frames=sums["done"] + own[0], per_second=sums["per_second"] + own[1])
