import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.db.models import RestrictedError

from tests import videos
from uploader import library as library_folder
from uploader import probing
from uploader.catalog import Episode, Film, Season, Series, Subtitle, unready

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def episode(library: Path) -> Episode:
    videos.video(library / "harbour" / "07.mp4")
    series = Series.objects.create(title="Harbour")
    return Episode.objects.create(series=series, index_sequence=7, path="harbour/07.mp4")


def count_probes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    probed: list[str] = []
    examine = probing.examine

    def counted(file: Any, name: str) -> probing.Probe:
        probed.append(name)
        return examine(file, name)

    monkeypatch.setattr(probing, "examine", counted)
    return probed


def test_an_episode_is_called_by_its_series_and_number(episode: Episode) -> None:
    assert str(episode) == "Harbour – Episode 7"
    episode.season = Season(series=episode.series, number=2)
    assert str(episode) == "Harbour – Season 2 Episode 7"


def test_a_number_is_used_once_in_a_series_and_once_in_each_season(episode: Episode) -> None:
    seasons = [Season.objects.create(series=episode.series, number=number) for number in (1, 2)]
    for season in seasons:
        Episode.objects.create(series=episode.series, season=season, index_sequence=7, path="a.mp4")
    for season in (None, *seasons):
        again = Episode(series=episode.series, season=season, index_sequence=7, path="b.mp4")
        with pytest.raises(ValidationError, match="already has an episode with this number"):
            again.full_clean()
        with pytest.raises(IntegrityError), transaction.atomic():
            again.save()


def test_episodes_follow_their_seasons_and_numbers(episode: Episode) -> None:
    series = episode.series
    second, first = (Season.objects.create(series=series, number=number) for number in (2, 1))
    for season, number in ((second, 1), (first, 10), (first, 9), (None, 1)):
        Episode.objects.create(series=series, season=season, index_sequence=number, path="a.mp4")
    told = [(e.season.number if e.season else None, e.index_sequence) for e in series.episodes.all()]
    assert told == [(None, 1), (None, 7), (1, 9), (1, 10), (2, 1)]


def test_an_episode_cannot_stand_in_a_season_of_another_series(episode: Episode) -> None:
    episode.season = Season.objects.create(series=Series.objects.create(title="Other"), number=1)
    with pytest.raises(ValidationError, match="same series"):
        episode.full_clean()


def test_a_season_with_episodes_goes_only_with_its_series(episode: Episode) -> None:
    season = Season.objects.create(series=episode.series, number=1)
    Episode.objects.create(series=episode.series, season=season, index_sequence=1, path="a.mp4")
    with pytest.raises(RestrictedError):
        season.delete()
    episode.series.delete()
    assert not Episode.objects.exists()


def test_a_subtitle_belongs_to_exactly_one_video(episode: Episode) -> None:
    film = Film.objects.create(title="Film", path="film.mp4")
    for owner in ({}, {"film": film, "episode": episode}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Subtitle.objects.create(language="en", path="a.srt", **owner)
    with pytest.raises(ValidationError, match="BCP 47"):
        Subtitle(film=film, language="english!", path="a.srt").full_clean()
    Subtitle(film=film, language="zh-Hant-TW", path="a.srt").full_clean()


def test_a_complete_file_is_ready_and_its_columns_are_saved(episode: Episode) -> None:
    assert episode.readiness(NOW) == ""
    saved = Episode.objects.get()
    assert (saved.width, saved.height, saved.video_codec, saved.audio_codec) == (160, 120, "h264", "aac")
    assert saved.size_bytes and saved.duration_seconds and saved.fingerprint and saved.probed_at == NOW


def test_an_unchanged_file_is_not_probed_again(episode: Episode, monkeypatch: pytest.MonkeyPatch) -> None:
    probed = count_probes(monkeypatch)
    for _ in range(3):
        assert Episode.objects.get().readiness(NOW) == ""
    assert probed == ["harbour/07.mp4"]


def test_a_replaced_file_is_probed_again_and_loses_its_checksum(episode: Episode, library: Path) -> None:
    assert episode.readiness(NOW) == ""
    assert len(episode.take_checksum()) == 64
    assert Episode.objects.get().checksum == episode.checksum
    videos.video(library / "harbour" / "07.mp4", size="320x240")
    assert episode.readiness(NOW) == ""
    assert (episode.width, Episode.objects.get().checksum) == (320, "")


def test_checksums_are_taken_once_and_tell_a_changed_file(
    episode: Episode, library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert episode.readiness(NOW) == ""
    call_command("checksums")
    call_command("checksums")
    call_command("checksums", verify=True)
    assert capsys.readouterr().out.split() == ["1", "0", "1"]
    with (library / "harbour" / "07.mp4").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"?")
    with pytest.raises(CommandError, match="1 of 1 videos differ"):
        call_command("checksums", verify=True)
    assert "harbour/07.mp4 is not the file it was" in capsys.readouterr().err


def test_a_missing_file_is_told_in_a_sentence(episode: Episode, library: Path) -> None:
    (library / "harbour" / "07.mp4").unlink()
    sentence = "Episode 7 of Harbour: file missing at harbour/07.mp4. Restore it, then retry."
    assert episode.readiness(NOW) == sentence
    assert not Episode.objects.ready().exists()
    videos.video(library / "harbour" / "07.mp4")
    assert episode.readiness(NOW) == ""
    assert Episode.objects.ready().exists()


def test_a_broken_file_is_probed_once_and_named(
    episode: Episode, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos.cut(library / "harbour" / "07.mp4")
    probed = count_probes(monkeypatch)
    for _ in range(2):
        assert "Episode 7 of Harbour: file harbour/07.mp4 is truncated" in Episode.objects.get().readiness(
            NOW
        )
    assert len(probed) == 1


def test_a_download_under_way_is_not_ready(episode: Episode, library: Path) -> None:
    (library / "harbour" / "07.mp4.part").touch()
    assert "still being downloaded" in episode.readiness(NOW)
    (library / "harbour" / "07.mp4.part").unlink()
    assert episode.readiness(NOW) == ""


def test_a_path_out_of_the_library_is_not_ready(episode: Episode, library: Path) -> None:
    for path in ("../07.mp4", "/etc/passwd"):
        episode.path = path
        assert "library" in episode.readiness(NOW)


def test_a_library_that_is_away_leaves_the_columns_alone(episode: Episode, settings: Any) -> None:
    episode.readiness(NOW)
    settings.LIBRARY_ROOT = Path("/nowhere")
    assert "cannot be reached" in episode.readiness(NOW)
    assert Episode.objects.ready().exists()


def test_a_probe_does_not_overwrite_what_a_person_edited_meanwhile(episode: Episode) -> None:
    Episode.objects.update(title="Edited", path="harbour/other.mp4")
    episode.probe(NOW)
    saved = Episode.objects.get()
    assert (saved.title, saved.path, saved.probed_at) == ("Edited", "harbour/other.mp4", None)


def test_unready_tells_which_episodes_and_only_looks_at_the_others(
    episode: Episode, library: Path, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    for number in range(8, 28):
        videos.video(library / "harbour" / f"{number}.mp4")
        Episode.objects.create(series=episode.series, index_sequence=number, path=f"harbour/{number}.mp4")
    assert unready(Episode.objects.all(), now=NOW) == []
    monkeypatch.setattr(library_folder, "open_video", None)
    with django_assert_num_queries(2):
        assert unready(Episode.objects.all()) == []
    os.unlink(library / "harbour" / "9.mp4")
    [(missing, why)] = unready(Episode.objects.all())
    assert missing.index_sequence == 9 and why.startswith(
        "Episode 9 of Harbour: file missing at harbour/9.mp4."
    )


def test_a_poster_is_replaced_with_its_video(episode: Episode, library: Path, settings: Any) -> None:
    episode.readiness(NOW)
    episode.make_poster()
    first = Path(settings.MEDIA_ROOT) / episode.poster
    assert first.read_bytes().startswith(b"\xff\xd8")
    os.utime(videos.video(library / "harbour" / "07.mp4", colour="blue"), ns=(1, 123456789))
    episode.readiness(NOW)
    episode.make_poster()
    assert not first.exists() and (Path(settings.MEDIA_ROOT) / Episode.objects.get().poster).exists()
