"""The whole way of an episode, from the page it was found on to the posts it is in; and back from a run to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from jobs.errors import JobError
from jobs.pipeline import lineage
from jobs.pipeline.announcing import create_job
from jobs.pipeline.pipeline_jobs import PipelineJob
from jobs.pipeline.subjects import Edition, Segment, Work
from sandbox.server import Sandbox
from schedules import whole_way
from schedules.posts.models import PostStatus, ScheduledPost
from schedules.posts.videos import PostVideo
from tests.conftest import NOW, make_social
from uploader.catalog import Episode, Series, Subtitle
from uploader.destinations import Destination
from uploader.pipeline.matches import Match, MatchStatus
from uploader.social_accounts import SocialAccount
from uploader.transcoding.transcode_jobs import TranscodeJob
from uploader.upload_jobs import UploadJob, create_upload

MakeSeries = Callable[..., Series]


def told(episode: Episode) -> list[tuple[str, str]]:
    return [(step.name, step.state) for step in whole_way.steps(Episode.objects.get(pk=episode.pk))]


@pytest.fixture
def episode(make_series: MakeSeries) -> Episode:
    return make_series("Harbour", 1).episodes.get()


def matched(episode: Episode) -> Segment:
    work = Work.objects.create(title="Harbour")
    segment = Segment.objects.create(edition=Edition.objects.create(work=work), number=1, fetched_at=NOW)
    accepted: dict[str, Any] = {
        "work": work,
        "series": episode.series,
        "score": 99,
        "status": MatchStatus.ACCEPTED,
    }
    Match.objects.create(**accepted)
    Match.objects.create(**accepted, segment=segment, episode=episode)
    return segment


def test_of_a_fresh_episode_only_the_file_is_there(episode: Episode) -> None:
    assert told(episode) == [
        ("Scraped", "none"), ("Downloaded", "done"), ("Probed", "waiting"), ("Transcoded", "none"),
        ("On the storage", "none"), ("On the platform", "none"), ("Posted", "none"),
    ]  # fmt: skip


def test_every_stage_is_shown_with_how_it_went(
    episode: Episode, destination: Destination, platform: Sandbox
) -> None:
    matched(episode)
    Subtitle.objects.create(episode=episode, language="it", path="harbour/01.it.srt")
    episode.probe(NOW)
    TranscodeJob.objects.create(
        episode=episode, resource_name="Harbour", source_path=episode.path, not_before_at=NOW
    )
    (held,) = TranscodeJob.objects.claim("worker", now=NOW)
    held.fail(JobError("The disk is full."), now=NOW)
    upload = create_upload(episode, destination, now=NOW)
    (sent,) = UploadJob.objects.filter(pk=upload.pk).claim("worker", now=NOW)
    sent.complete(now=NOW + timedelta(minutes=1))
    account = SocialAccount.objects.create(
        destination=make_social(platform), remote_id=1, seen_at=NOW, uuid="a1", name="Harbour on Reels"
    )
    post = ScheduledPost.objects.create(account=account, scheduled_for=NOW, status=PostStatus.PENDING)
    PostVideo.objects.create(post=post, position=0, library_path=episode.path)
    assert told(episode) == [
        ("Scraped", "done"), ("Subtitles", "done"), ("Downloaded", "done"), ("Probed", "done"),
        ("Transcoded", "failed"), ("On the storage", "none"), ("On the platform", "done"), ("Posted", "waiting"),
    ]  # fmt: skip


def test_a_file_that_is_gone_is_told(episode: Episode, library: Any) -> None:
    (library / episode.path).unlink()
    assert ("Downloaded", "failed") in told(episode)


def test_the_page_shows_it_and_a_run_leads_to_it(episode: Episode, viewer_client: Client) -> None:
    segment = matched(episode)
    job = PipelineJob.objects.get(pk=create_job("scrape", segment=segment))
    address = f"/pipeline/episodes/{episode.pk}/"
    assert f'href="{address}"' in viewer_client.get(f"/pipeline/runs/{job.pk}/").content.decode()
    page = viewer_client.get(address).content.decode()
    assert "The whole way of Harbour" in page
    assert f"/pipeline/runs/{job.pk}/" in page


def related(**links: Any) -> list[tuple[str, str]]:
    """What the page of a run about these tells of series, segments and episodes."""
    given = links.pop("input", {})
    job = PipelineJob.objects.get(pk=create_job("scrape", given, **links))
    return [(each.kind, each.text) for each in lineage.of(job)]


def test_a_run_leads_to_the_series_and_the_episodes_it_is_about(episode: Episode) -> None:
    segment = matched(episode)
    Segment.objects.create(edition=segment.edition, number=2)
    whole = [("Segments", "2 segments"), ("Series", "Harbour"), ("Episodes", str(episode))]
    assert related(edition=segment.edition) == whole, "an edition alone"
    assert related(work=segment.edition.work) == whole
    assert related(segment=segment) == whole[2:]
    assert related(input={"segmentIds": [str(segment.pk), "7", None]}) == [
        ("Segments", "1 segment"),
        whole[2],
    ]


def test_a_run_over_the_catalog_leads_to_its_series(episode: Episode) -> None:
    assert related(input={"seriesName": "harbour"}) == [("Series", "Harbour")]
    assert related(input={"seriesId": episode.series_id}) == [("Series", "Harbour")]
    for nonsense in ({"seriesId": "all"}, {"seriesId": 10**30}, {"seriesName": 7}, {"segmentIds": "x"}):
        assert related(input=nonsense) == []


def test_of_many_episodes_the_first_are_named(make_series: MakeSeries, viewer_client: Client) -> None:
    series = make_series("Harbour", 14)
    work = Work.objects.create(title="Harbour")
    edition = Edition.objects.create(work=work)
    for episode in series.episodes.all():
        segment = Segment.objects.create(edition=edition, number=episode.index_sequence)
        Match.objects.create(
            work=work, series=series, segment=segment, episode=episode, score=99, status=MatchStatus.ACCEPTED
        )
    job_id = create_job("scrape", edition=edition)
    assert related(edition=edition)[-1] == ("Episodes", "and 2 more")
    page = viewer_client.get(f"/pipeline/runs/{job_id}/").content.decode()
    assert "/pipeline/matches/?status=accepted" in page
    assert page.count("/pipeline/episodes/") == 12
    other = Segment.objects.create(
        edition=Edition.objects.create(work=Work.objects.create(title="Tide")), number=1
    )
    for chosen in (f"edition__id__exact={edition.pk}", f"edition__work__id__exact={work.pk}"):
        listed = viewer_client.get(f"/admin/jobs/segment/?{chosen}").content.decode()
        assert all(f"/segment/{segment.pk}/change/" in listed for segment in edition.segments.all())
        assert f"/segment/{other.pk}/" not in listed


def test_a_run_about_an_edition_is_where_its_segments_were_scraped(episode: Episode) -> None:
    segment = matched(episode)
    job_id = create_job("scrape", edition=segment.edition)
    (scraped, *_) = whole_way.steps(episode)
    assert scraped.url == f"/pipeline/runs/{job_id}/"


def test_an_unknown_episode_is_not_found(viewer_client: Client) -> None:
    assert viewer_client.get("/pipeline/episodes/4711/").status_code == 404
