"""The way of a film to its package: probe, split, transcode, merge, package.

The worker that holds the job leads through the stages and encodes pieces like any other worker that comes
along. What a piece has finished outlives its worker: the next attempt goes on from there.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from jobs import runner
from jobs.errors import ErrorKind, JobError
from jobs.lifecycle import Status
from jobs.running import Run, new_token
from jobs.workers import process_id
from uploader import library
from uploader.checking import checked
from uploader.probing import Unreadable
from uploader.transcoding import live, packaging, sources, subtitles, workfiles
from uploader.transcoding.cutting import Cut, cuts_of
from uploader.transcoding.encoding import SourceReplaced, piece_folder, remuxed
from uploader.transcoding.ffmpeg import (
    SOURCE_OPTIONS,
    DiskFull,
    FfmpegFailed,
    SourceDamaged,
    path_argument,
    run_ffmpeg,
)
from uploader.transcoding.ladder import ladder_for
from uploader.transcoding.pieces import TranscodePiece
from uploader.transcoding.sources import Source
from uploader.transcoding.transcode_jobs import Stage, TranscodeJob

log = logging.getLogger(__name__)

# How often the leader looks whether other workers have finished their pieces.
LOOK_SECONDS = 0.2


class PiecesElsewhere(JobError):
    """Another worker's pieces are not here. All workers must share the folder TRANSCODE_ROOT."""


def make_package(job: TranscodeJob, run: Run) -> None:
    """One attempt at the job. Returns when its package is in place; raises what stopped it."""
    try:
        with workfiles.disk(job.resource_name):
            source = probe(job, run)
            split(job, run, source)
            transcode(job, run)
            refuse_replaced(job)
            packaging.package(job, run)
    except DiskFull:
        # What this film takes up is the first that can make room.
        forget(job)
        raise


# -------------------------------------------------------------------- probing


def probe(job: TranscodeJob, run: Run) -> Source:
    """What is in the film's file now. Raises NotReady, SourceDamaged, LibraryUnavailable."""
    live.enter(job, run, Stage.PROBING)
    video = checked(job.video)
    # Before hours are spent on the pictures.
    texts = subtitles.prepare(video)
    run.save(subtitle_languages=[text.language for text in texts])
    with library.open_video(video.path) as file, run.interruptible():
        fingerprint = library.fingerprint(os.fstat(file.fileno()))
        source = sources.examine(file, video.path)
    if (job.source_path, job.source_fingerprint) != (video.path, fingerprint):
        forget(job)
        run.save(source_path=video.path, source_fingerprint=fingerprint)
    return source


def refuse_replaced(job: TranscodeJob) -> None:
    """Raises SourceReplaced when the film's file is another one by now."""
    if library.fingerprint(library.complete(job.source_path)) != job.source_fingerprint:
        raise SourceReplaced


def forget(job: TranscodeJob) -> None:
    """Drop every piece and file of the job: it begins anew."""
    job.pieces.all().delete()
    workfiles.remove_work(job.pk)


# -------------------------------------------------------------------- splitting


def split(job: TranscodeJob, run: Run, source: Source) -> None:
    """Plan the ladder and the pieces; what earlier attempts finished of the same plan stays."""
    live.enter(job, run, Stage.SPLITTING)
    cuts = cuts_of(source, settings.TRANSCODE_PIECE_SECONDS)
    if len(cuts) > 1 and not source.can_be_cut:
        source = cuttable(job, run, source) or source
        cuts = cuts_of(source, settings.TRANSCODE_PIECE_SECONDS) if source.can_be_cut else [Cut(0, None)]
    described = {
        "source": source.as_json(),
        "ladder": [rung.as_json() for rung in ladder_for(source.width, source.height, source.rate)],
    }
    planned = planned_pieces(job, source, cuts)
    if any(getattr(job, name) != value for name, value in described.items()) or not fits(job, planned):
        job.pieces.all().delete()
    run.save(
        **described, frames_total=source.frames, duration_seconds=source.duration_seconds,
        pieces_total=len(planned), pieces_done=0, frames_done=0, frames_per_second=0.0,
    )  # fmt: skip
    kept = set(whole_pieces(job).values_list("number", flat=True))
    job.pieces.exclude(number__in=kept).delete()
    workfiles.remove_unfinished(job.pk, {piece_folder(job.pk, number).name for number in kept})
    TranscodePiece.objects.bulk_create([piece for piece in planned if piece.number not in kept])


def planned_pieces(job: TranscodeJob, source: Source, cuts: list[Cut]) -> list[TranscodePiece]:
    """The rows of the cuts, unsaved. A long film's sound is a piece of its own, to be done first."""
    now = timezone.now()
    has_sound = bool(source.audio)
    pieces = [
        TranscodePiece(
            job=job, number=number, first_frame=cut.first_frame, frame_count=cut.frame_count,
            has_audio=has_sound and len(cuts) == 1, priority=job.priority, not_before_at=now,
        )
        for number, cut in enumerate(cuts)
    ]  # fmt: skip
    if has_sound and len(cuts) > 1:
        pieces.append(
            TranscodePiece(
                job=job, number=len(cuts), has_video=False, has_audio=True, priority=job.priority - 1,
                not_before_at=now,
            )
        )  # fmt: skip
    return pieces


def fits(job: TranscodeJob, planned: list[TranscodePiece]) -> bool:
    """Whether every piece there is belongs to this plan."""
    columns = ("number", "first_frame", "frame_count", "has_video", "has_audio")
    wanted = {tuple(getattr(piece, name) for name in columns) for piece in planned}
    return set(job.pieces.values_list(*columns)) <= wanted


def whole_pieces(job: TranscodeJob) -> QuerySet[TranscodePiece]:
    """Pieces that need not be begun: finished with their files in place, or held by a living worker."""
    lost = [
        piece.number
        for piece in job.pieces.filter(status=Status.COMPLETED)
        if not piece_folder(job.pk, piece.number).is_dir()
    ]
    alive = Q(status=Status.ACTIVE, leased_until__gt=timezone.now())
    return job.pieces.filter(Q(status=Status.COMPLETED) | alive).exclude(number__in=lost)


def cuttable(job: TranscodeJob, run: Run, source: Source) -> Source | None:
    """The film in a container that can be cut, copied without encoding; None: it cannot be copied."""
    target = remuxed(job.pk)
    try:
        if not target.exists():
            remux(job, run, source, target)
        with target.open("rb") as file:
            return sources.examine(file, job.source_path)
    except (FfmpegFailed, SourceDamaged, Unreadable) as error:
        log.warning("%s is encoded in one piece: %s", job, error)
        target.unlink(missing_ok=True)
        return None


def remux(job: TranscodeJob, run: Run, source: Source, target: Path) -> None:
    making = target.with_name(f".{target.name}")
    making.parent.mkdir(parents=True, exist_ok=True)
    try:
        with library.open_video(job.source_path) as file, run.moving():
            descriptor = file.fileno()
            tracks = [source.video_index, *(track.index for track in source.audio)]
            maps = [word for index in tracks for word in ("-map", f"0:{index}")]
            run_ffmpeg(
                [
                    *SOURCE_OPTIONS, "-i", path_argument(Path(f"/dev/fd/{descriptor}")), *maps, "-c", "copy",
                    "-avoid_negative_ts", "make_zero", "-f", "mp4", path_argument(making),
                ],
                job=job,
                stage=Stage.SPLITTING,
                subject=job.resource_name,
                pass_fds=[descriptor],
                on_progress=lambda said: run.progress(int(said.seconds * 1000), 0),
            )  # fmt: skip
        making.replace(target)
    finally:
        making.unlink(missing_ok=True)


# -------------------------------------------------------------------- transcoding


def transcode(job: TranscodeJob, run: Run) -> None:
    """Have every piece encoded, by this worker and by those that come to help."""
    live.enter(job, run, Stage.TRANSCODING)
    runner.wake(job.lane)
    while True:
        run.check()
        states = list(job.pieces.values_list("status", flat=True))
        done = states.count(Status.COMPLETED)
        if done != job.pieces_done:
            run.save(pieces_done=done)
        if failed := job.pieces.filter(status__in=(Status.FAILED, Status.CANCELLED)).first():
            raise failure_of(failed)
        if done == len(states):
            return refuse_missing(job)
        mine = TranscodePiece.objects.filter(job_id=job.pk).claim(new_token(process_id()), now=timezone.now())
        if mine:
            runner.execute(mine[0])
        else:
            run.wait(LOOK_SECONDS)


def refuse_missing(job: TranscodeJob) -> None:
    """Raises PiecesElsewhere when another worker has put its pieces into a folder of its own."""
    for piece in job.pieces.order_by("number"):
        if not piece_folder(job.pk, piece.number).is_dir():
            raise PiecesElsewhere(
                f"{job.resource_name}: piece {piece.number + 1} was encoded by another worker, but it is not in "
                f"{settings.TRANSCODE_ROOT}. TRANSCODE_ROOT must be one folder that all workers share."
            )


def failure_of(piece: TranscodePiece) -> JobError:
    """What a piece failed with, as its film's failure."""
    if DiskFull.sign in piece.error_message:
        return DiskFull(piece.error_message)
    kind = SourceDamaged if piece.error_kind == ErrorKind.REJECTED else FfmpegFailed
    return kind(piece.error_message)
