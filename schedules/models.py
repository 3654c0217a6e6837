"""The tables of when things are delivered."""

from schedules.blackouts import Blackout
from schedules.posts.models import ScheduledPost
from schedules.posts.videos import PostVideo
from schedules.slot_videos import SlotVideo
from schedules.upload_schedules import HourlyQueue, ScheduledUpload, UploadSchedule
from schedules.upload_slots import SlotOccurrence, UploadSlot

__all__ = [
    "Blackout",
    "HourlyQueue",
    "PostVideo",
    "ScheduledPost",
    "ScheduledUpload",
    "SlotOccurrence",
    "SlotVideo",
    "UploadSchedule",
    "UploadSlot",
]
