"""A post as the API and the live page tell it (seed 003, “Dati salvati nel database”)."""

from __future__ import annotations

from typing import Any

from schedules.posts.models import ScheduledPost, stamp


def post_json(post: ScheduledPost) -> dict[str, Any]:
    """Every field of the requirement, under its own name; prefetch `videos`."""
    videos = list(post.videos.all())
    return {
        "id": post.pk,
        "status": post.status,
        "preUploaded": post.pre_uploaded,
        "preUploadAt": stamp(post.pre_upload_at),
        "scheduledFor": stamp(post.scheduled_for),
        "timeZone": post.time_zone,
        "accountUuid": post.account.uuid,
        "accountId": post.account.remote_id,
        "account": str(post.account),
        "caption": post.caption,
        "postType": post.post_type,
        "videoUrls": [address for video in videos if (address := video.address)],
        "videoFilenames": [video.filename for video in videos],
        "videoSizes": [video.size_bytes for video in videos],
        "onlySocialMediaIds": [str(video.media_id) for video in videos if video.media_id is not None],
        "onlySocialPostUuid": post.remote_uuid or None,
        "onlySocialPostUrl": post.remote_url or None,
        "publishedAt": stamp(post.published_at),
        "lateSeconds": post.late_seconds,
        "errorKind": post.error_kind or None,
        "error": post.error_message or None,
        "createdBy": post.created_by,
        "createdAt": stamp(post.created_at),
    }
