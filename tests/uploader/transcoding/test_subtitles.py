"""Subtitles: read strictly, labelled by language, written as WebVTT beside the film's segments."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.uploader.transcoding.conftest import Transcode, attempt, files_below, package_of
from tests.uploader.transcoding.films import film
from uploader.catalog import Film, Subtitle
from uploader.transcoding import cues, languages
from uploader.transcoding.cues import BadSubtitle, Cue
from uploader.transcoding.transcode_jobs import create_transcode

SRT = """1
00:00:00,500 --> 00:00:01,200
Nothing moves out there. Nothing has moved for years.

2
00:00:01,300 --> 00:00:01,900
<i>Then what was that light over the water?</i>
"""
VTT = """WEBVTT - made by hand

NOTE nobody sees this

STYLE
::cue { color: red }

intro
00:00.500 --> 00:01.200 line:10% align:start
Nichts bewegt sich da draußen, seit vielen Jahren nicht.

00:00:01.300 --> 00:00:01.900
Und was war dann dieses <b>Licht</b> über dem Wasser?
"""
FRENCH = """1
00:00:00,500 --> 00:00:01,200
Rien ne bouge là-bas, rien ne bouge depuis des années.

2
00:00:01,300 --> 00:00:01,900
Mais alors, qu'est-ce que c'était que cette lumière ?
"""


def test_subrip_and_webvtt_are_read() -> None:
    assert cues.read(SRT.encode())[1] == Cue(1300, 1900, "<i>Then what was that light over the water?</i>")
    first, second = cues.read(VTT.encode())
    assert (first.start, first.end, first.settings) == (500, 1200, "line:10% align:start")
    assert "<b>Licht</b>" in second.text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_encoding_is_found_out(encoding: str) -> None:
    assert "là-bas" in cues.read(FRENCH.encode(encoding))[0].text


def test_line_ends_of_every_system_are_read() -> None:
    assert len(cues.read(SRT.replace("\n", "\r\n").encode())) == 2


def test_tags_of_subrip_become_those_of_webvtt_and_the_rest_is_escaped() -> None:
    text = '1\n00:00:01,000 --> 00:00:02,000\n<font color="red">R&D</font> {\\an8}<I>2 < 3</I>\n'
    assert cues.read(text.encode())[0].text == "R&amp;D <i>2 &lt; 3</i>"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "It is empty."),
        ("WEBVTT\n", "It holds no subtitle."),
        ("Hello\n", "Line 1: expected the number of a subtitle, found “Hello”."),
        ("1\n00:00:01,000 -> 00:00:02,000\nHi\n", "Line 2: expected a time such as"),
        ("1\n00:00:01,000 --> 00:00:02\nHi\n", "Line 2: expected a time such as"),
        ("1\n00:00:05,000 --> 00:00:02,000\nHi\n", "Line 2: it ends before it begins"),
        ("1\n00:61:00,000 --> 00:62:00,000\nHi\n", "Line 2: no minute or second is above 59"),
        (SRT + "\n3\n00:00:0", "Line 10: expected a time such as 00:01:02,345"),
        (SRT + "\n3\n", "Line 9: its time and text are missing behind the number"),
        (SRT.replace("\n\n2", "\n2"), "Line 5: an empty line is missing before this subtitle"),
        ("WEBVTT\n\n00:01.000 --> 00:02.000 colour:red\nHi\n", "Line 3: unknown setting, found “colour:red”"),
        ("WEBVTT\n\n00:01,000 --> 00:02,000\nHi\n", "Line 3: expected a time such as 00:01:02.345"),
        ("WEBVTT\n\nHi\n", "Line 3: expected a time such as"),
        ("1\n00:00:01,000 --> 00:00:02,000\nHi\0\n", "Line 3: a byte of zero"),
    ],
)
def test_a_broken_file_is_refused_with_line_and_cause(text: str, sentence: str) -> None:
    with pytest.raises(BadSubtitle) as refused:
        cues.read(text.encode())
    assert sentence in str(refused.value)


@examples(deadline=None)
@given(st.binary(max_size=200))
def test_no_file_is_so_odd_that_it_breaks_the_reader(data: bytes) -> None:
    try:
        cues.read(data)
    except BadSubtitle as error:
        assert str(error)


@examples(deadline=None)
@given(
    st.lists(
        st.builds(
            Cue,
            st.integers(0, 10**7),
            st.just(10**7 + 1),
            st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=20),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_written_is_read_back(written: list[Cue]) -> None:
    again = cues.read(
        cues.webvtt(written).replace("X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n", "").encode()
    )
    assert again == sorted(written, key=lambda cue: (cue.start, cue.end))


@pytest.mark.parametrize(
    ("given", "tag", "name"),
    [
        ("eng", "en", "English"), ("ger", "de", "Deutsch"), ("pt_BR", "pt-BR", "Português (Brasil)"),
        ("zh-hant", "zh-Hant", "中文（繁體）"), ("und", "", ""), ("", "", ""), ("nonsense!", "", ""),
    ],
)  # fmt: skip
def test_languages_are_bcp_47_tags_named_by_their_speakers(given: str, tag: str, name: str) -> None:
    assert languages.tag_of(given) == tag
    assert languages.name_of(tag) == name


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        (SRT, "en"),
        (FRENCH, "fr"),
        ("1\n00:00:01,000 --> 00:00:02,000\nНичего там не движется, уже много лет.\n", "ru"),
        ("1\n00:00:01,000 --> 00:00:02,000\nHm.\n", ""),
    ],
)
def test_the_language_is_told_by_the_text(text: str, tag: str) -> None:
    assert languages.detected(cues.spoken(cues.read(text.encode()))) == tag


@pytest.mark.django_db(transaction=True)
class TestInAPackage:
    def given_film(self, library: Path, **files: tuple[str, dict[str, object]]) -> Film:
        film(library / "film.mp4", tones=0)
        video = Film.objects.create(title="Keeper", path="film.mp4")
        for name, (text, fields) in files.items():
            path = f"film.{name}.{'vtt' if text.startswith('WEBVTT') else 'srt'}"
            (library / path).write_text(text)
            Subtitle.objects.create(film=video, path=path, **fields)
        return video

    def test_three_languages_lie_in_one_directory_and_are_listed_in_the_master(
        self, library: Path, transcode: Transcode
    ) -> None:
        self.given_film(
            library,
            en=(SRT, {"language": "en", "is_default": True}),
            de=(VTT, {"language": "ger", "label": "Deutsch (SDH)"}),
            unknown=(FRENCH, {"language": "und", "is_forced": True}),
        )
        job = transcode(library / "film.mp4")
        package = package_of(job)
        found = {track.language: track for track in package.subtitles}
        assert {(t.language, t.name, t.default, t.forced) for t in package.subtitles} == {
            ("en", "English", True, False),
            ("de", "Deutsch (SDH)", False, False),
            ("fr", "Français (forced)", False, True),
        }
        assert sorted(job.subtitle_languages) == ["de", "en", "fr"]
        assert files_below(package.root / "subtitles") == [
            "de.m3u8", "de.vtt", "en.m3u8", "en.vtt", "fr-forced.m3u8", "fr-forced.vtt"
        ]  # fmt: skip
        assert (package.root / "subtitles" / "en.vtt").read_text().startswith("WEBVTT\nX-TIMESTAMP-MAP=")
        assert found["en"].playlist.read_text().splitlines()[-2:] == ["en.vtt", "#EXT-X-ENDLIST"]
        master = package.master.read_text()
        assert (
            '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="Français (forced)",LANGUAGE="fr",'
            'DEFAULT=NO,AUTOSELECT=YES,FORCED=YES,URI="subtitles/fr-forced.m3u8"'
        ) in master
        assert master.count('SUBTITLES="subs"') == 1

    def test_a_broken_one_ends_the_job_before_a_picture_is_encoded(
        self, library: Path, transcode: Transcode, transcoding: Path
    ) -> None:
        video = self.given_film(library, en=(SRT.replace("-->", "->", 1), {"language": "en"}))
        job = attempt(create_transcode(video, now=video.created_at))
        assert (job.status, job.error_kind) == ("failed", "rejected")
        assert job.error_message == (
            "Film Keeper: the subtitle film.en.srt is refused. Line 2: expected a time such as "
            "00:01:02,345 --> 00:01:04,000, found “00:00:00,500 -> 00:00:01,200”. "
            "Correct the file, then retry."
        )
        assert not job.logs.exists()
        assert files_below(transcoding) == []

    def test_two_of_one_language_have_names_of_their_own(self, library: Path, transcode: Transcode) -> None:
        self.given_film(library, en=(SRT, {"language": "en"}), other=(SRT, {"language": "en"}))
        package = package_of(transcode(library / "film.mp4"))
        assert [(track.name, track.playlist.name) for track in package.subtitles] == [
            ("English", "en.m3u8"), ("English (2)", "en-2.m3u8")
        ]  # fmt: skip
