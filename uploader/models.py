"""The tables of what is delivered, and where to."""

from uploader.catalog import Episode, Film, Season, Series, Subtitle
from uploader.destinations import Destination
from uploader.ledger import LedgerEntry
from uploader.social_accounts import SocialAccount
from uploader.upload_jobs import UploadJob

__all__ = [
    "Destination", "Episode", "Film", "LedgerEntry", "Season", "Series", "SocialAccount", "Subtitle", "UploadJob",
]  # fmt: skip
