import csv
import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests import videos
from uploader import probing
from uploader.catalog import Episode, Film, Season, Series, Subtitle, unready
from uploader.catalog_file import BadTable, TableReport, import_catalog
from uploader.demo_library import import_demo_library, make_demo_library
from uploader.importing import ImportReport, NothingToImport, import_film, import_series
from uploader.library import FileMissing, NotAFile, NotAFolder, OutsideLibrary

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def fill(library: Path, *names: str) -> None:
    for name in names:
        videos.video(library / name)


def numbers() -> dict[str, int]:
    return {Path(e.path).name: e.index_sequence for e in Episode.objects.all()}


def run(directory: str | Path, title: str | None = None) -> ImportReport:
    return import_series(Path(directory), title=title, now=NOW, posters=False)


def test_a_folder_becomes_a_series(library: Path) -> None:
    fill(library, "Harbour/Episode 1.mp4", "Harbour/Episode 2.mp4", "Harbour/Episode 10.mkv")
    (library / "Harbour" / "intro.txt").write_text("A northern port.\n")
    videos.picture(library / "Harbour" / "poster.jpg")
    report = import_series(library / "Harbour", now=NOW)
    assert report.created == ["Episode 1.mp4", "Episode 2.mp4", "Episode 10.mkv"]
    series = Series.objects.get()
    assert (series.title, series.intro, report.subject) == ("Harbour", "A northern port.", series)
    assert (library.parent / "media" / series.poster).exists()
    assert [e.index_sequence for e in series.episodes.all()] == [1, 2, 10]
    assert all(e.poster and e.probed_at == NOW and e.duration_seconds for e in series.episodes.all())


def test_the_same_folder_again_changes_nothing(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(library, "Harbour/01.mp4", "Harbour/Season 2/01.mp4", "Harbour/Bonus.mp4")
    (library / "Harbour" / "01.en.srt").write_text("1\n")
    import_series(library / "Harbour", now=NOW)
    before = list(Episode.objects.values()) + list(Series.objects.values()) + list(Subtitle.objects.values())
    monkeypatch.setattr(probing, "examine", None)
    again = import_series(library / "Harbour", now=datetime(2027, 1, 1, tzinfo=UTC))
    assert len(again.unchanged) == 3 and not again.created + again.updated
    assert before == list(Episode.objects.values()) + list(Series.objects.values()) + list(
        Subtitle.objects.values()
    )


def test_numbers_and_edits_of_a_person_are_kept(library: Path) -> None:
    fill(library, "Harbour/01.mp4", "Harbour/02.mp4")
    run("Harbour")
    Series.objects.update(title="Port Stories", intro="Mine")
    Episode.objects.filter(index_sequence=2).update(index_sequence=5, title="Mine")
    (library / "Harbour" / "intro.txt").write_text("Theirs")
    report = run("Harbour")
    assert len(report.unchanged) == 2
    assert numbers() == {"01.mp4": 1, "02.mp4": 5}
    assert Series.objects.get().intro == "Mine" and Episode.objects.filter(title="Mine").exists()


def test_a_replaced_file_is_probed_again(library: Path) -> None:
    fill(library, "Harbour/01.mp4")
    run("Harbour")
    videos.video(library / "Harbour" / "01.mp4", size="320x240")
    assert run("Harbour").updated == ["01.mp4"]
    assert Episode.objects.get().width == 320


def test_a_renamed_file_with_the_same_number_moves_its_episode(library: Path) -> None:
    fill(library, "Harbour/01.mp4")
    (library / "Harbour" / "01.en.srt").write_text("1\n")
    run("Harbour")
    episode = Episode.objects.get()
    for name in ("01.mp4", "01.en.srt"):
        (library / "Harbour" / name).rename(library / "Harbour" / name.replace("01", "Episode 1"))
    assert run("Harbour").updated == ["Episode 1.mp4"]
    assert Episode.objects.get(pk=episode.pk).path == "Harbour/Episode 1.mp4"
    assert Subtitle.objects.get().path == "Harbour/Episode 1.en.srt"


def test_a_renamed_file_without_a_number_is_known_by_its_size_and_time(library: Path) -> None:
    fill(library, "Harbour/Alpha.mp4")
    videos.video(library / "Harbour" / "Beta.mp4", size="320x240")
    run("Harbour")
    (library / "Harbour" / "Beta.mp4").rename(library / "Harbour" / "Aardvark.mp4")
    assert run("Harbour").updated == ["Aardvark.mp4"]
    assert numbers() == {"Alpha.mp4": 1, "Aardvark.mp4": 2}


def test_files_without_numbers_are_numbered_in_natural_order_behind_their_neighbours(library: Path) -> None:
    fill(library, "Harbour/03 Fog.mp4", "Harbour/Alpha.mp4", "Harbour/beta.mp4", "Harbour/04 Tide.mp4")
    run("Harbour")
    assert numbers() == {"03 Fog.mp4": 3, "04 Tide.mp4": 4, "Alpha.mp4": 5, "beta.mp4": 6}
    fill(library, "Harbour/Ant.mp4")
    run("Harbour")
    assert numbers()["Ant.mp4"] == 7


def test_the_second_file_of_a_number_is_skipped_with_the_reason(library: Path) -> None:
    fill(library, "Harbour/03 a.mp4", "Harbour/03 b.mp4")
    report = run("Harbour")
    assert report.created == ["03 a.mp4"]
    assert report.skipped == [("03 b.mp4", "number 3 is already taken by 03 a.mp4")]
    assert run("Harbour").skipped == report.skipped


def test_seasons_come_from_names_and_folders(library: Path) -> None:
    fill(library, "Harbour/Season 1/01.mp4", "Harbour/Staffel 2/01.mp4", "Harbour/Harbour S03E01.mp4")
    (library / "Harbour" / "Season 1" / "01.en.srt").write_text("1\n")
    assert len(run("Harbour").created) == 3
    told = {(e.season.number if e.season else None, e.index_sequence) for e in Episode.objects.all()}
    assert told == {(1, 1), (2, 1), (3, 1)}
    assert Subtitle.objects.get().path == "Harbour/Season 1/01.en.srt"


def test_a_season_folder_alone_is_part_of_the_series_above_it(library: Path) -> None:
    fill(library, "Harbour/Season 2/01.mp4")
    run("Harbour/Season 2")
    assert (Series.objects.get().title, Season.objects.get().number) == ("Harbour", 2)


def test_whatever_is_no_usable_video_is_skipped_with_its_reason(library: Path) -> None:
    fill(library, "Harbour/01.mp4", "Harbour/02.mp4", "Harbour/03.mp4", "Harbour/.hidden.mp4")
    videos.cut(library / "Harbour" / "02.mp4")
    (library / "Harbour" / "03.mp4.part").touch()
    (library / "Harbour" / "04.mp4").write_text("text")
    (library / "Harbour" / "05.mp4").touch()
    (library / "Harbour" / "notes.docx").touch()
    (library / "Harbour" / "lonely.en.srt").touch()
    (library / "Harbour" / "Extras").mkdir()
    (library / "Harbour" / "06.mp4").symlink_to("/etc/passwd")
    os.mkfifo(library / "Harbour" / "07.mp4")
    report = run("Harbour")
    assert report.created == ["01.mp4"]
    expected = {
        ".hidden.mp4": "hidden file",
        "02.mp4": "truncated",
        "03.mp4": "still being downloaded",
        "03.mp4.part": "still being downloaded",
        "04.mp4": "not a video",
        "05.mp4": "empty",
        "06.mp4": "outside the library",
        "07.mp4": "named pipe",
        "Extras": "not named like a season",
        "lonely.en.srt": "no video of that name",
        "notes.docx": "not a video file",
    }
    skipped = dict(report.skipped)
    assert skipped.keys() == expected.keys()
    assert all(words in skipped[name] for name, words in expected.items())


def test_odd_names_are_imported_as_they_are(library: Path) -> None:
    odd = [
        'it\'s "1" {a} %s.mp4',
        "🎬 ポート 2.mp4",
        "two\nlines 3.mp4",
        "-4.mp4",
        "concat:a|b 5.mp4",
        " 6 .mp4",
    ]
    fill(library, *(f"Här'bour 🎬/{name}" for name in odd))
    report = run("Här'bour 🎬")
    assert len(report.created) == 6 and "two\\nlines 3.mp4" in report.created
    assert {Path(e.path).name for e in Episode.objects.all()} == set(odd)
    assert len(run("Här'bour 🎬").unchanged) == 6


def test_a_name_the_database_cannot_hold_is_skipped(library: Path) -> None:
    fill(library, "Harbour/01.mp4")
    bad = os.path.join(os.fsencode(library), b"Harbour", b"\xff02.mp4")
    os.link(library / "Harbour" / "01.mp4", bad)
    [(name, why)] = run("Harbour").skipped
    assert name == "\\udcff02.mp4" and "UTF-8" in why


def test_a_file_of_another_series_is_not_imported_twice(library: Path) -> None:
    fill(library, "Harbour/01.mp4")
    run("Harbour")
    with pytest.raises(NothingToImport, match="already Episode 1 of Harbour"):
        run("Harbour", "Other")
    assert Series.objects.count() == 1


def test_a_second_folder_does_not_take_numbers_whose_files_are_still_there(library: Path) -> None:
    fill(library, "Harbour/01.mp4", "more/01.mp4", "more/02.mp4")
    run("Harbour")
    report = run("more", "Harbour")
    assert report.created == ["02.mp4"]
    assert report.skipped == [("01.mp4", "number 1 is already taken by Harbour/01.mp4")]


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("/etc", OutsideLibrary),
        ("..", OutsideLibrary),
        ("escape", OutsideLibrary),
        (".", NotAFolder),
        ("none", FileMissing),
        ("a.mp4", NotAFolder),
        ("a\0b", NotAFile),
        ("empty", NothingToImport),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused(library: Path, place: str, error: type[Exception]) -> None:
    fill(library, "a.mp4")
    (library / "empty").mkdir()
    (library / "escape").symlink_to("/tmp")
    with pytest.raises(error):
        run(place)
    assert not Series.objects.exists()


def test_a_relative_path_is_seen_from_the_library_then_from_here(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(library, "shows/Harbour/01.mp4")
    assert run("shows/Harbour").created
    monkeypatch.chdir(library / "shows")
    assert run("Harbour").unchanged
    assert run(library / "shows" / "Harbour").unchanged


def test_the_plot_of_an_nfo_is_the_intro_and_its_entities_are_not_followed(library: Path) -> None:
    fill(library, "Harbour/01.mp4", "Bomb/01.mp4")
    (library / "Harbour" / "tvshow.nfo").write_text("<tvshow><plot>A port &amp; a ship.</plot></tvshow>")
    (library / "Bomb" / "tvshow.nfo").write_text(
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><tvshow><plot>&x;</plot></tvshow>'
    )
    run("Harbour")
    run("Bomb")
    assert [series.intro for series in Series.objects.all()] == ["", "A port & a ship."]


def test_a_failure_while_writing_leaves_nothing(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(library, "Harbour/01.mp4", "Harbour/02.mp4")
    saved = Episode.save

    def fail_at_two(self: Episode, *args: Any, **options: Any) -> None:
        if self.index_sequence == 2:
            raise RuntimeError
        saved(self, *args, **options)

    monkeypatch.setattr(Episode, "save", fail_at_two)
    with pytest.raises(RuntimeError):
        run("Harbour")
    assert not Series.objects.exists() and not Episode.objects.exists()


def test_a_film_is_imported_once_with_its_text_and_subtitles(library: Path) -> None:
    fill(library, "films/The.Keeper.2020.1080p.mp4")
    (library / "films" / "The.Keeper.2020.1080p.txt").write_text("A lamp.")
    (library / "films" / "The.Keeper.2020.1080p.de.vtt").write_text("WEBVTT")
    path = Path("films/The.Keeper.2020.1080p.mp4")
    assert len(import_film(path, now=NOW).created) == 1
    film = Film.objects.get()
    assert (film.title, film.intro, film.subtitles.get().language) == ("The Keeper 2020", "A lamp.", "de")
    assert film.poster
    assert len(import_film(path, now=NOW).unchanged) == 1
    with pytest.raises(FileMissing):
        import_film(Path("films/none.mp4"), now=NOW)
    with pytest.raises(OutsideLibrary):
        import_film(Path("/etc/passwd"), now=NOW)


def table(tmp_path: Path, text: str) -> Path:
    (tmp_path / "table.csv").write_text(text, encoding="utf-8")
    return tmp_path / "table.csv"


def load(path: Path, **options: Any) -> TableReport:
    return import_catalog(path, now=NOW, posters=False, **options)


def test_a_table_brings_films_and_episodes(library: Path, tmp_path: Path) -> None:
    fill(library, "a.mp4", "h/1.mp4", "h/2.mp4")
    path = table(
        tmp_path,
        "\ufeffpath;series;season;episode;title;intro;language\n"
        'a.mp4;;;;"A film;\nin two lines";About;pt-BR\n'
        "h/1.mp4;Harbour;;1;Fog;A port;\n"
        "h/2.mp4;Harbour;2;2;;;\n",
    )
    assert load(path, dry_run=True).created == ["a.mp4", "h/1.mp4", "h/2.mp4"]
    assert not Film.objects.exists() and not Series.objects.exists()
    assert load(path).created == ["a.mp4", "h/1.mp4", "h/2.mp4"]
    assert Film.objects.get().language == "pt-BR" and Series.objects.get().intro == "A port"
    assert load(path).unchanged == ["a.mp4", "h/1.mp4", "h/2.mp4"]


def test_a_table_with_errors_writes_nothing_and_names_the_lines(library: Path, tmp_path: Path) -> None:
    fill(library, "a.mp4", "b.mp4")
    (library / "text.mp4").write_text("text")
    path = table(
        tmp_path,
        'path,series,episode,title,language\na.mp4,,,"two\nlines",\n../secret.mp4,,,,\n\nnone.mp4,,,,\n'
        "text.mp4,,,,\nb.mp4,Harbour,x,,\na.mp4,,,,\nb.mp4,,3,,\nb.mp4,Harbour,,,\nb.mp4,,,,klingon!\n",
    )
    report = load(path)
    told = dict(report.errors)
    assert list(told) == [4, 6, 7, 8, 9, 10, 11]
    assert "library" in told[4] or "upwards" in told[4]
    assert "missing" in told[6] and "not a video" in told[7] and "not a number" in told[8]
    assert told[9] == "this file is in line 2 already" and "fill in series" in told[10]
    assert not Film.objects.exists() and not Series.objects.exists()
    [(line, why)] = load(table(tmp_path, "path,language\na.mp4,en\nb.mp4,klingon!\n")).errors
    assert line == 3 and "BCP 47" in why
    assert not Film.objects.exists()


@pytest.mark.parametrize("text", ["", "series\nHarbour\n", "path,colour\n", "path,path\n", 'path\n"open'])
def test_a_table_that_cannot_be_read_is_refused(library: Path, tmp_path: Path, text: str) -> None:
    with pytest.raises(BadTable):
        load(table(tmp_path, text))


def test_a_table_in_another_encoding_is_refused(library: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("path\nfä.mp4\n".encode("latin-1"))
    with pytest.raises(BadTable, match="UTF-8"):
        load(tmp_path / "t.csv")
    with pytest.raises(BadTable):
        load(tmp_path / "none.csv")


def command(*arguments: object, **options: Any) -> str:
    out = io.StringIO()
    call_command(*map(str, arguments), stdout=out, **options)
    return out.getvalue()


def test_the_commands_print_a_report_that_ends_in_the_id(library: Path, tmp_path: Path) -> None:
    fill(library, "Harbour/01.mp4", "film.mp4")
    told = command("import_series", library / "Harbour", title="Port")
    assert "created   01.mp4" in told
    assert told.splitlines()[-1] == str(Series.objects.get(title="Port").pk)
    assert command("import_film", "film.mp4").splitlines()[-1] == str(Film.objects.get().pk)
    as_json = json.loads(command("import_series", "Harbour", json=True))
    assert as_json["unchanged"] == ["01.mp4"] and as_json["id"] == Series.objects.get().pk
    with pytest.raises(CommandError, match="missing"):
        command("import_series", "none")
    with open(tmp_path / "t.csv", "w", newline="") as file:
        csv.writer(file).writerows([["path", "title"], ["film.mp4", "New"]])
    assert "updated   film.mp4" in command("import_catalog", tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("path\nnone.mp4\n")
    with pytest.raises(CommandError, match="line 2: File missing"):
        command("import_catalog", tmp_path / "t.csv")


def test_subtitles_of_any_name_are_given_to_a_film_by_their_language(library: Path) -> None:
    fill(library, "film.mp4")
    (library / "texts").mkdir()
    for name in ("english.srt", "latin american.srt"):
        (library / "texts" / name).write_text("1")
    given = ("--subtitle", "en=texts/english.srt", "--subtitle", "es-419=texts/latin american.srt")
    assert command("import_film", "film.mp4", *given).splitlines()[-1] == str(Film.objects.get().pk)
    found = Film.objects.get().subtitles.order_by("language").values_list("language", "path")
    assert list(found) == [("en", "texts/english.srt"), ("es-419", "texts/latin american.srt")]
    assert "1 unchanged" in command("import_film", "film.mp4", *given)
    with pytest.raises(CommandError, match="missing"):
        command("import_film", "film.mp4", "--subtitle", "en=texts/none.srt")
    for wrong in ("english=texts/english.srt", "en", "texts/english.srt"):
        with pytest.raises(CommandError, match="subtitle"):
            command("import_film", "film.mp4", "--subtitle", wrong)


def test_the_demo_library_is_made_once_and_imported(library: Path) -> None:
    made = make_demo_library(library)
    before = {path: path.stat().st_mtime_ns for path in made}
    assert all(2_000_000 < path.stat().st_size < 6_000_000 for path in made)
    assert make_demo_library(library) == made
    assert before == {path: path.stat().st_mtime_ns for path in made}
    assert not list(library.rglob(".*"))
    for _ in range(2):
        (harbour, train, flags), film = import_demo_library(library, now=NOW)
    assert [str(one) for one in (harbour, train, flags, film)] == [
        "Harbour", "Night Train", "Signal Flags", "The Lighthouse Keeper",
    ]  # fmt: skip
    assert [series.episodes.count() for series in (harbour, train, flags)] == [6, 5, 6]
    assert Subtitle.objects.get(film=None).episode == harbour.episodes.first()
    spoken = Subtitle.objects.filter(film=film).values_list("language", "is_default")
    assert sorted(spoken) == [("de", False), ("en", True), ("it", False)]
    assert film and film.intro
    assert unready(Episode.objects.all(), now=NOW) == [] and harbour.intro
