"""From encoded pieces to a package: segments and playlists of every rung and sound track, and the master.

The files are those RFC 8216 names; what the master states of bit rates is measured, not planned.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from django.conf import settings

from jobs.errors import JobError
from jobs.running import Run
from uploader.transcoding import languages, live, master, playlists, subtitles, workfiles
from uploader.transcoding.encoding import audio_name, piece_folder
from uploader.transcoding.ffmpeg import path_argument, run_ffmpeg
from uploader.transcoding.ladder import Rung
from uploader.transcoding.packages import Package, Rendition
from uploader.transcoding.sources import AudioTrack, Source
from uploader.transcoding.subtitles import Prepared
from uploader.transcoding.transcode_jobs import Stage, TranscodeJob

AAC = "mp4a.40.2"
PLAYLIST = "index.m3u8"


class Misaligned(JobError):
    """The rungs of the film do not begin their segments at the same places. It is made anew."""


def package(job: TranscodeJob, run: Run) -> None:
    """Make the job's package and put it in its place, which the job names. Raises what stopped it."""
    source, rungs = Source.of_json(job.source), [Rung.of_json(rung) for rung in job.ladder]
    target = workfiles.new_package_path(job)
    # Named before it is there: a package that no job names is swept away.
    run.save(package_path=target)
    with workfiles.appearing(Path(settings.TRANSCODE_ROOT) / target) as making:
        live.enter(job, run, Stage.MERGING)
        merge(job, run, source, rungs, making)
        live.enter(job, run, Stage.PACKAGING)
        made = describe(job, source, rungs, subtitles.prepare(job.video) if job.video else [], making)
        made.save()
        live.moved(job, Stage.PACKAGING, 0.9)
        size, count = made.bytes, len(list(made.files))
    spoken = [track.language for track in made.subtitles]
    run.save(package_bytes=size, package_files=count, subtitle_languages=spoken)
    shutil.rmtree(workfiles.work_folder(job.pk), ignore_errors=True)


# -------------------------------------------------------------------- merging


def merge(job: TranscodeJob, run: Run, source: Source, rungs: list[Rung], making: Path) -> None:
    """Put the pieces of each rung behind each other and cut them into segments, without encoding anything."""
    numbers = list(job.pieces.filter(has_video=True).order_by("number").values_list("number", flat=True))
    sound = job.pieces.filter(has_audio=True).values_list("number", flat=True).first() or 0
    lists = workfiles.work_folder(job.pk)
    inputs: list[str] = []
    outputs: list[str] = []
    count = 0
    video_seconds = float(rungs[0].distance / source.rate)
    for rung in rungs:
        listing = lists / f"{rung.label}.{making.name}.txt"
        listing.write_text(
            "ffconcat version 1.0\n"
            + "".join(
                f"file {concat_quoted(piece_folder(job.pk, n) / f'{rung.label}.mp4')}\n" for n in numbers
            )
        )
        inputs += ["-f", "concat", "-safe", "0", "-i", path_argument(listing)]
        # Shorter than a segment: every key frame begins one, and there are no others.
        outputs += ["-map", f"{count}:v", *hls_options(making / rung.label, video_seconds / 2)]
        count += 1
    for position, label in enumerate(audio_labels(source.audio)):
        inputs += ["-i", path_argument(piece_folder(job.pk, sound) / audio_name(position))]
        outputs += ["-map", f"{count}:a", *hls_options(making / label, settings.TRANSCODE_SEGMENT_SECONDS)]
        count += 1
    total = max(1, int(source.duration_seconds * 1000))

    def note(done: int, _: int, __: float) -> dict[str, int]:
        live.moved(job, Stage.MERGING, done / total)
        return {"progress": job.progress, "stage_progress": job.stage_progress}

    with run.moving(note):
        run_ffmpeg(
            [*inputs, *outputs],
            job=job,
            stage=Stage.MERGING,
            subject=job.resource_name,
            on_progress=lambda said: run.progress(int(said.seconds * 1000), total),
        )


def hls_options(folder: Path, seconds: float) -> list[str]:
    folder.mkdir(parents=True)
    return [
        # Picture and sound begin at the same moment; else each is moved by what its own coder needs ahead. Pictures
        # say when they are shown without an edit list, of which not every player takes notice.
        "-avoid_negative_ts", "disabled", "-hls_segment_options", "movflags=+negative_cts_offsets",
        "-c", "copy", "-f", "hls", "-hls_time", f"{seconds:.6f}", "-hls_list_size", "0",
        "-hls_playlist_type", "vod", "-hls_flags", "independent_segments", "-hls_segment_type", "fmp4",
        "-hls_fmp4_init_filename", "init.mp4", "-hls_segment_filename",
        # The muxer takes its names as they are, with or without a scheme; these are ours.
        str(folder / "seg_%05d.m4s"), str(folder / PLAYLIST),
    ]  # fmt: skip


def concat_quoted(path: Path) -> str:
    """A path in a list of ffmpeg's concat demuxer."""
    return "'" + str(path).replace("'", "'\\''") + "'"


def audio_labels(tracks: list[AudioTrack]) -> list[str]:
    """A folder name for each sound track, which no other has: "audio-en", "audio-de-2"."""
    labels: list[str] = []
    for track in tracks:
        label = f"audio-{languages.tag_of(track.language) or 'und'}"
        number = sum(known == label or known.startswith(f"{label}-") for known in labels) + 1
        labels.append(label if number == 1 else f"{label}-{number}")
    return labels


# -------------------------------------------------------------------- packaging


def describe(
    job: TranscodeJob, source: Source, rungs: list[Rung], texts: list[Prepared], making: Path
) -> Package:
    """The package in the folder `making`, measured and checked, its master playlist written."""
    videos = [
        rendition(making / rung.label, kind="video", label=rung.label, width=rung.width, height=rung.height)
        for rung in rungs
    ]
    refuse_misaligned(videos)
    sounds = [
        rendition(making / label, kind="audio", label=label, language=languages.tag_of(track.language))
        for track, label in zip(source.audio, audio_labels(source.audio), strict=True)
    ]
    made = Package(
        root=making,
        resource_type=job.resource_type,
        resource_id=job.resource_id or 0,
        master=making / "master.m3u8",
        renditions=[*videos, *sounds],
        subtitles=subtitles.write(texts, making, seconds=source.duration_seconds),
        duration_seconds=source.duration_seconds,
    )
    made.master.write_text(master.master_playlist(made, source), encoding="utf-8")
    return made


def rendition(
    folder: Path, *, kind: str, label: str, width: int = 0, height: int = 0, language: str = ""
) -> Rendition:
    """One folder of segments, measured."""
    playlist = playlists.read(folder / PLAYLIST)
    files = [*playlist.files, folder / PLAYLIST]
    peak, mean = playlist.bit_rates
    return Rendition(
        label=label,
        kind=kind,
        directory=folder,
        playlist=folder / PLAYLIST,
        files=files,
        bytes=sum(file.stat().st_size for file in files),
        bandwidth=peak,
        average_bandwidth=mean,
        codecs=playlists.avc_codec(folder) if kind == "video" else AAC,
        width=width,
        height=height,
        language=language,
    )


def refuse_misaligned(videos: list[Rendition]) -> None:
    """Raises Misaligned unless players may change between the rungs at every segment."""
    starts = {
        tuple(segment.seconds for segment in playlists.read(video.playlist).segments) for video in videos
    }
    if len(starts) != 1:
        raise Misaligned
