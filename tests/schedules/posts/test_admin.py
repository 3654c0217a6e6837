"""The admin of scheduled posts: who may look, who may decide."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from schedules.posts.models import PostStatus, ScheduledPost
from tests.schedules.conftest import MakePost, fresh

pytestmark = pytest.mark.django_db
LIST = "/admin/schedules/scheduledpost/"


def do(client: Client, action: str, *posts: ScheduledPost) -> str:
    body = {"action": action, "_selected_action": [post.pk for post in posts]}
    return client.post(LIST, body, follow=True).content.decode()


def test_viewers_see_the_list_and_why_a_post_is_not_published(
    viewer_client: Client, make_post: MakePost
) -> None:
    post = make_post(at=timezone.now() + timedelta(hours=5))
    assert post.caption in viewer_client.get(LIST).content.decode()
    page = viewer_client.get(f"{LIST}{post.pk}/change/").content.decode()
    assert "Its media go to OnlySocial from" in page


def test_viewers_cannot_decide(viewer_client: Client, make_post: MakePost) -> None:
    post = make_post()
    do(viewer_client, "cancel_chosen", post)
    assert fresh(post).status == PostStatus.PENDING


def test_operators_cancel_and_are_told_what_was_refused(operator_client: Client, make_post: MakePost) -> None:
    waiting, gone = make_post(), make_post()
    ScheduledPost.objects.filter(pk=gone.pk).update(status=PostStatus.CANCELLED)
    said = do(operator_client, "cancel_chosen", waiting, gone)
    assert "1 cancelled, 1 refused: it is cancelled already" in said
    assert fresh(waiting).status == PostStatus.CANCELLED


def test_operators_publish_now(operator_client: Client, uploaded_post: MakePost) -> None:
    post = uploaded_post(at=timezone.now() + timedelta(hours=5))
    assert "1 published now" in do(operator_client, "publish_chosen", post)
    assert fresh(post).scheduled_for <= timezone.now()


def test_nothing_is_edited_past_the_verbs(operator_client: Client, make_post: MakePost) -> None:
    post = make_post()
    operator_client.post(f"{LIST}{post.pk}/change/", {"status": "PUBLISHED", "caption": "x"})
    assert (fresh(post).status, fresh(post).caption) == (PostStatus.PENDING, post.caption)


def test_the_key_a_request_was_made_with_is_unique(make_post: MakePost) -> None:
    from django.db import IntegrityError, transaction

    make_post(idempotency_key="k")
    with pytest.raises(IntegrityError), transaction.atomic():
        make_post(idempotency_key="k")
