import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import av
import pytest

from jobs.errors import ErrorKind
from tests import videos
from uploader import containers, library, probing


def test_a_video_tells_its_length_size_and_codecs(tmp_path: Path) -> None:
    found = probing.probe(videos.video(tmp_path / "a.mp4", seconds=2))
    assert (found.width, found.height) == (160, 120)
    assert (found.video_codec, found.audio_codec) == ("h264", "aac")
    assert found.duration_seconds == pytest.approx(2, abs=0.1)
    assert found.size_bytes == (tmp_path / "a.mp4").stat().st_size
    assert [stream["type"] for stream in found.streams] == ["video", "audio"]
    assert found.fingerprint == library.fingerprint((tmp_path / "a.mp4").stat())


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".ts", ".avi", ".flv"])
def test_every_usual_container_can_be_probed(tmp_path: Path, suffix: str) -> None:
    assert probing.probe(videos.video(tmp_path / f"a{suffix}", seconds=4)).video_codec == "h264"


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi", ".flv"])
@pytest.mark.parametrize("harm", [videos.cut, videos.hollow])
def test_a_truncated_or_hollow_file_is_refused(tmp_path: Path, suffix: str, harm: Any) -> None:
    path = harm(videos.video(tmp_path / f"a{suffix}", seconds=8), 0.5)
    with pytest.raises(probing.Unreadable, match=r"truncated|incomplete") as refused:
        probing.probe(path)
    assert refused.value.permanent and refused.value.kind == ErrorKind.REJECTED
    assert refused.value.fingerprint == library.fingerprint(path.stat())


def test_a_file_that_lacks_its_last_byte_is_refused(tmp_path: Path) -> None:
    path = videos.video(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(probing.Unreadable, match="truncated: 1 of its"):
        probing.probe(path)


def test_padding_behind_the_last_box_is_no_damage(tmp_path: Path) -> None:
    path = videos.video(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes() + bytes(64))
    assert probing.probe(path).video_codec == "h264"


def test_a_file_without_its_index_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\1\0mdat" + bytes(248))
    with pytest.raises(probing.Unreadable, match="moov"):
        probing.probe(path)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "is empty"),
        (b"a", "not a video"),
        (b"hello, this is a text\n" * 100, "not a video"),
        (b"\0" * 5000, "not a video"),
        (b"\xff" * 5000, "not a video"),
        (b"%PDF-1.7\n" * 100, "not a video"),
        (b"\0\0\0\x01mdat\xff\xff\xff\xff\xff\xff\xff\xff", "truncated"),
        (b"\0\0\0\x04ftyp" + bytes(100), "truncated"),
    ],
)
def test_what_is_no_video_is_refused_with_its_cause(tmp_path: Path, content: bytes, cause: str) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(probing.Unreadable, match=cause) as refused:
        probing.probe(tmp_path / "a.mp4")
    assert str(refused.value).startswith(f"File {tmp_path / 'a.mp4'} is ")


def test_sound_alone_and_a_picture_are_no_videos(tmp_path: Path) -> None:
    with pytest.raises(probing.Unreadable, match="no video stream"):
        probing.probe(videos.sound_only(tmp_path / "a.mp4"))
    still = videos.picture(tmp_path / "a.png")
    with pytest.raises(probing.Unreadable, match="not a video"):
        probing.probe(still.rename(tmp_path / "b.mp4"))


def test_a_film_without_sound_is_a_video(tmp_path: Path) -> None:
    assert probing.probe(videos.video(tmp_path / "a.mp4", sound=False)).audio_codec == ""


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """An HTTP server that must not be asked for anything, and what it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *args: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/a.ts", asked
    server.shutdown()
    server.server_close()


def test_no_file_can_make_the_probe_open_another_one(tmp_path: Path, listener: tuple[str, list[str]]) -> None:
    url, asked = listener
    secret = videos.video(tmp_path / "secret.ts", seconds=4)
    lists = {
        "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n{0}\n#EXT-X-ENDLIST\n",
        "concat": "ffconcat version 1.0\nfile '{0}'\n",
        "dash": '<?xml version="1.0"?><MPD type="static"><Period><AdaptationSet><Representation>'
        "<BaseURL>{0}</BaseURL></Representation></AdaptationSet></Period></MPD>",
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=a\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
        "rtsp": "RTSPtext {0}",
    }
    for kind, text in lists.items():
        for target in (
            str(secret),
            f"file:{secret}",
            f"concat:{secret}|{secret}",
            url,
            f"subfile,,:{secret}",
        ):
            for suffix in (".mp4", ".m3u8", ".mpd", ".txt"):
                path = tmp_path / f"{kind}{suffix}"
                path.write_text(text.format(target))
                with pytest.raises(probing.Unreadable):
                    probing.probe(path)
                with pytest.raises(probing.Unreadable):
                    probing.poster(path, 0, tmp_path / "poster.jpg")
    assert asked == []
    assert not (tmp_path / "poster.jpg").exists()


@pytest.mark.parametrize(
    "name", ["concat:a.mp4|b.mp4", "subfile,,start,0,end,9,,:a.mp4", "pipe:0", "data:video"]
)
def test_a_name_is_never_read_as_a_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    videos.video(tmp_path / "a.mp4")
    with pytest.raises(library.FileMissing):
        probing.probe(Path(name))
    videos.video(tmp_path / "a.mp4").rename(tmp_path / name)
    assert probing.probe(Path(name)).video_codec == "h264"


def test_pipes_and_folders_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    for path in (tmp_path / "pipe.mp4", tmp_path, Path("/dev/zero")):
        with pytest.raises(library.NotAFile):
            probing.probe(path)
    with pytest.raises(library.FileMissing):
        probing.probe(tmp_path / "none.mp4")


def test_a_file_written_to_meanwhile_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = videos.video(tmp_path / "a.mp4")
    checked = containers.missing_part

    def append_after(file: BinaryIO, size_bytes: int) -> str:
        answer = checked(file, size_bytes)
        with path.open("ab") as growing:
            growing.write(b"more")
        return answer

    monkeypatch.setattr(probing, "missing_part", append_after)
    with pytest.raises(probing.Unreadable, match="being written to"):
        probing.probe(path)


def test_a_poster_is_a_jpeg_of_at_most_640_pixels(tmp_path: Path) -> None:
    path = videos.video(tmp_path / "a.mp4", size="1280x720")
    target = tmp_path / "posters" / "a.jpg"
    probing.poster(path, 0.5, target)
    assert target.read_bytes().startswith(b"\xff\xd8\xff")
    with av.open(str(target)) as picture:
        assert (picture.streams.video[0].width, picture.streams.video[0].height) == (640, 360)
    assert os.listdir(target.parent) == ["a.jpg"]


def test_a_poster_beyond_the_end_and_of_a_small_video_is_still_a_picture(tmp_path: Path) -> None:
    probing.poster(videos.video(tmp_path / "a.mp4"), 3600, tmp_path / "a.jpg")
    with av.open(str(tmp_path / "a.jpg")) as picture:
        assert picture.streams.video[0].width == 160


def test_a_poster_of_no_video_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("text")
    with pytest.raises(probing.Unreadable):
        probing.poster(tmp_path / "a.mp4", 0, tmp_path / "posters" / "a.jpg")
    assert not (tmp_path / "posters").exists()
