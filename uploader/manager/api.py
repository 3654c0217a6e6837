"""The eight endpoints of upload jobs (seed 001, “API Endpoints”)."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs import tallies
from jobs.answers import refusal, replies
from jobs.pages import whole
from uploader.deciding import Refused
from uploader.manager import answers, many, verbs
from uploader.manager.kinds import UPLOAD, find
from uploader.manager.wanted import BadFilter, Wanted
from uploader.upload_jobs import UploadJob

MAY_CHANGE = "uploader.change_uploadjob"
MAY_DELETE = "uploader.delete_uploadjob"
PAGE = 50
LARGEST_PAGE = 200
# Matching jobs are counted no further: each is a row to be read.
COUNTED = 1_000

# The parameters, and the filters behind them.
PARAMETERS = {
    "status": "waiting, active, completed, failed, cancelled",
    "type": "Resource type: film, episode; season: episodes that stand in one",
    "uploadType": "hls, master_playlist, subtitle, video, media",
    "contentType": "video, audio, subtitle, playlist",
    "label": "SD, HD, FHD, UHD",
    "destination": "Name of the destination",
    "errorKind": "Why it failed or waits",
    "from": "Created at or after this date or time",
    "to": "Created before this time, or up to the end of this date",
    "search": "Part of the title of the film, episode or series; or the job's id",
}
RENAMED = {
    "uploadType": "upload",
    "contentType": "content",
    "errorKind": "error",
    "from": "since",
    "to": "until",
    "search": "q",
}
ASKED = {filter_: parameter for parameter, filter_ in RENAMED.items()}


class UploadJobRow(serializers.Serializer[Any]):
    """An upload job."""

    id = serializers.IntegerField()
    jobId = serializers.IntegerField()
    queueName = serializers.CharField()
    jobType = serializers.CharField()
    status = serializers.ChoiceField(["waiting", "active", "completed", "failed", "cancelled"])
    progress = serializers.IntegerField()
    resourceType = serializers.CharField(allow_null=True)
    resourceId = serializers.IntegerField(allow_null=True)
    resourceName = serializers.CharField()
    filename = serializers.CharField(allow_null=True)
    uploadType = serializers.ChoiceField(["hls", "master_playlist", "subtitle", "video", "media"])
    contentType = serializers.CharField()
    label: Any = serializers.CharField(allow_null=True)
    hlsDir = serializers.CharField(allow_null=True)
    masterPlaylistPath = serializers.CharField(allow_null=True)
    subtitlePath = serializers.CharField(allow_null=True)
    uploadPath = serializers.CharField(allow_null=True)
    initialMetadata = serializers.JSONField(allow_null=True)
    subtitleMetadata = serializers.JSONField(allow_null=True)
    subtitleLanguages = serializers.ListField(child=serializers.CharField())
    bucketName = serializers.CharField(allow_null=True)
    clientId = serializers.CharField(allow_null=True)
    canCancel = serializers.BooleanField()
    cancelledAt = serializers.DateTimeField(allow_null=True)
    failedReason = serializers.CharField(allow_null=True)
    errorMessage = serializers.CharField(allow_null=True)
    filmId = serializers.IntegerField(allow_null=True)
    episodeId = serializers.IntegerField(allow_null=True)
    seasonId = serializers.IntegerField(allow_null=True)
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()
    destination = serializers.CharField()
    stage = serializers.CharField(allow_null=True)
    attempt = serializers.IntegerField()
    maxAttempts = serializers.IntegerField()
    errorKind = serializers.CharField(allow_null=True)
    cancelRequested = serializers.BooleanField()
    bytesSent = serializers.IntegerField()
    bytesTotal = serializers.IntegerField()
    bytesPerSecond = serializers.IntegerField()
    secondsLeft = serializers.FloatField(allow_null=True)
    filesDone = serializers.IntegerField()
    filesTotal = serializers.IntegerField()
    remoteId = serializers.CharField(allow_null=True)
    remoteUrl = serializers.CharField(allow_null=True)
    notBefore = serializers.DateTimeField(allow_null=True)
    startedAt = serializers.DateTimeField(allow_null=True)
    finishedAt = serializers.DateTimeField(allow_null=True)


class Statistics(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    waiting = serializers.IntegerField()
    active = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class Pagination(serializers.Serializer[Any]):
    limit = serializers.IntegerField()
    matching = serializers.IntegerField(help_text=f"Counted up to {COUNTED}")
    isCapped = serializers.BooleanField(help_text="There are more than were counted")
    next = serializers.IntegerField(allow_null=True, help_text="The `before` of the next page")


class UploadJobsAnswer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    jobs = UploadJobRow(many=True)
    statistics = Statistics()
    pagination = Pagination()


class UploadJobAnswer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    message = serializers.CharField()
    job = UploadJobRow()


class DeletedAnswer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    message = serializers.CharField()


class ClearRequest(serializers.Serializer[Any]):
    """Which jobs to clear."""

    status = serializers.ChoiceField(list(many.CLEAR), help_text="“all” means everything that has ended")


class ClearedAnswer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    message = serializers.CharField()
    cleared = serializers.IntegerField()


class FixedRow(serializers.Serializer[Any]):
    jobId = serializers.IntegerField()
    status = serializers.CharField()
    reason = serializers.CharField()


class FixedAnswer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    message = serializers.CharField()
    fixed = serializers.IntegerField()
    jobs = FixedRow(many=True)


class UploadJobsView(APIView):
    """`/v1/studio/upload-jobs`"""

    @extend_schema(
        parameters=[
            *[
                OpenApiParameter(name, OpenApiTypes.STR, description=told)
                for name, told in PARAMETERS.items()
            ],
            OpenApiParameter(
                "limit", OpenApiTypes.INT, description=f"1 to {LARGEST_PAGE}; {PAGE} unless given"
            ),
            OpenApiParameter("before", OpenApiTypes.INT, description="Only jobs older than this one"),
        ],
        responses=replies(UploadJobsAnswer, 400),
        operation_id="upload_jobs",
    )
    def get(self, request: Request) -> Response:
        """Upload jobs, newest first, with the statistics of all of them."""
        given = request.query_params
        try:
            wanted = Wanted.of(
                {RENAMED.get(name, name): given[name] for name in PARAMETERS if given.get(name)}, kind=UPLOAD
            )
            limit = number_of(given.get("limit"), "limit", default=PAGE, most=LARGEST_PAGE)
            before = number_of(given.get("before"), "before", default=0)
        except BadFilter as error:
            return refusal(f"{ASKED.get(error.name, error.name)} {error.says}", "invalid_filter")
        found = wanted.find(UPLOAD)
        rows = wanted.older(found, before)
        page = list(rows.select_related(*UPLOAD.related)[: limit + 1])
        statistics = tallies.counts(UploadJob)
        matching = count_of(wanted, found, statistics)
        return Response(
            {
                "success": True,
                "jobs": [answers.upload(job) for job in page[:limit]],
                "statistics": statistics,
                "pagination": {
                    "limit": limit,
                    "matching": min(matching, COUNTED) if not wanted.is_only_status else matching,
                    "isCapped": not wanted.is_only_status and matching > COUNTED,
                    "next": page[limit - 1].pk if len(page) > limit else None,
                },
            }
        )


class UploadJobView(APIView):
    """`/v1/studio/upload-jobs/{jobId}`"""

    write_permission = MAY_DELETE

    @extend_schema(responses=replies(DeletedAnswer, 404, 409), operation_id="delete_upload_job")
    def delete(self, request: Request, job_id: str) -> Response:
        """Delete a completed, failed or cancelled upload job."""
        return decided(request, job_id, verbs.delete)


class RetryView(APIView):
    """`/v1/studio/upload-jobs/{jobId}/retry`"""

    write_permission = MAY_CHANGE

    @extend_schema(
        request=None, responses=replies(UploadJobAnswer, 404, 409), operation_id="retry_upload_job"
    )
    def post(self, request: Request, job_id: str) -> Response:
        """Queue a failed upload job again, under a fresh client id; metadata and paths stay.

        Only a failed one: what was cancelled is queued again on the page, where people see what they do.
        """
        return decided(request, job_id, verbs.retry_failed)


class CancelView(APIView):
    """`/v1/studio/upload-jobs/{jobId}/cancel`"""

    write_permission = MAY_CHANGE

    @extend_schema(
        request=None, responses=replies(UploadJobAnswer, 404, 409), operation_id="cancel_upload_job"
    )
    def post(self, request: Request, job_id: str) -> Response:
        """Stop a waiting upload job at once, and ask the worker of an active one to stop."""
        return decided(request, job_id, verbs.cancel)


class CleanupView(APIView):
    """`/v1/studio/upload-jobs/{jobId}/cleanup`"""

    write_permission = MAY_CHANGE

    @extend_schema(
        request=None, responses=replies(UploadJobAnswer, 404, 409), operation_id="cleanup_upload_job"
    )
    def post(self, request: Request, job_id: str) -> Response:
        """Remove the temporary files of a failed upload job, and no others."""
        return decided(request, job_id, verbs.cleanup)


class SyncView(APIView):
    """`/v1/studio/upload-jobs/{jobId}/sync`"""

    write_permission = MAY_CHANGE

    @extend_schema(request=None, responses=replies(UploadJobAnswer, 404), operation_id="sync_upload_job")
    def post(self, request: Request, job_id: str) -> Response:
        """Put the job and the queue right with each other."""
        return decided(request, job_id, verbs.sync)


class ClearView(APIView):
    """`/v1/studio/upload-jobs/clear`"""

    write_permission = MAY_DELETE

    @extend_schema(
        request=ClearRequest,
        responses=replies(ClearedAnswer, 400, 413, 415),
        operation_id="clear_upload_jobs",
    )
    def post(self, request: Request) -> Response:
        """Clear the jobs that have ended, all of them or those of one state."""
        body = request.data if isinstance(request.data, dict) else {}
        which = body.get("status")
        if not isinstance(which, str) or which not in many.CLEAR:
            return refusal(f"status takes {', '.join(many.CLEAR)}.", "invalid_status")
        cleared = many.clear(UPLOAD, which, who=request.user.get_username(), now=timezone.now())
        ended = "finished" if which == "all" else which
        jobs = f"{cleared} {ended} upload job{'s' if cleared != 1 else ''}"
        return Response({"success": True, "message": f"Cleared {jobs}", "cleared": cleared})


class FixStuckView(APIView):
    """`/v1/studio/upload-jobs/fix-stuck`"""

    write_permission = MAY_CHANGE

    @extend_schema(request=None, responses=replies(FixedAnswer), operation_id="fix_stuck_upload_jobs")
    def post(self, request: Request) -> Response:
        """Find upload jobs whose worker is gone or whose video is, and put them right."""
        fixed = many.fix_stuck(UPLOAD, now=timezone.now())
        return Response(
            {
                "success": True,
                "message": f"Fixed {len(fixed)} stuck upload job{'s' if len(fixed) != 1 else ''}",
                "fixed": len(fixed),
                "jobs": [
                    {"jobId": job.pk, "status": job.status, "reason": f"It {said}."} for job, said in fixed
                ],
            }
        )


# -------------------------------------------------------------------- what they share


def decided(request: Request, job_id: str, verb: verbs.Verb) -> Response:
    """Do it to one job and show it as it is then."""
    job = find(UPLOAD, whole(job_id)) if whole(job_id) else None
    if job is None:
        return refusal("Upload job not found", "upload_job_not_found", 404)
    try:
        said = verb(job, who=request.user.get_username(), now=timezone.now())
    except Refused as reason:
        return refusal(f"Upload job {job.pk} was left as it is: {reason}.", "refused", 409)
    answer: dict[str, Any] = {"success": True, "message": f"Upload job {job.pk} {said}"}
    if verb is not verbs.delete:
        job.refresh_from_db()
        answer["job"] = answers.upload(job)
    return Response(answer)


def count_of(wanted: Wanted, found: Any, statistics: dict[str, int]) -> int:
    """How many match; counted by the database itself, or up to one more than COUNTED."""
    if wanted.is_only_status:
        return statistics[wanted.status or "total"]
    return int(found.order_by()[: COUNTED + 1].count())


def number_of(text: str | None, name: str, *, default: int, most: int | None = None) -> int:
    """A positive number of the query. Raises BadFilter."""
    if not text:
        return default
    number = whole(text)
    if not number or (most and number > most):
        raise BadFilter(name, f"takes a whole number from 1{f' to {most}' if most else ''}.")
    return number
