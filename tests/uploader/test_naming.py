import pytest

from uploader.naming import episode_title, numbered, season_of_folder, subtitle_of, title_of


@pytest.mark.parametrize(
    ("stem", "season", "episode"),
    [
        ("S01E02", 1, 2),
        ("Harbour.S02E10.1080p.x264-GRP", 2, 10),
        ("harbour s1 e3", 1, 3),
        ("S01E01-E02", 1, 1),
        ("1x02 Fog", 1, 2),
        ("Harbour - Season 2 Episode 4 - Fog", 2, 4),
        ("Staffel 1 Folge 12", 1, 12),
        ("Episode 3", None, 3),
        ("Ep.3", None, 3),
        ("E03", None, 3),
        ("E03v2", None, 3),
        ("harbour-ep7-final", None, 7),
        ("Harbour Part 3", None, 3),
        ("Harbour Teil 3", None, 3),
        ("Harbour #3", None, 3),
        ("第3集", None, 3),
        ("03 - Fog", None, 3),
        ("03", None, 3),
        ("007", None, 7),
        ("[Group] Harbour - 03 [1080p][ABCD1234]", None, 3),
        ("Harbour (2019) - 04 - The Storm", None, 4),
        ("Harbour 3", None, 3),
        ("Harbour_03", None, 3),
        ("Harbour.103", None, 103),
        ("harbour07", None, 7),
        ("Harbour 2024 03", None, 3),
        ("Harbour 07 h264 aac", None, 7),
        ("ポート 12", None, 12),
    ],
)
def test_a_number_is_found_in_the_name(stem: str, season: int | None, episode: int) -> None:
    assert numbered(stem) == (season, episode)


@pytest.mark.parametrize(
    "stem",
    [
        "Harbour 2024",
        "2024",
        "2024-05-01 news",
        "Harbour 1080p",
        "Harbour 1920x1080",
        "Harbour 640x360",
        "Harbour x264",
        "Harbour H.265",
        "Harbour 5.1",
        "Harbour 60fps",
        "Harbour [ABCD1234]",
        "Bonus",
        "²",
        "",
    ],
)
def test_years_resolutions_and_codecs_are_no_numbers(stem: str) -> None:
    assert numbered(stem) == (None, None)


@pytest.mark.parametrize(
    ("stem", "series", "episode"),
    [
        ("24 - 03", "24", 3),
        ("3 Body Problem 05", "3 Body Problem", 5),
        ("1923 05", "1923", 5),
        ("24", "24", None),
    ],
)
def test_a_number_in_the_title_of_the_series_is_no_episode(
    stem: str, series: str, episode: int | None
) -> None:
    assert numbered(stem, series=series).episode == episode


@pytest.mark.parametrize(
    ("folder", "season"),
    [("Season 1", 1), ("Staffel 02", 2), ("S01", 1), ("Harbour Season 3", 3), ("Specials", 0)],
)
def test_a_season_is_found_in_the_name_of_a_folder(folder: str, season: int) -> None:
    assert season_of_folder(folder) == season


@pytest.mark.parametrize("folder", ["Extras", "2024", "harbours1", "", "Subs"])
def test_another_folder_is_no_season(folder: str) -> None:
    assert season_of_folder(folder) is None


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("Harbour", "Harbour"),
        ("harbour", "Harbour"),
        ("night-train", "Night Train"),
        ("Harbour (2019)", "Harbour (2019)"),
        ("My.Show.2020.1080p.x264", "My Show 2020"),
        ("1923", "1923"),
        ("🎬 film", "🎬 film"),
        ("[1080p]", "[1080p]"),
    ],
)
def test_a_title_is_made_from_the_name(name: str, title: str) -> None:
    assert title_of(name) == title


@pytest.mark.parametrize(
    ("stem", "title"),
    [
        ("03 - The Storm", "The Storm"),
        ("S01E02 - The Storm 1080p x264-GRP", "The Storm"),
        ("S01E02.The.Storm.720p", "The Storm"),
        ("Harbour 3", ""),
        ("Bonus", ""),
    ],
)
def test_what_follows_the_number_is_the_title_of_the_episode(stem: str, title: str) -> None:
    assert episode_title(stem) == title


def test_a_subtitle_tells_its_video_language_and_use() -> None:
    stems = ["07", "07.extra"]
    assert subtitle_of("07.en.srt", stems) == ("07", ("en", False, False, ""))
    assert subtitle_of("07.extra.pt-BR.forced.vtt", stems) == ("07.extra", ("pt-BR", True, False, ""))
    assert subtitle_of("07.default.en.sdh.srt", stems) == ("07", ("en", False, True, "SDH"))
    assert subtitle_of("07.srt", stems) == ("07", ("und", False, False, ""))
    assert subtitle_of("08.en.srt", stems) is None
