import io
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from openpyxl import Workbook

from tests import videos
from tests.admin_pages import staff_with
from uploader.catalog import Episode, Film, Season, Series, Subtitle

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db
CSV, XLSX = "0", "1"


@pytest.fixture
def client(db: None) -> Client:
    client = Client()
    client.force_login(
        User.objects.create_superuser("root"), backend="django.contrib.auth.backends.ModelBackend"
    )
    return client


@pytest.fixture
def harbour(library: Path) -> Series:
    """A series of three: ready, missing, never looked at."""
    series = Series.objects.create(title="Harbour")
    for number in (1, 2, 3):
        Episode.objects.create(series=series, index_sequence=number, path=f"harbour/{number}.mp4")
    videos.video(library / "harbour" / "1.mp4")
    videos.video(library / "harbour" / "3.mp4")
    for episode in Episode.objects.filter(index_sequence__lt=3):
        episode.readiness(NOW)
    Episode.objects.get(index_sequence=1).make_poster()
    return series


def page(client: Client, name: str, *arguments: object, **query: str) -> str:
    answer = client.get(reverse(f"admin:uploader_{name}", args=arguments), query)
    assert answer.status_code == 200, answer
    return answer.content.decode()


def act(client: Client, model: str, action: str, *rows: Any) -> str:
    address = reverse(f"admin:uploader_{model}_changelist")
    chosen = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(address, chosen, follow=True).content.decode()


@pytest.mark.parametrize("model", ["film", "series", "season", "episode", "subtitle"])
def test_lists_and_forms_open_without_any_row(client: Client, library: Path, model: str) -> None:
    page(client, f"{model}_changelist")
    page(client, f"{model}_add")


def test_the_list_tells_the_state_of_each_episode(client: Client, harbour: Series) -> None:
    text = page(client, "episode_changelist")
    for words in (
        "Harbour – Episode 1",
        "Ready",
        "Not ready",
        "Not probed",
        "0:00:01",
        "KB",
        "/media/posters/",
    ):
        assert words in text or words.replace(" ", "\xa0") in text


def test_a_file_that_changed_or_vanished_since_its_probe_is_not_shown_as_ready(
    client: Client, harbour: Series, library: Path
) -> None:
    Episode.objects.exclude(index_sequence=1).delete()
    with (library / "harbour" / "1.mp4").open("ab") as file:
        file.write(b"more")
    assert "Changed" in page(client, "episode_changelist")


@pytest.mark.parametrize(("chosen", "number"), [("yes", 1), ("error", 2), ("unknown", 3)])
def test_episodes_are_filtered_by_readiness(
    client: Client, harbour: Series, chosen: str, number: int
) -> None:
    text = page(client, "episode_changelist", ready=chosen)
    assert [n for n in (1, 2, 3) if f"Harbour – Episode {n}" in text] == [number]


def test_episodes_are_searched_by_series_and_path(client: Client, harbour: Series) -> None:
    assert "Harbour – Episode 2" in page(client, "episode_changelist", q="harbour/2")
    assert "Harbour – Episode" not in page(client, "episode_changelist", q="train")


def test_films_are_filtered_by_language(client: Client, library: Path) -> None:
    Film.objects.create(title="Le Phare", path="a.mp4", language="fr")
    Film.objects.create(title="The Lamp", path="b.mp4", language="en")
    text = page(client, "film_changelist", language="fr")
    assert "Le Phare" in text and "The Lamp" not in text


@pytest.mark.parametrize("model", ["episode", "series", "season"])
def test_a_longer_list_asks_no_more_questions(
    client: Client, harbour: Series, model: str, django_assert_max_num_queries: Any
) -> None:
    for number in range(1, 30):
        Season.objects.create(series=harbour, number=number)
        other = Series.objects.create(title=f"Series {number}")
        season = Season.objects.create(series=other, number=1)
        Episode.objects.create(series=other, season=season, index_sequence=1, path=f"{number}.mp4")
    with django_assert_max_num_queries(15):
        page(client, f"{model}_changelist")


def test_the_page_of_a_series_lists_its_episodes_with_links(
    client: Client, harbour: Series, django_assert_max_num_queries: Any
) -> None:
    season = Season.objects.create(series=harbour, number=2)
    for number in range(20):
        Episode.objects.create(series=harbour, season=season, index_sequence=number, path=f"{number}.mp4")
    with django_assert_max_num_queries(20):
        text = page(client, "series_change", harbour.pk)
    assert "Season 2 Episode 7" in text and "Not ready" in text
    assert reverse("admin:uploader_episode_change", args=[harbour.episodes.all()[0].pk]) in text


def test_probe_again_reports_counts_and_reasons(client: Client, harbour: Series, library: Path) -> None:
    text = act(client, "episode", "probe_again", *Episode.objects.all())
    assert "2 ready, 1 not: Episode 2 of Harbour: file missing at harbour/2.mp4. Restore it" in text
    videos.video(library / "harbour" / "2.mp4")
    assert "3 ready" in act(client, "series", "probe_again", harbour)


def test_make_posters_reports_counts_and_reasons(client: Client, harbour: Series) -> None:
    text = act(client, "episode", "make_posters", *Episode.objects.all())
    assert "2 made, 1 not: Episode 2 of Harbour: File missing" in text
    assert Episode.objects.exclude(poster="").count() == 2


def edit(client: Client, episode: Episode, **changes: object) -> Any:
    fields = {
        "series": episode.series_id,
        "season": "",
        "index_sequence": episode.index_sequence,
        "title": episode.title,
        "path": episode.path,
        "subtitles-TOTAL_FORMS": "0",
        "subtitles-INITIAL_FORMS": "0",
    }
    return client.post(
        reverse("admin:uploader_episode_change", args=[episode.pk]), {**fields, **changes}, follow=True
    )


def test_a_title_can_be_edited_while_the_file_is_away(client: Client, harbour: Series) -> None:
    edit(client, Episode.objects.get(index_sequence=2), title="Fog")
    assert Episode.objects.get(index_sequence=2).title == "Fog"


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "harbour/none.mp4", "harbour"])
def test_a_new_path_must_name_a_file_in_the_library(client: Client, harbour: Series, path: str) -> None:
    answer = edit(client, Episode.objects.get(index_sequence=1), path=path)
    assert "then retry." in answer.content.decode()
    assert Episode.objects.get(index_sequence=1).path == "harbour/1.mp4"


def test_a_changed_path_is_probed_when_it_is_saved(
    client: Client, harbour: Series, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        edit(client, Episode.objects.get(index_sequence=2), path="./harbour//3.mp4", index_sequence=9)
    saved = Episode.objects.get(index_sequence=9)
    assert (saved.path, saved.width) == ("harbour/3.mp4", 160) and saved.poster


def test_probe_columns_cannot_be_posted(client: Client, harbour: Series) -> None:
    edit(
        client, Episode.objects.get(index_sequence=2), probe_error="", width="9", poster="x.jpg", title="New"
    )
    saved = Episode.objects.get(index_sequence=2)
    assert (saved.title, saved.width, saved.poster) == ("New", None, "") and saved.probe_error


def test_a_subtitle_is_attached_on_the_page_of_its_episode(
    client: Client, harbour: Series, library: Path
) -> None:
    (library / "harbour" / "1.en.srt").touch()
    rows = {
        "subtitles-TOTAL_FORMS": "1",
        "subtitles-0-language": "en",
        "subtitles-0-path": "harbour/1.mp4",
    }
    episode = Episode.objects.get(index_sequence=1)
    assert "Subtitles are files that end in" in edit(client, episode, **rows).content.decode()
    edit(client, episode, **{**rows, "subtitles-0-path": "harbour/1.en.srt"})
    assert Subtitle.objects.get().episode == episode


def upload(client: Client, model: str, name: str, content: bytes, kind: str) -> str:
    file = io.BytesIO(content)
    file.name = name
    address = reverse(f"admin:uploader_{model}_import")
    answer = client.post(address, {"format": kind, "import_file": file, "resource": "0"})
    assert answer.status_code == 200
    return answer.content.decode()


def confirm(client: Client, model: str, preview: str, capture: Any) -> None:
    fields = "import_file_name|original_file_name|format|resource"
    hidden = dict(re.findall(rf'<input type="hidden" name="({fields})" value="([^"]*)"', preview))
    with capture(execute=True):
        answer = client.post(reverse(f"admin:uploader_{model}_process_import"), hidden, follow=True)
    assert answer.status_code == 200


def test_episodes_are_imported_after_a_preview(
    client: Client, harbour: Series, django_capture_on_commit_callbacks: Any
) -> None:
    rows = (
        b"series,season,index_sequence,title,path\n"
        b"Harbour,,3,Tide,harbour/3.mp4\nHarbour,2,1,New,harbour/1.mp4\n"
    )
    preview = upload(client, "episode", "e.csv", rows, CSV)
    assert "Tide" in preview and Episode.objects.count() == 3 and not Season.objects.exists()
    confirm(client, "episode", preview, django_capture_on_commit_callbacks)
    assert Episode.objects.get(index_sequence=3).title == "Tide"
    assert Episode.objects.get(season__number=2, index_sequence=1).width == 160


def test_a_preview_names_what_is_wrong_with_each_line(client: Client, harbour: Series) -> None:
    rows = (
        b"series,index_sequence,title,path\nNowhere,1,a,harbour/1.mp4\nHarbour,8,b,../../etc/passwd\n"
        b"Harbour,9,c,harbour/none.mp4\nHarbour,2,unchanged path,harbour/2.mp4\n"
    )
    preview = upload(client, "episode", "e.csv", rows, CSV)
    assert "There is no series “Nowhere”" in preview
    assert Episode.objects.count() == 3 and not Episode.objects.filter(title="unchanged path").exists()
    preview = upload(
        client, "episode", "e.csv", b"series,index_sequence,title,path\n" + rows.split(b"\n", 2)[2], CSV
    )
    assert "leads upwards" in preview and "File missing at harbour/none.mp4" in preview


def test_films_are_imported_from_a_workbook(
    client: Client, library: Path, django_capture_on_commit_callbacks: Any
) -> None:
    videos.video(library / "a.mp4")
    book, content = Workbook(), io.BytesIO()
    book.active.append(["path", "title", "intro", "language"])
    book.active.append(["a.mp4", "The Lamp", "About", "en"])
    book.save(content)
    preview = upload(client, "film", "f.xlsx", content.getvalue(), XLSX)
    confirm(client, "film", preview, django_capture_on_commit_callbacks)
    film = Film.objects.get()
    assert (film.title, film.width) == ("The Lamp", 160) and film.poster


@pytest.mark.parametrize("model", ["episode", "film", "series", "season", "subtitle"])
@pytest.mark.parametrize("kind", [CSV, XLSX])
def test_tables_are_exported(client: Client, harbour: Series, model: str, kind: str) -> None:
    address = reverse(f"admin:uploader_{model}_export")
    assert client.get(address).status_code == 200
    answer = client.post(address, {"format": kind, "resource": "0"})
    assert answer.status_code == 200 and "attachment" in answer["Content-Disposition"]
    if kind == CSV and model == "episode":
        head, first = answer.content.decode().splitlines()[:2]
        told = dict(zip(head.split(","), first.split(","), strict=True))
        assert (told["series"], told["index_sequence"], told["path"]) == ("Harbour", "1", "harbour/1.mp4")


def test_subtitles_are_imported_for_the_video_that_a_file_names(
    client: Client, harbour: Series, library: Path, django_capture_on_commit_callbacks: Any
) -> None:
    (library / "harbour" / "1.en.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nAhoy\n")
    table = (
        b"episode,path,language,label,is_default,is_forced\nharbour/1.mp4,harbour/1.en.srt,en,English,1,0\n"
    )
    preview = upload(client, "subtitle", "subtitles.csv", table, CSV)
    confirm(client, "subtitle", preview, django_capture_on_commit_callbacks)
    found = Subtitle.objects.get()
    assert (found.episode, found.film, found.language, found.is_default) == (
        Episode.objects.get(index_sequence=1),
        None,
        "en",
        True,
    )


def test_a_subtitle_of_an_unknown_video_or_outside_the_library_is_named_in_the_preview(
    client: Client, harbour: Series
) -> None:
    table = b"episode,path,language\nharbour/9.mp4,harbour/1.en.srt,en\nharbour/1.mp4,../x.srt,en\n"
    text = upload(client, "subtitle", "subtitles.csv", table, CSV)
    assert "There is no episode at" in text
    assert "outside" in text
    assert not Subtitle.objects.exists()


def test_seasons_are_imported_by_series_and_number(
    client: Client, harbour: Series, django_capture_on_commit_callbacks: Any
) -> None:
    preview = upload(client, "season", "seasons.csv", b"series,number,title\nHarbour,2,Winter\n", CSV)
    confirm(client, "season", preview, django_capture_on_commit_callbacks)
    assert Season.objects.values_list("series__title", "number", "title").get() == ("Harbour", 2, "Winter")


def test_who_may_only_view_imports_nothing(library: Path) -> None:
    looking = staff_with("vera", apps=["uploader"], verbs=["view"])
    for model in ("film", "episode", "series", "season", "subtitle"):
        assert looking.get(reverse(f"admin:uploader_{model}_import")).status_code == 403
        assert looking.get(reverse(f"admin:uploader_{model}_export")).status_code == 200
