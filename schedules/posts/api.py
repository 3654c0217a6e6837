"""`POST /api/schedule/smart-schedule`: posts are saved, nothing is sent (seed 003, phase 1)."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.answers import BodyParser, refusal, replies
from schedules.posts import requests, scheduling
from schedules.posts.answers import post_json
from schedules.posts.models import PostStatus, PostType, ScheduledPost
from schedules.posts.sources import BadSource
from schedules.posts.uploads import KeepingHandler, KeptFile


class PostRequest(serializers.Serializer[Any]):
    """One post."""

    accountUuid = serializers.CharField(help_text="uuid of the social account")
    caption = serializers.CharField(required=False, allow_blank=True)
    postType = serializers.ChoiceField(PostType.choices, required=False)
    scheduledFor = serializers.CharField(
        required=False, help_text="ISO 8601 with its offset, or on the wall clock of timeZone"
    )
    timeZone = serializers.CharField(required=False, help_text="Such as Europe/Rome")
    videoPaths = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Files of the library"
    )
    videoUrls = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Addresses on Spaces"
    )
    files = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="In a form with several posts: the names of the fields that hold this post's files",
    )


class SpreadRequest(serializers.Serializer[Any]):
    """How several posts get their moments."""

    mode = serializers.ChoiceField(
        ["keep", "every", "windows"],
        required=False,
        help_text="keep each post's own, one every so many hours, or the first free places of the windows",
    )
    hours = serializers.FloatField(required=False)
    startsAt = serializers.CharField(required=False)
    windows = serializers.ListField(
        child=serializers.CharField(), required=False, help_text='Such as ["09:00-12:00", "18:00-21:00"]'
    )
    gapMinutes = serializers.FloatField(required=False, help_text="Between two posts of an account")
    timeZone = serializers.CharField(required=False)


class SmartScheduleRequest(PostRequest):
    """One post, or `posts`. As multipart/form-data with files; `posts` and `spread` are JSON there."""

    posts = PostRequest(many=True, required=False)
    spread = SpreadRequest(required=False)


class PostAnswer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    status = serializers.ChoiceField(PostStatus.choices)
    preUploaded = serializers.BooleanField()
    preUploadAt = serializers.DateTimeField(allow_null=True)
    scheduledFor = serializers.DateTimeField(allow_null=True)
    timeZone = serializers.CharField()
    accountUuid = serializers.CharField()
    accountId = serializers.IntegerField()
    account = serializers.CharField()
    caption = serializers.CharField()
    postType = serializers.ChoiceField(PostType.choices)
    videoUrls = serializers.ListField(child=serializers.CharField())
    videoFilenames = serializers.ListField(child=serializers.CharField())
    videoSizes = serializers.ListField(child=serializers.IntegerField(allow_null=True))
    onlySocialMediaIds = serializers.ListField(child=serializers.CharField())
    onlySocialPostUuid = serializers.CharField(allow_null=True)
    onlySocialPostUrl = serializers.CharField(allow_null=True)
    publishedAt = serializers.DateTimeField(allow_null=True)
    lateSeconds = serializers.FloatField(allow_null=True)
    errorKind = serializers.CharField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    createdBy = serializers.CharField()
    createdAt = serializers.DateTimeField()


class PostsAnswer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    posts = PostAnswer(many=True)


class SmartScheduleView(APIView):
    """`/api/schedule/smart-schedule`"""

    write_permission = "schedules.add_scheduledpost"
    parser_classes = (BodyParser, MultiPartParser)

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        if request.method == "POST":
            # Before anything reads the body, the check of the form's token too.
            self.uploads = KeepingHandler(request)
            request.upload_handlers = [self.uploads]
        return super().initialize_request(request, *args, **kwargs)

    @extend_schema(
        operation_id="smart_schedule",
        request={"application/json": SmartScheduleRequest, "multipart/form-data": SmartScheduleRequest},
        parameters=[
            OpenApiParameter(
                "Idempotency-Key", str, OpenApiParameter.HEADER,
                description="The same request again is refused with 409 and the posts made the first time, "
                "another request under the same key with 422",
            )
        ],
        responses=replies(PostsAnswer, 400, 404, 409, 413, 415, 422, 503),
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Save one post or several as PENDING. Nothing goes to OnlySocial before their lead begins."""
        is_kept = False
        try:
            body = request.data
            if not isinstance(body, dict):
                return refusal("The body must be a post, or a map with “posts”.", "malformed")
            if self.uploads.too_large:
                return refusal(
                    f"{self.uploads.too_large[0][:100]} is larger than 100 MB, the most OnlySocial takes.",
                    "too_large", 413,
                )  # fmt: skip
            key = requests.idempotency_key(request.headers.get("Idempotency-Key", ""))
            files = files_of(request)
            wishes, spread = requests.read(body, files)
            posts = scheduling.schedule(
                wishes, spread=spread, key=key, digest=requests.digest(body, files),
                who=request.user.get_username(), now=timezone.now(),
            )  # fmt: skip
            is_kept = True
        except scheduling.Duplicate as error:
            return refusal(str(error), error.code, error.status, posts=[post.pk for post in error.posts])
        except (scheduling.Refused, BadSource) as error:
            return refusal(capital(str(error)), error.code, error.status)
        finally:
            if not is_kept:
                self.uploads.forget()
        rows = ScheduledPost.objects.filter(pk__in=[post.pk for post in posts])
        rows = rows.select_related("account").prefetch_related("videos").order_by("pk")
        return Response({"success": True, "posts": [post_json(post) for post in rows]})


def files_of(request: Request) -> dict[str, list[KeptFile]]:
    """The files that came with the request, by the name of their field."""
    files = request.FILES
    return {name: list(files.getlist(name)) for name in files}


def capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
