"""The admin of what is delivered."""

from uploader.admin import catalog, destinations, social_accounts, transcode_jobs, upload_jobs

__all__ = ["catalog", "destinations", "social_accounts", "transcode_jobs", "upload_jobs"]
