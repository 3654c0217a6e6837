"""The doors for an outside cron (seed 003): `/api/cron/pre-upload` and `/api/cron/publish`.

They do the work in the request, as one worker more: what the workers hold already is left to them.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs import runner
from jobs.answers import ErrorAnswer, refusal
from jobs.running import new_token
from jobs.workers import process_id
from schedules.posts import media, outcomes
from schedules.posts.models import PostStatus, ScheduledPost, stamp
from schedules.posts.publisher import Publisher
from uploader.upload_jobs import UploadJob

log = logging.getLogger(__name__)

# An answer comes before a proxy gives the request up; what is left over is done by the next call or a worker.
PATIENCE_SECONDS = 50.0
# So far ahead lies the next look at a post that is awaited.
LOOK_AHEAD = timedelta(seconds=10)


class CronPost(serializers.Serializer[Any]):
    """What was done about one post."""

    id = serializers.IntegerField()
    did = serializers.CharField(
        help_text="uploaded, uploading, published, accepted, failed, missed or waiting"
    )
    status = serializers.ChoiceField(PostStatus.choices)
    scheduledFor = serializers.DateTimeField(allow_null=True)
    mediaIds = serializers.ListField(child=serializers.CharField())
    publishedAt = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField(allow_null=True)


class CronAnswer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    found = serializers.IntegerField()
    posts = CronPost(many=True)


ANSWERS = {200: CronAnswer, 401: ErrorAnswer, 503: ErrorAnswer}


class CronView(APIView):
    """A door with the secret of the environment as its key."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def handle(self, request: Request) -> Response:
        if (refused := refuse(request)) is not None:
            return refused
        posts = self.work(time.monotonic() + PATIENCE_SECONDS)
        rows = ScheduledPost.objects.filter(pk__in=posts).prefetch_related("videos").order_by("pk")
        return Response({"success": True, "found": len(rows), "posts": [report(post) for post in rows]})

    def work(self, until: float) -> set[int]:
        """Do it, until then by the monotonic clock at most; gives the posts it was about."""
        raise NotImplementedError


class PreUploadView(CronView):
    """`/api/cron/pre-upload`"""

    @extend_schema(operation_id="cron_pre_upload", responses=ANSWERS, auth=[{"cronSecret": []}])
    def get(self, request: Request) -> Response:
        """Upload the media of every post whose lead has begun."""
        return self.handle(request)

    @extend_schema(
        operation_id="cron_pre_upload_post", request=None, responses=ANSWERS, auth=[{"cronSecret": []}]
    )
    def post(self, request: Request) -> Response:
        """Upload the media of every post whose lead has begun."""
        return self.handle(request)

    def work(self, until: float) -> set[int]:
        log.info("Starting pre-upload for an outside cron")
        posts = {post.pk for post in media.pre_upload(timezone.now())}
        # Those that others have begun are told, too.
        posts |= set(uploading().values_list("post_video__post_id", flat=True))
        while time.monotonic() < until and (jobs := uploading().filter(post_video__post__in=posts)):
            token = new_token(process_id())
            claimed = UploadJob.objects.filter(pk__in=[job.pk for job in jobs]).claim(
                token, now=timezone.now()
            )
            for job in claimed:
                runner.execute(job)
            if not claimed:
                # A worker has them.
                time.sleep(0.2)
        return posts


class PublishView(CronView):
    """`/api/cron/publish`"""

    @extend_schema(operation_id="cron_publish", responses=ANSWERS, auth=[{"cronSecret": []}])
    def get(self, request: Request) -> Response:
        """Publish every post whose moment is at hand; none before its moment."""
        return self.handle(request)

    @extend_schema(
        operation_id="cron_publish_post", request=None, responses=ANSWERS, auth=[{"cronSecret": []}]
    )
    def post(self, request: Request) -> Response:
        """Publish every post whose moment is at hand; none before its moment."""
        return self.handle(request)

    def work(self, until: float) -> set[int]:
        log.info("Starting publish for an outside cron")
        now = timezone.now()
        posts = {post.pk for post in outcomes.end_overdue(now)}
        while True:
            posts |= Publisher().run(seconds=until - time.monotonic())
            # The platform works on them: a look a little later tells how it ended.
            awaited = ScheduledPost.objects.filter(
                status=PostStatus.MEDIA_UPLOADED,
                publish_accepted_at__isnull=False,
                take_at__lte=timezone.now() + LOOK_AHEAD,
            )
            posts |= (waiting := set(awaited.values_list("pk", flat=True)))
            if time.monotonic() > until or not waiting:
                return posts
            time.sleep(0.2)


def uploading() -> Any:
    """Media jobs of posts that wait or are at work."""
    return UploadJob.objects.unfinished().filter(post_video__isnull=False)


def refuse(request: Request) -> Response | None:
    """503 while no secret is set, 401 for a wrong one."""
    if not settings.CRON_SECRET:
        return refusal(
            "CRON_SECRET is not set on this server. Set it in .env, restart, and send it as "
            "“Authorization: Bearer <secret>”.",
            "cron_secret_unset",
            status.HTTP_503_SERVICE_UNAVAILABLE,
        )
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    # Compared to its end whatever the scheme: how long it takes tells nothing.
    is_right = constant_time_compare(given.strip(), settings.CRON_SECRET)
    if scheme.lower() != "bearer" or not is_right:
        answer = refusal(
            "The cron secret is missing or wrong. Send it as “Authorization: Bearer $CRON_SECRET”.",
            "cron_secret_wrong",
            status.HTTP_401_UNAUTHORIZED,
        )
        answer["WWW-Authenticate"] = "Bearer"
        return answer
    return None


def report(post: ScheduledPost) -> dict[str, Any]:
    return {
        "id": post.pk,
        "did": did(post),
        "status": post.status,
        "scheduledFor": stamp(post.scheduled_for),
        "mediaIds": [str(media_id) for media_id in post.media_ids],
        "publishedAt": stamp(post.published_at),
        "error": post.error_message or None,
    }


def did(post: ScheduledPost) -> str:
    """How far it is, in one word."""
    match post.status:
        case PostStatus.PENDING:
            return "uploading"
        case PostStatus.MEDIA_UPLOADED:
            return "accepted" if post.is_accepted else "uploaded" if post.take_at else "waiting"
        case PostStatus.FAILED:
            return "missed" if post.error_kind == "missed" else "failed"
        case _:
            return post.status.lower()
