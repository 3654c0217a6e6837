"""Dailymotion: one client, three API dialects."""

from uploader.platforms.dailymotion.client import Dailymotion
from uploader.platforms.dailymotion.records import (
    AccountLimits,
    Credentials,
    Identity,
    NewVideo,
    Profile,
    RemoteVideo,
    UploadedFile,
    UploadSession,
    VideoState,
)

__all__ = [
    "AccountLimits",
    "Credentials",
    "Dailymotion",
    "Identity",
    "NewVideo",
    "Profile",
    "RemoteVideo",
    "UploadSession",
    "UploadedFile",
    "VideoState",
]
