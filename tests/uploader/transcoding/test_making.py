"""A film becomes a package: every size, every kind of source, whole or in pieces, with real ffmpeg."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from jobs.events import Event, history_of
from tests.uploader.transcoding import films
from tests.uploader.transcoding.conftest import Transcode, files_below, package_of
from tests.uploader.transcoding.films import film, flashes, joined
from uploader.transcoding import playlists
from uploader.transcoding.packages import Package, package_ready
from uploader.transcoding.pieces import TranscodePiece
from uploader.transcoding.transcode_jobs import TranscodeJob

pytestmark = pytest.mark.django_db(transaction=True)


def sizes(package: Package) -> dict[str, tuple[int, int]]:
    return {each.label: (each.width, each.height) for each in package.renditions if each.kind == "video"}


def test_a_film_becomes_every_size_below_its_own_with_segments_at_the_same_places(
    library: Path, transcode: Transcode, transcoding: Path, tmp_path: Path
) -> None:
    heard: list[tuple[Package, TranscodeJob]] = []

    def hear(sender: type, package: Package, job: TranscodeJob, **_: Any) -> None:
        heard.append((package, job))

    package_ready.connect(hear)
    try:
        job = transcode(film(library / "film.mp4", seconds=2.4, size="1280x720"))
    finally:
        package_ready.disconnect(hear)
    package = package_of(job)
    assert [(made.root, of.pk) for made, of in heard] == [(package.root, job.pk)]
    assert sizes(package) == {"HD": (1280, 720), "SD": (854, 480)}
    assert job.labels == ["HD", "SD"]
    assert (job.resolution, job.progress, job.pieces_done) == ("1280×720", 100, 1)
    for rendition in package.renditions[:2]:
        made = joined(rendition, tmp_path / f"{rendition.label}.mp4")
        assert len(films.frame_times(made)) == 60
        assert films.key_frame_numbers(made) == [0, 25, 50]
        lengths = [segment.seconds for segment in playlists.read(rendition.playlist).segments]
        assert lengths == pytest.approx([1, 1, 0.4], abs=0.001)
    assert (job.package_files, job.package_bytes) == (len(list(package.files)), package.bytes)
    named = {file.relative_to(transcoding).as_posix() for file in package.files}
    manifest = (package.root / "package.json").relative_to(transcoding).as_posix()
    assert files_below(transcoding) == sorted({*named, manifest})


def test_the_master_playlist_states_what_was_measured(library: Path, transcode: Transcode) -> None:
    package = package_of(transcode(film(library / "film.mp4", size="1280x720")))
    lines = package.master.read_text().splitlines()
    streams = [line for line in lines if line.startswith("#EXT-X-STREAM-INF:")]
    high = package.renditions[0]
    sound = package.renditions[-1]
    assert f"BANDWIDTH={high.bandwidth + sound.bandwidth}," in streams[0]
    assert high.bandwidth >= high.average_bandwidth > 0
    assert 'CODECS="avc1.64' in streams[0] and ',mp4a.40.2"' in streams[0]
    assert "RESOLUTION=1280x720,FRAME-RATE=25.000" in streams[0]
    assert [lines[lines.index(stream) + 1] for stream in streams] == ["HD/index.m3u8", "SD/index.m3u8"]


def test_a_long_film_is_made_in_pieces_and_comes_out_as_in_one(
    library: Path, transcode: Transcode, settings: Any, tmp_path: Path
) -> None:
    settings.TRANSCODE_PIECE_SECONDS = 3
    job = transcode(flashes(library / "flashes.mp4"))
    package = package_of(job)
    assert (job.pieces_total, job.pieces_done) == (5, 5)  # four of pictures, one of sound
    picture = joined(package.renditions[0], tmp_path / "picture.mp4")
    sound = joined(package.renditions[1], tmp_path / "sound.mp4")
    times = films.frame_times(picture)
    assert len(times) == 12 * 25
    steps = {round(after - before, 4) for before, after in itertools.pairwise(times)}
    assert steps == {0.04}
    seconds = playlists.read(package.renditions[0].playlist).seconds
    assert seconds == pytest.approx(12, abs=0.05)
    # Both begin at the film's beginning, and no seam moves one against the other.
    assert films.begins_at(package.renditions[0]) == 0
    flashes_at, beeps_at = [at - times[0] for at in films.flash_times(picture)], films.beep_times(sound)
    assert len(beeps_at) == 12
    assert max(abs(flash - beep) for flash, beep in zip(flashes_at, beeps_at, strict=True)) < 0.03


def test_no_picture_is_lost_or_doubled_at_a_seam(
    library: Path, transcode: Transcode, settings: Any, tmp_path: Path
) -> None:
    """Whole and in pieces, the pictures are the same ones: the test picture counts its frames."""
    source = film(library / "whole.mp4", seconds=8, rate="30000/1001", tones=0)
    whole = joined(package_of(transcode(source)).renditions[0], tmp_path / "whole.mp4")
    settings.TRANSCODE_PIECE_SECONDS = 2
    cut = package_of(transcode(film(library / "cut.mp4", seconds=8, rate="30000/1001", tones=0)))
    pieces = joined(cut.renditions[0], tmp_path / "cut.mp4")
    first, second = pictures(whole), pictures(pieces)
    assert len(first) == len(second) == 240
    worst = max(abs(a - b).mean() for a, b in zip(first, second, strict=True))
    neighbours = min(abs(a - b).mean() for a, b in itertools.pairwise(first))
    assert worst < neighbours


def pictures(path: Path) -> list[Any]:
    import av

    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray").astype("int16") for frame in container.decode(video=0)]


@pytest.mark.parametrize(
    ("size", "options", "wanted"),
    [
        ("180x320", (), {"SD": (180, 320)}),  # upright, smaller than every label
        ("720x1280", (), {"HD": (720, 1280), "SD": (480, 854)}),
        ("1280x536", (), {"HD": (1280, 536), "SD": (854, 358)}),
        ("720x576", ("-aspect", "16:9"), {"SD": (854, 480)}),
    ],
)
def test_the_shape_of_the_picture_stays(
    library: Path, transcode: Transcode, size: str, options: tuple[str, ...], wanted: dict[str, Any]
) -> None:
    job = transcode(film(library / "film.mp4", seconds=1, size=size, options=options, tones=0))
    assert sizes(package_of(job)) == wanted


def test_a_film_shot_upright_is_shown_upright(library: Path, transcode: Transcode) -> None:
    job = transcode(films.turned(library / "phone.mp4", film(library / "lying.mp4", tones=0)))
    assert sizes(package_of(job)) == {"SD": (180, 320)}


def test_odd_sizes_lose_a_line_and_are_never_enlarged(library: Path, transcode: Transcode) -> None:
    encoder = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p")
    job = transcode(film(library / "odd.mp4", seconds=1, size="321x181", tones=0, encoder=encoder))
    assert sizes(package_of(job)) == {"SD": (320, 180)}


def test_interlaced_pictures_are_made_whole(library: Path, transcode: Transcode, tmp_path: Path) -> None:
    import av

    fields = (*films.X264, "-flags", "+ildct+ilme", "-x264-params", "tff=1")
    job = transcode(
        film(library / "tv.mp4", seconds=1, rate="50", filters="interlace", tones=0, encoder=fields)
    )
    assert job.source["is_interlaced"]
    made = joined(package_of(job).renditions[0], tmp_path / "made.mp4")
    with av.open(str(made)) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 25
    assert not any(frame.interlaced_frame for frame in frames)


def test_a_film_without_sound_is_a_package_without_sound(library: Path, transcode: Transcode) -> None:
    package = package_of(transcode(film(library / "silent.mp4", tones=0)))
    assert [each.kind for each in package.renditions] == ["video"]
    assert "AUDIO" not in package.master.read_text()


def test_each_sound_track_is_kept_under_its_language(
    library: Path, transcode: Transcode, settings: Any
) -> None:
    settings.TRANSCODE_PIECE_SECONDS = 1
    languages = ("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger")
    job = transcode(film(library / "two.mkv", seconds=4, tones=3, options=languages))
    package = package_of(job)
    sounds = [each for each in package.renditions if each.kind == "audio"]
    assert [(each.label, each.language) for each in sounds] == [
        ("audio-en", "en"), ("audio-de", "de"), ("audio-und", "")
    ]  # fmt: skip
    master = package.master.read_text()
    assert 'NAME="Deutsch",LANGUAGE="de",DEFAULT=NO' in master
    assert 'NAME="English",LANGUAGE="en",DEFAULT=YES' in master


def test_hdr_becomes_sdr(library: Path, transcode: Transcode, tmp_path: Path) -> None:
    import av

    hdr = (
        "-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-x265-params",
        "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc",
        "-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc",
    )  # fmt: skip
    job = transcode(film(library / "hdr.mp4", seconds=1, tones=0, encoder=hdr))
    assert job.source["hdr"] == "pq"
    made = joined(package_of(job).renditions[0], tmp_path / "sdr.mp4")
    with av.open(str(made)) as container:
        frame = next(container.decode(video=0))
        assert frame.format.name == "yuv420p"
        assert (int(frame.color_trc), int(frame.color_primaries)) == (1, 1)  # BT.709


def test_a_variable_frame_rate_is_put_on_a_grid(
    library: Path, transcode: Transcode, settings: Any, tmp_path: Path
) -> None:
    settings.TRANSCODE_PIECE_SECONDS = 1
    # Every third picture is missing in the first two seconds.
    thinned = "select='if(lt(t,2),mod(n,3),1)'"
    options = ("-fps_mode", "vfr")
    job = transcode(film(library / "vfr.mp4", seconds=5, rate="30", filters=thinned, options=options))
    package = package_of(job)
    made = joined(package.renditions[0], tmp_path / "made.mp4")
    times = films.frame_times(made)
    steps = [after - before for before, after in itertools.pairwise(times)]
    assert max(steps) - min(steps) < 0.001
    assert times[-1] - times[0] == pytest.approx(5, abs=0.15)


def test_a_transport_stream_is_copied_to_a_container_that_can_be_cut(
    library: Path, transcode: Transcode, settings: Any, tmp_path: Path
) -> None:
    settings.TRANSCODE_PIECE_SECONDS = 1
    job = transcode(film(library / "stream.ts", seconds=5, tones=2))
    package = package_of(job)
    assert job.pieces_total == 6
    assert next(log.stage for log in job.logs.order_by("pk")) == "splitting"
    times = films.frame_times(joined(package.renditions[0], tmp_path / "made.mp4"))
    # Where the sound begins half a picture earlier (AAC does, by ffmpeg's version), the first one is shown twice.
    assert len(times) in (125, 126)


def test_what_ffmpeg_said_is_kept_with_the_attempt(library: Path, transcode: Transcode) -> None:
    job = transcode(film(library / "film.mp4"))
    assert list(job.logs.order_by("pk").values_list("attempt", "stage", "piece", "exit_code")) == [
        (1, "transcoding", 0, 0), (1, "merging", None, 0)
    ]  # fmt: skip
    assert "libx264" in job.logs.order_by("pk")[0].command


def test_every_stage_is_told_in_order_with_rising_progress(library: Path, transcode: Transcode) -> None:
    job = transcode(film(library / "film.mp4"))
    told = [event.data for event in Event.objects.filter(topic="jobs").order_by("pk")]
    stages = list(dict.fromkeys(data["stage"] for data in told if data["stage"]))
    assert stages == ["probing", "splitting", "transcoding", "merging", "packaging"]
    progress = [data["progress"] for data in told]
    assert progress == sorted(progress)
    assert progress[-1] == 100
    last = Event.objects.filter(topic="jobs").latest("pk")
    assert (last.type, last.data["jobId"], last.data["clientId"]) == (
        "JobCompleted", job.job_id, job.client_id
    )  # fmt: skip
    assert [event.type for event in history_of(job)] == ["claimed", "completed"]


def test_pieces_are_only_begun_for_a_film_that_is_being_made(library: Path, transcode: Transcode) -> None:
    from django.utils import timezone

    job = transcode(film(library / "film.mp4"))
    TranscodePiece.objects.create(job=job, number=7)
    assert not TranscodePiece.objects.claimable(timezone.now()).exists()


def test_a_film_of_ten_hours_is_made_in_pieces_to_its_last_picture(
    library: Path, transcode: Transcode, settings: Any, tmp_path: Path
) -> None:
    settings.TRANSCODE_SEGMENT_SECONDS, settings.TRANSCODE_PIECE_SECONDS = 60, 3600
    job = transcode(film(library / "long.mp4", seconds=36_000, size="64x36", rate="1", tones=0))
    package = package_of(job)
    assert (job.pieces_total, job.pieces_done) == (10, 10)
    assert job.duration_seconds == package.duration_seconds == pytest.approx(36_000, abs=2)
    [picture] = package.renditions
    assert len(picture.segments) == 600 + 1  # the first is the one all others need
    assert playlists.read(picture.playlist).seconds == pytest.approx(36_000, abs=2)
    assert len(films.frame_times(joined(picture, tmp_path / "long.mp4"))) == 36_000
