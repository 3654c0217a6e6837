"""Publishing: at the second, never before it, never twice; and the true state of whatever went wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.events import Event, history_of
from sandbox.server import Sandbox
from schedules.posts import calls, outcomes, publisher, threads
from schedules.posts.calls import FURTHEST_SECONDS
from schedules.posts.models import PostStatus, ScheduledPost, grace
from schedules.posts.publisher import Publisher
from schedules.posts.threads import SetBack, sleep_until
from tests.jobs.worker_process import until
from tests.schedules.conftest import MakePost, fresh
from uploader.platforms.onlysocial import Draft, OnlySocial

pytestmark = pytest.mark.django_db


def publish(post: ScheduledPost, *, seconds: float = 20) -> ScheduledPost:
    """Let publishers run until the post has ended."""

    def ended() -> bool:
        Publisher().run()
        outcomes.end_overdue(timezone.now())
        return not fresh(post).is_open

    until(ended, seconds=seconds, what=f"the post ends; {list(history_of(post).values_list('type', 'why'))}")
    return fresh(post)


def types_of(post: ScheduledPost) -> list[str]:
    return list(history_of(post).values_list("type", flat=True))


def live(topic: str = "posts") -> list[str]:
    return list(Event.objects.filter(topic=topic).values_list("type", flat=True))


# -------------------------------------------------------------------- as it should be


def test_a_post_is_created_and_published_at_its_moment(uploaded_post: MakePost, social: Sandbox) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(seconds=1.5))
    done = publish(post)
    (remote,) = social.posts()
    assert (done.status, done.remote_uuid) == (PostStatus.PUBLISHED, remote["uuid"])
    assert done.published_at and done.late_seconds is not None
    assert done.late_seconds == (done.published_at - post.scheduled_for).total_seconds() >= 0
    assert remote["media_ids"] == [post.videos.get().media_id]
    assert types_of(post) == ["draft_created", "publish_accepted", "published"]
    assert live() == ["post_published"]


def test_a_post_is_never_published_early(uploaded_post: MakePost, social: Sandbox) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(seconds=1.2))
    publish(post)
    (remote,) = social.posts()
    (received,) = remote["publish_received_at"]
    assert received >= post.scheduled_for.timestamp()


def test_at_its_moment_only_the_light_call_is_left(uploaded_post: MakePost, social: Sandbox) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(seconds=1.5))
    publish(post)
    (remote,) = social.posts()
    assert remote["create_received_at"] < post.scheduled_for.timestamp()


def test_the_post_has_the_text_the_type_and_the_account(uploaded_post: MakePost, social: Sandbox) -> None:
    publish(uploaded_post(caption="Testo del post", post_type="reel"))
    (request,) = social.requests("create_post")
    assert request["body"]["accounts"] == [42174]
    version = request["body"]["versions"][0]
    assert version["content"][0]["body"] == "Testo del post"
    assert version["options"]["instagram"]["type"] == "reel"


def test_the_uuid_is_saved_before_the_post_is_published(
    uploaded_post: MakePost, social: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(seconds=1))
    seen: list[str] = []
    mark = Publisher._mark

    def remember(self: Publisher, chosen: Any, **intent: Any) -> Any:
        if "publish_intended_at" in intent and list(chosen := list(chosen)):
            seen.append(fresh(post).remote_uuid)
        return mark(self, chosen, **intent)

    monkeypatch.setattr(Publisher, "_mark", remember)
    done = publish(post)
    assert seen == [done.remote_uuid] != [""]


@pytest.mark.parametrize("at_once", [0, 2], ids=["all-marked-at-once", "two-at-a-time"])
def test_many_posts_of_one_second_are_published_once_each(
    uploaded_post: MakePost, social: Sandbox, settings: Any, at_once: int
) -> None:
    settings.PUBLISH_MARK_AT_ONCE = at_once
    at = timezone.now() + timedelta(seconds=3)
    posts = [uploaded_post(at=at) for _ in range(9)]
    for post in posts:
        assert publish(post).status == PostStatus.PUBLISHED
    assert len(social.posts()) == len(social.requests("publish_post")) == 9
    assert all(remote["publish_received_at"][0] >= at.timestamp() for remote in social.posts())


def test_no_more_than_the_set_number_is_in_doubt_at_a_time(
    uploaded_post: MakePost, social: Sandbox, settings: Any
) -> None:
    settings.PUBLISH_MARK_AT_ONCE = 2
    social.settings(onlysocial_delay_ms=50)
    at = timezone.now() + timedelta(seconds=2)
    posts = [uploaded_post(at=at) for _ in range(6)]
    most = 0
    settle = Publisher._settle

    def count(self: Publisher) -> None:
        nonlocal most
        doubt = ScheduledPost.objects.filter(publish_intended_at__isnull=False, publish_accepted_at=None)
        most = max(most, doubt.count())
        settle(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Publisher, "_settle", count)
        publish(posts[-1])
    assert most == 2


def test_a_post_no_thread_has_taken_up_holds_nobody_up(
    uploaded_post: MakePost, social: Sandbox, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One may be in doubt at a time, and the first of them is the last to get its draft and its thread."""
    settings.PUBLISH_MARK_AT_ONCE = 1
    monkeypatch.setattr(publisher, "SENDERS", 2)
    create = OnlySocial.create_post

    def slowly(self: OnlySocial, draft: Draft) -> str:
        until(lambda: draft.caption != "Post 1" or len(social.posts()) == 3)
        return create(self, draft)

    unsent, unsent_of = [], calls.unsent
    monkeypatch.setattr(OnlySocial, "create_post", slowly)
    monkeypatch.setattr(calls, "unsent", lambda why="": unsent.append(why) or unsent_of(why))
    at = timezone.now() + timedelta(seconds=2)
    posts = [uploaded_post(at=at) for _ in range(4)]
    for post in posts:
        assert publish(post).status == PostStatus.PUBLISHED
    assert unsent == []


# -------------------------------------------------------------------- answers lost, refused, late


def test_an_answer_to_create_that_was_lost_is_found(uploaded_post: MakePost, social: Sandbox) -> None:
    social.add_fault("create_post", apply_then_drop=True)
    post = uploaded_post()
    done = publish(post)
    (remote,) = social.posts()
    assert (done.status, done.remote_uuid) == (PostStatus.PUBLISHED, remote["uuid"])
    assert "draft_found" in types_of(post)


def test_a_create_that_never_arrived_is_repeated(uploaded_post: MakePost, social: Sandbox) -> None:
    social.add_fault("create_post", drop_before=True)
    post = uploaded_post()
    assert publish(post).status == PostStatus.PUBLISHED
    assert len(social.posts()) == 1
    assert "draft_not_found" in types_of(post)


def test_a_draft_that_shows_late_in_the_list_is_taken_away_again(
    uploaded_post: MakePost, social: Sandbox
) -> None:
    social.settings(onlysocial_list_lag_seconds=1)
    social.add_fault("create_post", apply_then_drop=True)
    post = uploaded_post(at=timezone.now() + timedelta(seconds=2))
    done = publish(post)
    (remote,) = social.posts()
    assert (done.status, remote["uuid"]) == (PostStatus.PUBLISHED, done.remote_uuid)


def test_an_answer_to_publish_that_was_lost_is_looked_up(uploaded_post: MakePost, social: Sandbox) -> None:
    social.add_fault("publish_post", apply_then_drop=True)
    post = uploaded_post()
    assert publish(post).status == PostStatus.PUBLISHED
    assert len(social.requests("publish_post")) == len(social.posts()) == 1


def test_a_publish_that_never_arrived_is_repeated(uploaded_post: MakePost, social: Sandbox) -> None:
    social.add_fault("publish_post", drop_before=True)
    post = uploaded_post()
    assert publish(post).status == PostStatus.PUBLISHED
    assert len(social.posts()) == 1
    assert "not_applied" in types_of(post)


@pytest.mark.parametrize("route", ["create_post", "publish_post", "get_post"])
@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_is_outlived(
    uploaded_post: MakePost, social: Sandbox, route: str, status: int
) -> None:
    social.add_fault(route, status=status, times=2)
    assert publish(uploaded_post()).status == PostStatus.PUBLISHED
    (remote,) = social.posts()
    assert remote["status"] == "published"


@pytest.mark.parametrize("route", ["create_post", "publish_post"])
def test_a_rate_limit_is_waited_for(uploaded_post: MakePost, social: Sandbox, route: str) -> None:
    social.add_fault(route, status=429, headers={"Retry-After": "1"})
    post = uploaded_post()
    done = publish(post)
    assert done.status == PostStatus.PUBLISHED
    limited, repeated = social.requests(route)
    assert repeated["at"] > limited["at"]
    assert len(social.posts()) == 1


def test_a_revoked_token_ends_as_missed_with_its_cause(
    uploaded_post: MakePost, social: Sandbox, settings: Any
) -> None:
    settings.PUBLISH_GRACE_SECONDS = 1
    post = uploaded_post()
    social.settings(onlysocial_token_revoked=True)
    done = publish(post)
    assert (done.status, done.error_kind) == (PostStatus.FAILED, "missed")
    assert "access token" in done.error_message
    assert social.requests("publish_post") == []


def test_a_token_renewed_within_the_grace_publishes(uploaded_post: MakePost, social: Sandbox) -> None:
    post = uploaded_post()
    social.settings(onlysocial_token_revoked=True)
    until(lambda: Publisher().run() and fresh(post).error_kind == "credentials")
    social.settings(onlysocial_token_revoked=False)
    fresh(post).account.destination.test_connection(who="olga", now=timezone.now())
    assert publish(post).status == PostStatus.PUBLISHED


def test_a_token_revoked_before_the_read_back_leaves_it_accepted_until_it_can_be_read(
    uploaded_post: MakePost, social: Sandbox
) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(seconds=1))
    social.add_fault("get_post", status=401, body={"message": "Unauthenticated."}, times=1)
    until(lambda: Publisher().run() and fresh(post).error_kind, what="the look was refused")
    assert fresh(post).is_accepted and fresh(post).is_open
    fresh(post).account.destination.test_connection(who="olga", now=timezone.now())
    assert publish(post).status == PostStatus.PUBLISHED
    assert len(social.requests("publish_post")) == len(social.posts()) == 1


@pytest.mark.parametrize("call", ["create_post", "publish_now", "read_post", "warm"])
def test_what_nobody_foresaw_in_a_call_keeps_no_post_for_ever(
    uploaded_post: MakePost, social: Sandbox, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    real, met = getattr(OnlySocial, call), []

    def once(self: OnlySocial, *arguments: Any) -> Any:
        if not met:
            met.append(call)
            raise ZeroDivisionError("nobody thought of it")
        return real(self, *arguments)

    monkeypatch.setattr(OnlySocial, call, once)
    done = publish(uploaded_post())
    assert (met, done.status) == ([call], PostStatus.PUBLISHED)
    assert len(social.posts()) == 1
    assert "ZeroDivisionError" in " ".join(history_of(done).values_list("why", flat=True)) or call == "warm"


def test_a_refused_post_fails_at_once(uploaded_post: MakePost, social: Sandbox) -> None:
    post = uploaded_post()
    post.videos.update(media_id=999_999)
    done = publish(post)
    assert (done.status, done.error_kind) == (PostStatus.FAILED, "rejected")
    assert social.posts() == []


def test_a_post_the_platform_failed_says_so(uploaded_post: MakePost, social: Sandbox) -> None:
    social.settings(onlysocial_outcome="failed")
    done = publish(uploaded_post())
    assert done.status == PostStatus.FAILED
    assert "The platform refused the video" in done.error_message
    assert live() == ["post_failed"]


def test_a_partly_published_post_says_so_and_is_not_made_again(
    uploaded_post: MakePost, social: Sandbox
) -> None:
    social.settings(onlysocial_outcome="partly_published")
    done = publish(uploaded_post())
    assert done.status == PostStatus.FAILED
    assert done.error_message.startswith("Partly published")
    assert done.remote_url
    assert len(social.requests("create_post")) == 1


def test_a_post_that_needs_an_approval_waits_and_says_so(uploaded_post: MakePost, social: Sandbox) -> None:
    social.settings(onlysocial_needs_approval=True)
    post = uploaded_post()
    until(lambda: Publisher().run() and fresh(post).remote_status == "needs_approval")
    assert fresh(post).status == PostStatus.MEDIA_UPLOADED
    social.approve_post(fresh(post).remote_uuid)
    assert publish(post).status == PostStatus.PUBLISHED
    assert len(social.requests("publish_post")) == 1


def test_an_approval_that_never_comes_ends_the_post(
    uploaded_post: MakePost, social: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "CONFIRM_GIVE_UP", timedelta(seconds=0.5))
    social.settings(onlysocial_needs_approval=True)
    done = publish(uploaded_post())
    assert (done.status, done.error_kind) == (PostStatus.FAILED, "outcome_unknown")


def test_a_post_deleted_there_is_told(uploaded_post: MakePost, social: Sandbox) -> None:
    social.add_fault("get_post", status=404, body={"message": "Not found."})
    done = publish(uploaded_post())
    assert done.status == PostStatus.FAILED
    assert "somebody deleted it" in done.error_message


def test_an_account_that_lost_its_authorization_is_not_published_on(
    uploaded_post: MakePost, social: Sandbox, settings: Any
) -> None:
    settings.PUBLISH_GRACE_SECONDS = 0.5
    post = uploaded_post()
    post.account.is_authorized = False
    post.account.save()
    done = publish(post)
    assert (done.status, done.error_kind) == (PostStatus.FAILED, "missed")
    assert "not connected" in done.error_message
    assert social.posts() == []


# -------------------------------------------------------------------- time


def test_what_could_not_be_published_in_its_grace_is_missed(uploaded_post: MakePost) -> None:
    post = uploaded_post(at=timezone.now() - grace() - timedelta(seconds=1))
    done = publish(post)
    assert (done.status, done.error_kind) == (PostStatus.FAILED, "missed")
    assert "no worker of the lane “publish” ran" in done.error_message


def test_a_late_post_within_its_grace_is_published(uploaded_post: MakePost, social: Sandbox) -> None:
    done = publish(uploaded_post(at=timezone.now() - timedelta(seconds=200)))
    assert done.status == PostStatus.PUBLISHED
    assert done.late_seconds and done.late_seconds >= 200


def test_a_clock_set_back_while_a_post_waits_sends_nothing() -> None:
    now = time.time()
    clock = iter([now, now - 3600])
    with pytest.raises(SetBack):
        sleep_until(now + 0.01, furthest=FURTHEST_SECONDS, clock=lambda: next(clock))


def test_a_clock_set_back_an_hour_publishes_later_not_early(
    uploaded_post: MakePost, social: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that waits finds the moment an hour away; the post goes back and nothing was sent."""
    post = uploaded_post(at=timezone.now() + timedelta(seconds=1.5))
    real_sleep, real_now = threads.sleep_until, timezone.now
    back = {"seconds": 0.0}

    def sleep(at: float, *, furthest: float, clock: Callable[[], float] = time.time) -> None:
        # The clock is set while the thread waits.
        back["seconds"] = 3600
        real_sleep(at, furthest=furthest, clock=lambda: time.time() - back["seconds"])

    with monkeypatch.context() as patch:
        patch.setattr("schedules.posts.calls.sleep_until", sleep)
        patch.setattr(timezone, "now", lambda: real_now() - timedelta(seconds=back["seconds"]))
        Publisher().run()
    assert social.requests("publish_post") == []
    assert (fresh(post).publish_intended_at, fresh(post).leased_by) == (None, "")
    ScheduledPost.objects.filter(pk=post.pk).update(take_at=timezone.now())
    assert publish(post).status == PostStatus.PUBLISHED
    assert len(social.posts()) == 1


def test_a_clock_set_forward_an_hour_shows_what_was_missed(uploaded_post: MakePost, social: Sandbox) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(minutes=5))
    (missed,) = outcomes.end_overdue(timezone.now() + timedelta(hours=1))
    assert missed == post
    assert fresh(post).error_kind == "missed"
    assert social.posts() == []


# -------------------------------------------------------------------- two of them


def test_a_publisher_given_up_for_dead_changes_nothing(uploaded_post: MakePost, social: Sandbox) -> None:
    post = uploaded_post()
    now = timezone.now()
    (held,) = ScheduledPost.objects.claim("first#1", now=now, limit=1)
    (taken,) = ScheduledPost.objects.claim("second#1", now=now + timedelta(seconds=9), limit=1)
    with pytest.raises(Exception, match=r".*") as caught:
        held.publish(now=now, url="", remote_status="published")
    assert type(caught.value).__name__ == "LeaseLost"
    assert (fresh(post).status, fresh(post).leased_by) == (PostStatus.MEDIA_UPLOADED, "second#1")
    assert taken.pk == held.pk
    assert types_of(post) == ["rescued"]


def test_what_a_living_publisher_holds_is_not_taken(uploaded_post: MakePost) -> None:
    uploaded_post()
    now = timezone.now()
    assert len(ScheduledPost.objects.claim("first#1", now=now, limit=1)) == 1
    assert ScheduledPost.objects.claim("second#1", now=now, limit=1) == []


def test_a_stopped_publisher_gives_its_posts_back(uploaded_post: MakePost, social: Sandbox) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(seconds=8))
    asked = iter([False, False])
    Publisher(stopping=lambda: next(asked, True)).run()
    assert (fresh(post).leased_by, fresh(post).status) == ("", PostStatus.MEDIA_UPLOADED)
    assert ScheduledPost.objects.takeable(timezone.now()).exists()
    assert social.requests("publish_post") == []
