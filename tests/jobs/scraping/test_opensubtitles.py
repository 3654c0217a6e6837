"""OpenSubtitles over its API: what the script finds, and what the platform and nonsense do to it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone

from jobs.pipeline.subjects import Edition, Segment, Source, Work
from jobs.polite.errors import Unreadable
from jobs.scraping.opensubtitles import Api, NoKey, QuotaUsedUp, asked_for
from jobs.scraping.scripts import BadInput
from sandbox.server import Sandbox
from tests.jobs.scraping.test_novels import failed, job_of, run
from tests.site import Site

pytestmark = pytest.mark.django_db
PAGE = "https://www.opensubtitles.com/en/tvshows/2024-harbour"


def test_a_series_comes_with_its_seasons_and_episodes(opensubtitles: Sandbox) -> None:
    job = run("scrape_opensubtitles_work", PAGE)
    work, edition = Work.objects.get(), Edition.objects.get()
    assert job.input == {
        "url": PAGE, "provider": "opensubtitles", "scriptType": "scrape-opensubtitles-work", "totalSegments": 6,
    }  # fmt: skip
    assert job.output is not None
    assert {name: job.output[name] for name in ("workId", "seasonCount", "totalEpisodes")} == {
        "workId": str(work.pk), "seasonCount": 1, "totalEpisodes": 6,
    }  # fmt: skip
    assert (job.work, job.edition, work.title, work.provider) == (work, edition, "Harbour", "opensubtitles")
    assert work.data == {"year": "2024", "imdbId": "7000001", "featureId": "5001"}
    assert [(s.season, s.number, s.title) for s in edition.segments.all()][1] == (1, 2, "The Pilot")
    run("scrape_opensubtitles_work", "https://www.imdb.com/title/tt7000001/")
    assert (Work.objects.count(), Edition.objects.count(), Segment.objects.count()) == (1, 1, 6)
    assert Source.objects.get().name == "opensubtitles"


def test_a_work_that_is_known_or_named_is_linked_from_the_first_moment(
    opensubtitles: Sandbox, first_links: list[tuple[Work | None, Edition | None]]
) -> None:
    run("scrape_opensubtitles_work", PAGE)
    known = Work.objects.get()
    run("scrape_opensubtitles_work", PAGE)
    own = Work.objects.create(title="The Harbour Master")
    job = run("scrape_opensubtitles_work", PAGE, work="the harbour master")
    assert [work for work, _ in first_links] == [None, known, own]
    assert (job.work, job.edition and job.edition.work) == (own, own)
    assert Edition.objects.count() == 2 and own.editions.get().segments.count() == 6


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        (PAGE, {"query": "harbour", "year": "2024"}), ("tt0944947", {"imdb_id": "944947"}),
        ("https://www.opensubtitles.com/en/features/redirect/features/5001", {"feature_id": "5001"}),
        ("https://www.opensubtitles.com/de/tvshows/a-stop-in-the-snow?x=1", {"query": "a stop in the snow"}),
        ("Night Train", {"query": "night train"}),
    ],
)  # fmt: skip
def test_an_address_says_what_is_asked_for(url: str, asked: dict[str, str]) -> None:
    assert asked_for(url) == asked


@pytest.mark.parametrize(
    "url", ["https://", "https://www.opensubtitles.com", "/", "https://www.opensubtitles.com/"]
)
def test_an_address_of_nothing_is_refused(url: str) -> None:
    with pytest.raises(BadInput):
        asked_for(url)


def test_what_nobody_knows_fails_with_its_name(opensubtitles: Sandbox) -> None:
    _, message = failed("scrape_opensubtitles_work", "https://www.opensubtitles.com/en/tvshows/1999-nowhere")
    assert "nothing of nowhere" in message
    assert not Work.objects.exists()


def test_offers_come_from_all_pages_and_rank_people_before_machines(opensubtitles: Sandbox) -> None:
    with Api() as api:
        offers = list(
            api.offers(languages="id,en", parent_feature_id=5001, season_number=1, episode_number=2)
        )
    assert [each.language for each in offers] == ["en", "en", "id", "id"]
    assert not max(offers, key=lambda each: each.rank).is_by_machine


def test_a_key_that_is_refused_holds_the_job_for_a_person(opensubtitles: Sandbox, settings: Any) -> None:
    settings.OPENSUBTITLES = {**settings.OPENSUBTITLES, "key": "canary-wrong-key"}
    job = job_of("scrape-opensubtitles-work", {"url": PAGE})
    assert (job.status, job.attempt, job.error_kind) == ("queued", 0, "credentials")
    assert "OPENSUBTITLES_API_KEY" in job.error and "canary" not in job.error
    settings.OPENSUBTITLES = {**settings.OPENSUBTITLES, "key": ""}
    with pytest.raises(NoKey):
        Api()


def test_a_day_that_is_used_up_waits_until_it_is_given_anew(opensubtitles: Sandbox) -> None:
    opensubtitles.settings(opensubtitles_downloads_per_day=1)
    with Api() as api:
        assert b"-->" in api.download(500100100)
        with pytest.raises(QuotaUsedUp) as caught:
            api.download(500100100)
    assert caught.value.until is not None
    assert 23 < (caught.value.until - timezone.now()).total_seconds() / 3600 <= 24


def test_an_account_signs_in_once(opensubtitles: Sandbox, settings: Any) -> None:
    settings.OPENSUBTITLES = {**settings.OPENSUBTITLES, "username": "sandbox", "password": "sandbox"}
    with Api() as api:
        api.download(500100100)
        api.download(500100200)
    assert len(opensubtitles.requests("os_login")) == 1
    settings.OPENSUBTITLES = {**settings.OPENSUBTITLES, "password": "wrong"}
    with Api() as api, pytest.raises(NoKey):
        api.download(500100100)


def test_a_download_that_may_have_counted_is_not_asked_for_twice(opensubtitles: Sandbox) -> None:
    opensubtitles.add_fault("os_download", status=503)
    with Api() as api, pytest.raises(Exception, match="503"):
        api.download(500100100)
    assert len(opensubtitles.requests("os_download")) == 1


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        "[]",
        "7",
        '{"data": 7}',
        '{"data": [7, {"attributes": 3}]}',
        '{"data": [{"attributes": {}}]}',
    ],
)
def test_answers_of_nonsense_are_told(site: Site, settings: Any, body: str) -> None:
    settings.OPENSUBTITLES = {"api_url": site.url, "key": "k", "username": "", "password": ""}
    site.put("/features", body)
    site.put("/subtitles", body)
    with Api() as api:
        with pytest.raises(Unreadable):
            api.feature(query="x")
        if body.startswith("{"):
            assert list(api.offers(languages="en")) == []


def test_a_link_to_somebody_else_is_not_followed(site: Site, settings: Any) -> None:
    settings.OPENSUBTITLES = {"api_url": site.url, "key": "k", "username": "", "password": ""}
    site.put("/download", json.dumps({"link": "http://169.254.169.254/latest/meta-data/"}))
    with Api() as api, pytest.raises(Unreadable, match="somebody else"):
        api.download(1)
    assert site.paths() == ["/download"]
