"""The tables of what is delivered, and where to."""

from uploader.catalog import Episode, Film, Season, Series, Subtitle
from uploader.destinations import Destination
from uploader.ledger import LedgerEntry
from uploader.pipeline.matches import Match
from uploader.social_accounts import SocialAccount

# Before the jobs they belong to: a free worker finishes what is begun before it begins another film.
from uploader.transcoding.pieces import TranscodePiece
from uploader.transcoding.transcode_jobs import TranscodeJob, TranscodeLog
from uploader.upload_jobs import UploadJob

__all__ = [
    "Destination", "Episode", "Film", "LedgerEntry", "Match", "Season", "Series", "SocialAccount", "Subtitle",
    "TranscodeJob", "TranscodeLog", "TranscodePiece", "UploadJob",
]  # fmt: skip
