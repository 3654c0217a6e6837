"""Titles and descriptions: what a template may hold, and what comes of it."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from uploader import metadata
from uploader.catalog import Episode, Film, Season, Series
from uploader.destinations import Destination
from uploader.upload_jobs import create_upload


@pytest.fixture
def episode(db: None) -> Episode:
    series = Series.objects.create(title="Harbour", intro="By the sea.")
    season = Season.objects.create(series=series, number=2)
    return Episode.objects.create(
        series=series, season=season, index_sequence=7, title="The Storm", path="harbour/07.mp4"
    )


@pytest.mark.parametrize(
    ("template", "text"),
    [
        (metadata.TITLE, "Harbour - Episode 7"),
        (metadata.DESCRIPTION, "By the sea."),
        ("{series} S{season}E{number}: {episode_title}", "Harbour S2E7: The Storm"),
        ("{{{series}}}", "{Harbour}"),
        ("No placeholder", "No placeholder"),
        ("  {series}\n", "Harbour"),
    ],
)
def test_a_template_is_filled_in(template: str, text: str, episode: Episode) -> None:
    metadata.validate_template(template)
    assert metadata.render(template, episode, limit=255) == text


def test_an_episode_outside_of_seasons_has_an_empty_season(db: None) -> None:
    series = Series.objects.create(title="Harbour")
    episode = Episode.objects.create(series=series, index_sequence=1, path="harbour/01.mp4")
    assert metadata.render("{series}{season}-{number}", episode, limit=255) == "Harbour-1"


def test_a_film_stands_for_its_series_and_its_episode(db: None) -> None:
    film = Film.objects.create(title="The Pier", intro="A film.", path="pier.mp4")
    template = "{series}|{episode_title}|{intro}"
    assert metadata.render(template, film, limit=255) == "The Pier|The Pier|A film."


def test_a_film_is_no_episode_where_the_template_counts_them(destination: Destination) -> None:
    film = Film.objects.create(title="The Pier", intro="A film.", path="pier.mp4")
    destination.description_template = "Season {season}: {intro}"
    job = create_upload(film, destination, now=timezone.now())
    assert (job.title, job.description) == ("The Pier", "A film.")


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{serie}", "Unknown placeholder {serie}. Known: series, season, number, episode_title, intro."),
        ("{}", "Unknown placeholder {}."),
        ("{0}", "Unknown placeholder {0}."),
        ("{series.__class__}", "Unknown placeholder {series.__class__}."),
        ("{series[0]}", "Unknown placeholder {series[0]}."),
        ("{number:03}", "Write {number} without a format."),
        ("{series!r}", "Write {series} without a format."),
        ("{series", "The braces do not match"),
        ("series}", "The braces do not match"),
    ],
)
def test_a_template_that_cannot_be_filled_in_is_refused(template: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        metadata.validate_template(template)
    assert sentence in caught.value.message


def test_words_of_a_title_are_never_taken_for_placeholders(db: None) -> None:
    series = Series.objects.create(title="{number} {series.intro}")
    episode = Episode.objects.create(series=series, index_sequence=1, path="a.mp4")
    assert metadata.render("{series}", episode, limit=255) == "{number} {series.intro}"


@pytest.mark.parametrize(
    ("text", "short"),
    [("12345", "12345"), ("123456", "1234…"), ("123 56", "123…"), ("", ""), ("🎬🎬🎬🎬🎬🎬", "🎬🎬🎬🎬…")],
)
def test_a_text_is_cut_at_the_limit(text: str, short: str) -> None:
    assert metadata.shorten(text, 5) == short


def test_a_job_keeps_the_texts_of_its_start(episode: Episode) -> None:
    destination = Destination.objects.create(name="main", description_template="{intro} " * 1000)
    Series.objects.update(title="H" * 200)
    destination.title_template = "{series} {series}"
    episode.refresh_from_db()
    job = create_upload(episode, destination, now=timezone.now())
    assert len(job.title) == metadata.TITLE_LIMIT
    assert len(job.description) == metadata.DESCRIPTION_LIMIT
    Series.objects.update(title="Another")
    job.refresh_from_db()
    assert job.title.startswith("HHH")
