"""Works and segments are matched with scores and reasons; a person decides, and is heard for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs.errors import LostRace
from jobs.events import history_of
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.subjects import Edition, Segment, Source, Work
from uploader.catalog import Episode, Season, Series
from uploader.pipeline.matches import Match, episode_of
from uploader.pipeline.matching import plain_title

pytestmark = pytest.mark.django_db
Done = Callable[..., PipelineJob]
NOW = timezone.now()


def series(title: str, *titles: str, season: int | None = None) -> Series:
    made = Series.objects.create(title=title)
    row = Season.objects.create(series=made, number=season) if season else None
    for number, name in enumerate(titles, 1):
        Episode.objects.create(
            series=made, season=row, index_sequence=number, title=name, path=f"{title}/{number}.mp4"
        )
    return made


def work(title: str, *titles: str, season: int = 0, **columns: Any) -> Work:
    made = Work.objects.create(title=title, **columns)
    edition = Edition.objects.create(work=made)
    for number, name in enumerate(titles, 1):
        Segment.objects.create(edition=edition, season=season, number=number, title=name)
    return made


@pytest.fixture
def harbour() -> Series:
    series("Harbour Nights", "One")
    series("Bread and Butter", "Flour")
    return series("The Harbour", "Fog", "The Pilot", "Low Water")


def proposed(**wanted: Any) -> list[tuple[str, str]]:
    return [
        (str(m.episode or m.series), m.status)
        for m in Match.objects.filter(**wanted).order_by("-score", "pk")
    ]


def test_a_work_is_proposed_to_be_the_series_of_its_title(harbour: Series, done: Done) -> None:
    row = work("HÁRBOUR (2024)", "Fog", "The Pilot", "Low Water")
    job = done("match", work=row)
    assert job.output and (job.output["total"], job.output["success"], job.output["proposed"]["works"]) == (
        1,
        1,
        2,
    )
    assert proposed()[0] == ("The Harbour", "proposed")
    best = Match.objects.order_by("-score")[0]
    assert best.score == 100 and best.reasons == ["titles 100 % alike", "3 segments, 3 episodes"]
    assert ("Bread and Butter", "proposed") not in proposed()


def test_a_work_like_nothing_is_skipped(harbour: Series, done: Done) -> None:
    job = done("match", work=work("Zymurgy"))
    assert job.output and job.output["skipped"] == 1
    assert not Match.objects.exists()
    assert done("match", work=work("!!!")).status == "success"


def test_an_accepted_work_has_its_segments_matched(harbour: Series, done: Done) -> None:
    row = work("Harbour", "Chapter 1: Fog", "Chapter 2: The Pilot", "Low Water", "An Extra")
    done("match", work=row)
    Match.objects.get(series=harbour).accept(who="olga", now=NOW)
    job = done("match", work=row)
    assert job.output and job.output["proposed"]["segments"] >= 3
    segments = list(Segment.objects.order_by("number"))
    assert proposed(segment=segments[0])[0] == ("The Harbour – Episode 1", "proposed")
    best = Match.objects.filter(segment=segments[0]).order_by("-score")[0]
    assert best.score == 100 and best.reasons == ["both are Episode 1", "titles 100 % alike"]
    assert proposed(segment=segments[3]) == []


def test_segments_numbered_otherwise_are_told_apart_by_their_titles(harbour: Series, done: Done) -> None:
    row = work("Harbour", "Prologue", "Fog", "The Pilot")
    done("match", work=row)
    Match.objects.get(series=harbour).accept(who="olga", now=NOW)
    done("match", work=row)
    pilot = Segment.objects.get(title="The Pilot")
    assert proposed(segment=pilot)[0] == ("The Harbour – Episode 2", "proposed")
    assert "3 is not Episode 2" in Match.objects.filter(segment=pilot).order_by("-score")[0].reasons


def test_seasons_count_and_none_is_the_first(done: Done) -> None:
    second = series("Tide", "A", "B", season=2)
    row = work("Tide", "A", "B", season=1)
    done("match", {"acceptFrom": 80}, work=row)
    scores = Match.objects.filter(segment__isnull=False).values_list("score", flat=True)
    assert all(score < 85 for score in scores)
    segment = Segment.objects.get(number=1)
    Match.objects.filter(segment__isnull=False).delete()
    assert episode_of(segment, second) is None
    first = series("Ebb", "A")
    assert episode_of(segment, first) == first.episodes.get()


def test_what_is_beyond_doubt_may_be_accepted_at_once(harbour: Series, done: Done) -> None:
    row = work("The Harbour", "Fog", "The Pilot", "Low Water")
    job = done("match", {"acceptFrom": 95}, work=row)
    assert job.output and job.output["proposed"]["accepted"] == 4
    assert Match.objects.filter(status="accepted", decided_by="match").count() == 4
    assert episode_of(Segment.objects.get(number=2), None) == harbour.episodes.get(index_sequence=2)


def test_two_that_are_equally_likely_wait_for_a_person(done: Done) -> None:
    series("Harbour (2019)", "A")
    series("Harbour (2024)", "A")
    done("match", {"acceptFrom": 60}, work=work("Harbour", "A"))
    assert [status for _, status in proposed()] == ["proposed", "proposed"]


def test_what_was_rejected_is_never_proposed_again(harbour: Series, done: Done) -> None:
    row = work("Harbour", "Fog")
    done("match", work=row)
    Match.objects.get(series=harbour).reject(who="olga", now=NOW)
    done("match", {"acceptFrom": 50}, work=row)
    assert ("The Harbour", "rejected") in proposed()
    assert ("The Harbour", "proposed") not in proposed()


def test_all_works_of_a_source_or_all_are_looked_at(harbour: Series, done: Done) -> None:
    source = Source.objects.create(name="s")
    work("Harbour", source=source)
    work("Harbour Nights")
    of_source, of_all = done("match", source=source).output, done("match").output
    assert of_source and of_all and (of_source["total"], of_all["total"]) == (1, 2)


@pytest.mark.parametrize("given", [{"acceptFrom": "all"}, {"acceptFrom": 7}, {"acceptFrom": True}])
def test_a_threshold_of_nonsense_is_refused(done: Done, given: dict[str, Any]) -> None:
    job = done("match", given)
    assert job.status == "failed" and "acceptFrom" in job.error


# -------------------------------------------------------------------- deciding


@pytest.fixture
def pair(harbour: Series) -> tuple[Match, Match]:
    row = work("Harbour", "Fog")
    other = Series.objects.get(title="Harbour Nights")
    return (
        Match.objects.create(work=row, series=harbour, score=95),
        Match.objects.create(work=row, series=other, score=70),
    )


def test_a_work_is_one_series_only(pair: tuple[Match, Match]) -> None:
    first, second = pair
    first.accept(who="olga", now=NOW)
    with pytest.raises(LostRace, match="matched already"):
        second.accept(who="olga", now=NOW)
    first.reject(who="olga", now=NOW)
    second.accept(who="olga", now=NOW)
    assert [event.new for event in history_of(first)] == ["accepted", "rejected"]


def test_a_decision_is_made_once(pair: tuple[Match, Match]) -> None:
    first, copy = pair[0], Match.objects.get(pk=pair[0].pk)
    first.accept(who="olga", now=NOW)
    with pytest.raises(LostRace, match="decided already"):
        copy.accept(who="vera", now=NOW)
    assert Match.objects.get(pk=first.pk).decided_by == "olga"


def test_the_database_keeps_matches_whole(pair: tuple[Match, Match]) -> None:
    first = pair[0]
    for wrong in (
        {"segment": Segment.objects.get()}, {"episode": Episode.objects.first()}, {"score": 1},
    ):  # fmt: skip
        with pytest.raises(IntegrityError), transaction.atomic():
            Match.objects.create(**{"work": first.work, "series": first.series, "score": 50, **wrong})


def test_titles_are_compared_plainly() -> None:
    assert plain_title("The Café – Part_2 (1999)") == "cafe part 2"
    assert plain_title("The") == "the"
    assert plain_title("1984") == ""
    assert plain_title("雨 1984") == "雨"


# -------------------------------------------------------------------- the page


def test_the_page_shows_proposals_with_scores_and_reasons(
    pair: tuple[Match, Match], operator_client: Client
) -> None:
    page = operator_client.get("/pipeline/matches/")
    text = page.content.decode()
    assert page.status_code == 200
    assert (
        "The Harbour" in text and 'data-sure="yes">' not in text.replace(' title="Score, 0 to 100"', "")[:0]
    )
    assert text.index(f"match-{pair[0].pk}") < text.index(f"match-{pair[1].pk}"), "the likeliest first"
    assert reverse("match-accept", args=(pair[0].pk,)) in text


def test_accepting_and_rejecting_on_the_page(pair: tuple[Match, Match], operator_client: Client) -> None:
    first, second = pair
    operator_client.post(reverse("match-accept", args=(first.pk,)))
    first.refresh_from_db()
    assert (first.status, first.decided_by) == ("accepted", "olga")
    assert PipelineJob.objects.get().job_type == "match", "its segments are matched next"
    answer = operator_client.post(
        reverse("match-accept", args=(second.pk,)), {"parts": "matches"}, headers={"HX-Request": "true"}
    )
    assert answer.status_code == 409 and "matched already" in answer.headers["HX-Trigger"]
    operator_client.post(reverse("match-reject", args=(second.pk,)))
    assert Match.objects.get(pk=second.pk).status == "rejected"
    page = operator_client.get("/pipeline/matches/?status=rejected").content.decode()
    assert "rejected by olga" in page and "Harbour Nights" in page
    assert operator_client.post(reverse("match-accept", args=(10**9,))).status_code == 404


def test_all_that_are_likely_are_accepted_at_once(pair: tuple[Match, Match], operator_client: Client) -> None:
    Match.objects.filter(pk=pair[1].pk).update(score=91)
    operator_client.post(reverse("matches-accept-sure"))
    assert [match.status for match in Match.objects.order_by("-score")] == ["accepted", "proposed"]


def test_a_viewer_looks_and_cannot_decide(pair: tuple[Match, Match], viewer_client: Client) -> None:
    page = viewer_client.get("/pipeline/matches/").content.decode()
    assert "The Harbour" in page
    assert "accept/" not in page and "look/" not in page and "accept-sure" not in page
    hands = [
        ("match-accept", pair[0].pk),
        ("match-reject", pair[0].pk),
        ("matches-accept-sure",),
        ("matches-look",),
    ]
    for name, *arguments in hands:
        assert viewer_client.post(reverse(name, args=arguments)).status_code == 403
    assert Match.objects.filter(status="proposed").count() == 2


def test_strangers_are_asked_to_sign_in(pair: tuple[Match, Match], client: Client) -> None:
    assert client.get("/pipeline/matches/").status_code == 302
    client.force_login(
        User.objects.create_user("nobody"), backend="django.contrib.auth.backends.ModelBackend"
    )
    assert client.post(reverse("match-accept", args=(pair[0].pk,))).status_code == 302
    assert Match.objects.filter(status="proposed").count() == 2


@pytest.mark.parametrize(
    "query", ["status=x", "work=7", "rows=-1", "rows=9999999999", "q=%00%27--", "status=accepted", "q=none"]
)
def test_addresses_of_nonsense_show_a_page(
    pair: tuple[Match, Match], operator_client: Client, query: str
) -> None:
    assert operator_client.get(f"/pipeline/matches/?{query}").status_code == 200


def test_looking_for_matches_puts_a_run_on_the_line(operator_client: Client) -> None:
    assert "No works yet" in operator_client.get("/pipeline/matches/").content.decode()
    operator_client.post(reverse("matches-look"))
    assert (PipelineJob.objects.get().job_type, PipelineJob.objects.get().status) == ("match", "queued")
