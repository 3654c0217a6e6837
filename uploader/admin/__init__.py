"""The admin of what is delivered."""

from uploader.admin import catalog, destinations, social_accounts, upload_jobs

__all__ = ["catalog", "destinations", "social_accounts", "upload_jobs"]
