"""What people decide about posts, what is refused, and what they are told about them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs import runner
from jobs.workers import Worker
from sandbox.server import Sandbox
from schedules.posts import board, deciding, explaining, outcomes
from schedules.posts.deciding import Refused
from schedules.posts.media import pre_upload
from schedules.posts.models import PostStatus, ScheduledPost
from schedules.posts.publisher import Publisher
from tests.jobs.worker_process import until
from tests.schedules.conftest import FACEBOOK, YOUTUBE, MakePost, fresh
from tests.schedules.posts.test_publisher import publish
from uploader.destinations import Destination
from uploader.platforms.onlysocial import Draft, OnlySocial
from uploader.upload_jobs import UploadJob

pytestmark = pytest.mark.django_db


def missed(post: ScheduledPost) -> ScheduledPost:
    outcomes.end_overdue(post.scheduled_for + timedelta(hours=1))
    assert fresh(post).error_kind == "missed"
    return fresh(post)


def risks_of(post: ScheduledPost) -> set[str]:
    return {risk.kind for risk in explaining.risks(fresh(post), timezone.now())}


def test_a_missed_post_can_be_published_now(uploaded_post: MakePost, social: Sandbox) -> None:
    post = missed(uploaded_post(at=timezone.now() - timedelta(minutes=10)))
    deciding.publish_now(post, who="olga", now=timezone.now())
    assert publish(post).status == PostStatus.PUBLISHED
    assert len(social.posts()) == 1


def test_a_missed_post_can_be_moved(uploaded_post: MakePost) -> None:
    post = missed(uploaded_post(at=timezone.now() - timedelta(minutes=10)))
    later = timezone.now() + timedelta(hours=3)
    deciding.move(post, later, time_zone="Europe/Rome", who="olga", now=timezone.now())
    found = fresh(post)
    assert (found.status, found.scheduled_for, found.time_zone, found.error_message) == (
        PostStatus.MEDIA_UPLOADED, later, "Europe/Rome", "",
    )  # fmt: skip


def test_a_missed_post_can_be_cancelled(uploaded_post: MakePost) -> None:
    post = missed(uploaded_post(at=timezone.now() - timedelta(minutes=10)))
    deciding.cancel(post, who="olga", now=timezone.now())
    assert fresh(post).status == PostStatus.CANCELLED


def test_a_cancelled_post_is_not_published(uploaded_post: MakePost, social: Sandbox) -> None:
    post = uploaded_post()
    deciding.cancel(post, who="olga", now=timezone.now())
    Publisher().run()
    assert fresh(post).status == PostStatus.CANCELLED
    assert social.posts() == []


def test_a_draft_of_a_cancelled_post_is_taken_away(uploaded_post: MakePost, social: Sandbox) -> None:
    social.add_fault("publish_post", status=429, headers={"Retry-After": "30"})
    post = uploaded_post()
    Publisher().run()
    assert len(social.posts()) == 1
    Destination.objects.update(held_until=None, held_kind="")
    deciding.cancel(fresh(post), who="olga", now=timezone.now())
    Publisher().run()
    assert social.posts() == []
    assert (fresh(post).status, fresh(post).remote_uuid, fresh(post).take_at) == ("CANCELLED", "", None)


def test_cancelling_stops_the_upload(make_post: MakePost) -> None:
    post = make_post()
    pre_upload(timezone.now())
    deciding.cancel(fresh(post), who="olga", now=timezone.now())
    assert UploadJob.objects.get().status == "cancelled"
    assert fresh(post).status == PostStatus.CANCELLED


def test_a_failed_upload_is_retried_with_what_is_there(make_post: MakePost, library: Any) -> None:
    post = make_post()
    path = library / post.videos.get().library_path
    path.rename(library / "elsewhere.mp4")
    pre_upload(timezone.now())
    runner.drain("upload")
    assert fresh(post).status == PostStatus.FAILED
    (library / "elsewhere.mp4").rename(path)
    deciding.retry(fresh(post), who="olga", now=timezone.now())
    runner.drain("upload")
    assert fresh(post).status == PostStatus.MEDIA_UPLOADED
    assert UploadJob.objects.count() == 1


def test_what_the_platform_failed_is_made_anew_and_its_remains_deleted(
    uploaded_post: MakePost, social: Sandbox
) -> None:
    social.settings(onlysocial_outcome="failed")
    post = publish(uploaded_post())
    social.settings(onlysocial_outcome="published")
    deciding.publish_now(post, who="olga", now=timezone.now())
    done = publish(post)
    (remote,) = social.posts()
    assert (done.status, remote["uuid"]) == (PostStatus.PUBLISHED, done.remote_uuid)


def test_an_edited_text_is_what_is_published(uploaded_post: MakePost, social: Sandbox) -> None:
    social.add_fault("publish_post", status=429, headers={"Retry-After": "1"})
    post = uploaded_post()
    Publisher().run()
    Destination.objects.update(held_until=None, held_kind="")
    deciding.edit(fresh(post), caption="Better words", who="olga", now=timezone.now())
    publish(post)
    (remote,) = social.posts()
    assert remote["caption"] == "Better words"


def test_a_copy_is_a_post_of_its_own(uploaded_post: MakePost) -> None:
    post = uploaded_post()
    at = timezone.now() + timedelta(days=1)
    copy = deciding.duplicate(post, scheduled_for=at, who="olga", now=timezone.now())
    assert (copy.status, copy.caption, copy.pre_uploaded) == (PostStatus.PENDING, post.caption, False)
    assert [video.library_path for video in copy.videos.all()] == [post.videos.get().library_path]
    assert copy.media_ids == []


def test_a_post_without_a_moment_waits_in_the_tray(uploaded_post: MakePost) -> None:
    post = uploaded_post()
    deciding.move(post, None, time_zone="UTC", who="olga", now=timezone.now())
    assert list(board.tray()) == [post]
    Publisher().run()
    assert fresh(post).status == PostStatus.MEDIA_UPLOADED


# -------------------------------------------------------------------- refused


def test_a_published_post_is_neither_moved_nor_cancelled(uploaded_post: MakePost) -> None:
    post = publish(uploaded_post())
    later = timezone.now() + timedelta(hours=1)
    with pytest.raises(Refused, match="published already"):
        deciding.move(post, later, time_zone="UTC", who="olga", now=timezone.now())
    with pytest.raises(Refused, match="published already"):
        deciding.cancel(post, who="olga", now=timezone.now())


def test_a_partly_published_post_is_not_made_again(uploaded_post: MakePost, social: Sandbox) -> None:
    social.settings(onlysocial_outcome="partly_published")
    post = publish(uploaded_post())
    with pytest.raises(Refused, match="partly published"):
        deciding.publish_now(post, who="olga", now=timezone.now())


def test_a_post_is_not_moved_into_the_past(uploaded_post: MakePost) -> None:
    past = timezone.now() - timedelta(hours=1)
    with pytest.raises(Refused, match="in the past"):
        deciding.move(uploaded_post(), past, time_zone="UTC", who="olga", now=timezone.now())


def test_a_post_that_is_about_to_be_sent_is_left_alone(uploaded_post: MakePost) -> None:
    post = uploaded_post()
    now = timezone.now()
    ScheduledPost.objects.claim("publisher#1", now=now, limit=1)
    ScheduledPost.objects.update(publish_intended_at=now)
    for decision in (deciding.cancel, deciding.publish_now):
        with pytest.raises(Refused, match="at this moment"):
            decision(fresh(post), who="olga", now=now)


# -------------------------------------------------------------------- while a publisher prepares it

Meanwhile = Callable[[ScheduledPost, Callable[[], object]], None]


@pytest.fixture
def meanwhile(social: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """`meanwhile(post, decide)`: once, when the publisher has the post in hand and its draft is made."""

    def arrange(post: ScheduledPost, decide: Callable[[], object]) -> None:
        settle, done = Publisher._settle, []

        def first(self: Publisher) -> None:
            if not done and social.posts():
                assert fresh(post).is_held(timezone.now())
                done.append(decide())
            settle(self)

        monkeypatch.setattr(Publisher, "_settle", first)

    return arrange


def test_a_post_is_cancelled_seconds_before_its_moment(
    uploaded_post: MakePost, social: Sandbox, meanwhile: Meanwhile
) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(seconds=4))
    meanwhile(post, lambda: deciding.cancel(fresh(post), who="olga", now=timezone.now()))
    assert publish(post).status == PostStatus.CANCELLED
    until(lambda: not Publisher().run() and not social.posts())
    assert social.requests("publish_post") == []


def test_a_draft_on_its_way_when_its_post_is_cancelled_is_taken_away(
    uploaded_post: MakePost, social: Sandbox, meanwhile: Meanwhile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The platform has made the draft, its answer comes after the decision."""
    create, is_decided = OnlySocial.create_post, threading.Event()

    def late(self: OnlySocial, draft: Draft) -> str:
        uuid = create(self, draft)
        assert is_decided.wait(30)
        return uuid

    monkeypatch.setattr(OnlySocial, "create_post", late)
    post = uploaded_post(at=timezone.now() + timedelta(seconds=4))

    def cancel() -> None:
        deciding.cancel(fresh(post), who="olga", now=timezone.now())
        is_decided.set()

    meanwhile(post, cancel)
    assert publish(post).status == PostStatus.CANCELLED
    until(lambda: not Publisher().run() and not social.posts())


def test_a_post_is_edited_seconds_before_its_moment(
    uploaded_post: MakePost, social: Sandbox, meanwhile: Meanwhile
) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(seconds=4))
    meanwhile(
        post, lambda: deciding.edit(fresh(post), caption="Better words", who="olga", now=timezone.now())
    )
    assert publish(post).status == PostStatus.PUBLISHED
    (remote,) = social.posts()
    (published,) = social.requests("publish_post")
    created = social.requests("create_post")[-1]["body"]
    assert created["versions"][0]["content"][0]["body"] == "Better words"
    assert published["path"].endswith(remote["uuid"])


def test_a_post_is_moved_seconds_before_its_moment(
    uploaded_post: MakePost, social: Sandbox, meanwhile: Meanwhile
) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(seconds=4))
    later = timezone.now() + timedelta(seconds=7)
    meanwhile(
        post, lambda: deciding.move(fresh(post), later, time_zone="UTC", who="olga", now=timezone.now())
    )
    assert publish(post).status == PostStatus.PUBLISHED
    (remote,) = social.posts()
    assert min(remote["publish_received_at"]) >= later.timestamp()


def test_an_overtaken_decision_is_refused_in_words(uploaded_post: MakePost) -> None:
    stale = uploaded_post(at=timezone.now() + timedelta(hours=1))
    deciding.cancel(fresh(stale), who="vera", now=timezone.now())
    with pytest.raises(Refused, match="somebody else"):
        deciding.edit(stale, caption="x", who="olga", now=timezone.now())


def test_a_story_cannot_move_to_an_account_without_stories(
    make_post: MakePost, workspace: Destination
) -> None:
    post = make_post(post_type="story")
    youtube = workspace.social_accounts.get(remote_id=YOUTUBE)
    with pytest.raises(Refused, match="no stories"):
        deciding.edit(post, account=youtube, who="olga", now=timezone.now())
    facebook = workspace.social_accounts.get(remote_id=FACEBOOK)
    deciding.edit(post, account=facebook, who="olga", now=timezone.now())
    assert fresh(post).account == facebook


# -------------------------------------------------------------------- told


def test_a_healthy_post_is_at_no_risk(make_post: MakePost) -> None:
    assert risks_of(make_post(at=timezone.now() + timedelta(hours=5))) == set()


def test_a_missing_file_is_a_risk(make_post: MakePost) -> None:
    post = make_post(at=timezone.now() + timedelta(hours=5))
    post.videos.update(library_path="gone.mp4")
    assert risks_of(post) == {"file_missing"}
    (at_risk,) = board.at_risk(timezone.now())
    assert at_risk == post


def test_a_lost_account_is_a_risk(uploaded_post: MakePost) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(hours=5))
    type(post.account).objects.update(is_authorized=False)
    assert risks_of(post) == {"account_unauthorized"}


def test_a_lost_token_and_a_quota_are_risks(uploaded_post: MakePost) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(hours=1))
    for kind in ("credentials", "quota"):
        until = timezone.now() + timedelta(hours=2)
        Destination.objects.update(held_until=until, held_kind=kind, held_reason="No.")
        assert risks_of(post) == {kind}


def test_media_not_yet_up_are_a_risk_shortly_before(make_post: MakePost) -> None:
    assert "media_late" in risks_of(make_post(at=timezone.now() + timedelta(minutes=5)))


def test_a_post_whose_moment_came_before_its_media_goes_out_when_they_are_up(make_post: MakePost) -> None:
    post = make_post()
    deciding.publish_now(post, who="olga", now=timezone.now())
    said = {risk.kind: risk.sentence for risk in explaining.risks(fresh(post), timezone.now())}
    assert "goes out as soon as its media are on OnlySocial" in said["media_late"]
    assert "too_little_time" not in said


def test_media_whose_time_has_hardly_begun_are_no_risk(make_post: MakePost, settings: Any) -> None:
    settings.PRE_UPLOAD_LEAD_SECONDS = 120
    assert risks_of(make_post(at=timezone.now() + timedelta(seconds=110))) == set()
    assert "media_late" in risks_of(make_post(at=timezone.now() + timedelta(seconds=50)))


def test_too_little_time_at_the_measured_speed_is_a_risk(make_post: MakePost, workspace: Destination) -> None:
    now = timezone.now()
    UploadJob.objects.create(
        destination=workspace, upload_type="media", media_name="job-1.mp4", library_path="x.mp4", title="x",
        status="completed", bytes_total=1000, started_at=now - timedelta(seconds=1000), finished_at=now,
    )  # fmt: skip
    post = make_post(at=now + timedelta(minutes=30))
    post.videos.update(size_bytes=10_000)
    assert "too_little_time" in risks_of(post)


def test_no_worker_is_a_risk_at_the_moment(uploaded_post: MakePost) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(seconds=5))
    assert risks_of(post) == {"worker"}
    now = timezone.now()
    Worker.objects.create(id="w", lane="publish", host="h", pid=1, started_at=now, seen_at=now)
    assert risks_of(post) == set()


def test_every_state_says_why_it_is_not_published(
    make_post: MakePost, uploaded_post: MakePost, social: Sandbox
) -> None:
    def why(post: ScheduledPost) -> str:
        return explaining.why_not_published(fresh(post), timezone.now())

    later = timezone.now() + timedelta(hours=5)
    assert "go to OnlySocial from" in why(make_post(at=later))
    assert "It goes out at" in why(uploaded_post(at=later))
    begun = make_post()
    pre_upload(timezone.now())
    assert "being uploaded" in why(begun)
    gone = missed(uploaded_post(at=timezone.now() - timedelta(minutes=10)))
    assert why(gone).startswith("Missed: ")
    done = publish(uploaded_post())
    assert why(done) == ""
    deciding.cancel(fresh(begun), who="olga", now=timezone.now())
    assert "Cancelled by olga" in why(begun)


def test_a_missed_post_names_the_time_no_worker_ran(uploaded_post: MakePost) -> None:
    at = timezone.now() - timedelta(hours=1)
    post = uploaded_post(at=at)
    before, after = at - timedelta(minutes=2), at + timedelta(minutes=20)
    Worker.objects.create(id="a", lane="publish", host="h", pid=1, started_at=before, seen_at=before)
    Worker.objects.create(id="b", lane="publish", host="h", pid=2, started_at=after, seen_at=after)
    said = missed(post).error_message
    assert f"ran from {before:%Y-%m-%d %H:%M:%S}" in said
    assert f"until {after:%Y-%m-%d %H:%M:%S}" in said


def test_the_calendar_has_days_lanes_phases_and_a_timeline(uploaded_post: MakePost) -> None:
    post = publish(uploaded_post())
    start = timezone.now() - timedelta(days=1)
    found = list(board.between(start, start + timedelta(days=2)))
    assert board.lanes(found) == {post.account: [post]}
    assert [phase.state for phase in board.phases(found[0])] == ["done", "done", "done"]
    assert [event.type for event in board.timeline(post)][-1] == "published"
    days = board.days(found, start.date(), 3, timezone.get_default_timezone())
    assert sum(len(day.posts) for day in days) == 1
