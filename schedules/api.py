"""The four endpoints of the hourly queue (seed 000, “API Endpoints”)."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.answers import refusal, replies
from schedules import queue_status, refusals, scheduling
from uploader.catalog import Series

LARGEST_ID = 2**63 - 1


class ScheduleRequest(serializers.Serializer[Any]):
    """What POST takes."""

    seriesId = serializers.IntegerField(min_value=1, max_value=LARGEST_ID, help_text="The series to schedule")
    destination = serializers.CharField(
        required=False, help_text="Name of the destination; else the default one"
    )


class ScheduledAnswer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    message = serializers.CharField()
    seriesTitle = serializers.CharField()
    episodesScheduled = serializers.IntegerField()
    scheduleStartTime = serializers.DateTimeField()


class EpisodeRow(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    episodeId = serializers.IntegerField()
    episodeIndex = serializers.IntegerField()
    title = serializers.CharField()
    status = serializers.ChoiceField(["pending", "uploading", "completed", "failed", "skipped"])
    uploadProgress = serializers.IntegerField()
    retryCount = serializers.IntegerField()
    errorMessage = serializers.CharField(allow_null=True)
    dailymotionVideoId = serializers.CharField(allow_null=True)
    destination = serializers.CharField()
    scheduledAt = serializers.DateTimeField(allow_null=True)
    startedAt = serializers.DateTimeField(allow_null=True)
    completedAt = serializers.DateTimeField(allow_null=True)


class SeriesRow(serializers.Serializer[Any]):
    seriesId = serializers.IntegerField()
    seriesTitle = serializers.CharField()
    episodes = EpisodeRow(many=True)


class Schedule(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    pending = serializers.IntegerField()
    uploading = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    skipped = serializers.IntegerField()
    bySeries = SeriesRow(many=True)


class ScheduleAnswer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    schedule = Schedule()


class RemovedAnswer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    message = serializers.CharField()


class CurrentUpload(serializers.Serializer[Any]):
    seriesTitle = serializers.CharField()
    episodeIndex = serializers.IntegerField()
    episodeId = serializers.IntegerField()


class SchedulerState(serializers.Serializer[Any]):
    isRunning = serializers.BooleanField()
    currentUpload = CurrentUpload(allow_null=True)


class StatusAnswer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    status = SchedulerState()


class ScheduleView(APIView):
    """`/api/upload/schedule`"""

    write_permission = "schedules.change_uploadschedule"

    @extend_schema(
        request=ScheduleRequest,
        responses=replies(ScheduledAnswer, 400, 404, 409, 413, 415),
        operation_id="schedule_series",
    )
    def post(self, request: Request) -> Response:
        """Put a series on the hourly queue: one episode an hour, from the next full hour on."""
        body = request.data if isinstance(request.data, dict) else {}
        series_id = whole_number(body.get("seriesId"))
        if series_id is None:
            return refusal("Series ID required", "series_id_required")
        series = Series.objects.filter(pk=series_id).first()
        if series is None:
            return refusal("Series not found", "series_not_found", 404)
        try:
            destination = scheduling.choose_destination(str(body.get("destination") or ""))
            rows = scheduling.schedule_series(
                series, destination, who=request.user.get_username(), now=timezone.now()
            )
        except refusals.AlreadyScheduled as error:
            return refusal(str(error), error.code, 409)
        except refusals.NotAllReady as error:
            missing = [{"episodeId": episode.pk, "reason": reason} for episode, reason in error.missing]
            return refusal(str(error), error.code, missing=missing)
        except refusals.Refused as error:
            return refusal(str(error), error.code)
        return Response(
            {
                "success": True,
                "message": f"Scheduled {len(rows)} episodes for upload",
                "seriesTitle": series.title,
                "episodesScheduled": len(rows),
                "scheduleStartTime": queue_status.stamp(rows[0].scheduled_at),
            }
        )

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "seriesId",
                {"type": "integer", "minimum": 1, "maximum": LARGEST_ID},
                description="Only this series",
            )
        ],
        responses=replies(ScheduleAnswer, 400),
        operation_id="upload_schedule",
    )
    def get(self, request: Request) -> Response:
        """Counts by status, and every series' episodes."""
        given = request.query_params.get("seriesId")
        series_id = whole_number(given) if given else None
        if given and series_id is None:
            return refusal("seriesId must be a number", "invalid_series_id")
        return Response({"success": True, "schedule": queue_status.schedule(series_id)})


class SeriesScheduleView(APIView):
    """`/api/upload/schedule/{seriesId}`"""

    write_permission = "schedules.change_uploadschedule"

    @extend_schema(responses=replies(RemovedAnswer, 404), operation_id="unschedule_series")
    def delete(self, request: Request, series_id: int) -> Response:
        """Take the series' pending and failed episodes off the queue; completed ones stay."""
        series = Series.objects.filter(pk=series_id).first() if series_id <= LARGEST_ID else None
        if series is None:
            return refusal("Series not found", "series_not_found", 404)
        removed = scheduling.unschedule_series(series, who=request.user.get_username(), now=timezone.now())
        return Response({"success": True, "message": f"Removed {removed} scheduled uploads"})


class SchedulerStatusView(APIView):
    """`/api/upload/scheduler/status`"""

    @extend_schema(responses=replies(StatusAnswer), operation_id="scheduler_status")
    def get(self, request: Request) -> Response:
        """Does the scheduler run, and what is it uploading?"""
        return Response({"success": True, "status": queue_status.scheduler(timezone.now())})


def whole_number(value: Any) -> int | None:
    """A positive id from a body or a query; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        number = int(value)
    except ValueError:
        return None
    return number if 0 < number <= LARGEST_ID else None
