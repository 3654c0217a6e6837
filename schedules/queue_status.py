"""The state of the hourly queue as the API gives it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from jobs import health
from schedules.upload_schedules import ScheduledUpload, Status


def stamp(at: datetime | None) -> str | None:
    """A moment in UTC as the API writes it: 2024-01-15T10:00:00.000Z."""
    return (
        None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def schedule(series_id: int | None) -> dict[str, Any]:
    """`{total, pending, …, bySeries: [{seriesId, seriesTitle, episodes}]}`, in the order of the line."""
    rows = ScheduledUpload.objects.all()
    if series_id is not None:
        rows = rows.filter(series_id=series_id)
    by_series: dict[int, dict[str, Any]] = {}
    ordered = rows.select_related("series", "episode", "destination").order_by(
        "schedule__position", "schedule_id", "position"
    )
    for row in ordered.iterator(chunk_size=2000):
        series = by_series.setdefault(
            row.series_id, {"seriesId": row.series_id, "seriesTitle": row.series.title, "episodes": []}
        )
        series["episodes"].append(episode(row))
    return {**rows.counts(), "bySeries": list(by_series.values())}


def episode(row: ScheduledUpload) -> dict[str, Any]:
    return {
        "id": row.pk,
        "episodeId": row.episode_id,
        "episodeIndex": row.episode.index_sequence,
        "title": row.episode.title,
        "status": row.status,
        "uploadProgress": row.upload_progress,
        "retryCount": row.retry_count,
        "errorMessage": row.error_message or None,
        "dailymotionVideoId": row.dailymotion_video_id or None,
        "destination": row.destination.name,
        "scheduledAt": stamp(row.scheduled_at),
        "startedAt": stamp(row.started_at),
        "completedAt": stamp(row.completed_at),
    }


def scheduler(now: datetime) -> dict[str, Any]:
    """`{isRunning, currentUpload}`; with several destinations the upload that began first."""
    current = (
        ScheduledUpload.objects.filter(status=Status.UPLOADING)
        .select_related("series", "episode")
        .order_by("started_at")
        .first()
    )
    return {
        "isRunning": health.is_ticking(now),
        "currentUpload": current
        and {
            "seriesTitle": current.series.title,
            "episodeIndex": current.episode.index_sequence,
            "episodeId": current.episode_id,
        },
    }
